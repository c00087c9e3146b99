package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

// Standby starts a second server that follows this one, as pg_basebackup sets it up: it can be read and not written to,
// until Promote. Both belong to the test alone.
func (s *PostgresServer) Standby(t testing.TB) *PostgresServer {
	t.Helper()
	s.mustOwn()
	c := s.cluster
	var err error
	if c.port, err = freePort(); err != nil {
		t.Fatal(err)
	}
	if c.dir, err = os.MkdirTemp("", "usher-postgres-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(c.dir) })
	if c.user != nil {
		if err := os.Chown(c.dir, int(c.user.UID), int(c.user.GID)); err != nil {
			t.Fatal(err)
		}
	}
	err = run(Command{
		Path: filepath.Join(filepath.Dir(c.program), "pg_basebackup"),
		Args: []string{
			"--pgdata=" + c.data(), "--dbname=" + s.URL("postgres"), "--wal-method=stream", "--checkpoint=fast", "--no-sync", "--write-recovery-conf",
		},
		Dir:  c.dir,
		User: c.user,
	})
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return serve(t, c)
}

// Promote makes a standby a server of its own, which can be written to, and returns when it is.
func (s *PostgresServer) Promote() {
	s.t.Helper()
	s.mustOwn()
	if err := s.admin("select pg_promote(wait_seconds => 60)"); err != nil {
		s.t.Fatalf("testenv: %v", err)
	}
}
