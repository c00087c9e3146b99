package account

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
)

// TestBesideBetterAuthWithARealProvider lets somebody sign in at Better Auth with npm's oidc-provider, and then has
// their tokens renewed by either side in turn: each goes on with what the other has left in the row.
func TestBesideBetterAuthWithARealProvider(t *testing.T) {
	port := testenv.FreePort(t)
	origin := fmt.Sprintf("http://127.0.0.1:%d", port)
	idp := testenv.OIDC(t, testenv.OIDCConfig{
		Clients: []testenv.OIDCClient{{
			ID: "app", Secret: "app-secret", RedirectURIs: []string{origin + "/api/auth/callback/acme"}, GrantTypes: []string{"authorization_code", "refresh_token"},
		}},
		People: []testenv.OIDCPerson{{Sub: "s1", Email: "Ada@Example.com", EmailVerified: true, Name: "Ada", Picture: "https://img.example/ada.png"}},
	})
	database := "sqlite://" + filepath.Join(t.TempDir(), "auth.db")
	theirs := testenv.BetterAuth(t, testenv.BetterAuthConfig{
		DatabaseURL: database, Port: port,
		Generic: []map[string]any{{
			"providerId": "acme", "discoveryUrl": idp.DiscoveryURL(), "clientId": "app", "clientSecret": "app-secret",
			"scopes": []string{"openid", "email", "profile", "offline_access"}, "prompt": "consent",
		}},
		Options: map[string]any{"account": map[string]any{"encryptOAuthTokens": true}},
	})
	ours := newWorldOn(t, accounts.Config{URL: database}, newScriptedIdP(t), func(c *Config) {
		c.EncryptTokens = true
		acme, err := provider.New("acme", provider.Options{DiscoveryURL: idp.DiscoveryURL(), ClientIDs: []string{"app"}, ClientSecret: "app-secret"}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Providers = []provider.Provider{acme}
	})
	session := signInBySocial(t, theirs.URL)
	ask := func(address, method, path, body string) string {
		t.Helper()
		headers := []string{"Cookie", session, "Content-Type", "application/json", "Origin", base}
		if address != ours.address {
			headers[5] = origin
		}
		answer := testenv.RawHTTP(t, address, roomtest.Raw(method, "/api/auth"+path, body, headers...))
		if answer.Status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, answer.Status, answer.Body)
		}
		return answer.Body
	}
	js := strings.TrimPrefix(theirs.URL, "http://")
	var linked []struct{ ID, ProviderID string }
	if err := json.Unmarshal([]byte(ask(ours.address, "GET", "/list-accounts", "")), &linked); err != nil || len(linked) != 1 || linked[0].ProviderID != "acme" {
		t.Fatalf("%+v, %v", linked, err)
	}
	body := `{"accountId":"` + linked[0].ID + `"}`
	seen := map[string]bool{}
	for turn, address := range []string{ours.address, js, ours.address, js} {
		var tokens struct{ AccessToken, RefreshToken, IDToken, Scope string }
		if err := json.Unmarshal([]byte(ask(address, "POST", "/refresh-token", body)), &tokens); err != nil {
			t.Fatal(err)
		}
		if tokens.AccessToken == "" || seen[tokens.AccessToken] || tokens.RefreshToken == "" || tokens.Scope == "" || strings.Count(tokens.IDToken, ".") != 2 {
			t.Fatalf("turn %d: nothing new, or not everything: %q", turn, tokens.Scope)
		}
		seen[tokens.AccessToken] = true
		for _, path := range []string{"/get-access-token", "/account-info"} {
			want, got := "", ""
			if path == "/account-info" {
				want, got = ask(js, "GET", path+"?accountId="+linked[0].ID, ""), ask(ours.address, "GET", path+"?accountId="+linked[0].ID, "")
			} else {
				want, got = ask(js, "POST", path, body), ask(ours.address, "POST", path, body)
			}
			if got != want || !strings.Contains(got, "Ada@Example.com") && path == "/account-info" || !strings.Contains(got, tokens.AccessToken) && path == "/get-access-token" {
				t.Errorf("turn %d, %s: we say\n%s\nBetter Auth says\n%s", turn, path, got, want)
			}
		}
	}
}

// signInBySocial signs in at Better Auth and returns the session's cookie.
func signInBySocial(t *testing.T, at string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	answer, err := browser.Post(at+"/api/auth/sign-in/social", "application/json", strings.NewReader(`{"provider":"acme","callbackURL":"/api/auth/ok","loginHint":"s1"}`))
	if err != nil {
		t.Fatal(err)
	}
	var to struct{ URL string }
	err = json.NewDecoder(answer.Body).Decode(&to)
	answer.Body.Close()
	if err != nil || to.URL == "" {
		t.Fatalf("%d: %v", answer.StatusCode, err)
	}
	if answer, err = browser.Get(to.URL); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || !strings.Contains(string(text), `"ok":true`) {
		t.Fatalf("led to %s: %s, %v", answer.Request.URL, text, err)
	}
	own, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range jar.Cookies(own) {
		if c.Name == "better-auth.session_token" {
			return c.Name + "=" + c.Value
		}
	}
	t.Fatal("there is no session")
	return ""
}
