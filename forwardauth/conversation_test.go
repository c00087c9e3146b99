package forwardauth_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/server"
)

// script is a connection whose other end says what is in pieces, one a Read, and then nothing more.
type script struct {
	pieces [][]byte
	mu     sync.Mutex // of said: net/http reads while it answers
	said   bytes.Buffer
	ended  func() // the service has nothing more to say
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pieces) > 0 && len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	s.pieces[0] = s.pieces[0][n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(p)
}
func (s *script) Close() error                     { s.ended(); return nil }
func (s *script) CloseWrite() error                { s.ended(); return nil }
func (*script) LocalAddr() net.Addr                { return tcp(proxyAddr) }
func (*script) RemoteAddr() net.Addr               { return tcp(proxyAddr) }
func (*script) SetDeadline(time.Time) error        { return nil }
func (*script) SetReadDeadline(t time.Time) error  { return nil }
func (*script) SetWriteDeadline(t time.Time) error { return nil }

// service is a gate behind the real server, and what it has seen.
type service struct {
	conns chan net.Conn
	seen  []gate.Request // guarded by the end of the conversation
}

func startService(tb testing.TB, directly bool) *service {
	tb.Helper()
	s := &service{conns: make(chan net.Conn)}
	w := newWorld(tb, func(c *gate.Config) {
		c.Timeout = time.Minute
		c.Observe = func(r *gate.Request, _ gate.Decision, _ time.Duration) { s.seen = append(s.seen, copied(r)) }
	})
	c := server.Config{
		Listeners: server.Listeners{HTTP: single{s.conns, make(chan struct{})}}, HTTP: w.http, Health: server.NewHealth(), Log: slog.New(slog.DiscardHandler),
	}
	if directly {
		c.Direct = w.http.Answer
	}
	go func() { _ = server.Serve(context.Background(), c) }() // until the process ends
	return s
}

// malformed is net/http's own last word. It says nothing to half a request, or this.
const malformed = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"

// converse is all that the service says when it is told these pieces but for malformed, line by line and in no order, and
// what it saw.
func (s *service) converse(t *testing.T, pieces ...[]byte) (lines []string, seen []gate.Request) {
	t.Helper()
	s.seen = nil
	ended := make(chan struct{})
	c := &script{pieces: pieces, ended: sync.OnceFunc(func() { close(ended) })}
	s.conns <- c
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range strings.SplitSeq(strings.TrimSuffix(c.said.String(), malformed), "\r\n") {
		if !strings.HasPrefix(line, "Date: ") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines, s.seen
}

// FuzzConversation is FuzzAnswer for a whole connection: whatever is said on it, however it is cut, the server that reads
// checks itself says and sees what one of net/http alone does.
func FuzzConversation(f *testing.F) {
	usual := head + asForwarded + "Cookie: session=alice\r\n\r\n"
	for _, raw := range strange {
		f.Add([]byte(raw), 10)
		f.Add([]byte(usual+raw), 20)
		f.Add([]byte(raw+usual), 30)
	}
	post := strings.Replace(usual, "GET", "POST", 1)
	for _, raw := range []string{usual, post, strings.Replace(usual, "GET", "HEAD", 1), strings.Replace(post, "Host", "Content-Length: 0\r\nHost", 1)} {
		f.Add([]byte(raw+usual), len(raw))
		f.Add([]byte(raw+usual+raw), len(raw)+7)
	}
	directly, plainly := startService(f, true), startService(f, false)
	f.Fuzz(func(t *testing.T, raw []byte, cut int) {
		if bytes.Contains(raw, []byte("\n\r\n\r")) || bytes.Contains(raw, []byte("\n\r\n\n")) {
			return // net/http overlooks an empty line behind its own POST, and not behind ours: it refuses
		}
		cut = max(0, min(cut, len(raw)))
		lines, seen := directly.converse(t, bytes.Clone(raw[:cut]), bytes.Clone(raw[cut:]))
		theirLines, theirSeen := plainly.converse(t, bytes.Clone(raw))
		if !slices.Equal(lines, theirLines) {
			t.Errorf("directly %q\nby net/http %q", lines, theirLines)
		}
		for i := range min(len(seen), len(theirSeen)) {
			if seen[i].Fault != "" { // as in FuzzAnswer
				seen[i].Override, theirSeen[i].Override = "", ""
			}
		}
		if !reflect.DeepEqual(seen, theirSeen) {
			t.Errorf("directly %+v\nby net/http %+v", seen, theirSeen)
		}
	})
}
