package front_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/oauth/oauthtest"
)

// button is the id that the form with a button of these words sends.
func button(t *testing.T, body, do, words string) string {
	t.Helper()
	for _, form := range regexp.MustCompile(`(?s)<form.*?</form>`).FindAllString(body, -1) {
		if !strings.Contains(form, `value="`+do+`"`) || !strings.Contains(form, words) {
			continue
		}
		if id := regexp.MustCompile(`name="id" value="([^"]*)"`).FindStringSubmatch(form); id != nil {
			return html.UnescapeString(id[1])
		}
	}
	t.Fatalf("no button %s %q:\n%s", do, words, body)
	return ""
}

// signedIn is a browser of Alice's.
func (w *world) signedIn(id string) *browser {
	w.Helper()
	b := w.browser()
	if to := b.signIn(way(w.T, b.get("/sign-in").body, id)); to != "/account" {
		w.Fatalf("signing in led to %q", to)
	}
	return b
}

func TestAccountShowsWhoItIs(t *testing.T) {
	w := newWorld(t)
	if a := w.browser().get("/account"); a.status != http.StatusSeeOther || a.location != "/sign-in?callbackURL=%2Faccount" {
		t.Fatalf("nobody: %d %q", a.status, a.location)
	}
	b := w.signedIn("acme")
	a := b.get("/account")
	for _, want := range []string{"Alice Liddell", "alice@example.com", "confirmed", "25 November 2026", ">AL<", "Chrome", "This device", "You belong to none", `<header><a href="` + w.url + `/">`, "the only one, so it stays", "Link another Acme account", "Link Quiet &amp; Co"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("without %q", want)
		}
	}
	if a.status != http.StatusOK || a.header.Get("Cache-Control") != "no-store" || t.Failed() {
		t.Errorf("%d\n%s", a.status, a.body)
	}
	if a := newWorldOn(t, "core").signedIn("acme").get("/account"); a.status != http.StatusOK || strings.Contains(a.body, "Organizations") {
		t.Errorf("without organizations: %d\n%s", a.status, a.body)
	}
}

func TestOrganizationsAreSwitched(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("acme")
	user := w.column(`select id from user`)[0]
	for _, one := range []string{"red", "blue", "others"} {
		w.exec(`insert into organization (id, name, slug, createdAt) values (?, ?, ?, '2026-01-01T00:00:00.000Z')`, one, "The "+one, one+"-slug")
	}
	w.exec(`insert into member (id, organizationId, userId, role, createdAt) values ('m1', 'red', ?, 'owner', '2026-01-01T00:00:00.000Z'), ('m2', 'blue', ?, 'member', '2026-01-02T00:00:00.000Z')`, user, user)
	page := b.get("/account").body
	if strings.Contains(page, "The others") || !strings.Contains(page, "owner · red-slug") || strings.Contains(page, ">Active<") {
		t.Errorf("\n%s", page)
	}
	if a := b.press("organization", button(t, page, "organization", "The blue")); a.location != "/account?done=organization" {
		t.Fatalf("%d %q", a.status, a.location)
	}
	page = b.get("/account?done=organization").body
	if !strings.Contains(page, "The organization is switched.") || strings.Count(page, ">Active<") != 1 || strings.Contains(page, "Switch<span class=\"unseen\"> to The blue") {
		t.Errorf("\n%s", page)
	}
	if got := w.column(`select coalesce(activeOrganizationId, '') from session`)[0]; got != "blue" {
		t.Errorf("active is %s", got)
	}
	if a := b.press("organization", "others"); !strings.HasPrefix(a.location, "/account?error=") || w.column(`select coalesce(activeOrganizationId, '') from session`)[0] == "others" {
		t.Errorf("another's organization: %d %q", a.status, a.location)
	} else if page := b.get(a.location); !strings.Contains(page.body, `role="alert"`) || !strings.Contains(page.body, "do not belong") {
		t.Errorf("unexplained:\n%s", page.body)
	}
}

func TestSessionsAreRevoked(t *testing.T) {
	w := newWorld(t)
	desk := w.signedIn("acme")
	w.pass(time.Minute)
	phone := w.browser()
	phone.agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
	phone.signIn(way(t, phone.get("/sign-in").body, "acme"))
	third := w.signedIn("acme")

	page := desk.get("/account").body
	if strings.Count(page, "This device") != 1 || !strings.Contains(page, "iPhone") || !strings.Contains(page, "25 Nov 2026, 03:01 UTC") {
		t.Errorf("\n%s", page)
	}
	if a := desk.press("revoke", button(t, page, "revoke", "iPhone")); a.location != "/account?done=revoke" {
		t.Fatalf("%d %q", a.status, a.location)
	}
	if a := phone.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("the phone is still signed in: %d", a.status)
	}
	if a := third.get("/account"); a.status != http.StatusOK {
		t.Errorf("the third is not: %d", a.status)
	}
	if a := desk.press("revoke", "no-such-session"); a.location != "/account?done=revoke" {
		t.Errorf("one that is over already: %d %q", a.status, a.location)
	}
	if a := desk.press("revoke-others", ""); a.location != "/account?done=revoke-others" {
		t.Errorf("%d %q", a.status, a.location)
	}
	if a := third.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("the third is still signed in: %d", a.status)
	}
	if a := desk.get("/account"); a.status != http.StatusOK || strings.Contains(a.body, "Sign out everywhere else") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
}

func TestAnothersSessionIsNotRevoked(t *testing.T) {
	w := newWorld(t)
	alice := w.signedIn("acme")
	w.idp.Sit(oauthtest.Person{Sub: "sub-bob", Email: "bob@example.com", Verified: true, Name: "Bob"})
	bob := w.signedIn("acme")
	for _, id := range w.column(`select id from session`) {
		if strings.Contains(alice.get("/account").body, id) {
			continue
		}
		alice.press("revoke", id)
	}
	if a := bob.get("/account"); a.status != http.StatusOK {
		t.Errorf("Bob was signed out by Alice: %d", a.status)
	}
}

func TestStaleSessionsAreAskedToSignInAgain(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("acme")
	w.pass(25 * time.Hour)
	page := b.get("/account")
	again := regexp.MustCompile(`href="(/sign-in\?[^"]*)"`).FindStringSubmatch(page.body)
	if page.status != http.StatusOK || again == nil || strings.Contains(page.body, "Unlink<") {
		t.Fatalf("%d\n%s", page.status, page.body)
	}
	if a := b.press("unlink", w.column(`select id from account`)[0]); a.location != "/account?error=SESSION_NOT_FRESH" {
		t.Errorf("%d %q", a.status, a.location)
	}
	a := b.get(html.UnescapeString(again[1]))
	if a.status != http.StatusOK || !strings.Contains(a.body, "Sign in again for that") {
		t.Fatalf("%d\n%s", a.status, a.body)
	}
	if to := b.signIn(way(t, a.body, "acme")); to != "/account" || !strings.Contains(b.get(to).body, "This device") {
		t.Errorf("signing in again led to %q, and sessions are not shown", to)
	}
}

func TestAccountsAreLinkedAndUnlinked(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("acme")
	first := w.column(`select id from account`)[0]
	if a := b.press("unlink", first); a.location != "/account?error=FAILED_TO_UNLINK_LAST_ACCOUNT" {
		t.Errorf("the last account: %d %q", a.status, a.location)
	} else if page := b.get(a.location); !strings.Contains(page.body, "your only way to sign in") {
		t.Errorf("unexplained:\n%s", page.body)
	}
	a := b.press("link", "quiet")
	to := regexp.MustCompile(`class="button main" href="(http[^"]*)"`).FindStringSubmatch(a.body)
	if a.status != http.StatusOK || to == nil || !strings.Contains(a.body, `http-equiv="refresh"`) || strings.Contains(a.body, "ZgotmplZ") {
		t.Fatalf("%d\n%s", a.status, a.body)
	}
	if refresh := regexp.MustCompile(`content="0;url=([^"]*)"`).FindStringSubmatch(a.body); refresh == nil || html.UnescapeString(refresh[1]) != html.UnescapeString(to[1]) {
		t.Errorf("the page leads to another place by itself: %q", refresh)
	}
	if back := b.consent(html.UnescapeString(to[1])); back != w.url+"/account?done=link" {
		t.Fatalf("linking led to %q", back)
	}
	page := b.get("/account?done=link").body
	if !strings.Contains(page, "The account is linked.") || strings.Contains(page, "the only one") {
		t.Errorf("\n%s", page)
	}
	if a := b.press("unlink", button(t, page, "unlink", "Acme")); a.location != "/account?done=unlink" {
		t.Errorf("%d %q", a.status, a.location)
	}
	if left := w.column(`select providerId from account`); len(left) != 1 || left[0] != "quiet" {
		t.Errorf("left are %v", left)
	}
	if a := b.press("unlink", first); a.location != "/account?error=ACCOUNT_NOT_FOUND" && a.location != "/account?error=FAILED_TO_UNLINK_LAST_ACCOUNT" {
		t.Errorf("once more: %d %q", a.status, a.location)
	}
	if a := b.press("link", "nobody"); a.status != http.StatusBadRequest || !strings.Contains(a.body, "no such provider") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
}

func TestALinkThatFailsIsExplained(t *testing.T) {
	w := newWorld(t)
	w.idp.Sit(oauthtest.Person{Sub: "sub-bob", Email: "bob@example.com", Verified: true, Name: "Bob"})
	w.signedIn("quiet")
	w.idp.Sit(oauthtest.Alice())
	b := w.signedIn("acme")
	w.idp.Sit(oauthtest.Person{Sub: "sub-bob", Email: "bob@example.com", Verified: true, Name: "Bob"})
	a := b.press("link", "quiet")
	to := regexp.MustCompile(`class="button main" href="(http[^"]*)"`).FindStringSubmatch(a.body)
	back := b.consent(html.UnescapeString(to[1]))
	page := b.get(back)
	if !strings.HasPrefix(back, w.url+"/account?") || !strings.Contains(page.body, "belongs to somebody else") || !strings.Contains(page.body, "Quiet &amp; Co") {
		t.Errorf("%q: %d\n%s", back, page.status, page.body)
	}
}

func TestSignOut(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("quiet")
	a := b.press("sign-out", "")
	if a.status != http.StatusSeeOther || a.location != "/sign-in?signed-out" {
		t.Fatalf("%d %q", a.status, a.location)
	}
	if page := b.get(a.location); !strings.Contains(page.body, "You are signed out.") || len(w.column(`select id from session`)) != 0 {
		t.Errorf("\n%s", page.body)
	}
	if a := b.press("sign-out", ""); a.status != http.StatusSeeOther {
		t.Errorf("once more: %d", a.status)
	}

	b = newWorld(t).signedIn("acme")
	a = b.press("sign-out", "")
	if a.status != http.StatusOK || !strings.Contains(html.UnescapeString(a.body), b.idp.URL+"/end-session?id_token_hint=") {
		t.Errorf("at a provider that ends sessions: %d\n%s", a.status, a.body)
	}
	if a := b.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("still signed in: %d", a.status)
	}
}

func TestFormsOfOthersDoNothing(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("quiet")
	for _, from := range [][]string{
		{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		{"Sec-Fetch-Site", "same-site", "Origin", "https://neighbour.example.com"},
		{"Sec-Fetch-Site", "cross-site", "Origin", "null"},
		{"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		{"Sec-Fetch-Site", "", "Origin", "null"},
		{"Sec-Fetch-Site", "cross-site", "Origin", ""},
	} {
		for _, do := range []string{"sign-out", "revoke-others", "link"} {
			if a := b.press(do, "acme", from...); a.status != http.StatusForbidden || !strings.Contains(a.body, "another site") {
				t.Errorf("%q %s: %d\n%s", from, do, a.status, a.body)
			}
		}
	}
	if a := b.get("/account"); a.status != http.StatusOK {
		t.Errorf("signed out by somebody else's form: %d", a.status)
	}
	for _, do := range []string{"revoke", "revoke-others", "link", "unlink", "organization"} {
		if a := w.browser().press(do, "acme"); a.status != http.StatusSeeOther || a.location != "/sign-in?callbackURL=%2Faccount" {
			t.Errorf("nobody's %s: %d %q\n%s", do, a.status, a.location, a.body)
		}
	}
	if a := b.press("delete-everything", ""); a.status != http.StatusBadRequest {
		t.Errorf("an unknown form: %d", a.status)
	}
	if a := b.press("revoke", strings.Repeat("x", 17<<10)); a.status != http.StatusBadRequest {
		t.Errorf("a form without end: %d", a.status)
	}
	if a := b.ask(http.MethodPost, "/account", url.Values{"do": {"sign-out"}}, "Content-Type", "text/plain"); a.status != http.StatusBadRequest {
		t.Errorf("a form that is none: %d", a.status)
	}
}

// TestTokensStayOutOfPages collects everything that two browsers saw, and looks for what opens something.
func TestTokensStayOutOfPages(t *testing.T) {
	w := newWorld(t)
	// Not acme: its sign-out hands back its own id_token, as OpenID Connect has it.
	b, other := w.signedIn("quiet"), w.signedIn("quiet")
	tokens := w.column(`select token from session union select accessToken from account union select refreshToken from account where refreshToken is not null union select idToken from account`)
	if len(tokens) < 4 {
		t.Fatalf("too few secrets to look for: %d", len(tokens))
	}
	page := b.get("/account").body
	b.press("revoke", button(t, page, "revoke", "Sign out"))
	b.press("link", "acme")
	b.press("unlink", w.column(`select id from account`)[0])
	b.get("/account?done=unlink&error=x")
	b.get("/sign-in?callbackURL=/x")
	b.press("sign-out", "")
	for _, token := range tokens {
		for name, text := range map[string]string{"a page or URL": b.seen.String() + other.seen.String(), "the log": w.log.String()} {
			if strings.Contains(text, token) {
				t.Errorf("%s holds %.6s…", name, token)
			}
		}
	}
}
