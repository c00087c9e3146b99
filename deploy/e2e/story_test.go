package e2e

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// TestTheStory is the main job: people, organizations and sessions made by the real Better Auth, on both databases and
// with two versions of it, seen by a backend behind every proxy.
func TestTheStory(t *testing.T) {
	for _, c := range []struct{ name, version, database string }{
		{"1.7 on PostgreSQL", "1.7", "postgres"},
		{"1.4 on SQLite", "1.4", "sqlite"},
		{"1.7 on SQLite", "1.7", "sqlite"},
		{"1.4 on PostgreSQL", "1.4", "postgres"},
	} {
		t.Run(c.name, func(t *testing.T) {
			databaseURL := "sqlite://" + filepath.Join(t.TempDir(), "app.db")
			if c.database == "postgres" {
				databaseURL = testenv.Postgres(t).NewDatabase(t)
			}
			tellStory(t, testenv.BetterAuth(t, testenv.BetterAuthConfig{Version: c.version, DatabaseURL: databaseURL}), databaseURL)
		})
	}
}

func tellStory(t *testing.T, auth *testenv.BetterAuthServer, databaseURL string) {
	ada := auth.SignUp(t, "Ada Lovelace", "ada@example.com")
	zoe := auth.SignUp(t, "Zoë ☃ 100%", "zoe@example.com")
	acme := auth.CreateOrganization(t, ada, "Acme", "acme")
	beta := auth.CreateOrganization(t, ada, "Bêta & Söhne", "beta")
	auth.AddMember(t, acme, zoe, "member")
	backend := testenv.EchoBackend(t)
	gate := startUsher(t, auth, databaseURL, rules, forgetful)
	proxies := startProxies(t, gate, backend.Address)

	each := func(name string, check func(t *testing.T, p *proxied)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			for _, p := range proxies {
				t.Run(p.name, func(t *testing.T) { check(t, p) })
			}
		})
	}
	ask := func(t *testing.T, p *proxied, lines ...string) exchange {
		t.Helper()
		x := p.send(t, backend, request{lines: lines})
		x.nothingChosen(t)
		return x
	}
	wantStatus := func(t *testing.T, x exchange, status int, reason string) {
		t.Helper()
		if x.Status != status || x.reached() != (status == 200) {
			t.Fatalf("status %d, backend asked: %v, body %.300s; want %d", x.Status, x.reached(), x.Body, status)
		}
		if status != 200 && x.Header.Get("X-Usher-Reason") != reason {
			t.Errorf("X-Usher-Reason %q, want %q", x.Header.Get("X-Usher-Reason"), reason)
		}
	}

	each("a cookie is a person", func(t *testing.T, p *proxied) {
		x := ask(t, p, cookie(ada))
		wantStatus(t, x, 200, "")
		for name, want := range map[string]string{
			"x-user-id": ada.UserID, "x-user-email": "ada@example.com", "x-user-email-verified": "false",
			"x-user-name": "Ada Lovelace", "x-auth-method": "cookie", "x-org-id": beta.ID, "x-org-slug": "beta", "x-org-role": "owner",
		} {
			if got := x.identity(t, name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if name, err := url.PathUnescape(x.identity(t, "x-org-name")); err != nil || name != "Bêta & Söhne" {
			t.Errorf("x-org-name decodes to %q (%v)", name, err)
		}
		if x.identity(t, "x-session-id") == "" || strings.Contains(x.identity(t, "x-session-id"), ada.Token) {
			t.Errorf("x-session-id: %q", x.identity(t, "x-session-id"))
		}
	})
	each("S17: a name beyond ASCII arrives whole", func(t *testing.T, p *proxied) {
		x := ask(t, p, cookie(zoe))
		wantStatus(t, x, 200, "")
		if name, err := url.PathUnescape(x.identity(t, "x-user-name")); err != nil || name != zoe.Name {
			t.Errorf("x-user-name decodes to %q (%v)", name, err)
		}
		if got := x.identity(t, "x-org-id"); got != acme.ID {
			t.Errorf("the first membership: x-org-id %q, want %q", got, acme.ID)
		}
	})
	each("a bearer token is a person, plain and signed", func(t *testing.T, p *proxied) {
		for _, token := range []string{ada.Token, ada.Bearer} {
			x := ask(t, p, "Authorization: Bearer "+token)
			wantStatus(t, x, 200, "")
			if x.identity(t, "x-user-id") != ada.UserID || x.identity(t, "x-auth-method") != "bearer" {
				t.Errorf("x-user-id %q, x-auth-method %q", x.identity(t, "x-user-id"), x.identity(t, "x-auth-method"))
			}
		}
	})
	each("the client asks for an organization, by id and by slug", func(t *testing.T, p *proxied) {
		for _, wish := range []string{acme.ID, "acme"} {
			x := ask(t, p, cookie(ada), "X-Org-Id: "+wish)
			wantStatus(t, x, 200, "")
			if x.identity(t, "x-org-id") != acme.ID || x.identity(t, "x-org-slug") != "acme" {
				t.Errorf("asked for %q: x-org-id %q, x-org-slug %q", wish, x.identity(t, "x-org-id"), x.identity(t, "x-org-slug"))
			}
		}
		wantStatus(t, ask(t, p, cookie(zoe), "X-Org-Id: beta"), 403, "NOT_A_MEMBER")
		wantStatus(t, ask(t, p, cookie(zoe), "X-Org-Id: nowhere"), 403, "NOT_A_MEMBER")
	})
	each("nobody is refused, and a browser is led to the sign-in page", func(t *testing.T, p *proxied) {
		x := ask(t, p)
		wantStatus(t, x, 401, "NO_CREDENTIAL")
		if x.Body != `{"message":"Unauthorized","code":"UNAUTHORIZED"}` {
			t.Errorf("body %q", x.Body)
		}
		if got := x.Header.Values("WWW-Authenticate"); len(got) != 1 || got[0] != "Bearer" {
			t.Errorf("WWW-Authenticate %q", got)
		}
		x = p.send(t, backend, request{target: "/private/page?x=1&y=%20z", lines: []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}})
		wantStatus(t, x, 302, "NO_CREDENTIAL")
		want := auth.Origin + "/sign-in?callbackURL=" + url.QueryEscape("http://"+p.address+"/private/page?x=1&y=%20z")
		if got := x.Header.Get("Location"); got != want {
			t.Errorf("Location %q, want %q", got, want)
		}
	})
	each("a forged cookie is nobody", func(t *testing.T, p *proxied) {
		wantStatus(t, ask(t, p, "Cookie: better-auth.session_token="+ada.Token+".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D"), 401, "BAD_COOKIE")
		wantStatus(t, ask(t, p, "Authorization: Bearer not-a-session"), 401, "SESSION_UNKNOWN")
	})
	each("the same-origin evidence of an unsafe method", func(t *testing.T, p *proxied) {
		post := func(lines ...string) exchange {
			return p.send(t, backend, request{method: "POST", lines: append(lines, cookie(ada), "Content-Length: 9"), body: "a=1&b=two"})
		}
		wantStatus(t, post("Origin: http://"+p.address), 200, "")
		wantStatus(t, post("Sec-Fetch-Site: same-origin"), 200, "")
		wantStatus(t, post(), 200, "")
		wantStatus(t, post("Origin: http://evil.test"), 403, "INVALID_ORIGIN")
		wantStatus(t, post("Sec-Fetch-Site: cross-site"), 403, "INVALID_ORIGIN")
	})
	each("rules: roles, optional, public", func(t *testing.T, p *proxied) {
		at := func(target string, lines ...string) exchange {
			x := p.send(t, backend, request{target: target, lines: lines})
			x.nothingChosen(t)
			return x
		}
		wantStatus(t, at("/admin/users", cookie(ada)), 200, "")
		wantStatus(t, at("/admin/users", cookie(zoe)), 403, "ORG_ROLE_REQUIRED")
		x := at("/optional/feed", cookie(zoe))
		wantStatus(t, x, 200, "")
		if x.identity(t, "x-user-id") != zoe.UserID {
			t.Errorf("x-user-id %q", x.identity(t, "x-user-id"))
		}
		at("/optional/feed").anonymousAt(t)
		at("/public", cookie(ada)).anonymousAt(t)
	})

	auth.SetActive(t, ada, acme)
	each("the active organization counts", func(t *testing.T, p *proxied) {
		if got := ask(t, p, cookie(ada)).identity(t, "x-org-id"); got != acme.ID {
			t.Errorf("x-org-id %q, want %q", got, acme.ID)
		}
	})
	auth.RemoveMember(t, ada, acme, zoe)
	each("a removed member is none", func(t *testing.T, p *proxied) {
		wantStatus(t, ask(t, p, cookie(zoe), "X-Org-Id: acme"), 403, "NOT_A_MEMBER")
		if got := ask(t, p, cookie(zoe)).identity(t, "x-org-id"); got != "" {
			t.Errorf("x-org-id %q after removal", got)
		}
	})
	again := auth.SignIn(t, zoe)
	line, token := cookie(zoe), zoe.Bearer
	auth.SignOut(t, zoe)
	each("signing out in Better Auth ends access", func(t *testing.T, p *proxied) {
		wantStatus(t, ask(t, p, line), 401, "SESSION_UNKNOWN")
		wantStatus(t, ask(t, p, "Authorization: Bearer "+token), 401, "SESSION_UNKNOWN")
		wantStatus(t, ask(t, p, cookie(again)), 200, "")
	})
	auth.MakeAdmin(t, ada)
	auth.Ban(t, ada, again, 0)
	each("a ban ends access", func(t *testing.T, p *proxied) {
		wantStatus(t, ask(t, p, cookie(again)), 401, "SESSION_UNKNOWN")
	})
}

// forgetful is a gate that asks the store every time, for tests that change something and look at once. How soon a change
// shows through a memory is TestARevocationReachesEveryReplica's.
const forgetful = "cache: { size: 0 }"

// rules are what a small site has.
const rules = `rules:
  - { path: "/public/**", access: public }
  - { path: "/optional/**", access: optional }
  - { path: "/admin/**", org_roles: [owner, admin] }`
