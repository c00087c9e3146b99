package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// TestOrdinaryTraffic is group R: what worked without a gate works with one.
func TestOrdinaryTraffic(t *testing.T) {
	s := setStage(t)
	for _, p := range s.proxies {
		t.Run(p.name, func(t *testing.T) {
			ok := func(t *testing.T, q request) testenv.Received {
				t.Helper()
				q.lines = append(q.lines, cookie(s.ada))
				x := p.send(t, s.backend, q)
				x.nothingChosen(t)
				if x.Status != 200 || len(x.received) != 1 {
					t.Fatalf("status %d, body %.300s", x.Status, x.Body)
				}
				if got := x.identity(t, "x-user-id"); got != s.ada.UserID {
					t.Errorf("x-user-id %q", got)
				}
				return x.received[0]
			}
			t.Run("R01 target and host", func(t *testing.T) {
				r := ok(t, request{target: "/a/b?x=1&y=%20z"})
				if r.Target != "/a/b?x=1&y=%20z" || r.Method != "GET" {
					t.Errorf("%s %s", r.Method, r.Target)
				}
			})
			t.Run("R02 body", func(t *testing.T) {
				r := ok(t, request{method: "POST", lines: []string{"Content-Type: application/json", "Content-Length: 9"}, body: `{"a":"b"}`})
				if string(r.Body) != `{"a":"b"}` || r.Method != "POST" {
					t.Errorf("%s %q", r.Method, r.Body)
				}
			})
			t.Run("R03 chunked body", func(t *testing.T) {
				r := ok(t, request{method: "POST", lines: []string{"Transfer-Encoding: chunked"}, body: "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"})
				if string(r.Body) != "hello world" {
					t.Errorf("%q", r.Body)
				}
			})
			t.Run("R04 HEAD", func(t *testing.T) {
				if r := ok(t, request{method: "HEAD"}); r.Method != "HEAD" {
					t.Errorf("%s", r.Method)
				}
			})
			t.Run("R05 other methods", func(t *testing.T) {
				for _, method := range []string{"PUT", "DELETE", "PATCH", "PROPFIND"} {
					if r := ok(t, request{method: method, lines: []string{"Content-Length: 0"}}); r.Method != method {
						t.Errorf("%s arrived as %s", method, r.Method)
					}
				}
			})
			t.Run("R07 Expect", func(t *testing.T) {
				r := ok(t, request{method: "POST", lines: []string{"Expect: 100-continue", "Content-Length: 2"}, body: "hi"})
				if string(r.Body) != "hi" {
					t.Errorf("%q", r.Body)
				}
			})
			t.Run("R08 GET with body", func(t *testing.T) {
				if r := ok(t, request{lines: []string{"Content-Length: 2"}, body: "hi"}); string(r.Body) != "hi" {
					t.Errorf("%q", r.Body)
				}
			})
			t.Run("R13 WebSocket", func(t *testing.T) { webSocket(t, s, p) })
			t.Run("R14 WebSocket of nobody", func(t *testing.T) {
				x := p.send(t, s.backend, request{lines: []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, keepConnection: true})
				if x.Status != 401 || x.reached() {
					t.Errorf("status %d", x.Status)
				}
			})
			t.Run("WebSocket from another origin", func(t *testing.T) {
				x := p.send(t, s.backend, request{lines: []string{cookie(s.ada), "Origin: http://evil.test", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, keepConnection: true})
				if x.Status != 403 || x.reached() {
					t.Errorf("status %d", x.Status)
				}
			})
			t.Run("R15 and R16 preflights", func(t *testing.T) {
				ask := func(target, origin string) exchange {
					return p.send(t, s.backend, request{method: "OPTIONS", target: target, lines: []string{
						"Origin: " + origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-org-id", cookie(s.ada),
					}})
				}
				for _, x := range []exchange{ask("/public/x", "http://evil.test"), ask("/private", "http://"+p.address)} {
					if x.Status != 200 {
						t.Errorf("status %d, body %.200s", x.Status, x.Body)
						continue
					}
					x.anonymousAt(t)
				}
				if x := ask("/private", "http://evil.test"); x.Status != 403 || x.reached() {
					t.Errorf("status %d", x.Status)
				}
			})
			t.Run("R06 a large upload of nobody", func(t *testing.T) {
				x := p.send(t, s.backend, request{method: "POST", lines: []string{"Content-Length: 2097152"}, body: strings.Repeat("a", 2<<20)})
				if x.Status != 401 || x.reached() {
					t.Errorf("status %d", x.Status)
				}
			})
			t.Run("D12 HEAD of nobody", func(t *testing.T) {
				if x := p.send(t, s.backend, request{method: "HEAD"}); x.Status != 401 || x.Body != "" {
					t.Errorf("status %d, body %q", x.Status, x.Body)
				}
			})
			t.Run("keep-alive to the client", func(t *testing.T) { keepAlive(t, s, p) })
		})
	}
}

// webSocket checks that bytes flow both ways after an allowed upgrade.
func webSocket(t *testing.T, s *stage, p *proxied) {
	s.backend.Reset()
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	q := request{lines: []string{
		cookie(s.ada), "Origin: http://" + p.address, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, keepConnection: true}
	if _, err := io.WriteString(conn, q.bytes(p.address)); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != 101 {
		t.Fatalf("%v %+v", err, response)
	}
	if _, err := io.WriteString(conn, "frames"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(reader, got); err != nil || string(got) != "frames" {
		t.Fatalf("%q %v", got, err)
	}
	received := s.backend.Requests()
	if len(received) != 1 || received[0].Header.Get("X-User-Id") != s.ada.UserID {
		t.Errorf("%+v", received)
	}
}

// keepAlive sends requests of two people and of nobody over one connection: none may inherit the other's identity.
func keepAlive(t *testing.T, s *stage, p *proxied) {
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for i := range 30 {
		who, want := []*testenv.Person{s.ada, s.zoe, nil}[i%3], ""
		r, err := http.NewRequest(http.MethodGet, "http://"+p.address+"/optional/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		if who != nil {
			r.Header.Set("Cookie", who.Cookie)
			want = who.UserID
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%d %v", response.StatusCode, err)
		}
		if got := strings.Join(testenv.ParseEcho(t, string(body)).Headers["x-user-id"], ","); got != want {
			t.Fatalf("request %d: x-user-id %q, want %q", i, got, want)
		}
	}
}
