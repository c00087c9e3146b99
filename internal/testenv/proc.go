package testenv

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// patience is how long a part may take to become ready: far more than any needs, because test machines are shared.
const patience = 60 * time.Second

// Command says what Start starts.
type Command struct {
	Path string
	Args []string
	Dir  string         // empty: the test's own
	Env  []string       // complete; nil: the test's own
	User *User          // nil: the test's own
	Stop syscall.Signal // what asks it to end; 0: SIGTERM
}

// User is a user to run a process as; only root may name one.
type User struct{ UID, GID uint32 }

// Proc is a running program. Its standard input stays open, silent, until the end.
type Proc struct {
	name   string
	cmd    *exec.Cmd
	stop   syscall.Signal
	output *tail
	stdin  io.Closer
	done   chan struct{} // closed when it has ended
	err    error         // how; read only after done
}

// Start runs a program in a process group of its own until the test ends. If the test has failed, the end of its output
// goes to the test's log.
func Start(t testing.TB, c Command) *Proc {
	t.Helper()
	p, err := start(c)
	if err != nil {
		t.Fatalf("testenv: %s: %v", filepath.Base(c.Path), err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("the end of what %s wrote:\n%s", p.name, p.end())
		}
	})
	return p
}

func start(c Command) (*Proc, error) {
	p := &Proc{
		name:   filepath.Base(c.Path),
		stop:   c.Stop,
		output: newTail(8 << 20),
		done:   make(chan struct{}),
	}
	if p.stop == 0 {
		p.stop = syscall.SIGTERM
	}
	p.cmd = exec.Command(c.Path, c.Args...)
	p.cmd.Dir = c.Dir
	p.cmd.Env = c.Env
	p.cmd.Stdout = p.output
	p.cmd.Stderr = p.output
	p.cmd.SysProcAttr = ownGroup(c.User, p.stop)
	// A grandchild that left the group and kept the output open must not hang the test.
	p.cmd.WaitDelay = 2 * time.Second
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin

	started := make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the starting *thread* ends, so it must last as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		p.signal(syscall.SIGKILL) // whatever it left behind
		close(p.done)
	}()
	return p, <-started
}

// Pid returns the process id, which is also the group's.
func (p *Proc) Pid() int { return p.cmd.Process.Pid }

// Output returns what it wrote so far, standard output and error together; of very much, the last eight mebibytes.
func (p *Proc) Output() string { return p.output.String() }

// Exited is closed when the program has ended.
func (p *Proc) Exited() <-chan struct{} { return p.done }

// ExitCode waits for the end, which must come by itself; -1 means a signal ended it.
func (p *Proc) ExitCode(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("testenv: %s still runs after %v\n%s", p.name, patience, p.end())
		return 0
	}
}

// Signal signals the whole group.
func (p *Proc) Signal(s syscall.Signal) {
	select {
	case <-p.done: // the number may be somebody else's by now
	default:
		p.signal(s)
	}
}

func (p *Proc) signal(s syscall.Signal) { _ = syscall.Kill(-p.Pid(), s) }

// Stop asks the program to end, insists after five seconds, and returns when it has ended.
func (p *Proc) Stop() {
	p.stdin.Close()
	p.Signal(p.stop)
	p.Signal(syscall.SIGCONT)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.Kill()
	}
}

// Kill ends the program the hard way and returns when it has ended.
func (p *Proc) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// WaitListening waits until something accepts connections at the address.
func (p *Proc) WaitListening(t testing.TB, address string) {
	t.Helper()
	if err := p.waitListening(address); err != nil {
		t.Fatal(err)
	}
}

func (p *Proc) waitListening(address string) error {
	return p.wait("listen on "+address, func() bool {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// WaitLine waits for a whole line of output that contains the text, and returns that line.
func (p *Proc) WaitLine(t testing.TB, text string) string {
	t.Helper()
	var line string
	err := p.wait(fmt.Sprintf("write %q", text), func() (found bool) {
		line, found = p.output.line(text)
		return found
	})
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (p *Proc) wait(what string, ready func() bool) error {
	deadline := time.Now().Add(patience)
	for !ready() {
		select {
		case <-p.done:
			if ready() { // its last words
				return nil
			}
			return fmt.Errorf("testenv: %s ended (%v) before it could %s\n%s", p.name, p.err, what, p.end())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("testenv: %s did not %s within %v\n%s", p.name, what, patience, p.end())
		}
	}
	return nil
}

// end is the part of the output worth a place in a test's log.
func (p *Proc) end() string {
	const most = 8 << 10
	text := p.Output()
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	return text
}

// run runs a program that ends by itself.
func run(c Command) error {
	p, err := start(c)
	if err != nil {
		return err
	}
	defer p.stdin.Close()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.Kill()
		p.err = errors.Join(p.err, fmt.Errorf("took longer than %v", patience))
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, p.err, p.end())
	}
	return nil
}
