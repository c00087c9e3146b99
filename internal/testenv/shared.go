package testenv

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Postgres returns the server that all tests of this process share; each takes a database of its own from it.
// It starts on first use and ends with the process, however that ends.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	s, err := sharedPostgres()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sharedPostgres is the one piece of package state: starting a server takes longer than most tests.
var sharedPostgres = sync.OnceValues(func() (*PostgresServer, error) {
	c, err := newCluster()
	if err != nil {
		return nil, err
	}
	watch, err := watchOver(c)
	if err != nil {
		_ = os.RemoveAll(c.dir)
		return nil, fmt.Errorf("testenv: postgres: %w", err)
	}
	if err := c.awaitAnswer(); err != nil {
		log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
		return nil, fmt.Errorf("%w\n%s", err, log)
	}
	return &PostgresServer{cluster: c, watch: watch}, nil
})

// watchOver starts the server below a shell that waits for the end of its standard input, which is the end of this
// process, and then stops the server and removes its files. No test has to remember to do so in a TestMain, and no
// goroutine of ours is left for a leak check to find. The other end of that standard input is returned.
func watchOver(c cluster) (io.Closer, error) {
	const script = `
dir=$1; shift
"$@" >"$dir/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
cd /
rm -rf "$dir"`
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "sh", c.dir, c.program}, c.args()...)...)
	cmd.Dir = c.dir
	// A session of its own: what interrupts or kills the tests' process group must leave the shell to its work.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.user != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.user.UID, Gid: c.user.GID}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return stdin, cmd.Start()
}
