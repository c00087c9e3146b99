package config_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
)

func TestSessionCookie(t *testing.T) {
	for _, c := range []struct{ better, want string }{
		{`url: "http://localhost:3000"`, "better-auth.session_token"},
		{`url: "https://app.example.com"`, "__Secure-better-auth.session_token"},
		{`url: "https://app.example.com", secure_cookies: false`, "better-auth.session_token"},
		{`url: "http://app.example.com", secure_cookies: yes`, "__Secure-better-auth.session_token"},
		{`url: "https://app.example.com", cookie_prefix: my-app`, "__Secure-my-app.session_token"},
		{`url: "https://app.example.com", cookie_prefix: ""`, "__Secure-better-auth.session_token"},
		{`url: "http://app.example.com", cookies: {session_token: {name: sid}}`, "sid"},
		{`url: "https://app.example.com", cookies: {session_token: {name: sid}}`, "__Secure-sid"},
	} {
		got := mustLoad(t, "better_auth: {"+c.better+"}\n", map[string]string{"BETTER_AUTH_SECRET": goodSecret, "DATABASE_URL": "sqlite:///x"}, nil)
		name := betterauth.CookieName(got.BetterAuth.CookiePrefix, got.BetterAuth.Cookies.SessionToken.Name, got.SecureCookies())
		if name != c.want {
			t.Errorf("%s: %s, want %s", c.better, name, c.want)
		}
	}
}

func TestSignInPage(t *testing.T) {
	for _, c := range []struct{ url, page, want, origin string }{
		{"https://App.example.com:443/api/auth", "", "https://app.example.com/sign-in", "https://app.example.com"},
		{"http://localhost:3000", "", "http://localhost:3000/sign-in", "http://localhost:3000"},
		{"https://app.example.com/", "/login?x=1", "https://app.example.com/login?x=1", "https://app.example.com"},
		{"https://app.example.com", "https://id.example.com/in", "https://id.example.com/in", "https://app.example.com"},
		{"", "", "", ""},
		{"", "/login", "", ""},
		{"https://*.example.com", "", "", ""},
	} {
		got := config.Default()
		got.BetterAuth.URL, got.SignInURL = c.url, c.page
		if got.SignInPage() != c.want || got.Origin() != c.origin {
			t.Errorf("%+v: page %q, origin %q", c, got.SignInPage(), got.Origin())
		}
	}
}

func TestExplicitCookiesNeedNoURL(t *testing.T) {
	c, problems := load("better_auth: {secure_cookies: true}\n", map[string]string{"BETTER_AUTH_SECRET": goodSecret, "DATABASE_URL": "sqlite:///x"}, nil)
	want := "warning: usher.yaml: sign_in_url: is empty and so is better_auth.url, so browsers get 401 instead of a sign-in page\n"
	if got := lines(problems); got != want || !c.SecureCookies() {
		t.Errorf("got %s", got)
	}
}

func TestHeaderNames(t *testing.T) {
	c := mustLoad(t, good+"headers: {preset: authelia, names: {org_slug: X-Org-Slug, user_name: \"\"}, values: raw, remove: [X_User, X-API-Key]}\norganization: {header: \"\", sources: [active]}\n", nil, nil)
	got := c.HeaderNames()
	if got.Names[gate.UserID] != "Remote-User" || got.Names[gate.OrgSlug] != "X-Org-Slug" || got.Names[gate.UserName] != "" ||
		!got.Raw || got.Organization != "" || !slices.Equal(got.AlwaysRemove, []string{"x_user", "x-api-key"}) {
		t.Errorf("got %+v", got)
	}
	if _, err := gate.NewHeaders(got); err != nil {
		t.Error(err)
	}
	if again := mustLoad(t, good, nil, nil).HeaderNames(); again.Names[gate.UserName] != "X-User-Name" {
		t.Error("the preset itself was changed")
	}
}

func TestProxiesAndSources(t *testing.T) {
	c := mustLoad(t, "", minimal(), nil)
	for address, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.1.2.3": true, "172.31.0.1": true, "192.168.1.1": true, "fd00::1": true,
		"172.32.0.1": false, "8.8.8.8": false, "2001:db8::1": false, "169.254.169.254": false,
	} {
		if got := c.Proxies().Trusts(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	sources := c.OrgSources()
	if got := fmt.Sprint(sources); got != "[header active organization first membership]" {
		t.Errorf("sources %s", got)
	}
}

// A configuration that Load refused, used all the same, refuses.
func TestBadValuesRefuse(t *testing.T) {
	c := config.Default()
	c.TrustedProxies = append(c.TrustedProxies, "0.0.0.0/0")
	c.Rules = []config.Rule{{Access: "public"}, {Path: "bad"}}
	c.BetterAuth.TrustedOrigins = []string{"https://app.example.com", "a b"}
	if c.Proxies().Trusts(netip.MustParseAddr("127.0.0.1")) {
		t.Error("bad proxies trust")
	}
	if c.Policy() != nil {
		t.Error("bad rules are a policy")
	}
}

func TestPolicyIsThatOfTheRules(t *testing.T) {
	c := mustLoad(t, good+`rules:
  - { host: app.example.com, path: /sign-in, access: public }
  - { host: app.example.com, path: /api/auth/**, access: public }
  - { host: app.example.com, path: /feed, methods: [GET], access: optional }
  - { name: admin, host: app.example.com, path: /admin/**, org_roles: [owner], fresh: 1d }
`, nil, nil)
	headers, err := gate.NewHeaders(c.HeaderNames())
	if err != nil {
		t.Fatal(err)
	}
	g, err := gate.New(gate.Config{
		Reader: gatetest.Reader{}, Resolver: gatetest.NewResolver(nil), Headers: headers, Policy: c.Policy(), SignInURL: c.SignInPage(),
		Timeout: c.Store.Timeout, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]gate.Reason{
		"/sign-in": gate.Public, "/feed": gate.Anonymous, "/admin/x": gate.NoCredential, "/": gate.NoCredential,
	} {
		r := &gate.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: target}
		if got := g.Check(context.Background(), r); got.Reason != want {
			t.Errorf("%s: %s, want %s", target, got.Reason, want)
		}
	}
}

// The origin of better_auth.url is trusted without being listed; a bad list trusts no other than the request's own.
func TestOrigins(t *testing.T) {
	preflight := func(c *config.Config, origin string) bool {
		headers, err := gate.NewHeaders(c.HeaderNames())
		if err != nil {
			t.Fatal(err)
		}
		g, err := gate.New(gate.Config{Reader: gatetest.Reader{}, Resolver: gatetest.NewResolver(nil), Headers: headers, Origins: c.Origins()})
		if err != nil {
			t.Fatal(err)
		}
		r := &gate.Request{
			Method: "OPTIONS", Scheme: "https", Host: "api.example.com", Target: "/", Origin: origin, Announced: "POST",
		}
		return g.Check(context.Background(), r).Verdict == gate.Allow
	}
	c := mustLoad(t, good, map[string]string{"BETTER_AUTH_TRUSTED_ORIGINS": "https://*.partner.example, http://localhost:3000"}, nil)
	for origin, want := range map[string]bool{
		"https://app.example.com": true, "https://api.example.com": true, "https://x.partner.example": true, "http://localhost:3000": true,
		"http://app.example.com": false, "https://app.example.com.evil.example": false, "https://evil.example": false, "null": false,
	} {
		if got := preflight(c, origin); got != want {
			t.Errorf("%s: %v", origin, got)
		}
	}
	c.BetterAuth.TrustedOrigins = append(c.BetterAuth.TrustedOrigins, "not an origin")
	if preflight(c, "https://x.partner.example") || !preflight(c, "https://api.example.com") {
		t.Error("a bad list is trusted in part")
	}
}

func TestStoreKind(t *testing.T) {
	for raw, want := range map[string]string{
		"postgres://db/app": "postgres", "postgresql://db/app": "postgres", "sqlite:///x.db": "sqlite", "file:x.db": "sqlite",
		"redis://x": "redis", "rediss+cluster://x": "redis", "": "", "https://x": "remote", "mongodb://x": "",
	} {
		store := config.Store{URL: config.NewURL(raw)}
		if got := store.Kind(); got != want {
			t.Errorf("%s: %q", raw, got)
		}
	}
}
