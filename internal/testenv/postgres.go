package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is a PostgreSQL server on loopback that trusts everybody. Its superuser is postgres.
type PostgresServer struct {
	cluster

	// Of a private server.
	t    testing.TB
	proc *Proc

	// Of the shared one: while this is reachable, and so not closed as garbage, the server lives.
	watch io.Closer
}

// StartPostgres starts a server that belongs to this test alone, for tests that take it away.
func StartPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	c, err := newCluster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(c.dir) })
	return serve(t, c)
}

// serve starts the server of a cluster until the test ends.
func serve(t testing.TB, c cluster) *PostgresServer {
	t.Helper()
	s := &PostgresServer{cluster: c, t: t}
	t.Cleanup(func() {
		if t.Failed() && s.proc != nil {
			t.Logf("the end of what postgres wrote:\n%s", s.proc.end())
		}
		s.Kill()
	})
	s.Start()
	return s
}

// NewDatabase creates an empty database that lasts as long as the test, and returns its URL.
func (s *PostgresServer) NewDatabase(t testing.TB) string {
	t.Helper()
	name := "t_" + strings.ToLower(rand.Text())
	if err := s.admin("create database " + name); err != nil {
		t.Fatalf("testenv: %v", err)
	}
	if s.watch != nil { // a private server goes away as a whole
		t.Cleanup(func() {
			if err := s.admin("drop database " + name + " with (force)"); err != nil {
				t.Errorf("testenv: %v", err)
			}
		})
	}
	return s.URL(name)
}

// URL returns the URL of a database, whether it exists or not.
func (c cluster) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", c.address(), database)
}

// Kill ends the server and every connection at once, as a crash would. Start brings it back with its data.
func (s *PostgresServer) Kill() {
	s.mustOwn()
	if s.proc == nil {
		return
	}
	segment := s.sharedMemory()
	s.each(syscall.SIGKILL)
	s.proc.Kill()
	s.proc = nil
	removeSharedMemory(segment)
}

// Start starts a killed server on the same port, and waits until it answers.
func (s *PostgresServer) Start() {
	s.t.Helper()
	s.mustOwn()
	// SIGQUIT: PostgreSQL's own "stop now", which cleans up what the kernel would keep.
	proc, err := start(Command{Path: s.program, Args: s.args(), Dir: s.dir, User: s.user, Stop: syscall.SIGQUIT})
	if err != nil {
		s.t.Fatalf("testenv: postgres: %v", err)
	}
	s.proc = proc
	proc.WaitListening(s.t, s.address())
	if err := s.awaitAnswer(); err != nil {
		s.t.Fatalf("%v\n%s", err, proc.end())
	}
}

// Pause freezes the server: connections stay open, new ones are accepted by the kernel, and nothing answers.
func (s *PostgresServer) Pause() {
	s.mustOwn()
	s.each(syscall.SIGSTOP)
}

// Resume undoes Pause.
func (s *PostgresServer) Resume() {
	s.mustOwn()
	s.each(syscall.SIGCONT)
}

// Output is the end of what a private server has written to its log since it was started.
func (s *PostgresServer) Output() string {
	s.mustOwn()
	return s.proc.Output()
}

// each signals the server and its children, which are not in its process group.
func (s *PostgresServer) each(signal syscall.Signal) {
	s.proc.Signal(signal) // first, so that no more children appear
	for _, child := range children(s.proc.Pid()) {
		_ = syscall.Kill(child, signal)
	}
}

func (s *PostgresServer) mustOwn() {
	if s.watch != nil {
		panic("testenv: the shared PostgreSQL belongs to every test of the process; take StartPostgres")
	}
}

// cluster is a data directory and the way to serve it.
type cluster struct {
	program string
	dir     string // the data directory is below it
	port    int
	user    *User
}

// newCluster runs initdb. PostgreSQL refuses to run as root, so root hands everything to the user Debian made for it.
func newCluster() (c cluster, err error) {
	if c.program, err = partPath("postgres"); err != nil {
		return c, err
	}
	initdb, err := partPath("initdb")
	if err != nil {
		return c, err
	}
	if c.port, err = freePort(); err != nil {
		return c, err
	}
	if c.dir, err = os.MkdirTemp("", "usher-postgres-"); err != nil {
		return c, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(c.dir)
		}
	}()
	if os.Geteuid() == 0 {
		if c.user, err = unprivileged(); err != nil {
			return c, err
		}
		if err = os.Chown(c.dir, int(c.user.UID), int(c.user.GID)); err != nil {
			return c, err
		}
	}
	return c, run(Command{
		Path: initdb,
		Args: []string{
			"--pgdata=" + c.data(), "--username=postgres", "--auth=trust", "--no-sync",
			"--encoding=UTF8", "--locale=C.UTF-8",
		},
		Dir:  c.dir,
		User: c.user,
	})
}

func unprivileged() (*User, error) {
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("testenv: root needs a user to run PostgreSQL as: %w: run `make parts`", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &User{UID: uint32(uid), GID: uint32(gid)}, nil
}

func (c cluster) data() string    { return filepath.Join(c.dir, "data") }
func (c cluster) address() string { return fmt.Sprintf("127.0.0.1:%d", c.port) }

func (c cluster) args() []string {
	args := []string{"-D", c.data(), "-p", strconv.Itoa(c.port)}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200", "shared_buffers=32MB",
		// A crash of the machine may lose the data; a crash of the server, which tests cause, must not.
		"fsync=off", "full_page_writes=off",
	} {
		args = append(args, "-c", setting)
	}
	return args
}

// sharedMemory returns the id of the segment that guards the data directory: the last word of postmaster.pid's 7th line.
func (c cluster) sharedMemory() int {
	content, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return -1
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 7 {
		return -1
	}
	words := strings.Fields(lines[6])
	if len(words) != 2 {
		return -1
	}
	id, err := strconv.Atoi(words[1])
	if err != nil {
		return -1
	}
	return id
}

// awaitAnswer waits out the moment in which the port is open and the server still says that it is starting up.
func (c cluster) awaitAnswer() error {
	deadline := time.Now().Add(patience)
	for {
		err := c.admin("select 1")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("testenv: postgres does not answer: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c cluster) admin(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}
