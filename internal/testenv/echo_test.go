package testenv

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestEchoShowsTheBytes(t *testing.T) {
	t.Parallel()
	e := EchoBackend(t)
	r := RawHTTP(t, e.Address, "POST //a/../b?q=%2F HTTP/1.1\r\nHost: x\r\nX-User-Id: 1\r\nx-user-id: 2\r\nX_User_Id: 3\r\nX-Empty:\r\n"+
		"Content-Length: 5\r\n\r\nhello")
	if r.Status != 200 || r.Reason != "OK" || r.Header.Get("content-type") != "application/json" {
		t.Errorf("response = %+v", r)
	}
	reply := ParseEcho(t, r.Body)
	if reply.Method != "POST" || reply.Path != "//a/../b?q=%2F" {
		t.Errorf("reply = %+v", reply)
	}
	if got := reply.Headers["x-user-id"]; !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("x-user-id = %q", got)
	}
	if got := reply.Headers["x_user_id"]; !slices.Equal(got, []string{"3"}) {
		t.Errorf("x_user_id = %q", got)
	}
	if got := reply.Headers["x-empty"]; !slices.Equal(got, []string{""}) {
		t.Errorf("x-empty = %q", got)
	}
	requests := e.Requests()
	if len(requests) != 1 || e.Count() != 1 {
		t.Fatalf("requests = %+v", requests)
	}
	want := Fields{{"Host", "x"}, {"X-User-Id", "1"}, {"x-user-id", "2"}, {"X_User_Id", "3"}, {"X-Empty", ""}, {"Content-Length", "5"}}
	if got := requests[0]; string(got.Body) != "hello" || got.Proto != "HTTP/1.1" || !slices.Equal(got.Header, want) {
		t.Errorf("received %+v", got)
	}
	if e.Reset(); e.Count() != 0 {
		t.Error("Reset forgot to forget")
	}
}

func TestEchoReadsWhatProxiesSend(t *testing.T) {
	t.Parallel()
	e := EchoBackend(t)
	t.Run("chunks and a trailer, after 100-continue", func(t *testing.T) {
		r := RawHTTP(t, e.Address, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"+
			"3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 7\r\nx-sum: 8\r\n\r\n")
		if got := ParseEcho(t, r.Body).Trailers["x-sum"]; !slices.Equal(got, []string{"7", "8"}) {
			t.Errorf("trailers = %q", got)
		}
		requests := e.Requests()
		if body := string(requests[len(requests)-1].Body); body != "abc0123456789" {
			t.Errorf("body = %q", body)
		}
	})
	t.Run("one connection, many requests", func(t *testing.T) {
		conn, err := net.Dial("tcp", e.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for i := range 3 {
			fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
			r, err := readResponse(in, false)
			if err != nil || ParseEcho(t, r.Body).Path != fmt.Sprintf("/%d", i) {
				t.Fatalf("%+v, %v", r, err)
			}
		}
	})
	t.Run("HTTP/1.0 closes", func(t *testing.T) {
		if r := RawHTTP(t, e.Address, "GET / HTTP/1.0\r\n\r\n"); r.Status != 200 || r.Header.Get("Connection") != "close" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("HEAD has no body", func(t *testing.T) {
		r := RawHTTP(t, e.Address, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
		if r.Status != 200 || r.Body != "" || r.Header.Get("Content-Length") == "0" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("nonsense is refused and not counted", func(t *testing.T) {
		before := e.Count()
		if r := RawHTTP(t, e.Address, "nonsense\r\n\r\n"); r.Status != 400 || e.Count() != before {
			t.Errorf("%+v", r)
		}
	})
	t.Run("an ordinary client", func(t *testing.T) {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		r, err := client.Get(e.URL + "/plain")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || ParseEcho(t, string(body)).Path != "/plain" {
			t.Errorf("%s, %v", body, err)
		}
	})
}

func TestEchoWebSocket(t *testing.T) {
	t.Parallel()
	e := EchoBackend(t)
	conn, err := net.Dial("tcp", e.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The key and its answer are those of RFC 6455, section 1.3. Bytes sent early are echoed too.
	fmt.Fprint(conn, "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81early")
	in := bufio.NewReader(conn)
	r, err := readResponse(in, false)
	if err != nil || r.Status != 101 || r.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%+v, %v", r, err)
	}
	fmt.Fprint(conn, "\x00late")
	got := make([]byte, len("\x81early\x00late"))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "\x81early\x00late" {
		t.Errorf("%q, %v", got, err)
	}
}

// serveOnce answers one connection with these bytes, whatever it says.
func serveOnce(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = bufio.NewReader(conn).ReadString('\n')
		_, _ = io.WriteString(conn, answer)
	}()
	return listener.Addr().String()
}

func TestRawHTTPReadsResponses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer string
		want   RawResponse
	}{
		"until the end":     {"HTTP/1.1 200 OK\r\n\r\nall of it", RawResponse{Status: 200, Reason: "OK", Body: "all of it"}},
		"no reason":         {"HTTP/1.1 403\r\nContent-Length: 0\r\n\r\n", RawResponse{Status: 403, Header: Fields{{"Content-Length", "0"}}}},
		"early hints first": {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", RawResponse{Status: 204, Reason: "No Content"}},
		"chunks": {
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: 1\r\n\r\n",
			RawResponse{Status: 200, Reason: "OK", Header: Fields{{"Transfer-Encoding", "chunked"}}, Body: "ab", Trailer: Fields{{"T", "1"}}},
		},
		"two lines of one name": {
			"HTTP/1.1 302 Found\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n",
			RawResponse{Status: 302, Reason: "Found", Header: Fields{{"Set-Cookie", "a=1"}, {"set-cookie", "b=2"}, {"Content-Length", "0"}}},
		},
		"nothing": {"", RawResponse{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := RawHTTP(t, serveOnce(t, test.answer), "GET / HTTP/1.1\r\n")
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestFieldsKeepAliasesApart(t *testing.T) {
	t.Parallel()
	f := Fields{{"X-A", "1"}, {"X_A", "2"}, {"x-a", "3"}}
	if got := strings.Join(f.Values("X-a"), ","); got != "1,3" {
		t.Errorf("values = %s", got)
	}
}
