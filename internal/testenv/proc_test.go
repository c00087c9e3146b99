package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestProc(t *testing.T) {
	t.Parallel()
	t.Run("a line, and the rest of the output", func(t *testing.T) {
		t.Parallel()
		p := Start(t, Command{Path: "/bin/sh", Args: []string{"-c", "echo one; echo two >&2; echo is ready; sleep 60"}})
		if line := p.WaitLine(t, "ready"); line != "is ready" {
			t.Errorf("line = %q", line)
		}
		if out := p.Output(); out != "one\ntwo\nis ready\n" {
			t.Errorf("output = %q", out)
		}
	})
	t.Run("exit code", func(t *testing.T) {
		t.Parallel()
		if code := Start(t, Command{Path: "/bin/sh", Args: []string{"-c", "exit 7"}}).ExitCode(t); code != 7 {
			t.Errorf("code = %d", code)
		}
	})
	t.Run("a program that ended is not waited for", func(t *testing.T) {
		t.Parallel()
		p := Start(t, Command{Path: "/bin/sh", Args: []string{"-c", "echo bad configuration; exit 1"}})
		err := p.waitListening("127.0.0.1:1")
		if err == nil || !strings.Contains(err.Error(), "bad configuration") {
			t.Errorf("error = %v, want the program's own words", err)
		}
	})
	t.Run("stopping ends the whole group, however stubborn", func(t *testing.T) {
		t.Parallel()
		p := Start(t, Command{Path: "/bin/sh", Args: []string{"-c", "trap '' TERM; sleep 300 & echo child $!; wait; sleep 300"}})
		child := number(t, p.WaitLine(t, "child "))
		p.Stop()
		awaitEnd(t, child)
	})
}

func TestFreePort(t *testing.T) {
	t.Parallel()
	seen := make(map[int]bool)
	for range 50 {
		port := FreePort(t)
		if seen[port] {
			t.Fatalf("port %d twice", port)
		}
		seen[port] = true
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	b := newTail(10)
	for i := range 100 {
		fmt.Fprintf(b, "%d\n", i)
	}
	if text := b.String(); !strings.HasSuffix(text, "98\n99\n") || len(text) > 20 {
		t.Errorf("tail = %q", text)
	}
}

// TestNothingOutlivesAKilledTestProcess runs this test binary a second time and kills it.
func TestNothingOutlivesAKilledTestProcess(t *testing.T) {
	const victim = "TESTENV_VICTIM"
	if os.Getenv(victim) != "" {
		shared := Postgres(t)
		private := StartPostgres(t)
		redis := StartRedis(t)
		auth := BetterAuth(t, BetterAuthConfig{DatabaseURL: shared.NewDatabase(t)})
		pid, err := os.ReadFile(shared.data() + "/postmaster.pid")
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(pid), "\n")
		fmt.Printf("dir %s\npids %s %d %d %d\n", shared.dir, first, private.proc.Pid(), redis.proc.Pid(), auth.proc.Pid())
		select {}
	}
	t.Parallel()
	self := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	// For what private servers leave behind. Not t.TempDir: the postgres user must be able to enter it.
	leftovers, err := os.MkdirTemp("", "usher-leftovers-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(leftovers) })
	if err := os.Chmod(leftovers, 0o777); err != nil {
		t.Fatal(err)
	}
	self.Env = append(os.Environ(), victim+"=1", "TMPDIR="+leftovers)
	self.Stderr = os.Stderr
	out, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	var pids []int
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for pids == nil && lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if rest, ok := strings.CutPrefix(lines.Text(), "dir "); ok {
			dir = rest
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "pids "); ok {
			for word := range strings.FieldsSeq(rest) {
				pids = append(pids, number(t, word))
			}
		}
	}
	if err := self.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = self.Wait()
	if len(pids) != 4 {
		t.Fatalf("pids = %v, want 4\n%s", pids, said.String())
	}
	for _, pid := range pids {
		awaitEnd(t, pid)
	}
	await(t, "the end of "+dir, func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

func number(t *testing.T, line string) int {
	t.Helper()
	words := strings.Fields(line)
	n, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitEnd waits until a process is gone, or waits only to be collected by whoever adopted it.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	await(t, fmt.Sprintf("the end of process %d", pid), func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		return strings.HasPrefix(rest, "Z")
	})
}

func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !happened(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still waiting for %s", what)
		}
	}
}
