package testenv

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"
)

// redisCommand speaks just enough of the protocol: inline commands, one-line answers.
func redisCommand(t *testing.T, s *RedisServer, command string) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", s.address())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "%s\r\n", command)
	return bufio.NewReader(conn).ReadString('\n')
}

func TestRedis(t *testing.T) {
	t.Parallel()
	s := StartRedis(t)
	expect := func(command, want string) {
		t.Helper()
		if got, err := redisCommand(t, s, command); err != nil || got != want+"\r\n" {
			t.Errorf("%s: %q, %v; want %q", command, got, err, want)
		}
	}
	expect("PING", "+PONG")
	expect("INCRBY n 41", ":41")

	s.Pause()
	if got, err := redisCommand(t, s, "PING"); err == nil {
		t.Errorf("paused, it says %q", got)
	}
	s.Resume()
	expect("PING", "+PONG")

	s.Kill()
	if _, err := redisCommand(t, s, "PING"); err == nil {
		t.Error("killed, it answers")
	}
	s.Start()
	expect("INCRBY n 1", ":42")
}
