package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// TestVariants are the options of a Better Auth app that change its tables, ids or cookies. One proxy tells.
func TestVariants(t *testing.T) {
	secure, insecure := true, false
	for _, c := range []struct {
		name   string
		auth   testenv.BetterAuthConfig
		sqlite bool
		config []string
		cookie string
	}{
		{name: "uuid ids", auth: testenv.BetterAuthConfig{GenerateID: "uuid"}, cookie: "better-auth.session_token"},
		{name: "serial ids", auth: testenv.BetterAuthConfig{GenerateID: "serial"}, cookie: "better-auth.session_token"},
		{name: "serial ids on SQLite", auth: testenv.BetterAuthConfig{GenerateID: "serial"}, sqlite: true, cookie: "better-auth.session_token"},
		{name: "an https site", auth: testenv.BetterAuthConfig{BaseURL: "https://app.test"}, cookie: "__Secure-better-auth.session_token"},
		{name: "an https site without secure cookies", auth: testenv.BetterAuthConfig{BaseURL: "https://app.test", UseSecureCookies: &insecure}, config: []string{"secure_cookies: false"}, cookie: "better-auth.session_token"},
		{name: "secure cookies without https", auth: testenv.BetterAuthConfig{UseSecureCookies: &secure}, config: []string{"secure_cookies: true"}, cookie: "__Secure-better-auth.session_token"},
		{name: "a cookie prefix", auth: testenv.BetterAuthConfig{CookiePrefix: "my-app"}, config: []string{"cookie_prefix: my-app"}, cookie: "my-app.session_token"},
		{name: "a secret beyond ASCII", auth: testenv.BetterAuthConfig{Secret: "gehéim-ключ-秘密-0123456789-abcdefghij"}, cookie: "better-auth.session_token"},
		{name: "renamed tables", auth: testenv.BetterAuthConfig{Options: map[string]any{
			"user":    map[string]any{"modelName": "users", "fields": map[string]any{"emailVerified": "email_verified"}},
			"session": map[string]any{"modelName": "user_sessions", "fields": map[string]any{"userId": "user_id", "expiresAt": "expires_at"}},
		}}, config: []string{"tables: { user: { model_name: users, fields: { emailVerified: email_verified } }, session: { model_name: user_sessions, fields: { userId: user_id, expiresAt: expires_at } } }"}, cookie: "better-auth.session_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			databaseURL := "sqlite://" + filepath.Join(t.TempDir(), "app.db")
			if !c.sqlite {
				databaseURL = testenv.Postgres(t).NewDatabase(t)
			}
			c.auth.DatabaseURL = databaseURL
			auth := testenv.BetterAuth(t, c.auth)
			ada := auth.SignUp(t, "Ada", "ada@example.com")
			acme := auth.CreateOrganization(t, ada, "Acme", "acme")
			lines := []string{rules, forgetful}
			backend := testenv.EchoBackend(t)
			gate := startUsherWith(t, auth, databaseURL, c.config, lines...)
			p := startProxy(t, "caddy", gate, backend.Address)
			if got := cookieName(ada.Cookie); got != c.cookie {
				t.Errorf("Better Auth's cookie is %s, want %s", got, c.cookie)
			}
			x := p.send(t, backend, request{lines: []string{cookie(ada)}})
			if x.Status != 200 || x.identity(t, "x-user-id") != ada.UserID || x.identity(t, "x-org-id") != acme.ID {
				t.Errorf("cookie: status %d, body %.300s", x.Status, x.Body)
			}
			x = p.send(t, backend, request{lines: []string{"Authorization: Bearer " + ada.Token, "X-Org-Id: acme"}})
			if x.Status != 200 || x.identity(t, "x-user-id") != ada.UserID {
				t.Errorf("bearer: status %d, body %.300s", x.Status, x.Body)
			}
			line := cookie(ada)
			auth.SignOut(t, ada)
			if x := p.send(t, backend, request{lines: []string{line}}); x.Status != 401 || x.reached() {
				t.Errorf("signed out: status %d", x.Status)
			}
		})
	}
}

// TestRequireSignature is bearer({ requireSignature: true }).
func TestRequireSignature(t *testing.T) {
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL, RequireSignature: true})
	ada := auth.SignUp(t, "Ada", "ada@example.com")
	backend := testenv.EchoBackend(t)
	p := startProxy(t, "nginx", startUsherWith(t, auth, databaseURL, []string{"bearer: { require_signature: true }"}, forgetful), backend.Address)
	if x := p.send(t, backend, request{lines: []string{"Authorization: Bearer " + ada.Token}}); x.Status != 401 || x.Header.Get("X-Usher-Reason") != "BAD_BEARER" {
		t.Errorf("plain: status %d %s", x.Status, x.Header.Get("X-Usher-Reason"))
	}
	if x := p.send(t, backend, request{lines: []string{"Authorization: Bearer " + ada.Bearer}}); x.Status != 200 || x.identity(t, "x-user-id") != ada.UserID {
		t.Errorf("signed: status %d", x.Status)
	}
}

// TestAnExpiredSessionIsNobody waits for one to end: Better Auth itself would refresh it, the gate only reads.
func TestAnExpiredSessionIsNobody(t *testing.T) {
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL, ExpiresIn: 4 * time.Second})
	backend := testenv.EchoBackend(t)
	p := startProxy(t, "haproxy", startUsher(t, auth, databaseURL), backend.Address)
	ada := auth.SignUp(t, "Ada", "ada@example.com")
	ends := time.Now().Add(4 * time.Second)
	if x := p.send(t, backend, request{lines: []string{cookie(ada)}}); x.Status != 200 {
		t.Fatalf("status %d", x.Status)
	}
	time.Sleep(time.Until(ends.Add(100 * time.Millisecond)))
	if x := p.send(t, backend, request{lines: []string{cookie(ada)}}); x.Status != 401 || x.Header.Get("X-Usher-Reason") != "SESSION_EXPIRED" {
		t.Errorf("status %d, %s", x.Status, x.Header.Get("X-Usher-Reason"))
	}
}
