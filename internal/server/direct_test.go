package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// spoken is a Direct that knows lines: "hello" is answered, "wait" is when release is closed, "panic" panics, and of all else
// it knows nothing.
type spoken struct {
	entered, release chan struct{}
	cut              atomic.Bool // a question's context ended
	asked            atomic.Int64
}

func (s *spoken) answer(ctx context.Context, asker netip.Addr, in, room []byte, closing bool) ([]byte, int, bool) {
	end := bytes.IndexByte(in, '\n')
	if end < 0 {
		return room, 0, !bytes.HasPrefix(in, []byte("GET"))
	}
	s.asked.Add(1)
	switch string(in[:end]) {
	case "hello":
	case "wait":
		s.entered <- struct{}{}
		select {
		case <-s.release:
		case <-ctx.Done():
			s.cut.Store(true)
		}
	case "panic":
		panic("it does")
	default:
		return room, 0, false
	}
	return fmt.Appendf(room, "%s %s %v\n", in[:end], asker, closing), end + 1, true
}

// serveDirect serves until the test ends, or stop is called, which says what came of it.
func serveDirect(t *testing.T, adjust func(*Config)) (address string, s *spoken, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &spoken{entered: make(chan struct{}, 100), release: make(chan struct{})}
	c := Config{
		Listeners: Listeners{HTTP: l}, Health: NewHealth(), Log: slog.New(slog.DiscardHandler), Direct: s.answer,
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, "net/http "+r.URL.Path+" "+string(body))
		}),
	}
	if adjust != nil {
		adjust(&c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, c) }()
	var result error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			result = <-ended
		}
		return result
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), s, stop
}

func call(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn, bufio.NewReader(conn)
}

func say(t *testing.T, conn net.Conn, what string) {
	t.Helper()
	if _, err := io.WriteString(conn, what); err != nil {
		t.Fatal(err)
	}
}

func hears(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if got, err := r.ReadString('\n'); err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func ends(t *testing.T, r *bufio.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(r); len(rest) != 0 || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Fatalf("%q, %v; want the end", rest, err)
	}
}

func isTimeout(err error) bool {
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}

// TestDirectAndNetHTTPShareAConnection: what one knows, in pieces and together, and then what the other does.
func TestDirectAndNetHTTPShareAConnection(t *testing.T) {
	var handed atomic.Int64
	address, s, _ := serveDirect(t, func(c *Config) { c.Handed = func() { handed.Add(1) } })
	conn, r := call(t, address)
	say(t, conn, "hello\n")
	hears(t, r, "hello 127.0.0.1 false\n")
	if handed.Load() != 0 {
		t.Error("it was handed over already")
	}
	say(t, conn, "hello\nhello\nhel")
	hears(t, r, "hello 127.0.0.1 false\n")
	hears(t, r, "hello 127.0.0.1 false\n")
	say(t, conn, "lo\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
	hears(t, r, "hello 127.0.0.1 false\n")
	say(t, conn, "dyGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
	for _, want := range []string{"net/http /a body", "net/http /b "} {
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(response.Body); string(body) != want {
			t.Errorf("got %q, want %q", body, want)
		}
	}
	say(t, conn, "hello\n") // it is net/http's now, which does not know this
	if response, err := http.ReadResponse(r, nil); err != nil || response.StatusCode != 400 {
		t.Errorf("%v %v", response, err)
	}
	if n := s.asked.Load(); n != 5 || handed.Load() != 1 {
		t.Errorf("asked %d times, handed over %d times", n, handed.Load())
	}
}

func TestALongRequestIsReadWhole(t *testing.T) {
	address, _, _ := serveDirect(t, nil)
	conn, r := call(t, address)
	path := "/" + strings.Repeat("x", 100_000)
	go func() { _, _ = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: x\r\n\r\n") }()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(response.Body); string(body) != "net/http "+path+" " {
		t.Errorf("%d bytes", len(body))
	}
}

// TestAPanicEndsOneConnection, and nothing was said on it that could be taken for a pass.
func TestAPanicEndsOneConnection(t *testing.T) {
	var log bytes.Buffer
	address, _, stop := serveDirect(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	conn, r := call(t, address)
	other, or := call(t, address)
	say(t, other, "hello\n")
	hears(t, or, "hello 127.0.0.1 false\n")
	say(t, conn, "panic\n")
	ends(t, r)
	say(t, other, "hello\n")
	hears(t, or, "hello 127.0.0.1 false\n")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "it does") {
		t.Errorf("the log says %q", log.String())
	}
}

// TestDirectDrains: who waits is let go, who was asking is answered, told that it was the last time, and new ones find nobody.
func TestDirectDrains(t *testing.T) {
	address, s, stop := serveDirect(t, nil)
	idle, ir := call(t, address)
	say(t, idle, "hello\n")
	hears(t, ir, "hello 127.0.0.1 false\n")
	_, never := call(t, address) // says nothing at all
	slow, sr := call(t, address)
	say(t, slow, "wait\n")
	<-s.entered
	begun, br := call(t, address)
	say(t, begun, "hello\nhel")
	hears(t, br, "hello 127.0.0.1 false\n")
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	ends(t, ir)
	ends(t, never)
	waitFor(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return true
		}
		conn.Close()
		return false
	})
	say(t, begun, "lo\n")
	hears(t, br, "hello 127.0.0.1 true\n")
	ends(t, br)
	select {
	case err := <-ended:
		t.Fatalf("ended before the answer: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(s.release)
	hears(t, sr, "wait 127.0.0.1 false\n")
	ends(t, sr)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestWhatTakesTooLongIsCut when the service ends.
func TestWhatTakesTooLongIsCut(t *testing.T) {
	address, s, stop := serveDirect(t, func(c *Config) { c.DrainLimit = 50 * time.Millisecond })
	conn, _ := call(t, address)
	say(t, conn, "wait\n")
	<-s.entered
	begun, _ := call(t, address)
	say(t, begun, "hel")
	start := time.Now()
	if err := stop(); err != nil || time.Since(start) > 4*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if !s.cut.Load() {
		t.Error("the question goes on")
	}
}

// TestNobodyKeepsNetHTTPFromEnding: who does not read his answers holds up the end, and nobody else.
func TestNobodyKeepsNetHTTPFromEnding(t *testing.T) {
	address, s, stop := serveDirect(t, func(c *Config) { c.DrainLimit = 3 * time.Second })
	deaf, _ := call(t, address)
	go func() {
		for err := error(nil); err == nil; {
			_, err = io.WriteString(deaf, strings.Repeat("hello\n", 1000))
		}
	}()
	for before := int64(-1); before != s.asked.Load(); time.Sleep(500 * time.Millisecond) { // until nothing moves any more
		before = s.asked.Load()
	}
	idle, r := call(t, address)
	say(t, idle, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
	if response, err := http.ReadResponse(r, nil); err != nil || response.Body.Close() != nil {
		t.Fatal(err)
	}
	start, ended := time.Now(), make(chan error, 1)
	go func() { ended <- stop() }()
	ends(t, r)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("net/http's connection ended after %v", took)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestWhoDoesNotListenIsLeftByDirect is as for net/http.
func TestWhoDoesNotListenIsLeftByDirect(t *testing.T) {
	address, s, _ := serveDirect(t, func(c *Config) { c.WriteLimit = 100 * time.Millisecond })
	conn, _ := call(t, address)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			if _, err := io.WriteString(conn, strings.Repeat("hello\n", 1000)); err != nil {
				return
			}
		}
	}()
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Errorf("%d questions, and still writing", s.asked.Load())
	}
}

// pipes is a listener of connections in memory, whose clock is the test's.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	fails chan error
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case err := <-p.fails:
		return nil, err
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

type temporary struct{ error }

func (temporary) Temporary() bool { return true }

// TestDirectWaitsForNobodyForEver: for the rest of a request five seconds, however slowly it comes, for the next one three
// minutes; and a shortage of files is waited out.
func TestDirectWaitsForNobodyForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{make(chan net.Conn), make(chan struct{}), make(chan error)}
		s := &spoken{}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- Serve(ctx, Config{
				Listeners: Listeners{HTTP: l}, Health: NewHealth(), Log: slog.New(slog.DiscardHandler), Direct: s.answer, HTTP: http.NotFoundHandler(),
			})
		}()
		l.fails <- temporary{errors.New("too many open files")}
		lasts := func(what string) time.Duration { // | is two seconds
			client, served := net.Pipe()
			l.conns <- served
			start, end := time.Now(), make(chan time.Time, 1)
			go func() { _, _ = io.Copy(io.Discard, client); end <- time.Now() }()
			for piece := range strings.SplitSeq(what, "|") {
				if _, err := io.WriteString(client, piece); err != nil {
					break
				}
				time.Sleep(2 * time.Second)
			}
			return (<-end).Sub(start)
		}
		for what, want := range map[string][2]time.Duration{
			"hel": {headLimit, headLimit}, "h|e|l|l|o": {headLimit, headLimit}, "hello\nhel": {headLimit, headLimit},
			"hello\n|hel": {2*time.Second + headLimit, 2*time.Second + headLimit},
			"":            {idleLimit, idleLimit + slack}, "hello\n": {idleLimit, idleLimit + slack}, "hel|lo\n": {idleLimit, idleLimit + slack + 2*time.Second},
		} {
			if got := lasts(what); got < want[0] || got > want[1] {
				t.Errorf("%q: ended after %v, want %v", what, got, want)
			}
		}
		// Nor does a connection end that is used, even where no read ends with a request.
		client, served := net.Pipe()
		l.conns <- served
		r := bufio.NewReader(client)
		say(t, client, "hel")
		for range 20 {
			time.Sleep(time.Second)
			say(t, client, "lo\nhel")
			hears(t, r, "hello invalid IP false\n")
		}
		say(t, client, "lo\n")
		hears(t, r, "hello invalid IP false\n")
		for range 20 {
			say(t, client, "hello\n")
			hears(t, r, "hello invalid IP false\n")
			time.Sleep(2 * time.Minute)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestABrokenListenerEndsTheService: nobody would be answered, and nobody would know.
func TestABrokenListenerEndsTheService(t *testing.T) {
	l := &pipes{make(chan net.Conn), make(chan struct{}), make(chan error)}
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(t.Context(), Config{
			Listeners: Listeners{HTTP: l}, Health: NewHealth(), Log: slog.New(slog.DiscardHandler), Direct: new(spoken).answer, HTTP: http.NotFoundHandler(),
		})
	}()
	l.fails <- errDown
	if err := <-ended; !errors.Is(err, errDown) {
		t.Errorf("got %v", err)
	}
}
