package front_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// way is where the sign-in page's link to a provider leads.
func way(t *testing.T, body, id string) string {
	t.Helper()
	found := regexp.MustCompile(`href="(/api/auth/signin/` + id + `\?[^"]*)"`).FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("no way to sign in with %s:\n%s", id, body)
	}
	return html.UnescapeString(found[1])
}

func TestSignInLeadsBackToThePage(t *testing.T) {
	w := newWorld(t)
	for _, back := range []string{"/reports?x=1&y=~2#part", w.url + "/a~b/c?d=e", "https://app.example.com/reports"} {
		b := w.browser()
		a := b.get("/sign-in?callbackURL=" + url.QueryEscape(back))
		if a.status != http.StatusOK || !strings.Contains(a.body, "Continue with Acme") || !strings.Contains(a.body, "Continue with Quiet &amp; Co") {
			t.Fatalf("%d\n%s", a.status, a.body)
		}
		if shown, _, _ := strings.Cut(strings.TrimPrefix(back, w.url), "?"); !strings.Contains(a.body, ">"+shown+"<") {
			t.Errorf("the page does not say that it leads to %s:\n%s", shown, a.body)
		}
		if got := b.signIn(way(t, a.body, "acme")); got != back {
			t.Errorf("%s led to %q", back, got)
		}
	}
}

func TestWhoIsSignedInIsLedOn(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(way(t, b.get("/sign-in?callbackURL=/reports").body, "acme"))
	if a := b.get("/sign-in?callbackURL=/other"); a.status != http.StatusSeeOther || a.location != "/other" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %q", a.status, a.location)
	}
	a := b.get("/sign-in")
	if a.status != http.StatusOK || !strings.Contains(a.body, "As Alice Liddell") || strings.Contains(a.body, "Continue to") || !strings.Contains(a.body, `href="/account"`) {
		t.Errorf("%d\n%s", a.status, a.body)
	}
}

func TestNobodyIsLedElsewhere(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	signedIn := w.browser()
	signedIn.signIn(way(t, signedIn.get("/sign-in").body, "acme"))
	for _, back := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example`, "javascript:alert(1)", w.url + ".evil.example/", "https://app.example.com@evil.example/",
		"https://app.example.community/", "data:text/html,x", "/%2fevil.example", "\t//evil.example",
	} {
		a := b.get("/sign-in?callbackURL=" + url.QueryEscape(back))
		if a.status != http.StatusOK || strings.Contains(a.body, "evil") || strings.Contains(a.body, "javascript:") || strings.Contains(a.body, "community") {
			t.Errorf("%q: %d\n%s", back, a.status, a.body)
		}
		if a := signedIn.get("/sign-in?callbackURL=" + url.QueryEscape(back)); a.status != http.StatusOK || strings.Contains(a.body, "evil") {
			t.Errorf("%q, signed in: %d %q", back, a.status, a.location)
		}
	}
}

func TestWhatWentWrongIsExplainedWhereItBegan(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	a := b.get(way(t, b.get("/sign-in?callbackURL="+url.QueryEscape(w.url+"/a~b?c=d")).body, "acme"))
	at, err := url.Parse(a.location)
	must(t, err)
	back := b.get("/api/auth/callback/acme?error=access_denied&state=" + url.QueryEscape(at.Query().Get("state")))
	if back.status != http.StatusFound || !strings.HasPrefix(back.location, w.url+"/sign-in?") {
		t.Fatalf("%d %q", back.status, back.location)
	}
	a = b.get(back.location)
	if a.status != http.StatusOK || !strings.Contains(a.body, "You said no") || !strings.Contains(a.body, "Acme was told") || !strings.Contains(a.body, "/a~b<") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
	if got := b.signIn(way(t, a.body, "acme")); got != w.url+"/a~b?c=d" {
		t.Errorf("after that it led to %q", got)
	}
}

func TestALoopIsExplained(t *testing.T) {
	w := newWorld(t)
	const page = "/sign-in?callbackURL=/reports"
	b := w.browser()
	b.signIn(way(t, b.get(page).body, "acme")) // the first visit
	if a := b.get(page); a.status != http.StatusSeeOther {
		t.Fatalf("the second visit: %d", a.status)
	}
	a := b.get(page)
	if a.status != http.StatusOK || !strings.Contains(a.body, "You were sent back here") || !strings.Contains(a.body, "does not see it") || !strings.Contains(a.body, `href="/reports"`) {
		t.Errorf("the third visit: %d\n%s", a.status, a.body)
	}
	if a := b.get("/sign-in?callbackURL=/other"); a.status != http.StatusSeeOther {
		t.Errorf("another page: %d", a.status)
	}
	for range 2 {
		b.get(page)
	}
	b.press("sign-out", "")
	if a := b.get(page); strings.Contains(a.body, "You were sent back here") {
		t.Error("whoever signs out by themselves is told of a loop")
	}
	stranger := w.browser() // keeps no session
	for range 2 {
		stranger.get(page)
	}
	if a := stranger.get(page); !strings.Contains(a.body, "still not signed in") || !strings.Contains(a.body, "Continue with Acme") {
		t.Errorf("without a session:\n%s", a.body)
	}
	w.pass(3 * 60e9)
	if a := stranger.get(page); strings.Contains(a.body, "You were sent back here") {
		t.Error("three minutes later it is a loop still")
	}
}

func TestTheErrorPage(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for query, want := range map[string]string{
		"?error=state_mismatch": "That sign-in is no longer good", "": "UNKNOWN", "?error=" + url.QueryEscape(`<b>"x"</b>`): "UNKNOWN",
		"?error=email_not_verified": "Confirm your e-mail address first",
	} {
		a := b.get("/api/auth/error" + query)
		if a.status != http.StatusOK || !strings.Contains(a.body, want) || strings.Contains(a.body, "<b>") || !strings.Contains(a.body, `href="/sign-in"`) {
			t.Errorf("%s: %d\n%s", query, a.status, a.body)
		}
	}
	for _, m := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if a := b.ask(m, "/api/auth/error", nil); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", m, a.status)
		}
		if a := b.ask(m, "/sign-in", nil); a.status != http.StatusNotFound {
			t.Errorf("%s /sign-in: %d", m, a.status)
		}
	}
}

func TestTroubleHasAPage(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(way(t, b.get("/sign-in").body, "acme"))
	w.tooFast = true
	for _, path := range []string{"/account", "/sign-in"} {
		if a := b.get(path); a.status != http.StatusTooManyRequests || !strings.Contains(a.body, "too fast") || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d\n%s", path, a.status, a.body)
		}
	}
	w.tooFast = false
	w.exec(`alter table session rename to gone`)
	for _, path := range []string{"/account", "/sign-in"} {
		if a := b.get(path); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "on our side") || a.header.Get("Retry-After") == "" {
			t.Errorf("%s without a database: %d\n%s", path, a.status, a.body)
		}
	}
}
