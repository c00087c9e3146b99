package forwardauth_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// dial starts a real server and returns the client's end of a connection to it.
func dial(t testing.TB, w *world) (net.Conn, *bufio.Reader) {
	t.Helper()
	server := httptest.NewServer(w.http)
	t.Cleanup(server.Close)
	return connect(t, server.Listener.Addr().String())
}

func connect(t testing.TB, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn, bufio.NewReader(conn)
}

// R03, R06, R17, and HAProxy's auth-request.lua: a body that is announced, and never sent or read.
func TestBodiesAreNotWaitedFor(t *testing.T) {
	question := strings.ReplaceAll(forwardedFamily, "\n", "\r\n")
	for what, extra := range map[string]string{
		"length":                 "Content-Length: 9\r\n\r\n",
		"chunked":                "Transfer-Encoding: chunked\r\n\r\n",
		"chunked, with trailers": "Transfer-Encoding: chunked\r\nTrailer: X-User-Id\r\n\r\n",
		"expect":                 "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
		"2 MiB":                  "Content-Length: 2097152\r\n\r\n" + strings.Repeat("x", 1000),
	} {
		t.Run(what, func(t *testing.T) {
			conn, r := dial(t, newWorld(t))
			start := time.Now()
			fmt.Fprintf(conn, "POST /gate/traefik HTTP/1.1\r\nHost: gate\r\n%s%s", question, extra)
			response, err := http.ReadResponse(r, nil)
			must(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			must(t, err)
			if response.StatusCode != 200 || !response.Close || time.Since(start) > 2*time.Second {
				t.Errorf("%d, close %v, after %v", response.StatusCode, response.Close, time.Since(start))
			}
		})
	}
}

// A keep-alive connection carries many checks; what a proxy says about its own hop disturbs none.
func TestKeepAlive(t *testing.T) {
	conn, r := dial(t, newWorld(t))
	for i, c := range []struct {
		request string
		status  int
		length  int64
	}{
		{"GET /gate/traefik HTTP/1.1\r\n" + forwardedFamily + "Connection: keep-alive\r\n", 200, 0},
		{"HEAD /gate/traefik HTTP/1.1\r\n" + forwardedFamily, 200, -1},
		{"GET /gate/nginx HTTP/1.1\r\n" + originalFamily + "Connection: keep-alive\r\n", 200, 0},
		{"GET /gate/envoy/private HTTP/1.1\r\n" + envoyFamily, 401, 48},
		{"HEAD /gate/envoy/private HTTP/1.1\r\n" + envoyFamily, 401, -1},
		{"GET /gate/nginx HTTP/1.1\r\n" + strings.Replace(originalFamily, "public", "private", 1), 401, 0},
		{"GET /gate/caddy?x HTTP/1.1\r\n" + forwardedFamily + "Connection: Upgrade\r\nUpgrade: websocket\r\n", 200, 0},
	} {
		fmt.Fprintf(conn, "%sHost: app.test\r\n\r\n", strings.ReplaceAll(strings.ReplaceAll(c.request, "\r\n", "\n"), "\n", "\r\n"))
		method, _, _ := strings.Cut(c.request, " ")
		response, err := http.ReadResponse(r, &http.Request{Method: method})
		must(t, err)
		body, err := io.ReadAll(response.Body)
		must(t, err)
		if response.StatusCode != c.status || response.ContentLength != c.length || int64(len(body)) != max(c.length, 0) || response.Close {
			t.Errorf("%d: %d, length %d, body %q, close %v", i, response.StatusCode, response.ContentLength, body, response.Close)
		}
	}
}

// Two people ask at once, through every edge: nobody gets the other's identity.
func TestNoCrosstalk(t *testing.T) {
	w := newWorld(t)
	var group sync.WaitGroup
	for i := range 16 {
		person, credential := "alice", lines("Cookie: session=alice\n")
		if i%2 == 1 {
			person, credential = "zoe", lines("Authorization: Bearer zoe\n")
		}
		for _, e := range edges() {
			group.Go(func() {
				for n := range 40 {
					got := e.ask(t, w, original{
						method: "GET", scheme: "https", host: "app.test", target: fmt.Sprintf("/private?%s=%d", person, n),
						lines: credential, peer: proxyAddr,
					})
					if got.status != 200 || got.backend["x-user-id"][0] != identities[person]["x-user-id"] ||
						got.backend["x-session-id"][0] != identities[person]["x-session-id"] {
						t.Errorf("%s: %s is told %v", e.name, person, got.backend)
						return
					}
				}
			})
		}
	}
	group.Wait()
}
