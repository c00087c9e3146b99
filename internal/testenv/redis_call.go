package testenv

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Address returns the host and port.
func (s *RedisServer) Address() string { return s.address() }

// Call has the server do something and returns its answer as text, the members of a list on lines of their own. An error
// that the server answers fails the test.
func (s *RedisServer) Call(t testing.TB, words ...string) string {
	t.Helper()
	answer, err := callRedis(s.address(), words)
	if err != nil {
		t.Fatalf("testenv: redis: %s: %v", strings.Join(words, " "), err)
	}
	return answer
}

// Replicated is Call for a write, and waits until a replica has it. It is one thing because WAIT knows only of what its own
// connection wrote.
func (s *RedisServer) Replicated(t testing.TB, words ...string) {
	t.Helper()
	if replicas, err := callRedis(s.address(), words, []string{"WAIT", "1", "9000"}); err != nil || replicas == "0" {
		t.Fatalf("testenv: redis: %s: %s replicas have it: %v", strings.Join(words, " "), replicas, err)
	}
}

// callRedis makes a connection for these commands, and returns the last one's answer.
func callRedis(address string, commands ...[]string) (answer string, err error) {
	conn, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	for _, words := range commands {
		fmt.Fprintf(conn, "*%d\r\n", len(words))
		for _, word := range words {
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(word), word)
		}
		if answer, err = readRedis(r); err != nil {
			return "", err
		}
	}
	return answer, nil
}

func readRedis(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '-':
		return "", fmt.Errorf("%s", rest)
	case '$', '*':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return "", err
		}
		if kind == '$' {
			text := make([]byte, n+2)
			_, err := io.ReadFull(r, text)
			return string(text[:n]), err
		}
		members := make([]string, n)
		for i := range members {
			if members[i], err = readRedis(r); err != nil {
				return "", err
			}
		}
		return strings.Join(members, "\n"), nil
	}
	return rest, nil
}

// awaitRedis asks again and again until the answer is as it should be.
func awaitRedis(t testing.TB, what string, ready func() (bool, error)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		done, err := ready()
		if err == nil && done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("testenv: redis: %s: not within %v (%v)", what, patience, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
