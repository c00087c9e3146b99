package accounts_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/accounts"
)

// TestBesideBetterAuth: what either side makes, the other knows, changes and ends.
func TestBesideBetterAuth(t *testing.T) {
	all := modes()
	all["rows"] = mode{stored: true}
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newPostgres(t)
			c := testenv.BetterAuthConfig{DatabaseURL: d.url, Options: map[string]any{
				"session":         map[string]any{"storeSessionInDatabase": m.stored, "preserveSessionInDatabase": m.preserved},
				"socialProviders": map[string]any{"github": map[string]any{"clientId": "id", "clientSecret": "secret"}},
			}}
			use := func(c *accounts.Config) { c.Now = nil }
			if name != "rows" {
				server := testenv.StartRedis(t)
				c.RedisURL = server.URL()
				use = func(c *accounts.Config) { m.use(server)(c); c.Now = nil }
				if m.verifications {
					c.Options["verification"] = map[string]any{"storeInDatabase": true}
				}
			}
			js := testenv.BetterAuth(t, c)
			person := js.SignUp(t, "Ada", "ada@example.com")
			s := d.open(t, use)

			sess, u, err := s.FindSession(t.Context(), person.Token)
			if err != nil || sess == nil || u.ID != person.UserID || u.Email != "ada@example.com" {
				t.Fatalf("their session: %+v %+v, %v", sess, u, err)
			}
			now := time.Now().UTC().Truncate(time.Millisecond)
			mine := &record.Session{
				Token: record.Token(), UserID: u.ID, CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour), IPAddress: ptr("198.51.100.7"), UserAgent: ptr(""),
			}
			if err := s.CreateSession(t.Context(), mine, u); err != nil {
				t.Fatal(err)
			}
			got := getSession(t, js, mine.Token)
			if got == nil || got.Session["token"] != mine.Token || got.Session["ipAddress"] != "198.51.100.7" || got.User["email"] != "ada@example.com" {
				t.Fatalf("Better Auth does not know our session: %+v", got)
			}
			if listed, err := s.SessionsOf(t.Context(), u.ID); err != nil || len(listed) != 2 {
				t.Errorf("we list %+v, %v", listed, err)
			}
			if _, err := s.UpdateUser(t.Context(), u.ID, accounts.UserChange{Name: ptr("Ada L")}, now); err != nil {
				t.Error(err)
			}
			if got := js.GetSession(t, person); got == nil || got.User["name"] != "Ada L" {
				t.Errorf("they see %+v", got)
			}
			if renewed, err := s.RefreshSession(t.Context(), mine, now.Add(9*24*time.Hour), now); !renewed || err != nil {
				t.Errorf("refresh: %v, %v", renewed, err)
			}
			if got := getSession(t, js, mine.Token); got == nil || got.Session["expiresAt"] != record.Time(mine.ExpiresAt) {
				t.Errorf("after the refresh they see %+v", got)
			}
			js.SignOut(t, person)
			if got, _, err := s.FindSession(t.Context(), person.Token); got != nil || err != nil {
				t.Errorf("they signed out: %v, %v", got, err)
			}
			if err := s.DeleteSessionsOf(t.Context(), u.ID, ""); err != nil {
				t.Error(err)
			}
			if got := getSession(t, js, mine.Token); got != nil {
				t.Errorf("we ended it: %+v", got)
			}

			answer := js.Call(t, nil, http.MethodPost, "/sign-in/social", map[string]any{"provider": "github", "callbackURL": "/"})
			_, state, _ := strings.Cut(string(answer.Body), "state=")
			state, _, _ = strings.Cut(state, "&")
			taken := ""
			for _, identifier := range []string{state, "auth-state:" + state, "oauth-state:" + state} {
				if value, found, err := s.TakeVerification(t.Context(), identifier); found || err != nil {
					taken = value
				}
			}
			if !strings.Contains(taken, `"oauthState":"`+state+`"`) {
				t.Errorf("their state %s: %s", answer.Body, taken)
			}
		})
	}
}

// getSession asks Better Auth by bearer.
func getSession(t *testing.T, js *testenv.BetterAuthServer, token string) *testenv.Session {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, js.URL+"/api/auth/get-session", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var s *testenv.Session
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}
