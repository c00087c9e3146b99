package boot_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/boot"
	"github.com/usherauth/usher/oauth/oauthtest"
)

// Whatever people do to accounts and sessions is in the log that an operator keeps, one line each, at the least talkative
// level there is.
func TestTheAuditLogHasEverythingPeopleDo(t *testing.T) {
	t.Parallel()
	idp := oauthtest.Start(t)
	c, _ := companionConfig(t, idp)
	c.Log.Level = "error"
	if _, err := boot.ApplySchema(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	r := run(t, c, "oauth")
	until(t, 3*time.Second, "serving", func() bool { status, _ := r.readyz(t); return status == http.StatusOK })
	signIn := func() (session string) {
		t.Helper()
		back, cookie := begin(t, r, idp)
		for _, set := range finish(t, r, back, cookie).Cookies() {
			if set.Name == "better-auth.session_token" {
				session = set.Name + "=" + set.Value
			}
		}
		if session == "" {
			t.Fatal("nobody is signed in")
		}
		return session
	}
	as := func(session, method, path, body string) (*http.Response, string) {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.HTTP+"/api/auth"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Cookie", session)
		q.Header.Set("Origin", "http://app.test")
		q.Header.Set("Content-Type", "application/json")
		response, text := send(t, q)
		if response.StatusCode >= 400 {
			t.Fatalf("%s: %d %s", path, response.StatusCode, text)
		}
		return response, text
	}
	one, two := signIn(), signIn()
	if response, _ := get(t, "http://"+r.HTTP+"/api/auth/callback/acme?code=x&state=nobodys"); response.StatusCode != http.StatusFound {
		t.Fatal(response.Status)
	}
	// A second account, and without it again.
	other := oauthtest.Alice()
	other.Sub = "sub-alice-2"
	idp.Sit(other)
	response, _ := as(one, "POST", "/link-social", `{"provider":"acme","callbackURL":"/account"}`)
	state, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	back, err := idp.Consent(response.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if to := finish(t, r, back.RequestURI(), one+"; "+state).Header.Get("Location"); to != "/account" {
		t.Fatalf("linking leads to %q", to)
	}
	var accounts []struct{ ID, AccountID string }
	if _, text := as(one, "GET", "/list-accounts", ""); json.Unmarshal([]byte(text), &accounts) != nil || len(accounts) != 2 {
		t.Fatal(text)
	}
	for _, a := range accounts {
		if a.AccountID == "sub-alice-2" {
			as(one, "POST", "/unlink-account", `{"accountId":"`+a.ID+`"}`)
		}
	}
	var me struct{ Session struct{ Token string } }
	if _, text := as(two, "GET", "/get-session", ""); json.Unmarshal([]byte(text), &me) != nil || me.Session.Token == "" {
		t.Fatal(text)
	}
	as(one, "POST", "/revoke-session", `{"token":"`+me.Session.Token+`"}`)
	as(one, "POST", "/revoke-other-sessions", "")
	as(one, "POST", "/sign-out", "{}")
	idp.Sit(oauthtest.Alice())
	as(signIn(), "POST", "/revoke-sessions", "")

	var did []string
	said := map[string]map[string]string{}
	for line := range strings.Lines(r.log.String()) {
		fields := map[string]string{}
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["msg"] != "audit" || fields["client"] != "127.0.0.1" {
			t.Errorf("%v: %s", err, line)
		}
		did = append(did, fields["action"])
		said[fields["action"]] = fields
	}
	if want := []string{"sign-up", "sign-in", "refused", "link", "unlink", "revoke-session", "revoke-other-sessions", "sign-out", "sign-in", "revoke-sessions"}; !slices.Equal(did, want) {
		t.Errorf("the log has %v\nwant %v", did, want)
	}
	for action, wants := range map[string]string{
		"sign-up": "provider user_id account_id session_id", "sign-in": "provider user_id account_id session_id", "refused": "reason",
		"link": "provider user_id account_id", "unlink": "provider user_id account_id session_id", "sign-out": "user_id session_id",
		"revoke-session": "user_id session_id target_session_id", "revoke-other-sessions": "user_id session_id", "revoke-sessions": "user_id session_id",
	} {
		for _, name := range strings.Fields(wants) {
			if said[action][name] == "" {
				t.Errorf("%s: no %s: %v", action, name, said[action])
			}
		}
	}
	if said["link"]["account_id"] != "sub-alice-2" || said["unlink"]["account_id"] != "sub-alice-2" || said["refused"]["reason"] != "state_mismatch" {
		t.Errorf("%v", said)
	}
}
