package testenv

import (
	"bytes"
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
)

// The real Better Auth signs somebody in with the real oidc-provider: whoever else is put in its place in a test meets
// the same two.
func TestBetterAuthSignsInWithTheProvider(t *testing.T) {
	client := OIDCClient{ID: "app", Secret: "app-secret"}
	port := FreePort(t)
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	client.RedirectURIs = []string{base + "/api/auth/callback/acme"}
	idp := OIDC(t, OIDCConfig{Clients: []OIDCClient{client}, People: []OIDCPerson{{Sub: "s1", Email: "Ada@Example.com", EmailVerified: true, Name: "Ada"}}})
	app := BetterAuth(t, BetterAuthConfig{
		DatabaseURL: "sqlite://" + filepath.Join(t.TempDir(), "app.db"), Port: port,
		Generic: []map[string]any{{
			"providerId": "acme", "discoveryUrl": idp.DiscoveryURL(), "clientId": client.ID, "clientSecret": client.Secret, "scopes": []string{"openid", "email", "profile"},
		}},
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	answer, err := browser.Post(app.URL+"/api/auth/sign-in/social", "application/json", strings.NewReader(`{"provider":"acme","callbackURL":"/api/auth/get-session","loginHint":"s1"}`))
	if err != nil {
		t.Fatal(err)
	}
	var to struct{ URL string }
	err = json.NewDecoder(answer.Body).Decode(&to)
	answer.Body.Close()
	if err != nil || to.URL == "" {
		t.Fatalf("%d: %v", answer.StatusCode, err)
	}
	if u, err := url.Parse(to.URL); err != nil || !strings.HasPrefix(to.URL, idp.URL) || u.Query().Get("login_hint") != "s1" {
		t.Fatalf("led to %s", to.URL)
	}
	answer, err = browser.Get(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || !bytes.Contains(body, []byte(`"email":"ada@example.com"`)) {
		t.Fatalf("%s: %d %s %v", answer.Request.URL, answer.StatusCode, body, err)
	}
}
