package demo

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser is what a browser sends when a person opens a page.
var browser = []string{
	"Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
	"Sec-Fetch-Site", "none",
}

func (d *running) form(path string, values url.Values, headers ...string) (*http.Response, string) {
	d.t.Helper()
	r := d.request(http.MethodPost, path, append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
	r.Body = io.NopCloser(strings.NewReader(values.Encode()))
	return d.send(r)
}

func TestSignInRoundTrip(t *testing.T) {
	d := start(t)
	origin := strings.TrimSuffix(d.URL, "/")
	answer, _ := d.send(d.request("GET", "/reports?x=1&y=%2F", browser...))
	to := answer.Header.Get("Location")
	if want := origin + "/sign-in?callbackURL=" + url.QueryEscape(origin+"/reports?x=1&y=%2F"); answer.StatusCode != 302 || to != want {
		t.Fatalf("%s to %s, want %s", answer.Status, to, want)
	}
	answer, page := d.send(d.request("GET", strings.TrimPrefix(to, origin), browser...))
	if answer.StatusCode != 200 || !strings.Contains(page, "Ada Lovelace") || !strings.Contains(page, "Rózsa Péter") {
		t.Fatalf("%s %s", answer.Status, page)
	}
	back := regexp.MustCompile(`name="callbackURL" value="([^"]*)"`).FindStringSubmatch(page)
	if back == nil {
		t.Fatal(page)
	}
	callback := strings.ReplaceAll(back[1], "&amp;", "&")
	answer, body := d.form("/sign-in", url.Values{"person": {"rozsa"}, "callbackURL": {callback}}, "Sec-Fetch-Site", "same-origin")
	if answer.StatusCode != 303 || answer.Header.Get("Location") != origin+"/reports?x=1&y=%2F" {
		t.Fatalf("%s to %s: %s", answer.Status, answer.Header.Get("Location"), body)
	}
	set := answer.Header.Get("Set-Cookie")
	if !regexp.MustCompile(`^better-auth\.session_token=[a-zA-Z0-9]{32}\.[A-Za-z0-9%]+%3D; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax$`).MatchString(set) {
		t.Fatalf("Set-Cookie: %s", set)
	}
	cookie, _, _ := strings.Cut(set, ";")
	if got := d.received("/", "Cookie", cookie); got.Headers["x-user-id"][0] != d.person("Rózsa Péter").UserID {
		t.Errorf("signed in as %v", got.Headers)
	}

	// Signing out ends this session and no other, for a copy of the cookie too.
	answer, _ = d.form("/sign-out", nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
	if answer.StatusCode != 303 || answer.Header.Get("Location") != "/sign-in" || !strings.Contains(answer.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("%s %v", answer.Status, answer.Header)
	}
	d.refused(http.StatusUnauthorized, "/", "Cookie", cookie)
	d.received("/", "Cookie", d.person("Rózsa Péter").Cookie)
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	d := start(t)
	ada := d.person("Ada Lovelace")
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		for _, path := range []string{"/sign-in", "/sign-out"} {
			answer, _ := d.form(path, url.Values{"person": {"ada"}}, append(headers, "Cookie", ada.Cookie)...)
			if answer.StatusCode != http.StatusForbidden || answer.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s with %v: %s", path, headers, answer.Status)
			}
		}
	}
	d.received("/", "Cookie", ada.Cookie) // still signed in
	if answer, _ := d.form("/sign-in", url.Values{"person": {"mallory"}}); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("a stranger: %s", answer.Status)
	}
	// A cookie that we did not sign ends nothing, and is no error.
	if answer, _ := d.form("/sign-out", nil, "Cookie", "better-auth.session_token="+ada.Bearer+".x"); answer.StatusCode != 303 {
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
