package companion

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// The attacks that need more than the sign-in server alone: the real binary, its gate, and Better Auth on the same database.
// Those on one callback are in oauth/attack_test.go, those on codes and tokens in oauth/provider, those on proxies in
// deploy/e2e. Each names the advisory it comes from.

// besieged is a site that all these attacks are made on, with somebody who is signed in.
type besieged struct {
	*site
	db    *sql.DB
	token string // the session's cookie, signed, as it is sent
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.db")
	s := &besieged{site: newSite(t, storage{database: func(*testing.T) string { return "sqlite://" + file }}, nil, nil)}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s.db = db
	s.token = s.signIn(t, ada.Sub).cookie("better-auth.session_token")
	return s
}

func (s *besieged) signIn(t *testing.T, sub string) *browser {
	t.Helper()
	b := s.browser(t)
	if a := b.do(http.MethodGet, b.visit(b.begin("/in"), sub), ""); a.Header.Get("Location") != "/in" {
		t.Fatalf("%s: the callback led to %q", sub, a.Header.Get("Location"))
	}
	return b
}

func (b *browser) cookie(name string) string {
	b.t.Helper()
	for _, c := range b.Jar.Cookies(parse(b.t, b.site.url)) {
		if c.Name == name {
			return c.Value
		}
	}
	b.t.Fatalf("no cookie %s", name)
	return ""
}

func (b *browser) has(name string) bool {
	b.t.Helper()
	return slices.ContainsFunc(b.Jar.Cookies(parse(b.t, b.site.url)), func(c *http.Cookie) bool { return c.Name == name })
}

func (s *besieged) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits for what the gate's memory is told within a second.
func (s *besieged) waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// gate is what a proxy is answered about a page, asked for with these headers.
func (b *browser) gate(pairs ...string) answer {
	b.t.Helper()
	at := parse(b.t, b.site.url)
	return b.with(http.MethodGet, "/gate/envoy/page", append([]string{"X-Forwarded-Proto", at.Scheme, "Accept", "application/json"}, pairs...)...)
}

func TestAttacksOnTheWhole(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	t.Run("forged credentials", s.forgedCredentials)
	t.Run("callbacks without state", s.brokenCallbacks)
	t.Run("redirects", s.redirects)
	t.Run("parameters", s.parameters)
	t.Run("invitations", s.invitations)
	t.Run("planted sessions", s.planted)
	t.Run("the banned", s.banned)
}

// CVE-2022-29226 (any token was accepted), CVE-2023-35941 (the HMAC was always valid), GHSA-xmf8 of NextAuth (a malformed
// Authorization throws): neither the companion nor the gate knows anybody by what is not signed.
func (s *besieged) forgedCredentials(t *testing.T) {
	b := s.browser(t)
	b.Jar = nil
	raw, err := url.PathUnescape(s.token)
	if err != nil {
		t.Fatal(err)
	}
	token, signature, _ := strings.Cut(raw, ".")
	another := "x"
	if token[0] == 'x' { // one token of 62 begins so
		another = "y"
	}
	forged := []string{
		"", ".", token + ".", "." + signature, token + "." + strings.Repeat("A", 43) + "=", another + token[1:] + "." + signature, token + "." + token,
		token + "." + strings.ToLower(signature), token + "." + signature + "." + signature, strings.Repeat("a", 7000), "null", "undefined", "%00", "%ff%fe",
	}
	for _, f := range forged {
		for _, pairs := range [][]string{{"Cookie", "better-auth.session_token=" + url.PathEscape(f)}, {"Authorization", "Bearer " + url.PathEscape(f)}} {
			if a := b.with(http.MethodGet, "/api/auth/get-session", pairs...); a.StatusCode != http.StatusOK || a.body != "null" {
				t.Errorf("%.60q: get-session %d %s", pairs, a.StatusCode, a.body)
			}
			if a := b.gate(pairs...); a.StatusCode != http.StatusUnauthorized || a.Header.Get("X-User-Id") != "" {
				t.Errorf("%.60q: the gate %d %v", pairs, a.StatusCode, a.Header)
			}
		}
	}
	for _, value := range []string{"Bearer", "Bearer ", "bearer", "Basic Og==", "Bearer a b", "Bearer " + strings.Repeat(".", 500), ",", "Digest x", "Bearer\ttoken"} {
		if a := b.with(http.MethodGet, "/api/auth/get-session", "Authorization", value); a.StatusCode != http.StatusOK || a.body != "null" {
			t.Errorf("Authorization %q: %d %s", value, a.StatusCode, a.body)
		}
	}
	if a := b.gate("Cookie", "better-auth.session_token="+s.token); a.StatusCode != http.StatusOK || a.Header.Get("X-User-Email") != "ada@example.com" {
		t.Errorf("the genuine one: %d %v", a.StatusCode, a.Header) // else nothing above was tested
	}
}

// CVE-2023-27496: a callback without `state` crashed the filter. Ours leads to an error, writes nothing, and goes on.
func (s *besieged) brokenCallbacks(t *testing.T) {
	b := s.browser(t)
	state := parse(t, b.begin("/in")).Query().Get("state")
	for _, query := range []string{
		"", "?", "?code=x", "?state=", "?state=&code=", "?state=" + state, "?state=" + state + "x&code=x", "?state=a&state=b&code=x", "?state[]=a&code=x", "?state=%00&code=%00",
		"?state=%ff&code=x", "?state=" + strings.Repeat("s", 5000) + "&code=x", "?error=" + strings.Repeat("e", 5000), "?%zz", "?state=../../x&code=x", "?code=x&state=__proto__",
	} {
		for _, path := range []string{"/api/auth/callback/acme", "/api/auth/callback/nobody", "/api/auth/callback/__proto__"} {
			other := s.browser(t) // without the state's cookie
			a := other.do(http.MethodGet, path+query, "")
			to := parse(t, a.Header.Get("Location"))
			if a.StatusCode == http.StatusBadRequest && strings.Count(query, "state=") == 2 {
				continue // as the library: it leads nowhere
			}
			if a.StatusCode != http.StatusFound || !to.Query().Has("error") || to.IsAbs() && to.Scheme+"://"+to.Host != s.url || other.has("better-auth.session_token") {
				t.Errorf("%s%.50s: %d to %.200q", path, query, a.StatusCode, to)
			}
		}
	}
}

// GHSA-qqxw, GHSA-j7px, GHSA-5m6c, GHSA-4mf2 of oauth2-proxy, GHSA-36f2 of Authelia (at sign-out), 23857ab9 of dex
// (backslash): pages, links, errors and sign-out lead to our own sites, or nowhere.
func (s *besieged) redirects(t *testing.T) {
	for _, evil := range []string{
		"//evil.example", `/\evil.example`, `\/evil.example`, "/\t/evil.example", "https://evil.example", "https:evil.example", " https://evil.example",
		s.url + ".evil.example", s.url + "@evil.example", "javascript:alert(1)", "data:text/html,x", "///evil.example", "/./\\evil.example",
	} {
		q := url.QueryEscape(evil)
		b := s.browser(t)
		for _, path := range []string{"/api/auth/signin/acme?callbackURL=", "/api/auth/signin/acme?errorCallbackURL=", "/api/auth/signin/acme?newUserCallbackURL="} {
			if a := b.do(http.MethodGet, path+q, ""); a.StatusCode != http.StatusForbidden || a.Header.Get("Location") != "" {
				t.Errorf("%s%s: %d to %q", path, q, a.StatusCode, a.Header.Get("Location"))
			}
		}
		for _, path := range []string{"/sign-in?callbackURL=", "/account?callbackURL=", "/api/auth/error?error=", "/api/auth/error?error=x&callbackURL="} {
			a := b.do(http.MethodGet, path+q, "")
			if to := a.Header.Get("Location"); strings.Contains(to, "evil.example") && !strings.HasPrefix(to, "/sign-in?") && !strings.HasPrefix(to, s.url+"/sign-in?") || leads(a.body, evil) {
				t.Errorf("%s%s: %d to %q, or a link there", path, q, a.StatusCode, to)
			}
			if a.StatusCode >= 500 {
				t.Errorf("%s%s: %d", path, q, a.StatusCode)
			}
		}
		body, err := json.Marshal(map[string]string{"callbackURL": evil})
		if err != nil {
			t.Fatal(err)
		}
		// Also of somebody who is signed in: the provider's sign-out would lead there.
		a := s.browser(t).post("/api/auth/sign-out", string(body), "Origin", s.url, "Cookie", "better-auth.session_token="+s.token)
		if a.StatusCode != http.StatusForbidden || strings.Contains(a.body+a.Header.Get("Location"), "evil.example") {
			t.Errorf("sign-out to %q: %d %s", evil, a.StatusCode, a.body)
		}
	}
}

// leads reports whether a page has a link or a form to a URL.
func leads(page, to string) bool {
	for _, attribute := range []string{"href", "action", "src", "content"} {
		if strings.Contains(page, attribute+`="`+to) || strings.Contains(page, "url="+to) {
			return true
		}
	}
	return false
}

// post sends JSON with these headers, by pairs, and no others.
func (b *browser) post(path, body string, pairs ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.site.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Header.Add(pairs[i], pairs[i+1])
	}
	return b.send(r)
}

// CVE-2024-23647 (GHSA-mrx3, a PKCE downgrade), GHSA-86j7: what a page may add to the way to the provider replaces nothing that
// protects it.
func (s *besieged) parameters(t *testing.T) {
	for _, name := range []string{"code_challenge", "code_challenge_method", "state", "redirect_uri", "client_id", "response_type", "nonce", "scope", "request", "request_uri", "response_mode"} {
		b := s.browser(t)
		a := b.do(http.MethodPost, "/api/auth/sign-in/social", fmt.Sprintf(`{"provider":"acme","callbackURL":"/in","additionalParams":{%q:"attacker"}}`, name))
		var to struct{ URL string }
		if err := json.Unmarshal([]byte(a.body), &to); err != nil {
			t.Fatal(err)
		}
		if a.StatusCode == http.StatusBadRequest && to.URL == "" {
			continue
		}
		q := parse(t, to.URL).Query()
		if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q["code_challenge"])+len(q["state"])+len(q["redirect_uri"])+len(q["client_id"])+len(q["response_type"])+len(q["nonce"]) != 6 ||
			q.Get("redirect_uri") != s.url+"/api/auth/callback/acme" || q.Get("response_type") != "code" || q.Get("client_id") != "app" || q.Get("nonce") == "attacker" {
			t.Errorf("%s: %s", name, to.URL)
		}
	}
}

// GHSA-fmh4-wcc4-5jm3: who was invited is no member, neither to the client nor to the gate.
func (s *besieged) invitations(t *testing.T) {
	bob := s.signIn(t, "sub-bob")
	s.at(js)
	a := bob.do(http.MethodPost, "/api/auth/organization/create", `{"name":"Bobs","slug":"bobs"}`)
	var org struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &org); err != nil || org.ID == "" {
		t.Fatalf("create: %d %s", a.StatusCode, a.body)
	}
	if a := bob.do(http.MethodPost, "/api/auth/organization/invite-member", fmt.Sprintf(`{"email":"ada@example.com","role":"owner","organizationId":%q}`, org.ID)); a.StatusCode != http.StatusOK {
		t.Fatalf("invite: %d %s", a.StatusCode, a.body)
	}
	s.at(goSide)
	me := s.browser(t)
	cookie := "better-auth.session_token=" + s.token
	if a := me.post("/api/auth/organization/set-active", fmt.Sprintf(`{"organizationId":%q}`, org.ID), "Origin", s.url, "Cookie", cookie); a.StatusCode != http.StatusForbidden {
		t.Errorf("set-active: %d %s", a.StatusCode, a.body)
	}
	for _, name := range []string{org.ID, "bobs"} {
		if a := me.gate("Cookie", cookie, "X-Org-Id", name); a.StatusCode != http.StatusForbidden || a.Header.Get("X-User-Id") != "" {
			t.Errorf("the gate for %s: %d %s", name, a.StatusCode, a.body)
		}
	}
	if a := me.with(http.MethodGet, "/api/auth/organization/get-full-organization?organizationId="+org.ID, "Cookie", cookie); a.StatusCode == http.StatusOK {
		t.Errorf("get-full-organization: %s", a.body)
	}
}

// GHSA-f24x-5g9q-753f: whoever plants their session in somebody's browser does not get to share the one that is made there.
func (s *besieged) planted(t *testing.T) {
	b := s.browser(t)
	b.Jar.SetCookies(parse(t, s.url), []*http.Cookie{{Name: "better-auth.session_token", Value: s.token, Path: "/"}})
	if got := b.who(); got != "ada@example.com" {
		t.Fatalf("planted: %q", got)
	}
	b.do(http.MethodGet, b.visit(b.begin("/in"), "sub-bob"), "")
	if got, now := b.who(), b.cookie("better-auth.session_token"); got != "bob@example.com" || now == s.token {
		t.Errorf("after signing in: %q, cookie changed: %v", got, now != s.token)
	}
	if a := b.gate("Cookie", "better-auth.session_token="+s.token); a.Header.Get("X-User-Email") == "bob@example.com" {
		t.Error("the planted session is now the victim's")
	}
}

// CVE-2025-64521, CVE-2026-43983: who was banned is out everywhere: no sign-in, and the gate passes no session that is left.
func (s *besieged) banned(t *testing.T) {
	bob := s.signIn(t, "sub-bob")
	cookie := "better-auth.session_token=" + bob.cookie("better-auth.session_token")
	if a := bob.gate("Cookie", cookie); a.StatusCode != http.StatusOK {
		t.Fatalf("before: %d %s", a.StatusCode, a.body)
	}
	s.exec(t, `update user set banned = 1, "banReason" = 'spam' where email = 'bob@example.com'`)
	s.waitFor(t, "the gate to refuse the banned", func() bool {
		a := bob.gate("Cookie", cookie)
		return a.StatusCode == http.StatusForbidden && strings.Contains(a.body, "USER_BANNED")
	})
	again := s.browser(t)
	a := again.do(http.MethodGet, again.visit(again.begin("/in"), "sub-bob"), "")
	if !strings.Contains(a.Header.Get("Location"), "error=BANNED_USER") || again.who() != "" {
		t.Errorf("signing in: to %q", a.Header.Get("Location"))
	}
}
