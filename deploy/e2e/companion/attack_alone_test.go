package companion

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/usherauth/usher/oauth/oauthtest"
)

// CVE-2025-24806, CVE-2026-47203 (GHSA-hjj4), CVE-2026-77582: a limit is not doubled by writing the same thing in another way.
func TestLimitsHaveNoOtherSpelling(t *testing.T) {
	t.Parallel()
	w := newInternet(t)
	s := newSiteOf(t, w, w.env(), "rate_limit: { enabled: true }")
	b := s.browser(t)
	passed := 0
	for _, path := range []string{
		"/api/auth/signin/google", "/api/auth/signin/github", "/api/auth/signin/google?callbackURL=/x", "/api/auth/signin/google", "/api/auth/signin/google/", "/api/auth//signin/google",
		"/api/auth/./signin/google", "/api/auth/%73ignin/google", "/API/auth/signin/google", "/api/auth/signin/Google", "/api/auth/signin/google%2f", "/api/auth/x/../signin/google", "/api/auth/signin/google?x=1",
	} {
		a := b.with(http.MethodGet, path)
		switch {
		case a.StatusCode == http.StatusFound && strings.Contains(a.Header.Get("Location"), "client_id="):
			passed++
		case a.StatusCode != http.StatusTooManyRequests && a.StatusCode != http.StatusNotFound:
			t.Errorf("%s: %d %v %s", path, a.StatusCode, a.Header, a.body)
		}
	}
	if a := b.do(http.MethodPost, "/api/auth/sign-in/social", `{"provider":"google"}`); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the other way to sign in: %d %s", a.StatusCode, a.body)
	}
	if passed != 3 {
		t.Errorf("%d sign-ins began, 3 may", passed)
	}
}

// CVE-2024-23656: TLS before 1.2 is not spoken with a provider, whatever it offers.
func TestProvidersAreNotAskedOverOldTLS(t *testing.T) {
	t.Parallel()
	w := newInternet(t, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	s := newSiteOf(t, w, w.env())
	b := s.browser(t)
	if to := b.link(w, "github", "/in"); !strings.Contains(to, "error=") || b.who() != "" {
		t.Errorf("the callback led to %q", to)
	}
	if n := w.idp.Calls(oauthtest.Token); n > 0 || len(w.contacted()) == 0 {
		t.Errorf("%d calls, of %v", n, w.contacted())
	}
}
