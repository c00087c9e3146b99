package forwardauth_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/forwardauth"
	"github.com/usherauth/usher/gate"
)

const head = "GET /gate/traefik HTTP/1.1\r\nHost: gate:4480\r\n"

// asForwarded is what Traefik says, as it goes over the wire.
var asForwarded = strings.ReplaceAll(forwardedFamily, "\n", "\r\n")

// strange are requests that Answer leaves to net/http, for each of its conditions one.
var strange = map[string]string{
	"CONNECT":                   "CONNECT /gate/traefik HTTP/1.1\r\nHost: gate\r\n\r\n",
	"no method":                 " /gate/traefik HTTP/1.1\r\nHost: gate\r\n\r\n",
	"no method's character":     "G(T /gate/traefik HTTP/1.1\r\nHost: gate\r\n\r\n",
	"a long method":             "SUBSCRIBETOMANYTHINGS /gate/traefik HTTP/1.1\r\nHost: gate\r\n\r\n",
	"a long method, not all":    "SUBSCRIBETOMANYTHINGS",
	"HTTP/1.0":                  "GET /gate/traefik HTTP/1.0\r\nHost: gate\r\n\r\n",
	"HTTP/2":                    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"a space more":              "GET  /gate/traefik HTTP/1.1\r\nHost: gate\r\n\r\n",
	"a space in the target":     "GET /gate/traefik x HTTP/1.1\r\nHost: gate\r\n\r\n",
	"a tab in the target":       "GET /gate/traefik?\t HTTP/1.1\r\nHost: gate\r\n\r\n",
	"another path":              "GET /api/auth/get-session HTTP/1.1\r\nHost: gate\r\n\r\n",
	"a URL":                     "GET http://gate/gate/traefik HTTP/1.1\r\nHost: gate\r\n\r\n",
	"a % alone":                 "GET /gate/envoy/% HTTP/1.1\r\nHost: gate\r\n\r\n",
	"a % and one digit":         "GET /gate/envoy/%2 HTTP/1.1\r\nHost: gate\r\n\r\n",
	"a % and no digits":         "GET /gate/envoy/%zz HTTP/1.1\r\nHost: gate\r\n\r\n",
	"no Host":                   "GET /gate/traefik HTTP/1.1\r\nAccept: */*\r\n\r\n",
	"an empty Host":             "GET /gate/traefik HTTP/1.1\r\nHost:\r\n\r\n",
	"two Hosts":                 head + "host: gate\r\n\r\n",
	"a strange Host":            "GET /gate/traefik HTTP/1.1\r\nHost: a@b\r\n\r\n",
	"a body":                    head + "Content-Length: 1\r\n\r\nx",
	"two lengths":               head + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
	"a length with a sign":      head + "Content-Length: +0\r\n\r\n",
	"chunks":                    head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"identity":                  head + "transfer-encoding: identity\r\n\r\n",
	"trailers":                  head + "Trailer: X-User-Id\r\n\r\n",
	"an expectation":            head + "Expect: 200-ok\r\n\r\n",
	"two expectations":          head + "Expect: 100-continue\r\nExpect: 200-ok\r\n\r\n",
	"the last one":              head + "Connection: keep-alive, Close\r\n\r\n",
	"a line without colon":      head + "X-User-Id\r\n\r\n",
	"a line without name":       head + ": x\r\n\r\n",
	"a space behind a name":     head + "X-User-Id : x\r\n\r\n",
	"a line that goes on":       head + "Accept: a\r\n b\r\n\r\n",
	"a line that begins so":     "GET /gate/traefik HTTP/1.1\r\n Host: gate\r\n\r\n",
	"a line feed alone":         head + "Accept: a\nX-User-Id: b\r\n\r\n",
	"a carriage return alone":   head + "Accept: a\rb\r\n\r\n",
	"line feeds alone":          strings.ReplaceAll(head, "\r", "") + "\n",
	"the last one alone":        head + "\n",
	"the last but one alone":    head + "Accept: a\n\r\n",
	"a null":                    head + "Accept: a\x00b\r\n\r\n",
	"letters that are not":      head + "X-Üser: b\r\n\r\n",
	"a request behind an empty": "\r\n" + head + "\r\n",
	"too many lines":            head + strings.Repeat("A: b\r\n", 300) + "\r\n",
	"too long":                  head + "A: " + strings.Repeat("x", 33<<10) + "\r\n\r\n",
	"too long, and not all":     head + "A: " + strings.Repeat("x", 33<<10),
	"something else":            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}

func TestWhatIsNotUsualIsLeftToNetHTTP(t *testing.T) {
	w := newWorld(t)
	for what, raw := range strange {
		answer, taken, known := w.http.Answer(t.Context(), netip.MustParseAddr(proxyAddr), []byte(raw), []byte("before"), false)
		if known || taken != 0 || string(answer) != "before" {
			t.Errorf("%s: known %v, %d bytes taken, answer %q", what, known, taken, answer)
		}
	}
}

// TestWhatIsUsualIsAnsweredDirectly: else all would be right, and nothing faster.
func TestWhatIsUsualIsAnsweredDirectly(t *testing.T) {
	for what, raw := range map[string]string{
		"Traefik":            head + asForwarded + "Cookie: session=alice\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
		"a browser":          head + asForwarded + strings.ReplaceAll(browser, "\n", "\r\n") + "\r\n",
		"nginx":              "GET /gate/nginx HTTP/1.1\r\nHost: usher\r\n" + strings.ReplaceAll(originalFamily, "\n", "\r\n") + "cookie: session=alice\r\n\r\n",
		"Envoy, of a POST":   "POST /gate/envoy/public/x?a=%zz HTTP/1.1\r\nhost: app.test\r\nx-forwarded-proto: https\r\ncontent-length: 0\r\ncookie: session=alice\r\n\r\n",
		"Caddy, a WebSocket": strings.Replace(head, "traefik", "caddy?x", 1) + asForwarded + "Connection: Upgrade\r\nUpgrade: websocket\r\nCookie: session=alice\r\n\r\n",
		"Envoy, of a HEAD":   "HEAD /gate/envoy/public HTTP/1.1\r\nhost: app.test\r\nx-forwarded-proto: https\r\ncontent-length: 0\r\n\r\n",
		"Envoy, of WebDAV":   "PROPFIND /gate/envoy/public HTTP/1.1\r\nhost: app.test\r\nx-forwarded-proto: https\r\ncontent-length: 0\r\n\r\n",
		"in lower case":      "get /gate/envoy/public HTTP/1.1\r\nhost: app.test\r\nx-forwarded-proto: https\r\n\r\n",
		"Traefik, of a file": head + asForwarded + "Expect: 100-Continue\r\n\r\n",
		"HAProxy":            strings.Replace(head, "traefik", "haproxy", 1) + asForwarded + "Cookie: session=alice\r\n\r\n",
	} {
		w := newWorld(t)
		next := "GET /gate/traefik HTTP/1.1\r\nHo"
		answer, taken, known := w.http.Answer(t.Context(), netip.MustParseAddr(proxyAddr), []byte(raw+next), nil, true)
		if !known || taken != len(raw) || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 OK\r\n")) || !bytes.Contains(answer, []byte("\r\nConnection: close\r\n")) {
			t.Errorf("%s: known %v, %d of %d bytes taken: %q", what, known, taken, len(raw), answer)
		}
		for n := range raw { // none of its beginnings is answered, or taken for something else
			if answer, taken, known := w.http.Answer(t.Context(), netip.MustParseAddr(proxyAddr), []byte(raw[:n]), nil, false); !known || taken != 0 || len(answer) != 0 {
				t.Fatalf("%s: of %q %d bytes are taken, known %v: %q", what, raw[:n], taken, known, answer)
			}
		}
	}
}

func TestAPanicIsAnsweredDirectlyToo(t *testing.T) {
	w := newWorld(t, func(c *gate.Config) { c.Resolver = crowd{} })
	raw := head + strings.Replace(asForwarded, "/public", "/private", 1) + "Cookie: session=x-1\r\n\r\n"
	answer, taken, known := w.http.Answer(t.Context(), netip.MustParseAddr(proxyAddr), []byte(raw), nil, false)
	if !known || taken != len(raw) || !bytes.HasPrefix(answer, []byte("HTTP/1.1 503 ")) || !bytes.Contains(answer, []byte("INTERNAL_ERROR")) {
		t.Errorf("%v %d %q", known, taken, answer)
	}
}

// TestAZeroHandlerRefusesDirectly is as for ServeHTTP.
func TestAZeroHandlerRefusesDirectly(t *testing.T) {
	w := &world{http: new(forwardauth.Handler)}
	raw := head + asForwarded + "\r\n"
	answer, _, known := w.http.Answer(t.Context(), netip.MustParseAddr(proxyAddr), []byte(raw), nil, false)
	if !known || !bytes.HasPrefix(answer, []byte("HTTP/1.1 503 ")) {
		t.Errorf("%v %q", known, answer)
	}
}

// TestAnswerAllocatesOnce, for the question itself: what is in it may outlive the check, in a log line.
func TestAnswerAllocatesOnce(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector empties pools at random")
		return
	}
	w := newWorld(t, remembering("alice"))
	raw := []byte(head + strings.Replace(asForwarded, "/public", "/private", 1) + strings.ReplaceAll(browser, "\n", "\r\n") + "\r\n")
	asker, room, ctx := netip.MustParseAddr(proxyAddr), make([]byte, 0, 4096), t.Context()
	allocs := testing.AllocsPerRun(200, func() {
		if answer, _, _ := w.http.Answer(ctx, asker, raw, room, false); !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) {
			t.Fatalf("%q", answer)
		}
	})
	if allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}

// single is a listener with one connection.
type single struct {
	conn chan net.Conn
	done chan struct{}
}

func (l single) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l single) Close() error { return nil }
func (single) Addr() net.Addr { return tcp(proxyAddr) }

// from is a connection that seems to come from the proxy.
type from struct{ net.Conn }

func (from) RemoteAddr() net.Addr { return tcp(proxyAddr) }

// FuzzAnswer: whatever Answer takes for a check, a real server of net/http takes for the same one, and gives the same answer.
// The gate has to see one and the same request behind both.
func FuzzAnswer(f *testing.F) {
	for _, raw := range strange {
		f.Add([]byte(raw))
	}
	files, err := filepath.Glob("testdata/parity/*.txtar")
	must(f, err)
	for _, file := range files {
		for _, c := range parseCases(f, file) {
			raw := "GET /gate/traefik HTTP/1.1\r\nHost: gate\r\n"
			o := c.original
			lines := append(slices.Clone(o.lines), gate.Header{Name: "X-Forwarded-Method", Value: o.method}, gate.Header{Name: "X-Forwarded-Proto", Value: o.scheme},
				gate.Header{Name: "X-Forwarded-Host", Value: o.host}, gate.Header{Name: "X-Forwarded-Uri", Value: o.target})
			for _, line := range lines {
				if len(line.Value) < 1000 {
					raw += line.Name + ": " + line.Value + "\r\n"
				}
			}
			f.Add([]byte(raw + "\r\n"))
			f.Add([]byte(o.method + " /gate/envoy" + o.target + " HTTP/1.1\r\nHost: " + o.host + "\r\nx-forwarded-proto: https\r\ncontent-length: 0\r\ncookie: session=alice\r\n\r\n"))
			f.Add([]byte("GET /gate/nginx HTTP/1.1\r\nHost: gate\r\nX-Original-Method: " + o.method + "\r\nX-Original-URL: https://" + o.host + o.target + "\r\nConnection: Upgrade\r\n\r\n"))
		}
	}
	var seen []gate.Request
	w := newWorld(f, func(c *gate.Config) {
		c.Timeout = time.Minute
		c.Observe = func(r *gate.Request, _ gate.Decision, _ time.Duration) { seen = append(seen, copied(r)) }
	})
	l := single{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: w.http, DisableGeneralOptionsHandler: true, MaxHeaderBytes: 256 << 10}
	go func() {
		if err := server.Serve(l); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	f.Cleanup(func() { close(l.done); server.Close() }) // in this order: Close waits for the listener
	f.Fuzz(func(t *testing.T, raw []byte) {
		seen = nil
		answer, taken, known := w.http.Answer(context.Background(), netip.MustParseAddr(proxyAddr), raw, nil, false)
		if !known || taken == 0 {
			if len(answer) != 0 || taken != 0 || len(seen) != 0 {
				t.Fatalf("not known, and yet %d bytes are taken, %d requests seen, and the answer is %q", taken, len(seen), answer)
			}
			return
		}
		client, served := net.Pipe()
		defer client.Close()
		must(t, client.SetDeadline(time.Now().Add(10*time.Second)))
		l.conn <- from{served}
		wrote := make(chan error, 1)
		go func() { _, err := client.Write(raw[:taken]); wrote <- err }()
		method, _, _ := strings.Cut(string(raw), " ")
		theirs := read(t, bufio.NewReader(client), method)
		must(t, <-wrote)
		rest := bufio.NewReader(bytes.NewReader(answer))
		ours := read(t, rest, method)
		if _, err := rest.ReadByte(); err == nil {
			t.Errorf("more than one answer: %q", answer)
		}
		ours.header.Del("Date")
		theirs.header.Del("Date")
		if ours.close || theirs.close || ours.status != theirs.status || ours.body != theirs.body || !maps.EqualFunc(ours.header, theirs.header, slices.Equal) {
			t.Errorf("directly %+v\nby net/http %+v", ours, theirs)
		}
		switch len(seen) {
		case 0: // the path is nobody's
		case 2:
			if seen[0].Fault != "" { // which one of several values is kept then depends on the order, and on nothing else
				seen[0].Override, seen[1].Override = "", ""
			}
			if !reflect.DeepEqual(seen[0], seen[1]) {
				t.Errorf("directly %+v\nby net/http %+v", seen[0], seen[1])
			}
		default:
			t.Errorf("seen %d requests", len(seen))
		}
	})
}

// copied is a request that outlives the check, its lists in one order: net/http keeps headers in none.
func copied(r *gate.Request) gate.Request {
	again := *r
	again.Cookies, again.Sent, again.Aliases = slices.Clone(r.Cookies), slices.Clone(r.Sent), slices.Clone(r.Aliases)
	slices.Sort(again.Sent)
	for i, alias := range again.Aliases {
		again.Aliases[i] = http.CanonicalHeaderKey(alias)
	}
	slices.Sort(again.Aliases)
	if len(again.Cookies) == 0 {
		again.Cookies = nil
	}
	if len(again.Sent) == 0 {
		again.Sent = nil
	}
	if len(again.Aliases) == 0 {
		again.Aliases = nil
	}
	return again
}

type said struct {
	status int
	header http.Header
	body   string
	close  bool
}

func read(t *testing.T, r *bufio.Reader, method string) said {
	t.Helper()
	response, err := http.ReadResponse(r, &http.Request{Method: method})
	must(t, err)
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return said{response.StatusCode, response.Header, string(body), response.Close}
}
