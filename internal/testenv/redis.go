package testenv

import (
	"fmt"
	"strconv"
	"syscall"
	"testing"
)

// RedisServer is a Redis server on loopback that belongs to one test.
type RedisServer struct {
	t    testing.TB
	dir  string
	port int
	args []string // beside those of every server
	proc *Proc
}

// StartRedis starts an empty server, with these settings beside its own, written as on the command line.
func StartRedis(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	s := &RedisServer{t: t, dir: t.TempDir(), port: FreePort(t), args: settings}
	s.Start()
	return s
}

// URL returns the URL of database 0.
func (s *RedisServer) URL() string { return fmt.Sprintf("redis://%s/0", s.address()) }

func (s *RedisServer) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Pid is that of the server's process, until Kill.
func (s *RedisServer) Pid() int { return s.proc.Pid() }

// Kill ends the server at once. Start brings it back on the same port with its data.
func (s *RedisServer) Kill() { s.proc.Kill() }

// Start starts a killed server and waits until it answers.
func (s *RedisServer) Start() {
	s.t.Helper()
	s.proc = Start(s.t, Command{
		Path: Part(s.t, "redis-server"),
		Args: append([]string{
			"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir,
			// The log of writes, not synced, is what survives Kill.
			"--save", "", "--appendonly", "yes", "--appendfsync", "no",
		}, s.args...),
	})
	s.proc.WaitLine(s.t, "Ready to accept connections") // the port is open earlier, while data is being read
}

// Pause freezes the server: connections stay open and nothing answers.
func (s *RedisServer) Pause() { s.proc.Signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (s *RedisServer) Resume() { s.proc.Signal(syscall.SIGCONT) }
