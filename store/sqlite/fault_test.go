package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/sqlite"
)

// slack is how much later than its deadline a call may return on a machine that others use, too.
const slack = 10 * time.Second

// database is a file with Better Auth's tables, in WAL mode, with one user and the session token.
func database(t testing.TB, path, token string) string {
	t.Helper()
	plugins := betterauth.Plugins{Organization: true, Teams: true, Admin: true}
	if _, err := sqlite.Apply(t.Context(), sqlite.Config{URL: address(path)}, plugins, false); err != nil {
		t.Fatal(err)
	}
	execute(t, path, fmt.Sprintf(`insert into "user" values ('u1', 'U', 'u@example.com', 1, null, '', '', 'user', 0, null, null);
		insert into "session" ("id", "token", "userId", "expiresAt", "createdAt", "updatedAt") values ('s1', '%s', 'u1', 1795293748618, '', '')`, token))
	return path
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{URL: address(path)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// lookUp resolves a token within a time.
func lookUp(t testing.TB, s *sqlite.Store, token string, within time.Duration) (*gate.Principal, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	before := time.Now()
	p, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, token))
	if took := time.Since(before); took > within+slack {
		t.Errorf("took %v of %v", took, within)
	}
	return p, err
}

func TestWriterHoldsTheWholeFile(t *testing.T) {
	t.Parallel()
	path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
	execute(t, path, "pragma journal_mode = delete")
	s := open(t, path)
	writer := other(t, path)
	defer writer.Close()
	writer.SetMaxOpenConns(1)
	if _, err := writer.ExecContext(t.Context(), "begin exclusive"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := lookUp(t, s, "token", 200*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if _, err := lookUp(t, s, "token", 30*time.Second); err == nil || !strings.Contains(err.Error(), "WAL mode") || errors.Is(err, gate.ErrNoSession) {
		t.Errorf("without a deadline: %v", err)
	}
	time.AfterFunc(300*time.Millisecond, func() { _, _ = writer.ExecContext(context.Background(), "commit") })
	if p, err := lookUp(t, s, "token", 5*time.Second); err != nil || p.User.ID != "u1" {
		t.Errorf("when the writer is done: %v", err)
	}
}

func TestWALIsReadWhileOthersWrite(t *testing.T) {
	t.Parallel()
	path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
	s := open(t, path)
	writer := other(t, path)
	defer writer.Close()
	writer.SetMaxOpenConns(1)
	if _, err := writer.ExecContext(t.Context(), `begin immediate; delete from "session"`); err != nil {
		t.Fatal(err)
	}
	if _, err := lookUp(t, s, "token", time.Second); err != nil {
		t.Errorf("a deletion that is not committed: %v", err)
	}
	if _, err := writer.ExecContext(t.Context(), `rollback`); err != nil {
		t.Fatal(err)
	}

	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := writer.ExecContext(t.Context(), `insert into "verification" values (?, 'i', 'v', '', '', ''); pragma wal_checkpoint`, i); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 8 {
		wg.Go(func() {
			for range 300 {
				if _, err := lookUp(t, s, "token", 5*time.Second); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	time.AfterFunc(time.Second, func() { close(stop) })
	wg.Wait()
	execute(t, path, `delete from "session"`)
	if _, err := lookUp(t, s, "token", time.Second); !errors.Is(err, gate.ErrNoSession) {
		t.Errorf("right after a deletion: %v", err)
	}
}

// TestFileReplaced: a restored backup takes the place of the file under the open connections.
func TestFileReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := database(t, filepath.Join(dir, "a.db"), "before")
	s := open(t, path)
	if _, err := lookUp(t, s, "before", time.Second); err != nil {
		t.Fatal(err)
	}
	restored := database(t, filepath.Join(dir, "backup.db"), "after")
	execute(t, restored, "pragma journal_mode = delete")
	execute(t, path, "pragma wal_checkpoint(truncate)")
	if err := os.Rename(restored, path); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if p, err := lookUp(t, s, "after", 5*time.Second); err != nil || p.User.ID != "u1" {
				t.Errorf("a session of the new file: %v", err)
			}
			if _, err := lookUp(t, s, "before", 5*time.Second); !errors.Is(err, gate.ErrNoSession) {
				t.Errorf("a session of the old file: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestFileRemoved(t *testing.T) {
	t.Parallel()
	path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
	s := open(t, path)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := lookUp(t, s, "token", time.Second); err == nil || errors.Is(err, gate.ErrNoSession) || !strings.Contains(err.Error(), "there is no file") {
		t.Errorf("got %v", err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("ping without a file")
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if _, err := lookUp(t, s, "token", time.Second); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// TestUnreadableTimes: what cannot be understood is an error, not a session without end.
func TestUnreadableTimes(t *testing.T) {
	t.Parallel()
	path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
	s := open(t, path)
	for column, change := range map[string]string{
		"session.expiresAt": `update "session" set "expiresAt" = 'whenever'`,
		"user.banned":       `update "user" set "banned" = 'perhaps'`,
		"user.banExpires":   `update "user" set "banExpires" = 'never'`,
	} {
		execute(t, path, change)
		if _, err := lookUp(t, s, "token", time.Second); err == nil || errors.Is(err, gate.ErrNoSession) || !strings.Contains(err.Error(), column) {
			t.Errorf("%s: %v", column, err)
		}
	}
}

// TestColumnsThatCompareWithoutCase: a token is only ever exactly itself.
func TestColumnsThatCompareWithoutCase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	execute(t, path, `create table "user" ("id" text primary key, "name" text, "email" text, "emailVerified" integer);
		create table "session" ("id" text primary key, "token" text collate nocase unique, "userId" text, "createdAt" date, "expiresAt" date);
		insert into "user" values ('u1', 'U', 'u@example.com', 1); insert into "session" values ('s1', 'Token', 'u1', null, null)`)
	s := open(t, path)
	if _, err := lookUp(t, s, "token", time.Second); !errors.Is(err, gate.ErrNoSession) {
		t.Errorf("another token: %v", err)
	}
	if p, err := lookUp(t, s, "Token", time.Second); err != nil || !p.Session.ExpiresAt.IsZero() {
		t.Errorf("the token: %v, %v", p, err)
	}
}

func TestStoreOnlyReads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := database(t, filepath.Join(dir, "a.db"), "token")
	execute(t, path, "pragma journal_mode = delete")
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	if _, err := lookUp(t, s, "token", time.Second); err != nil {
		t.Fatal(err)
	}
	if stats := s.Stats(); stats.Max != 4 || stats.Open < 1 || stats.InUse != 0 {
		t.Errorf("%+v", stats)
	}
	s.Close()
	s.Close() // closing twice is harmless
	if _, err := lookUp(t, s, "token", time.Second); err == nil || errors.Is(err, gate.ErrNoSession) {
		t.Errorf("after Close: %v", err)
	}
	after, err := os.Stat(path)
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the file was written to: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left beside it: %v %v", files, err)
	}
}
