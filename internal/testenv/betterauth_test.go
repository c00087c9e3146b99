package testenv

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBetterAuthTellsTheWholeStory goes through everything a test can do to people, on each version and database.
func TestBetterAuthTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.7", "1.4"} {
		t.Run("postgres "+version, func(t *testing.T) {
			t.Parallel()
			story(t, BetterAuth(t, BetterAuthConfig{Version: version, DatabaseURL: Postgres(t).NewDatabase(t)}))
		})
		t.Run("sqlite "+version, func(t *testing.T) {
			t.Parallel()
			story(t, BetterAuth(t, BetterAuthConfig{
				Version: version, DatabaseURL: "sqlite://" + filepath.Join(t.TempDir(), "auth.db"), GenerateID: "serial",
			}))
		})
	}
}

func story(t *testing.T, s *BetterAuthServer) {
	ada := s.SignUp(t, "Ada", "ada@example.com")
	bob := s.SignUp(t, "Bob", "bob@example.com")
	if ada.UserID == "" || ada.UserID == bob.UserID || !strings.HasPrefix(ada.Bearer, ada.Token+".") ||
		!strings.HasPrefix(ada.Cookie, "better-auth.session_token="+ada.Token+".") {
		t.Fatalf("ada = %+v", ada)
	}
	if got := s.GetSession(t, ada); got == nil || got.User["email"] != "ada@example.com" || got.Session["token"] != ada.Token {
		t.Errorf("session = %+v", got)
	}
	byBearer := send(t, s, "Bearer "+ada.Bearer)
	if !strings.Contains(byBearer, "ada@example.com") || !strings.Contains(send(t, s, "Bearer "+ada.Token), "ada@example.com") {
		t.Errorf("by bearer token: %s", byBearer)
	}

	acme := s.CreateOrganization(t, ada, "Acme", "acme")
	if active := s.GetSession(t, ada).Session["activeOrganizationId"]; acme.Slug != "acme" || active != acme.ID {
		t.Errorf("%+v, active %v", acme, active)
	}
	s.AddMember(t, acme, bob, "admin")
	s.SetActive(t, bob, acme)
	if active := s.GetSession(t, bob).Session["activeOrganizationId"]; active != acme.ID {
		t.Errorf("bob's active organization = %v", active)
	}
	s.AddTeamMember(t, ada, s.CreateTeam(t, ada, acme, "Engine"), bob)
	s.RemoveMember(t, ada, acme, bob)
	if answer := s.Call(t, bob, http.MethodPost, "/organization/set-active", map[string]string{"organizationId": acme.ID}); answer.Status != http.StatusForbidden {
		t.Errorf("after removal: %d %s", answer.Status, answer.Body)
	}
	s.SetActive(t, ada, Org{})
	if active := s.GetSession(t, ada).Session["activeOrganizationId"]; active != nil {
		t.Errorf("active = %v, want none", active)
	}

	phone := s.SignIn(t, ada)
	if phone.UserID != ada.UserID || phone.Token == ada.Token {
		t.Errorf("phone = %+v", phone)
	}
	s.SignOut(t, ada)
	if ada.Cookie != "" || s.GetSession(t, ada) != nil || s.GetSession(t, phone) == nil {
		t.Errorf("after signing out in one browser: cookie %q", ada.Cookie)
	}
	s.MakeAdmin(t, phone)
	s.Ban(t, phone, bob, time.Hour)
	if s.GetSession(t, bob) != nil {
		t.Error("banned, and still signed in")
	}
	if answer := s.Call(t, nil, http.MethodPost, "/sign-in/email", map[string]string{"email": bob.Email, "password": bob.Password}); answer.Status != http.StatusForbidden {
		t.Errorf("banned: %d %s", answer.Status, answer.Body)
	}
}

// send asks for the session with an Authorization header.
func send(t *testing.T, s *BetterAuthServer, authorization string) string {
	t.Helper()
	return RawHTTP(t, strings.TrimPrefix(s.URL, "http://"), "GET /api/auth/get-session HTTP/1.1\r\nHost: localhost\r\n"+
		"Connection: close\r\nAuthorization: "+authorization+"\r\n\r\n").Body
}

func TestBetterAuthOptions(t *testing.T) {
	t.Parallel()
	database, redis := Postgres(t).NewDatabase(t), StartRedis(t)
	secure := true
	s := BetterAuth(t, BetterAuthConfig{
		DatabaseURL: database, RedisURL: redis.URL(), Secret: "another-secret-0123456789-abcdefghijkl",
		BaseURL: "https://app.example.com", TrustedOrigins: []string{"https://other.example.com"}, CookiePrefix: "my-app",
		UseSecureCookies: &secure, RequireSignature: true, GenerateID: "uuid", ExpiresIn: time.Hour,
		Options: map[string]any{
			"session": map[string]any{
				"storeSessionInDatabase": true,
				"cookieCache":            map[string]any{"enabled": true, "strategy": "jwe"},
			},
			"user": map[string]any{"modelName": "people", "fields": map[string]any{"email": "email_address"}},
		},
	})
	if s.Origin != "https://app.example.com" {
		t.Errorf("origin = %s", s.Origin)
	}
	ada := s.SignUp(t, "Ada", "ada@example.com")
	if !strings.Contains(ada.Cookie, "__Secure-my-app.session_token=") || !strings.Contains(ada.Cookie, "__Secure-my-app.session_data=ey") {
		t.Errorf("cookie = %s", ada.Cookie)
	}
	if got := send(t, s, "Bearer "+ada.Token); got != "null" {
		t.Errorf("a token without signature gave %s", got)
	}
	if got := send(t, s, "Bearer "+ada.Bearer); !strings.Contains(got, ada.UserID) {
		t.Errorf("a token with signature gave %s", got)
	}
	conn := connect(t, database)
	var kind string
	var left time.Duration
	err := conn.QueryRow(t.Context(), `select pg_typeof(p.id)::text, s."expiresAt" - now()
		from session s join people p on p.id = s."userId" where s.token = $1 and p.email_address = 'ada@example.com'`,
		ada.Token).Scan(&kind, &left)
	if err != nil || kind != "uuid" || left < 59*time.Minute || left > time.Hour {
		t.Errorf("id is %s, %v left, %v", kind, left, err)
	}
	if got, err := redisCommand(t, redis, "EXISTS better-auth:"+ada.Token); err != nil || got != ":1\r\n" {
		t.Errorf("in Redis: %q, %v", got, err)
	}
}

func TestBetterAuthAndItsDatabase(t *testing.T) {
	t.Parallel()
	t.Run("without migrations it makes no tables", func(t *testing.T) {
		t.Parallel()
		database := Postgres(t).NewDatabase(t)
		BetterAuth(t, BetterAuthConfig{DatabaseURL: database, SkipMigrations: true})
		var tables int
		err := connect(t, database).QueryRow(t.Context(), "select count(*) from pg_tables where schemaname = 'public'").Scan(&tables)
		if err != nil || tables != 0 {
			t.Errorf("%d tables, %v", tables, err)
		}
	})
	t.Run("a database that goes away does not end it", func(t *testing.T) {
		t.Parallel()
		private := StartPostgres(t)
		s := BetterAuth(t, BetterAuthConfig{DatabaseURL: private.NewDatabase(t)})
		p := s.SignUp(t, "Ada", "ada@example.com")
		private.Kill()
		if answer := s.Call(t, p, http.MethodGet, "/get-session", nil); answer.Status != http.StatusInternalServerError {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		private.Start()
		if s.GetSession(t, p) == nil {
			t.Error("the session is gone")
		}
	})
}
