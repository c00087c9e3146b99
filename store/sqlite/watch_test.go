package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/sqlite"
)

var _ store.Watcher = (*sqlite.Store)(nil)

// heard is a store.Notices that remembers.
type heard struct {
	mu       sync.Mutex
	flushes  int       // ChangedAll, and the Complete that implies it
	complete time.Time // zero while incomplete
	why      []error
}

func (h *heard) Changed(time.Time, ...store.Tag) { panic("SQLite does not know what changed") }

func (h *heard) ChangedAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flushes++
}

func (h *heard) Complete(until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.complete.IsZero() {
		h.flushes++
	}
	h.complete = until
}

func (h *heard) Incomplete(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.complete = time.Time{}
	h.why = append(h.why, why)
}

func (h *heard) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.flushes
}

// reasons are what Incomplete said.
func (h *heard) reasons() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprint(h.why)
}

// completeSince waits until a poll that began now or later was answered.
func (h *heard) completeSince(t *testing.T) {
	t.Helper()
	now := time.Now()
	eventually(t, "a complete poll", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return !h.complete.Before(now)
	})
}

// incomplete waits for the word, and wants a reason with it.
func (h *heard) incomplete(t *testing.T, reason string) {
	t.Helper()
	eventually(t, "incomplete: "+reason, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.complete.IsZero() && len(h.why) > 0 && strings.Contains(h.why[len(h.why)-1].Error(), reason)
	})
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(slack); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// listen watches until the test ends.
func listen(t *testing.T, s *sqlite.Store) *heard {
	t.Helper()
	h := new(heard)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Watch(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(slack):
			t.Error("Watch did not end")
		}
	})
	h.completeSince(t)
	return h
}

// told wants do to be told, and answers how late.
func (h *heard) told(t *testing.T, what string, do func()) time.Duration {
	t.Helper()
	before := h.count()
	do()
	changed := time.Now()
	eventually(t, what, func() bool { return h.count() > before })
	late := time.Since(changed)
	h.completeSince(t)
	return late
}

func TestWatch(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"wal", "delete", "truncate", "persist"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
			execute(t, path, "pragma journal_mode = "+mode)
			s := open(t, path)
			h := listen(t, s)

			quiet := h.count()
			for range 5 {
				if _, err := lookUp(t, s, "token", time.Second); err != nil {
					t.Fatal(err)
				}
				if err := s.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.completeSince(t)
			}
			if got := h.count(); got != quiet {
				t.Errorf("lookups were told as %d changes", got-quiet)
			}

			for i, change := range []string{
				`delete from "session"`,
				`update "user" set "banned" = 1`,
				`begin; update "user" set "name" = 'a'; update "user" set "name" = 'b'; commit`,
				`create table "t" ("c")`,
			} {
				late := h.told(t, change, func() { execute(t, path, change) })
				t.Logf("change %d was told after %v", i, late)
			}

			before := h.count()
			writer := other(t, path)
			defer writer.Close()
			writer.SetMaxOpenConns(1)
			if _, err := writer.ExecContext(t.Context(), `begin immediate; update "user" set "name" = 'c'`); err != nil {
				t.Fatal(err)
			}
			h.completeSince(t)
			if _, err := writer.ExecContext(t.Context(), "rollback"); err != nil {
				t.Fatal(err)
			}
			h.completeSince(t)
			if got := h.count(); got != before {
				t.Error("what was rolled back was told")
			}
		})
	}
}

// TestWatchBetterAuth: Better Auth's own driver in another process.
func TestWatchBetterAuth(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "live.db")
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: address(path)})
	ada := auth.SignUp(t, "Ada", "ada@example.com")
	h := listen(t, open(t, path))
	h.told(t, "an organization", func() { auth.CreateOrganization(t, ada, "Acme", "acme") })
	h.told(t, "a sign-out", func() { auth.SignOut(t, ada) })
}

func TestWatchJournalModeChanges(t *testing.T) {
	t.Parallel()
	path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
	execute(t, path, "pragma journal_mode = delete")
	s := open(t, path)
	h := listen(t, s)
	execute(t, path, "pragma journal_mode = wal")
	h.completeSince(t)
	h.told(t, "a deletion", func() { execute(t, path, `delete from "session"`) })
}

// TestWatchFileReplaced: nothing that was known of the old file holds for the new one, and changes of that are told.
func TestWatchFileReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := database(t, filepath.Join(dir, "a.db"), "before")
	h := listen(t, open(t, path))
	execute(t, path, "pragma wal_checkpoint(truncate)")
	h.completeSince(t)
	restored := database(t, filepath.Join(dir, "backup.db"), "after")
	execute(t, restored, "pragma journal_mode = delete")
	h.told(t, "another file", func() {
		if err := os.Rename(restored, path); err != nil {
			t.Fatal(err)
		}
	})
	h.told(t, "a change in the other file", func() { execute(t, path, `delete from "session"`) })
	if got := h.reasons(); got != "[]" {
		t.Errorf("incomplete: %s", got)
	}
}

// TestWatchFileRestored: a backup looks to a connection that has just opened it as the file before it did, for nobody has
// committed anything.
func TestWatchFileRestored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, backup := database(t, filepath.Join(dir, "a.db"), "token"), filepath.Join(dir, "backup.db")
	execute(t, path, "pragma journal_mode = delete")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(backup, content, 0o600); err != nil {
		t.Fatal(err)
	}
	h := listen(t, open(t, path))
	h.completeSince(t)
	h.told(t, "the backup", func() {
		if err := os.Rename(backup, path); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWatchFileGoneAndBack(t *testing.T) {
	t.Parallel()
	path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
	h := listen(t, open(t, path))
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	h.incomplete(t, "there is no file")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	h.incomplete(t, "must name Better Auth's SQLite file")
	h.told(t, "the file is back", func() {
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	})
	h.told(t, "a deletion", func() { execute(t, path, `delete from "session"`) })
	if got := h.reasons(); strings.Count(got, "sqlite:") != 2 {
		t.Errorf("incomplete was not said twice: %s", got)
	}
}

// TestWatchLocked: a writer that holds the whole file keeps Watch from looking; a short one is nothing to talk about.
func TestWatchLocked(t *testing.T) {
	t.Parallel()
	path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
	execute(t, path, "pragma journal_mode = delete")
	h := listen(t, open(t, path))
	writer := other(t, path)
	defer writer.Close()
	writer.SetMaxOpenConns(1)
	if _, err := writer.ExecContext(t.Context(), "begin exclusive"); err != nil {
		t.Fatal(err)
	}
	h.incomplete(t, "WAL mode")
	h.told(t, "what the writer did", func() {
		if _, err := writer.ExecContext(t.Context(), `delete from "session"; commit`); err != nil {
			t.Fatal(err)
		}
	})
	h.told(t, "the next change", func() { execute(t, path, `delete from "user"`) })
	if got := h.reasons(); strings.Count(got, "sqlite:") != 1 {
		t.Errorf("incomplete was not said once: %s", got)
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	s := open(t, database(t, filepath.Join(t.TempDir(), "a.db"), "token"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := new(heard)
	s.Watch(ctx, h)
	if h.count() != 0 || h.reasons() != "[]" {
		t.Errorf("a Watch that has ended says %d, %s", h.count(), h.reasons())
	}
}
