package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
)

// person makes somebody in a database of their own.
func person(t *testing.T, change func(*Config)) (*world, *record.User) {
	t.Helper()
	database := "sqlite://" + t.TempDir() + "/auth.db"
	theirs := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: database})
	ada := theirs.SignUp(t, "Ada", "ada@example.com")
	theirs.Stop()
	w := newWorld(t, accounts.Config{URL: database}, change)
	if err := w.store.DeleteSessionsOf(t.Context(), ada.UserID, ""); err != nil {
		t.Fatal(err)
	}
	u, err := w.store.User(t.Context(), ada.UserID)
	if err != nil {
		t.Fatal(err)
	}
	return w, u
}

// TestWhatEndsIsForgottenAndWrittenDown is one person's sessions, ended in every way there is.
func TestWhatEndsIsForgottenAndWrittenDown(t *testing.T) {
	w, ada := person(t, nil)
	for _, c := range []struct {
		path, body, by string
		forgotten      []string
		left           []string
		event          Event
	}{
		{"/sign-out", `{}`, "a", []string{"a"}, []string{"b", "c"}, Event{"sign-out", ada.ID, "id-of-a", "id-of-a", "127.0.0.1"}},
		{"/revoke-session", `{"token":"b"}`, "a", []string{"b"}, []string{"a", "c"}, Event{"revoke-session", ada.ID, "id-of-a", "id-of-b", "127.0.0.1"}},
		{"/revoke-session", `{"token":"x\u0000"}`, "a", nil, []string{"a", "b", "c"}, Event{}},
		{"/revoke-session", `{"token":"` + strings.Repeat("x", 60_000) + `"}`, "a", nil, []string{"a", "b", "c"}, Event{}},
		{"/revoke-other-sessions", ``, "a", []string{"b", "c"}, []string{"a"}, Event{"revoke-other-sessions", ada.ID, "id-of-a", "", "127.0.0.1"}},
		{"/revoke-sessions", ``, "a", []string{"a", "b", "c"}, []string{}, Event{"revoke-sessions", ada.ID, "id-of-a", "", "127.0.0.1"}},
		{"/sign-out", ``, "unknown", []string{"unknown"}, []string{"a", "b", "c"}, Event{}},
	} {
		if err := w.store.DeleteSessionsOf(t.Context(), ada.ID, ""); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{"a", "b", "c"} {
			w.put(t, ada, token, time.Hour)
		}
		w.forgotten, w.events = nil, nil
		answer := testenv.RawHTTP(t, w.address, roomtest.Raw("POST", "/api/auth"+c.path, c.body, "Cookie", roomtest.Cookie(c.by), "Origin", base, "Content-Type", jsonBody))
		slices.Sort(w.forgotten)
		var events []Event
		if c.event.Action != "" {
			events = []Event{c.event}
		}
		if left := w.left(t, ada.ID); answer.Status != 200 || !slices.Equal(w.forgotten, c.forgotten) || !slices.Equal(w.events, events) || !slices.Equal(left, c.left) {
			t.Errorf("%s %.40s: %d %s; forgotten %v, written %v, left %v", c.path, c.body, answer.Status, answer.Body, w.forgotten, w.events, left)
		}
	}
}

func TestSystemBsSessionIsGetSession(t *testing.T) {
	w, ada := person(t, nil)
	w.put(t, ada, "a", time.Hour)
	for _, headers := range [][]string{nil, {"Cookie", roomtest.Cookie("a")}, {"Cookie", roomtest.Cookie("unknown")}} {
		one := testenv.RawHTTP(t, w.address, roomtest.Raw("GET", "/api/auth/get-session", "", headers...))
		two := testenv.RawHTTP(t, w.address, roomtest.Raw("GET", "/api/auth/session", "", headers...))
		if one.Status != 200 || two.Status != 200 || one.Body != two.Body || !slices.Equal(one.Header.Values("Set-Cookie"), two.Header.Values("Set-Cookie")) || two.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q:\n%+v\n%+v", headers, one, two)
		}
	}
	w.put(t, ada, "old", day+time.Hour)
	if r := testenv.RawHTTP(t, w.address, roomtest.Raw("GET", "/api/auth/session", "", "Cookie", roomtest.Cookie("old"))); r.Header.Get("Set-Auth-Token") == "" {
		t.Errorf("the session does not slide: %+v", r)
	}
}

func TestSigningOutAtTheProviderToo(t *testing.T) {
	var asked string
	var fails error
	w, ada := person(t, func(c *Config) {
		c.EndSession = func(_ context.Context, userID, callbackURL, state string) (string, error) {
			asked = userID + " " + callbackURL + " " + state
			return "https://idp.example/end?a=1&b=<2>", fails
		}
	})
	for body, want := range map[string][2]string{
		`{"callbackURL":"/bye","state":"s"}`:                        {`{"success":true,"url":"https://idp.example/end?a=1&b=<2>","redirect":true}`, "https://idp.example/end?a=1&b=<2>"},
		`{"callbackURL":"/bye","state":"s","disableRedirect":true}`: {`{"success":true,"url":"https://idp.example/end?a=1&b=<2>","redirect":false}`, ""},
	} {
		w.put(t, ada, "a", time.Hour)
		r := testenv.RawHTTP(t, w.address, roomtest.Raw("POST", "/api/auth/sign-out", body, "Cookie", roomtest.Cookie("a"), "Origin", base, "Content-Type", jsonBody))
		if r.Status != 200 || r.Body != want[0] || r.Header.Get("Location") != want[1] || asked != ada.ID+" /bye s" {
			t.Errorf("%s: %+v, asked %q", body, r, asked)
		}
	}
	// What cannot be found out does not keep anybody signed in here.
	w.put(t, ada, "a", time.Hour)
	fails = errors.New("the database is gone")
	if r := testenv.RawHTTP(t, w.address, roomtest.Raw("POST", "/api/auth/sign-out", "", "Cookie", roomtest.Cookie("a"), "Origin", base)); r.Body != `{"success":true}` || r.Header.Get("Location") != "" {
		t.Errorf("%+v", r)
	}
	if left := w.left(t, ada.ID); len(left) != 0 {
		t.Errorf("still signed in: %v", left)
	}
	asked = ""
	if r := testenv.RawHTTP(t, w.address, roomtest.Raw("POST", "/api/auth/sign-out", "", "Cookie", roomtest.Cookie("nobody"), "Origin", base)); r.Body != `{"success":true}` || asked != "" {
		t.Errorf("nobody: %+v, asked %q", r, asked)
	}
}

// Nothing says "success" that did not happen.
func TestAStoreThatFails(t *testing.T) {
	w, ada := person(t, nil)
	w.put(t, ada, "a", time.Hour)
	w.store.Close()
	for path, want := range map[string]string{
		"/get-session":           `{"message":"Failed to get session","code":"FAILED_TO_GET_SESSION"}`,
		"/session":               `{"message":"Failed to get session","code":"FAILED_TO_GET_SESSION"}`,
		"/list-sessions":         `{"message":"Failed to get session","code":"FAILED_TO_GET_SESSION"}`,
		"/sign-out":              `{"message":"Failed to sign out","code":"FAILED_TO_SIGN_OUT"}`,
		"/revoke-session":        `{"message":"Failed to get session","code":"FAILED_TO_GET_SESSION"}`,
		"/revoke-sessions":       `{"message":"Failed to get session","code":"FAILED_TO_GET_SESSION"}`,
		"/revoke-other-sessions": `{"message":"Failed to get session","code":"FAILED_TO_GET_SESSION"}`,
	} {
		method := "POST"
		if strings.HasSuffix(path, "t-session") || strings.HasSuffix(path, "-sessions") && strings.HasPrefix(path, "/l") || path == "/session" {
			method = "GET"
		}
		r := testenv.RawHTTP(t, w.address, roomtest.Raw(method, "/api/auth"+path, `{"token":"a"}`, "Cookie", roomtest.Cookie("a"), "Origin", base, "Content-Type", jsonBody))
		if r.Status != 500 || r.Body != want {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
		if out := len(r.Header.Values("Set-Cookie")); out != 0 && path != "/sign-out" {
			t.Errorf("%s: %d cookies", path, out)
		}
	}
	if log := w.log.String(); strings.Contains(log, roomtest.Cookie("a")) {
		t.Error("a cookie is in the log")
	}
}

func TestImpersonatedSessionsAreNotListed(t *testing.T) {
	w, ada := person(t, nil)
	w.put(t, ada, "a", time.Hour)
	admin, s := "the administrator", *w.put(t, ada, "b", time.Hour)
	if err := w.store.DeleteSession(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	s.ImpersonatedBy = &admin
	if err := w.store.CreateSession(t.Context(), &s, ada); err != nil {
		t.Fatal(err)
	}
	r := testenv.RawHTTP(t, w.address, roomtest.Raw("GET", "/api/auth/list-sessions", "", "Cookie", roomtest.Cookie("a")))
	if r.Status != 200 || strings.Count(r.Body, `"token"`) != 1 || !strings.Contains(r.Body, `"token":"a"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}
