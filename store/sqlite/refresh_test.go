package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/sqlite"
	"github.com/usherauth/usher/store/storetest"
)

func TestRefresher(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"delete", "wal"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			storetest.RunRefresher(t, func(t *testing.T) (storetest.Harness, storetest.OpenRefresher) {
				path := filepath.Join(t.TempDir(), "a.db")
				execute(t, path, "pragma journal_mode = "+mode)
				return harness(path), func(t testing.TB, tables betterauth.Tables) (gate.Refresher, error) {
					r, err := sqlite.OpenRefresher(t.Context(), sqlite.Config{URL: address(path), Tables: tables})
					if err != nil {
						return nil, err
					}
					t.Cleanup(r.Close)
					return r, nil
				}
			})
		})
	}
}

// mover is a refresher, and a session it can move by a millisecond each time.
type mover struct {
	*sqlite.Refresher
	session gate.Session
}

func openMover(t *testing.T, path string) *mover {
	t.Helper()
	r, err := sqlite.OpenRefresher(t.Context(), sqlite.Config{URL: address(path)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return &mover{r, gate.Session{ID: "s1", ExpiresAt: time.UnixMilli(1795293748618)}}
}

func (m *mover) move(t *testing.T, within time.Duration) (bool, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	before := time.Now()
	renewed, err := m.Refresh(ctx, gate.Proven(gate.ByCookie, "token"), &m.session, before.Truncate(time.Millisecond), m.session.ExpiresAt.Add(time.Millisecond))
	if took := time.Since(before); took > within+slack {
		t.Errorf("took %v of %v", took, within)
	}
	if renewed {
		m.session.ExpiresAt = m.session.ExpiresAt.Add(time.Millisecond)
	}
	return renewed, err
}

func TestRefreshBesideAWriter(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"delete", "wal"} {
		path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
		execute(t, path, "pragma journal_mode = "+mode)
		m := openMover(t, path)
		writer := other(t, path)
		writer.SetMaxOpenConns(1)
		if _, err := writer.ExecContext(t.Context(), "begin immediate"); err != nil {
			t.Fatal(err)
		}
		if renewed, err := m.move(t, 200*time.Millisecond); renewed || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: beside a writer: %v, %v", mode, renewed, err)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		if renewed, err := m.move(t, 5*time.Second); !renewed || err != nil {
			t.Errorf("%s: after the writer: %v, %v", mode, renewed, err)
		}
	}
}

// TestRefreshFollowsTheFile: a write into a file that nobody reads any more would be no refresh.
func TestRefreshFollowsTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := database(t, filepath.Join(dir, "a.db"), "token")
	m := openMover(t, path)
	s := open(t, path)
	if renewed, err := m.move(t, 5*time.Second); !renewed || err != nil {
		t.Fatalf("%v, %v", renewed, err)
	}
	restored := database(t, filepath.Join(dir, "backup.db"), "token")
	execute(t, restored, "pragma journal_mode = delete")
	execute(t, path, "pragma wal_checkpoint(truncate)")
	if err := os.Rename(restored, path); err != nil {
		t.Fatal(err)
	}
	m.session.ExpiresAt = time.UnixMilli(1795293748618)
	if renewed, err := m.move(t, 5*time.Second); !renewed || err != nil {
		t.Errorf("in the other file: %v, %v", renewed, err)
	}
	if p, err := lookUp(t, s, "token", 5*time.Second); err != nil || !p.Session.ExpiresAt.Equal(m.session.ExpiresAt) {
		t.Errorf("%+v, %v", p, err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.move(t, 5*time.Second); err == nil || !strings.Contains(err.Error(), "there is no file") {
		t.Errorf("without a file: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refresh made a file")
	}
	m.Close()
	if _, err := m.move(t, time.Second); err == nil {
		t.Error("after Close")
	}
}
