package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
)

func (d *running) person(name string) documentPerson {
	d.t.Helper()
	for _, p := range d.People {
		if p.Name == name {
			return p
		}
	}
	d.t.Fatalf("nobody is called %s", name)
	return documentPerson{}
}

func TestClaimsAreReplacedOrRemoved(t *testing.T) {
	d := start(t)
	ada, rozsa := d.person("Ada Lovelace"), d.person("Rózsa Péter")
	claims := []string{
		"X-User-Id", rozsa.UserID, "X-User-Id", rozsa.UserID, "x-user-email", rozsa.Email, "X-User-Role", "admin",
		"X-Org-Role", "superuser", "X-Internal-Caller", "payroll", "X-Impersonated-By", "me", "X-Team-Id", "t1",
		"X-Forwarded-User", "me", "X-Forwarded-Uri", "/public/", "X-Forwarded-Host", "evil.example",
	}
	got := d.received("/", append(claims, "Cookie", ada.Cookie)...)
	for name, want := range map[string][]string{
		"x-user-id": {ada.UserID}, "x-user-email": {ada.Email}, "x-user-role": {"user"}, "x-org-role": {"owner"},
		"x-internal-caller": nil, "x-impersonated-by": nil, "x-team-id": nil, "x-forwarded-user": nil, "x-forwarded-uri": nil,
		"x-forwarded-host": {strings.TrimSuffix(strings.TrimPrefix(d.URL, "http://"), "/")},
	} {
		if !slices.Equal(got.Headers[name], want) {
			t.Errorf("%s: %q, want %q", name, got.Headers[name], want)
		}
	}

	// Naming a header in Connection removes the client's copy, never the gate's.
	got = d.received("/", "Cookie", ada.Cookie, "X-User-Id", rozsa.UserID, "Connection", "close, X-User-Id, X-Org-Id, X-Org-Role")
	if !slices.Equal(got.Headers["x-user-id"], []string{ada.UserID}) || len(got.Headers["x-org-role"]) != 1 {
		t.Errorf("named by Connection: %v", got.Headers)
	}

	for _, path := range []string{"/public/", "/optional/"} {
		got := d.received(path, claims...)
		for _, name := range d.identity() {
			if values := got.Headers[strings.ToLower(name)]; values != nil {
				t.Errorf("%s: %s: %q", path, name, values)
			}
		}
	}
}

func (d *running) identity() []string {
	names, _ := gate.Preset("usher")
	headers, err := gate.NewHeaders(gate.HeadersConfig{Names: names, Organization: "X-Org-Id"})
	if err != nil {
		d.t.Fatal(err)
	}
	return headers.Names()
}

func TestRefusals(t *testing.T) {
	d := start(t)
	ada, rozsa := d.person("Ada Lovelace"), d.person("Rózsa Péter")
	for _, c := range []struct {
		status  int
		code    string
		path    string
		headers []string
	}{
		{403, "ALIASED_HEADER", "/", []string{"Cookie", ada.Cookie, "X_User_Id", rozsa.UserID}},
		{403, "ALIASED_HEADER", "/public/", []string{"X.Org.Id", "x"}},
		{403, "NOT_A_MEMBER", "/", []string{"Cookie", ada.Cookie, "X-Org-Id", "recursive-functions"}},
		{403, "NOT_A_MEMBER", "/", []string{"Cookie", ada.Cookie, "X-Org-Id", "no-such-organization"}},
		{403, "ORG_ROLE_REQUIRED", "/admin/", []string{"Cookie", rozsa.Cookie}},
		{403, "ORG_ROLE_REQUIRED", "/admin", []string{"Cookie", rozsa.Cookie}},
		{403, "UNSAFE_PATH", "/public/..%2fadmin/", []string{"Cookie", ada.Cookie}},
		{403, "UNSAFE_PATH", "//admin/", []string{"Cookie", ada.Cookie}},
		{403, "AMBIGUOUS_REQUEST", "/", []string{"Cookie", ada.Cookie, "X_Forwarded_Uri", "/public/"}},
		{401, "UNAUTHORIZED", "/", nil},
		{401, "UNAUTHORIZED", "/", []string{"Cookie", "better-auth.session_token=forged." + strings.Repeat("A", 43) + "%3D"}},
		{401, "UNAUTHORIZED", "/", []string{"Cookie", ada.Cookie, "Authorization", "Bearer " + strings.Repeat("x", 32)}},
	} {
		if code := d.refused(c.status, c.path, c.headers...); code != c.code {
			t.Errorf("%s %q: %s, want %s", c.path, c.headers, code, c.code)
		}
	}
}

func TestOrganizationIsChosenByHeader(t *testing.T) {
	d := start(t)
	rozsa := d.person("Rózsa Péter")
	for _, m := range rozsa.Organizations {
		for _, asked := range []string{m.ID, m.Slug} {
			got := d.received("/", "Cookie", rozsa.Cookie, "X-Org-Id", asked)
			if !slices.Equal(got.Headers["x-org-id"], []string{m.ID}) || !slices.Equal(got.Headers["x-org-role"], []string{m.Role}) {
				t.Errorf("asked for %s: %v", asked, got.Headers)
			}
		}
	}
	d.received("/admin/", "Cookie", rozsa.Cookie, "X-Org-Id", "recursive-functions")
	d.received("/admin/", "Cookie", d.person("Ada Lovelace").Cookie)
}

func TestEveryMethodAndPathIsAnswered(t *testing.T) {
	d := start(t)
	ada := d.person("Ada Lovelace")
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		r := d.request(method, "/caf%C3%A9/x?a=1&b=%zz", "Cookie", ada.Cookie, "Accept", "application/json")
		r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", 3<<20)))
		answer, body := d.send(r)
		if answer.StatusCode != 200 || !strings.Contains(body, `"method": "`+method+`"`) || !strings.Contains(body, `"path": "/caf%C3%A9/x"`) {
			t.Errorf("%s: %s %s", method, answer.Status, body)
		}
	}
	if answer, body := d.send(d.request("HEAD", "/", "Cookie", ada.Cookie)); answer.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %s %q", answer.Status, body)
	}
}

// stub is a gate that says what a test wants, and a backend that a test writes, with a proxy between.
func stub(t *testing.T, ask, behind http.HandlerFunc) *httptest.Server {
	t.Helper()
	asked, backend := httptest.NewServer(ask), httptest.NewServer(behind)
	p := newProxy(asked.URL+"/gate/traefik", strings.TrimPrefix(backend.URL, "http://"), []string{"X-User-Id", "X-Org-Id"},
		newLedger(), slog.New(slog.DiscardHandler))
	front := httptest.NewServer(p)
	t.Cleanup(func() {
		front.Close()
		p.close()
		asked.Close()
		backend.Close()
	})
	return front
}

func TestTheGateIsAskedAsTraefikWould(t *testing.T) {
	var question *http.Request
	front := stub(t,
		func(_ http.ResponseWriter, r *http.Request) { question = r.Clone(context.Background()) },
		func(http.ResponseWriter, *http.Request) {})
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, front.URL+"/a%20b?q=1&q=%zz", strings.NewReader("body"))
	r.Header = http.Header{
		"Connection": {"X-Hop, keep-alive"}, "X-Hop": {"1"}, "Te": {"trailers"}, "Upgrade": {"h2c"}, "Cookie": {"a=1", "b=2"},
		"X-Forwarded-Uri": {"/evil"}, "X-Forwarded-Prefix": {"/evil"}, "X-Real-Ip": {"192.0.2.1"}, "User-Agent": {""},
	}
	answer, err := front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	closeQuietly(answer.Body)
	host := strings.TrimPrefix(front.URL, "http://")
	if question.Method != "GET" || question.RequestURI != "/gate/traefik" || question.ContentLength != 0 {
		t.Errorf("%s %s, %d bytes", question.Method, question.RequestURI, question.ContentLength)
	}
	want := http.Header{
		"Cookie": {"a=1", "b=2"}, "X-Forwarded-Method": {"PUT"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {host},
		"X-Forwarded-Uri": {"/a%20b?q=1&q=%zz"}, "X-Forwarded-For": {"127.0.0.1"}, "Accept-Encoding": {"gzip"}, // the client's
	}
	if fmt.Sprint(question.Header) != fmt.Sprint(want) {
		t.Errorf("asked with\n%v, want\n%v", question.Header, want)
	}
}

func TestAnswersOfTheGate(t *testing.T) {
	for _, status := range []int{301, 302, 401, 403, 404, 418, 500, 503} {
		reached := false
		front := stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "because")
		}, func(http.ResponseWriter, *http.Request) { reached = true })
		client := front.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		answer, err := client.Get(front.URL) //nolint:noctx // a test server
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		closeQuietly(answer.Body)
		if reached || answer.StatusCode != status || string(body) != "because" || len(answer.Header["Set-Cookie"]) != 2 ||
			answer.Header.Get("Location") != "/elsewhere" {
			t.Errorf("%d: reached %t, %s %q %v", status, reached, answer.Status, body, answer.Header)
		}
	}
}

func TestNothingPassesWithoutTheGate(t *testing.T) {
	for name, ask := range map[string]http.HandlerFunc{
		"cut":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front := stub(t, ask, func(http.ResponseWriter, *http.Request) { t.Error("the backend was reached") })
			answer, err := front.Client().Get(front.URL) //nolint:noctx // a test server
			if err != nil {
				t.Fatal(err)
			}
			closeQuietly(answer.Body)
			if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
				t.Errorf("%s %v", answer.Status, answer.Header)
			}
		})
	}
}

func TestStreamsAndWebSockets(t *testing.T) {
	next := make(chan string)
	front := stub(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-User-Id", "u1") },
		func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				w.Header().Set("Connection", "Upgrade")
				w.Header().Set("Upgrade", "websocket")
				w.WriteHeader(http.StatusSwitchingProtocols)
				c, buffered, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer closeQuietly(c)
				line, _ := buffered.ReadString('\n')
				_, _ = io.WriteString(c, r.Header.Get("X-User-Id")+" said "+line)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			for line := range next {
				_, _ = io.WriteString(w, line)
				_ = http.NewResponseController(w).Flush()
			}
		})

	answer, err := front.Client().Get(front.URL) //nolint:noctx // a test server
	if err != nil {
		t.Fatal(err)
	}
	events := bufio.NewReader(answer.Body)
	for _, line := range []string{"data: 1\n", "data: 2\n"} { // each arrives before the next is written
		next <- line
		if got, err := events.ReadString('\n'); err != nil || got != line {
			t.Fatalf("%q %v", got, err)
		}
	}
	close(next)
	closeQuietly(answer.Body)

	u, _ := url.Parse(front.URL)
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(c)
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade, X-User-Id\r\nUpgrade: websocket\r\nX-User-Id: evil\r\n\r\n", u.Host)
	r := bufio.NewReader(c)
	upgraded, err := http.ReadResponse(r, nil)
	if err != nil || upgraded.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", upgraded, err)
	}
	fmt.Fprint(c, "hello\n")
	if line, err := r.ReadString('\n'); err != nil || line != "u1 said hello\n" {
		t.Errorf("%q %v", line, err)
	}
}

func TestTrailersDoNotPass(t *testing.T) {
	var trailer http.Header
	front := stub(t, func(http.ResponseWriter, *http.Request) {}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		trailer = r.Trailer
	})
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL, io.NopCloser(strings.NewReader("body")))
	r.Trailer = http.Header{"X-User-Id": {"evil"}}
	answer, err := front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	closeQuietly(answer.Body)
	if len(trailer) > 0 {
		t.Errorf("the backend received the trailer %v", trailer)
	}
}
