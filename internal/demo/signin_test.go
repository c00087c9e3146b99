package demo

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// navigation is what a browser sends when a person opens a page.
var navigation = []string{
	"Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
	"Sec-Fetch-Site", "none",
}

func (d *running) form(path string, values url.Values, headers ...string) (*http.Response, string) {
	d.t.Helper()
	r := d.request(http.MethodPost, path, append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
	r.Body = io.NopCloser(strings.NewReader(values.Encode()))
	return d.send(r)
}

// browser keeps cookies and goes where it is led, one step at a time.
type browser struct {
	d   *running
	jar map[string]string
}

func (d *running) browser() *browser { return &browser{d, make(map[string]string)} }

func (b *browser) headers() []string {
	headers := append([]string(nil), navigation...)
	for name, value := range b.jar {
		headers = append(headers, "Cookie", name+"="+value)
	}
	return headers
}

func (b *browser) keep(answer *http.Response) {
	for _, c := range answer.Cookies() {
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
		} else {
			b.jar[c.Name] = c.Value
		}
	}
}

// origin is the demo's, without a path.
func (d *running) origin() string { return strings.TrimSuffix(d.URL, "/") }

// path is a URL's of the demo, as request wants it.
func (d *running) path(to string) string {
	d.t.Helper()
	path := strings.TrimPrefix(to, d.origin())
	if !strings.HasPrefix(path, "/") {
		d.t.Fatalf("led away, to %q", to)
	}
	return path
}

// open goes to a path and on, until there is a page.
func (b *browser) open(path string) (*http.Response, string) {
	b.d.t.Helper()
	for range 10 {
		answer, body := b.d.send(b.d.request(http.MethodGet, path, b.headers()...))
		b.keep(answer)
		if answer.StatusCode < 300 || answer.StatusCode > 399 {
			return answer, body
		}
		path = b.d.path(answer.Header.Get("Location"))
	}
	b.d.t.Fatal("led in circles")
	return nil, ""
}

// submit sends a form of the page that an answer is, and goes where that leads.
func (b *browser) submit(path string, values url.Values) (*http.Response, string) {
	b.d.t.Helper()
	headers := b.headers()
	for i := range headers {
		if headers[i] == "none" {
			headers[i] = "same-origin"
		}
	}
	answer, body := b.d.form(path, values, headers...)
	b.keep(answer)
	if answer.StatusCode != http.StatusSeeOther {
		return answer, body
	}
	return b.open(b.d.path(answer.Header.Get("Location")))
}

// link finds the one link of a page that goes to a path like this.
func link(t *testing.T, page, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(`href="(` + pattern + `[^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no link to %s:\n%s", pattern, page)
	}
	return html.UnescapeString(found[1])
}

func TestSignInRoundTrip(t *testing.T) {
	d := start(t)
	rozsa := d.person("Rózsa Péter")
	b := d.browser()
	answer, page := b.open("/reports?x=1&y=%2F")
	if answer.StatusCode != 200 || answer.Request.URL.Path != "/sign-in" || !strings.Contains(page, "/reports") || !strings.Contains(page, "Usher demo") {
		t.Fatalf("%s %s", answer.Status, page)
	}
	answer, page = b.open(link(t, page, "/api/auth/signin/demo"))
	if answer.StatusCode != 200 || answer.Request.URL.Path != "/demo-provider/authorize" ||
		!strings.Contains(page, "Who are you today?") || !strings.Contains(page, "Ada Lovelace") || !strings.Contains(page, "Rózsa Péter") {
		t.Fatalf("%s %s", answer.Status, page)
	}
	answer, page = b.submit(answer.Request.URL.RequestURI(), url.Values{"person": {"rozsa"}})
	if answer.StatusCode != 200 || answer.Request.URL.RequestURI() != "/reports?x=1&y=%2F" || !strings.Contains(page, "Hello, Rózsa Péter.") {
		t.Fatalf("%s %s: %s", answer.Status, answer.Request.URL, page)
	}
	cookie := "better-auth.session_token=" + b.jar["better-auth.session_token"]
	got := d.received("/", "Cookie", cookie)
	for name, want := range map[string]string{
		"x-user-id": rozsa.UserID, "x-org-id": rozsa.Organizations[0].ID, "x-org-role": rozsa.Organizations[0].Role,
	} {
		if values := got.Headers[name]; len(values) != 1 || values[0] != want {
			t.Errorf("%s: %q, want %q: the known user with their organizations", name, values, want)
		}
	}

	// The account page knows the same, and switches the organization for the gate too.
	answer, page = b.open("/account")
	for _, want := range []string{"Rózsa Péter", "rozsa@demo.example", "Analytical Engines", "Recursive Functions"} {
		if answer.StatusCode != 200 || !strings.Contains(page, want) {
			t.Fatalf("the account page lacks %q: %s %s", want, answer.Status, page)
		}
	}
	b.submit("/account", url.Values{"do": {"organization"}, "id": {rozsa.Organizations[1].ID}})
	if got := d.received("/", "Cookie", cookie); got.Headers["x-org-id"][0] != rozsa.Organizations[1].ID {
		t.Errorf("after the switch: %q", got.Headers["x-org-id"])
	}

	// Being somebody else takes the link of the main page and a choice.
	_, page = b.open("/reports")
	answer, _ = b.open(link(t, page, "/api/auth/signin/demo"))
	_, page = b.submit(answer.Request.URL.RequestURI(), url.Values{"person": {"ada"}})
	if !strings.Contains(page, "Hello, Ada Lovelace.") {
		t.Errorf("still not Ada: %s", page)
	}

	// Signing out ends this session and no other, for a copy of the cookie too.
	cookie = "better-auth.session_token=" + b.jar["better-auth.session_token"]
	d.received("/", "Cookie", cookie)
	if !strings.Contains(page, `<form method="post" action="/account"><button name="do" value="sign-out">`) {
		t.Errorf("no way to sign out: %s", page)
	}
	answer, _ = b.submit("/account", url.Values{"do": {"sign-out"}})
	if answer.Request.URL.Path != "/sign-in" || b.jar["better-auth.session_token"] != "" {
		t.Errorf("%s %v", answer.Request.URL, b.jar)
	}
	d.refused(http.StatusUnauthorized, "/", "Cookie", cookie)
	d.received("/", "Cookie", rozsa.Cookie)
	d.received("/", "Cookie", d.person("Ada Lovelace").Cookie)
}

// TestNobodyIsSignedInWhoDeclines: the provider's refusal reaches the companion's own page, and makes no session.
func TestNobodyIsSignedInWhoDeclines(t *testing.T) {
	d := start(t)
	b := d.browser()
	answer, _ := b.open("/api/auth/signin/demo?callbackURL=%2F")
	answer, page := b.submit(answer.Request.URL.RequestURI(), url.Values{"person": {nobody}})
	if answer.StatusCode != 200 || !strings.Contains(page, "access_denied") || b.jar["better-auth.session_token"] != "" {
		t.Errorf("%s %v: %s", answer.Status, b.jar, page)
	}
	answer, _ = b.open("/api/auth/signin/demo?callbackURL=%2F")
	if answer, _ = b.submit(answer.Request.URL.RequestURI(), url.Values{"person": {"mallory"}}); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("a stranger: %s", answer.Status)
	}
}

// TestTheTicketsAreTheCompanionsSessions: what -json prints is signed in at the companion as at the gate.
func TestTheTicketsAreTheCompanionsSessions(t *testing.T) {
	d := start(t)
	for _, p := range d.People {
		for _, proof := range [][]string{{"Cookie", p.Cookie}, {"Authorization", "Bearer " + p.Bearer}} {
			_, body := d.send(d.request("GET", "/api/auth/get-session", proof...))
			var got struct{ User struct{ ID string } }
			if err := json.Unmarshal([]byte(body), &got); err != nil || got.User.ID != p.UserID {
				t.Errorf("%s by %s: %s %v", p.Name, proof[0], body, err)
			}
		}
	}
}

// TestWhereTheCompanionIs: its own paths reach it, and nothing else does, however it is spelled.
func TestWhereTheCompanionIs(t *testing.T) {
	d := start(t)
	if answer, body := d.send(d.request("GET", "/api/auth/ok")); answer.StatusCode != 200 || body != `{"ok":true}` {
		t.Errorf("%s %s", answer.Status, body)
	}
	for _, path := range []string{"/api/authentic", "/sign-in/", "/accounts", "/demo-provider", "/demo-providers/", "/API/auth/ok"} {
		d.refused(http.StatusUnauthorized, path)
	}
	for _, path := range []string{"/api/auth/..%2f..%2fgate/traefik", "/api/auth/../../gate/traefik", "/gate/traefik", "/metrics"} {
		if answer, body := d.send(d.request("GET", path, "X-Forwarded-Uri", "/public/", "Accept", "application/json")); answer.StatusCode < 400 {
			t.Errorf("%s: %s %s", path, answer.Status, body)
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	d := start(t)
	ada := d.person("Ada Lovelace")
	answer, _ := d.browser().open("/api/auth/signin/demo?callbackURL=%2F")
	authorize := answer.Request.URL.RequestURI()
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		for path, values := range map[string]url.Values{authorize: {"person": {"ada"}}, "/account": {"do": {"sign-out"}}} {
			answer, _ := d.form(path, values, append(headers, "Cookie", ada.Cookie)...)
			if answer.StatusCode != http.StatusForbidden || answer.Header.Get("Set-Cookie") != "" || answer.Header.Get("Location") != "" {
				t.Errorf("%s with %v: %s", path, headers, answer.Status)
			}
		}
	}
	d.received("/", "Cookie", ada.Cookie) // still signed in
	// A cookie that we did not sign ends nothing, and is no error.
	if answer, _ := d.form("/account", url.Values{"do": {"sign-out"}}, "Cookie", "better-auth.session_token="+ada.Bearer+".x"); answer.StatusCode != 303 {
		t.Errorf("a forged cookie: %s", answer.Status)
	}
	d.received("/", "Cookie", ada.Cookie)
}

func TestReturnTo(t *testing.T) {
	const origin = "http://127.0.0.1:4488"
	for _, stays := range []string{
		"/", "/a/b?c=d#e", origin, origin + "/", origin + "/x?y=//evil.example", "/x?u=http://evil.example", "/é",
		"HTTP://127.0.0.1:4488/x",
	} {
		if got := returnTo(stays, origin); got != stays {
			t.Errorf("%q leads to %q", stays, got)
		}
	}
	for _, leaves := range []string{
		"", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example", "/\t/evil.example",
		"/\n/evil.example", "\t//evil.example", " //evil.example", "http://evil.example", "https://127.0.0.1:4488/",
		origin + ".evil.example/", origin + "@evil.example/", "http://u@127.0.0.1:4488/", "http://u:p@127.0.0.1:4488/",
		"http://127.0.0.1:44881/", "http://127.0.0.1/", "http:evil.example", "http:/evil.example", "http:///evil.example",
		"http:\\\\evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "evil.example", "a/b",
		"../x", "?x", "#x", "/%2f/evil.example", "/\x00", "/x\r\nSet-Cookie: a=b", "http://127.0.0.1:4488\\@evil.example", "%2f%2fevil.example",
		"http://localhost:4488/", "http://[::1]:4488/", "http://%31%32%37.0.0.1:4488/",
	} {
		if got := returnTo(leaves, origin); got != "/" {
			t.Errorf("%q leads to %q", leaves, got)
		}
	}
}
