package testenv

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Echo is a backend that answers every request with what it received, to the byte, and remembers it.
//
// A request to upgrade to WebSocket is answered 101, and then every byte comes back.
type Echo struct {
	Address string // host:port
	URL     string

	mu       sync.Mutex
	requests []Received
	open     map[net.Conn]bool
	closed   bool
	running  sync.WaitGroup
}

// Received is one request as it reached an Echo.
type Received struct {
	Method, Target, Proto string
	Header                Fields
	Body                  []byte
	Trailer               Fields
}

// EchoReply is the body of an Echo's answer.
type EchoReply struct {
	Method   string              `json:"method"`
	Path     string              `json:"path"`     // the request target as received, query included
	Headers  map[string][]string `json:"headers"`  // by name in lower case; each line is a value
	Trailers map[string][]string `json:"trailers"` // the same, after a chunked body
}

// EchoBackend starts an Echo on loopback until the test ends.
func EchoBackend(t testing.TB) *Echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &Echo{Address: listener.Addr().String(), open: make(map[net.Conn]bool)}
	e.URL = "http://" + e.Address
	e.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if e.track(conn) {
				e.running.Go(func() {
					defer e.untrack(conn)
					e.serve(conn)
				})
			}
		}
	})
	t.Cleanup(func() {
		listener.Close()
		e.mu.Lock()
		e.closed = true
		for conn := range e.open {
			conn.Close()
		}
		e.mu.Unlock()
		e.running.Wait()
	})
	return e
}

// Requests returns what arrived since the start or the last Reset, oldest first.
func (e *Echo) Requests() []Received {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.requests)
}

// Count returns how many requests arrived since the start or the last Reset.
func (e *Echo) Count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.requests)
}

// Reset forgets what arrived.
func (e *Echo) Reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests = nil
}

// ParseEcho reads an Echo's answer from a response body.
func ParseEcho(t testing.TB, body string) EchoReply {
	t.Helper()
	var reply EchoReply
	if err := json.Unmarshal([]byte(body), &reply); err != nil {
		t.Fatalf("not an answer of the backend: %v\n%s", err, body)
	}
	return reply
}

func (e *Echo) track(conn net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		conn.Close()
		return false
	}
	e.open[conn] = true
	return true
}

func (e *Echo) untrack(conn net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	conn.Close()
	delete(e.open, conn)
}

func (e *Echo) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		request, err := receive(in, conn)
		if errors.Is(err, errMalformed) {
			_, _ = io.WriteString(conn, answer("400 Bad Request", err.Error(), true))
		}
		if err != nil {
			return
		}
		e.mu.Lock()
		e.requests = append(e.requests, request)
		e.mu.Unlock()

		if strings.EqualFold(request.Header.Get("Upgrade"), "websocket") && request.Header.has("Connection", "upgrade") {
			if _, err := io.WriteString(conn, switching(request)); err == nil {
				_, _ = io.Copy(conn, in)
			}
			return
		}
		last := request.Header.has("Connection", "close") ||
			request.Proto == "HTTP/1.0" && !request.Header.has("Connection", "keep-alive")
		if _, err := io.WriteString(conn, reply(request, last)); err != nil || last {
			return
		}
	}
}

func receive(in *bufio.Reader, out io.Writer) (r Received, err error) {
	line := ""
	for line == "" { // RFC 9112 section 2.2: empty lines before a request are skipped
		if line, err = readLine(in); err != nil {
			return r, err
		}
	}
	words := strings.Split(line, " ")
	if len(words) != 3 || !strings.HasPrefix(words[2], "HTTP/1.") {
		return r, fmt.Errorf("%w: request line %q", errMalformed, line)
	}
	r.Method, r.Target, r.Proto = words[0], words[1], words[2]
	if r.Header, err = readFields(in); err != nil {
		return r, err
	}
	if r.Header.has("Expect", "100-continue") {
		if _, err = io.WriteString(out, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return r, err
		}
	}
	r.Body, r.Trailer, err = readBody(in, r.Header)
	return r, err
}

func reply(r Received, last bool) string {
	body, err := json.Marshal(EchoReply{Method: r.Method, Path: r.Target, Headers: byName(r.Header), Trailers: byName(r.Trailer)})
	if err != nil { // maps of strings always marshal
		panic(err)
	}
	whole := answer("200 OK", string(body), last)
	if r.Method == "HEAD" {
		head, _, _ := strings.Cut(whole, "\r\n\r\n")
		return head + "\r\n\r\n"
	}
	return whole
}

func answer(status, body string, last bool) string {
	connection := "keep-alive"
	if last {
		connection = "close"
	}
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s",
		status, len(body), connection, body)
}

// switching is the server's half of RFC 6455 section 4.2.2.
func switching(r Received) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
}

func byName(fields Fields) map[string][]string {
	named := make(map[string][]string)
	for _, field := range fields {
		name := strings.ToLower(field.Name)
		named[name] = append(named[name], field.Value)
	}
	return named
}
