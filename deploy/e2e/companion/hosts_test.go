package companion

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/oauthtest"
)

// Google and GitHub under their own names: nothing is configured but a client, and the real binary finds them, through the
// proxy and with the authority that the standard variables name. It asks nobody else for anything.
func TestGoogleAndGitHubUnderTheirOwnNames(t *testing.T) {
	t.Parallel()
	w := newInternet(t)
	s := newSiteOf(t, w, w.env())
	for name, hosts := range map[string][]string{
		"google": {"oauth2.googleapis.com:443", "www.googleapis.com:443"}, "github": {"api.github.com:443", "github.com:443"},
	} {
		w.mu.Lock()
		w.asked = nil
		w.mu.Unlock()
		b := s.browser(t)
		if to := b.link(w, name, "/welcome"); to != "/welcome" {
			t.Fatalf("%s: the callback led to %q\n%s", name, to, s.usher.Output())
		}
		if got := b.who(); got != "alice@example.com" {
			t.Errorf("%s: signed in as %q", name, got)
		}
		if got := w.contacted(); !slices.Equal(got, hosts) {
			t.Errorf("%s: contacted %v, want %v", name, got, hosts)
		}
	}
}

// Whoever stands between, without a certificate that is trusted, is told nothing: no code, no secret, and nobody signs in.
func TestAnImpostorBetweenIsToldNothing(t *testing.T) {
	t.Parallel()
	w := newInternet(t)
	other := newInternet(t) // whose authority is trusted, and has signed nothing here
	env := slices.DeleteFunc(w.env(), func(v string) bool { return strings.HasPrefix(v, "SSL_CERT_FILE=") })
	s := newSiteOf(t, w, append(env, "SSL_CERT_FILE="+other.ca))
	for _, name := range []string{"google", "github"} {
		b := s.browser(t)
		if to := b.link(w, name, "/welcome"); !strings.Contains(to, "error=") {
			t.Errorf("%s: the callback led to %q", name, to)
		}
		if got := b.who(); got != "" {
			t.Errorf("%s: signed in as %q", name, got)
		}
	}
	if n := len(w.contacted()); n == 0 {
		t.Error("the impostor was never connected to")
	}
	for _, call := range w.idp.Log("") {
		if call.Endpoint != oauthtest.AuthorizeURL {
			t.Errorf("the impostor was asked for %s", call.URL)
		}
	}
}

// newSiteOf is a site of Usher alone, with Google and GitHub, whose program has env. options are more of better_auth.
func newSiteOf(t *testing.T, w *internet, env []string, options ...string) *site {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	s := &site{url: "http://" + address, sides: map[side]*url.URL{}, env: env, http: address}
	s.startUsher(t,
		fmt.Sprintf("better_auth: { %s }", strings.Join(append(options, fmt.Sprintf("url: %q, secret: %q", s.url, testenv.TestSecret)), ", ")),
		fmt.Sprintf("store: { url: %q }", emptyDatabase(t)),
		fmt.Sprintf("oauth: { providers: { google: { client_id: %[1]q, client_secret: %[2]q }, github: { client_id: %[1]q, client_secret: %[2]q } } }",
			oauthtest.ClientID, oauthtest.ClientSecret))
	return s
}

// emptyDatabase has Better Auth's tables, made by Usher.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	database := "sqlite://" + filepath.Join(t.TempDir(), "app.db")
	run(t, "BETTER_AUTH_SECRET="+testenv.TestSecret, "BETTER_AUTH_URL=http://localhost", "DATABASE_URL="+database)(binary, "schema", "apply")
	return database
}

// link signs in by a plain link, as somebody who is known at the provider, and returns where the callback leads.
func (b *browser) link(w *internet, provider, callbackURL string) string {
	b.t.Helper()
	a := b.do(http.MethodGet, "/api/auth/signin/"+provider+"?callbackURL="+url.QueryEscape(callbackURL), "")
	if a.StatusCode != http.StatusFound || a.Header.Get("Cache-Control") != "no-store" || !strings.Contains(a.Header.Get("Set-Cookie"), "better-auth.state=") {
		b.t.Fatalf("signin/%s: %d %v %s", provider, a.StatusCode, a.Header, a.body)
	}
	back, err := w.idp.Consent(a.Header.Get("Location"))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(http.MethodGet, back.String(), "").Header.Get("Location")
}
