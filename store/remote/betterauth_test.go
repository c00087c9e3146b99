package remote_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/remote"
)

// start runs Better Auth on a database of its own, whose file is returned.
func start(t testing.TB, c testenv.BetterAuthConfig) (*testenv.BetterAuthServer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.db")
	c.DatabaseURL = "sqlite://" + path
	return testenv.BetterAuth(t, c), path
}

// execute does what somebody may do to a database beside Better Auth.
func execute(t testing.TB, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, c remote.Config) *remote.Store {
	t.Helper()
	s, err := open(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// patient is a configuration for machines that others use, too.
func patient(js *testenv.BetterAuthServer) remote.Config {
	c := config(js.URL)
	c.Timeout = 20 * time.Second
	return c
}

func resolve(t testing.TB, s *remote.Store, token string) *gate.Principal {
	t.Helper()
	p, err := s.Resolve(t.Context(), gate.Proven(gate.ByBearer, token))
	if err != nil {
		t.Fatalf("resolve: %v", err)
	}
	return p
}

// nobody demands that it is known that no session has the token.
func nobody(t testing.TB, s *remote.Store, token string) {
	t.Helper()
	if p, err := s.Resolve(t.Context(), gate.Proven(gate.ByCookie, token)); !errors.Is(err, gate.ErrNoSession) || p != nil {
		t.Errorf("got %v, %v; want no session", p, err)
	}
}

// unknown demands that it could not be found out, with an error that says so.
func unknown(t testing.TB, s *remote.Store, token, says string) {
	t.Helper()
	p, err := s.Resolve(t.Context(), gate.Proven(gate.ByCookie, token))
	switch {
	case err == nil || p != nil || errors.Is(err, gate.ErrNoSession):
		t.Errorf("got %v, %v; want an error that says %q", p, err, says)
	case !strings.Contains(err.Error(), says):
		t.Errorf("the error does not say %q: %v", says, err)
	}
	secretless(t, err, token)
}

// secretless demands that an error shows neither token nor cookie nor secret.
func secretless(t testing.TB, err error, token string) {
	t.Helper()
	for _, secret := range []string{token, betterauth.Sign(testenv.TestSecret, token), testenv.TestSecret} {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func memberID(t testing.TB, js *testenv.BetterAuthServer, owner, member *testenv.Person, org testenv.Org) string {
	t.Helper()
	var list struct{ Members []struct{ ID, UserID string } }
	answer := js.Call(t, owner, http.MethodGet, "/organization/list-members?organizationId="+org.ID, nil)
	if err := json.Unmarshal(answer.Body, &list); err != nil {
		t.Fatal(err)
	}
	for _, m := range list.Members {
		if m.UserID == member.UserID {
			return m.ID
		}
	}
	t.Fatalf("%s is no member: %s", member.Name, answer.Body)
	return ""
}

// TestChanges goes on where storetest.Live ends.
func TestChanges(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.7", "1.4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			js, path := start(t, testenv.BetterAuthConfig{Version: version})
			s := mustOpen(t, patient(js))
			ada, bob := js.SignUp(t, "Ada", "ada@example.com"), js.SignUp(t, "Bob", "bob@example.com")
			beta := js.CreateOrganization(t, bob, "Beta", "beta") // made before, joined after
			acme := js.CreateOrganization(t, ada, "Acme", "acme")
			js.AddMember(t, acme, bob, "member")
			js.AddMember(t, beta, ada, "admin")
			if got := resolve(t, s, ada.Token).Memberships; len(got) != 2 || got[0].OrganizationID != acme.ID || got[1].Roles != "admin" {
				t.Errorf("not in the order of joining: %+v", got)
			}

			role := map[string]string{"memberId": memberID(t, js, ada, bob, acme), "organizationId": acme.ID, "role": "admin"}
			if answer := js.Call(t, ada, http.MethodPost, "/organization/update-member-role", role); answer.Status != http.StatusOK {
				t.Fatalf("%d %s", answer.Status, answer.Body)
			}
			if got := resolve(t, s, bob.Token).Memberships; len(got) != 2 || got[0].Roles != "owner" || got[1].Roles != "admin" {
				t.Errorf("after a change of role: %+v", got)
			}
			js.SetActive(t, bob, testenv.Org{})
			if got := resolve(t, s, bob.Token).Session.ActiveOrganization; got != "" {
				t.Errorf("active organization after it was left: %q", got)
			}

			execute(t, path, `update "user" set "banned" = 1, "banExpires" = '2090-01-02T03:04:05.678Z', "emailVerified" = 1,
				"name" = 'Ärger <b>"☃' where "email" = 'bob@example.com'`)
			got := resolve(t, s, bob.Token).User
			if !got.Banned || !got.EmailVerified || got.Name != `Ärger <b>"☃` ||
				!got.BanExpires.Equal(time.Date(2090, 1, 2, 3, 4, 5, 678e6, time.UTC)) {
				t.Errorf("after what SQL changed: %+v", got)
			}
			execute(t, path, `update "session" set "expiresAt" = '2020-01-01T00:00:00.000Z' where "token" = '`+bob.Token+`'`)
			nobody(t, s, bob.Token)
			for _, token := range []string{"", "nobody", strings.Repeat("x", 600), "a\x00b", "\xff", "naïve ☃;,\"' %2B+", strings.ToLower(ada.Token)} {
				nobody(t, s, token)
			}

			// What nobody can know any more: these endpoints answer 401 as if she was signed out.
			execute(t, path, `alter table "session" rename to "elsewhere"`)
			unknown(t, s, ada.Token, "500")
			if err := s.Ping(t.Context()); err == nil {
				t.Error("ping without a table of sessions")
			}
			execute(t, path, `alter table "elsewhere" rename to "session"`)
			execute(t, path, `alter table "member" rename to "elsewhere"`)
			unknown(t, s, ada.Token, "500")
			execute(t, path, `alter table "elsewhere" rename to "member"`)
			if got := resolve(t, s, ada.Token).Memberships; len(got) != 2 {
				t.Errorf("after all came back: %+v", got)
			}
			js.SignOut(t, ada)
			nobody(t, s, ada.Token)
		})
	}
}

func TestWithoutPlugins(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.7", "1.4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			js, _ := start(t, testenv.BetterAuthConfig{Version: version, Without: []string{"organization", "bearer", "admin"}})
			s := mustOpen(t, patient(js))
			ada := js.SignUp(t, "Ada", "ada@example.com")
			got := resolve(t, s, ada.Token)
			if got.User.ID != ada.UserID || got.User.Roles != "" || got.Memberships != nil || got.Session.ActiveOrganization != "" {
				t.Errorf("got %+v", got)
			}
			js.SignOut(t, ada)
			nobody(t, s, ada.Token)
		})
	}
}

func TestCookieNames(t *testing.T) {
	t.Parallel()
	no := false
	for name, c := range map[string]struct {
		js      testenv.BetterAuthConfig
		ours    string
		another string
	}{
		"https":         {testenv.BetterAuthConfig{BaseURL: "https://app.example.com"}, "__Secure-better-auth.session_token", "better-auth.session_token"},
		"1.4 https":     {testenv.BetterAuthConfig{BaseURL: "https://app.example.com", Version: "1.4"}, "__Secure-better-auth.session_token", "better-auth.session_token"},
		"not secure":    {testenv.BetterAuthConfig{BaseURL: "https://app.example.com", UseSecureCookies: &no}, "better-auth.session_token", "__Secure-better-auth.session_token"},
		"prefix":        {testenv.BetterAuthConfig{CookiePrefix: "my-app"}, "my-app.session_token", "better-auth.session_token"},
		"a custom name": {testenv.BetterAuthConfig{Options: map[string]any{"advanced": map[string]any{"cookies": map[string]any{"session_token": map[string]any{"name": "sid"}}}}}, "sid", "better-auth.session_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			js, _ := start(t, c.js)
			ada := js.SignUp(t, "Ada", "ada@example.com")
			js.CreateOrganization(t, ada, "Acme", "acme")
			right := patient(js)
			right.CookieName = c.ours
			if got := resolve(t, mustOpen(t, right), ada.Token); got.User.ID != ada.UserID || len(got.Memberships) != 1 {
				t.Errorf("got %+v", got)
			}

			wrong := right
			wrong.CookieName = c.another
			_, err := open(t, wrong)
			if err == nil || !strings.Contains(err.Error(), "cookie_prefix") || store.Permanent(err) {
				t.Errorf("the other name: %v", err)
			}
			wrong = right
			wrong.Secret += "!"
			_, err = open(t, wrong)
			if err == nil || !strings.Contains(err.Error(), "better_auth.secret") || strings.Contains(err.Error(), wrong.Secret) {
				t.Errorf("another secret: %v", err)
			}
		})
	}
}

// TestSecretChanged: Better Auth answers null to everybody then, which says nothing about sessions.
func TestSecretChanged(t *testing.T) {
	t.Parallel()
	c := testenv.BetterAuthConfig{Port: testenv.FreePort(t), DatabaseURL: "sqlite://" + filepath.Join(t.TempDir(), "auth.db")}
	js := testenv.BetterAuth(t, c)
	s := mustOpen(t, patient(js))
	ada := js.SignUp(t, "Ada", "ada@example.com")
	resolve(t, s, ada.Token)
	js.Kill()
	c.Secret = "another-secret-0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	testenv.BetterAuth(t, c)
	unknown(t, s, ada.Token, "better_auth.secret")
	if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "better_auth.secret") {
		t.Errorf("ping: %v", err)
	}
}

func TestWrongPlaces(t *testing.T) {
	t.Parallel()
	js, _ := start(t, testenv.BetterAuthConfig{})
	for _, c := range []struct {
		url, says string
		permanent bool
	}{
		{js.URL, "/api/auth", false},
		{js.URL + "/api", "/api/auth", false},
		{js.URL + "/api/auth/get-session", "/api/auth", false},
		{"http://127.0.0.1:1/api/auth", "nothing listens there", false},
		{"http://nowhere.invalid/api/auth", "host of store.url", false},
		{strings.Replace(js.URL, "http://", "https://", 1) + "/api/auth", "speaks no TLS", false},
		{js.URL + "/api/auth?x=1", "from ? or # on", true},
		{js.URL + "/api/auth?", "from ? or # on", true},
		{js.URL + "/api/auth#x", "from ? or # on", true},
		{strings.Replace(js.URL, "http://", "http://u:hunter2@", 1) + "/api/auth", "take user and password out", true},
		{"mongodb://u:hunter2@host/db", "write store.url as", true},
		{"http://u:hunter2@[::1/api/auth", "write store.url as", true},
		{"http:///api/auth", "write store.url as", true},
		{"http:api", "write store.url as", true},
		{"", "write store.url as", true},
	} {
		config := patient(js)
		config.URL = c.url
		_, err := open(t, config)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want %q", c.url, err, c.says)
		}
		if store.Permanent(err) != c.permanent {
			t.Errorf("%s: whether waiting mends it: %v", c.url, err)
		}
	}
	for _, c := range []remote.Config{{URL: js.URL + "/api/auth", CookieName: "a"}, {URL: js.URL, Secret: "s"}, {URL: js.URL, Secret: "s", CookieName: "a b"}} {
		if _, err := open(t, c); !store.Permanent(err) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	c := patient(js)
	c.URL += "//"
	mustOpen(t, c)
}

// TestOnlyRefreshExtends: with updateAge 0 every session is due whenever it is looked at.
func TestOnlyRefreshExtends(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.7", "1.4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			js, path := start(t, testenv.BetterAuthConfig{Version: version, Options: map[string]any{"session": map[string]any{"updateAge": 0}}})
			s := mustOpen(t, patient(js))
			ada := js.SignUp(t, "Ada", "ada@example.com")
			acme := js.CreateOrganization(t, ada, "Acme", "acme")
			js.CreateTeam(t, ada, acme, "Core")
			ends := func(token string) time.Time { return resolve(t, s, token).Session.ExpiresAt }

			soon := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
			execute(t, path, `update "session" set "expiresAt" = '`+soon.Format("2006-01-02T15:04:05.000Z")+`'`)
			before := resolve(t, s, ada.Token)
			if len(before.Memberships) != 1 || !before.Session.ExpiresAt.Equal(soon) {
				t.Fatalf("before: %+v", before)
			}
			if after := ends(ada.Token); !after.Equal(soon) {
				t.Fatalf("a lookup has extended the session from %v to %v", soon, after)
			}

			// An admin behind somebody: an hour must not become a week.
			js.MakeAdmin(t, ada)
			bob := js.SignUp(t, "Bob", "bob@example.com")
			answer := js.Call(t, ada, http.MethodPost, "/admin/impersonate-user", map[string]string{"userId": bob.UserID})
			var impersonated struct{ Session struct{ Token string } }
			if err := json.Unmarshal(answer.Body, &impersonated); err != nil || impersonated.Session.Token == "" {
				t.Fatalf("impersonate: %d %s", answer.Status, answer.Body)
			}
			token := impersonated.Session.Token
			js.AddMember(t, acme, bob, "member")
			other := resolve(t, s, token)
			if other.Session.ImpersonatedBy != ada.UserID || len(other.Memberships) != 1 {
				t.Errorf("impersonated: %+v", other)
			}
			if renewed, err := s.Refresh(t.Context(), gate.Proven(gate.ByCookie, token), &other.Session, time.Time{}, time.Time{}); renewed || err != nil {
				t.Errorf("refresh of an impersonated session: %v, %v", renewed, err)
			}
			if after := ends(token); !after.Equal(other.Session.ExpiresAt) {
				t.Errorf("an impersonated session was extended from %v to %v", other.Session.ExpiresAt, after)
			}

			c := gate.Proven(gate.ByCookie, ada.Token)
			if renewed, err := s.Refresh(t.Context(), c, &before.Session, time.Time{}, time.Time{}); !renewed || err != nil {
				t.Errorf("refresh: %v, %v", renewed, err)
			}
			if left := time.Until(ends(ada.Token)); left < 6*24*time.Hour {
				t.Errorf("after the refresh it ends in %v", left)
			}
			execute(t, path, `delete from "session"`)
			if renewed, err := s.Refresh(t.Context(), c, &before.Session, time.Time{}, time.Time{}); renewed || err != nil {
				t.Errorf("refresh of nothing: %v, %v", renewed, err)
			}
		})
	}
	t.Run("not due", func(t *testing.T) {
		t.Parallel()
		js, _ := start(t, testenv.BetterAuthConfig{})
		s := mustOpen(t, patient(js))
		ada := js.SignUp(t, "Ada", "ada@example.com")
		p := resolve(t, s, ada.Token)
		if renewed, err := s.Refresh(t.Context(), gate.Proven(gate.ByCookie, ada.Token), &p.Session, time.Time{}, time.Time{}); renewed || err != nil {
			t.Errorf("refresh of what is not due: %v, %v", renewed, err)
		}
	})
}

// TestCookieCache: whatever a browser's cookies remember, the store sees what is.
func TestCookieCache(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.7", "1.4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			js, path := start(t, testenv.BetterAuthConfig{Version: version, Options: map[string]any{
				"session": map[string]any{"cookieCache": map[string]any{"enabled": true, "maxAge": 300}},
			}})
			s := mustOpen(t, patient(js))
			ada := js.SignUp(t, "Ada", "ada@example.com")
			resolve(t, s, ada.Token)
			execute(t, path, `delete from "session"`)
			if js.GetSession(t, ada) == nil {
				t.Fatal("the cookie cache does not work; the test shows nothing")
			}
			nobody(t, s, ada.Token)
		})
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	limit := func(rules map[string]any) map[string]any {
		return map[string]any{"rateLimit": map[string]any{"enabled": true, "window": 600, "max": 4, "customRules": rules}}
	}
	t.Run("as it is", func(t *testing.T) {
		t.Parallel()
		js, _ := start(t, testenv.BetterAuthConfig{Options: limit(nil)})
		s := mustOpen(t, patient(js))
		ada := js.SignUp(t, "Ada", "ada@example.com")
		for range 3 {
			resolve(t, s, ada.Token)
		}
		unknown(t, s, ada.Token, "rateLimit.customRules")
		unknown(t, s, "nobody", "429")
		if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "rateLimit.customRules") {
			t.Errorf("ping: %v", err)
		}
	})
	for _, version := range []string{"1.7", "1.4"} {
		t.Run("as documented "+version, func(t *testing.T) {
			t.Parallel()
			js, _ := start(t, testenv.BetterAuthConfig{Version: version, Options: limit(map[string]any{
				"/ok": false, "/get-session": false,
				"/organization/list": false, "/organization/list-members": false, "/organization/list-user-teams": false,
			})})
			s := mustOpen(t, patient(js))
			ada := js.SignUp(t, "Ada", "ada@example.com")
			js.CreateOrganization(t, ada, "Acme", "acme")
			for range 8 {
				resolve(t, s, ada.Token)
				if err := s.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestManyOrganizations: each costs a call, so there is an end to it.
func TestManyOrganizations(t *testing.T) {
	t.Parallel()
	js, path := start(t, testenv.BetterAuthConfig{})
	s := mustOpen(t, patient(js))
	ada := js.SignUp(t, "Ada", "ada@example.com")
	execute(t, path, `with recursive n(i) as (select 0 union all select i + 1 from n where i < 69)
		insert into "organization" ("id", "name", "slug", "createdAt")
			select printf('o%03d', i), 'O', printf('s%03d', i), printf('2026-01-01T00:00:%02d.000Z', i % 60) from n;
		insert into "member" ("id", "organizationId", "userId", "role", "createdAt")
			select "id", "id", (select "id" from "user"), 'member', "createdAt" from "organization";
		update "session" set "activeOrganizationId" = 'o059'`)
	got := resolve(t, s, ada.Token).Memberships
	has := make(map[string]bool)
	for _, m := range got {
		has[m.OrganizationID] = true
	}
	if len(got) != 50 || got[0].OrganizationID != "o000" || !has["o059"] || !has["o069"] || has["o055"] {
		t.Errorf("%d memberships: %v", len(got), has)
	}
}

func TestServerKilledAndPaused(t *testing.T) {
	t.Parallel()
	c := testenv.BetterAuthConfig{Port: testenv.FreePort(t), DatabaseURL: "sqlite://" + filepath.Join(t.TempDir(), "auth.db")}
	js := testenv.BetterAuth(t, c)
	s := mustOpen(t, patient(js))
	ada := js.SignUp(t, "Ada", "ada@example.com")
	js.CreateOrganization(t, ada, "Acme", "acme")
	together(t, s, ada.Token, 20*time.Second, true)

	js.Pause()
	for range 2 {
		began := time.Now()
		for _, err := range together(t, s, ada.Token, 300*time.Millisecond, false) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("paused: %v", err)
			}
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %v of 300 ms", took)
		}
	}
	if s.Stats().Waits == 0 || s.Stats().InUse != 0 {
		t.Errorf("after 64 calls on 32 slots: %+v", s.Stats())
	}
	js.Resume()
	together(t, s, ada.Token, 20*time.Second, true)

	js.Kill()
	for _, err := range together(t, s, ada.Token, 20*time.Second, false) {
		if !strings.Contains(err.Error(), "nothing listens there") && !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") {
			t.Errorf("killed: %v", err)
		}
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("ping of a dead server")
	}
	testenv.BetterAuth(t, c)
	together(t, s, ada.Token, 20*time.Second, true)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// together resolves at once more than there are slots, and returns the errors, of which there have to be all or none.
func together(t testing.TB, s *remote.Store, token string, within time.Duration, well bool) (failed []error) {
	t.Helper()
	const n = 64
	results := make(chan error, n)
	for range n {
		go func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), within)
			defer cancel()
			p, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, token))
			if err == nil && len(p.Memberships) != 1 {
				err = errors.New("a session without its membership")
			}
			results <- err
		}()
	}
	for range n {
		err := <-results
		secretless(t, err, token)
		switch {
		case errors.Is(err, gate.ErrNoSession):
			t.Errorf("could not find out, and said that there is none: %v", err)
		case (err == nil) != well:
			t.Errorf("got %v", err)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}
