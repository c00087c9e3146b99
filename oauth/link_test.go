package oauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/provider"
)

// linkBegin starts to link and answers the state.
func (b *browser) linkBegin(body string) string {
	b.w.Helper()
	a := b.do("POST", "/api/auth/link-social", body)
	if a.Code != 200 {
		b.w.Fatalf("%d %s", a.Code, a.Body)
	}
	return stateOf(b.w, a.Location)
}

func (b *browser) linkWith(p *scripted, person provider.Identity) answer {
	b.w.Helper()
	state := b.linkBegin(`{"provider":"` + p.id + `","callbackURL":"/account","errorCallbackURL":"/oops"}`)
	return b.do("GET", "/api/auth/callback/"+p.id+"?code="+p.issue(person)+"&state="+state, "")
}

func TestLinking(t *testing.T) {
	w := newWorld(t)
	const unauthorized = `{"message":"Unauthorized","code":"UNAUTHORIZED"}`
	if a := w.browser().do("POST", "/api/auth/link-social", `{"provider":"second"}`); a.Code != 401 || a.Body != unauthorized {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if a := w.browser().do("POST", "/api/auth/link-social", `{}`); a.Code != 400 || !strings.Contains(a.Body, "[body.provider] Invalid input") {
		t.Errorf("%d %s", a.Code, a.Body) // the library looks at the body first
	}
	b := w.browser()
	b.signIn(w.first, ann())
	if a := b.do("POST", "/api/auth/link-social", `{"provider":"nobody"}`); a.Code != 404 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	a := b.do("POST", "/api/auth/link-social", `{"provider":"second","callbackURL":"/account","scopes":["repo"]}`)
	state := stateOf(w, a.Location)
	if want := `{"url":"` + a.Location + `","redirect":true}`; a.Code != 200 || a.Body != want || len(a.Cookies) != 1 || a.Cookies[0] != w.cookies.SetSigned("state", state, flow.StateCookieAge) {
		t.Errorf("%+v", a)
	}
	user, session := w.row(`select * from user`), w.row(`select * from session`)
	st, err := flow.DecodeState(w.row(`select value from verification`)["value"])
	if err != nil || st.Link == nil || st.Link.UserID != user["id"] || st.Link.Email != "ann@example.com" {
		t.Fatalf("%+v, %v", st, err)
	}
	if token, err := w.keys.For("oauth-link-session-token").Decrypt(st.Link.Session); err != nil || token != session["token"] {
		t.Errorf("%q, %v", token, err)
	}
	code := w.second.issue(ann())
	a = b.do("GET", "/api/auth/callback/second?code="+code+"&state="+state, "")
	if a.Location != "/account" || len(a.Cookies) != 1 || a.Cookies[0] != clearedState || w.count("account") != 2 || w.count("session") != 1 {
		t.Errorf("%+v", a)
	}
	w.second.scopes = []string{"b", "c,d"}
	if a = b.linkWith(w.second, ann()); a.Location != "/account" {
		t.Error(a.Location)
	}
	if row := w.row(`select scope, "accessToken" from account where "providerId" = 'second'`); row["scope"] != "a,b,c,d" || row["accessToken"] == "access-"+code {
		t.Error(row)
	}
	other := ann()
	other.AccountID = "sub-ann-2"
	if a = b.linkWith(w.second, other); a.Location != "/account" || w.count("account") != 3 {
		t.Error(a.Location) // several accounts of one provider are allowed
	}
	events := w.told()
	if last := events[len(events)-1]; last.Kind != oauth.Linked || last.UserID != user["id"] || last.Provider != "second" || last.Account != "sub-ann-2" {
		t.Errorf("%+v", last)
	}
}

// p: every failure of a link.
func TestLinksThatAreRefused(t *testing.T) {
	unverified, elsewhere, nobody := ann(), ann(), ann()
	unverified.EmailVerified, elsewhere.Email, nobody.Email = false, "else@example.com", ""
	for name, c := range map[string]struct {
		person provider.Identity
		change func(c *oauth.Config)
		before func(w *world, b *browser)
		want   string
	}{
		"unverified":               {person: unverified, want: "/oops?error=unable_to_link_account"},
		"unverified, trusted":      {person: unverified, change: func(c *oauth.Config) { c.Accounts.TrustedProviders = []string{"second"} }, want: "/account"},
		"linking is off":           {person: ann(), change: func(c *oauth.Config) { c.Accounts.LinkingDisabled = true }, want: "/oops?error=unable_to_link_account"},
		"another address":          {person: elsewhere, want: "/oops?error=email_does_not_match"},
		"no address":               {person: nobody, want: "/oops?error=email_does_not_match"},
		"another address, allowed": {person: elsewhere, change: func(c *oauth.Config) { c.Accounts.DifferentEmails = true }, want: "/account"},
		"another's": {
			person: elsewhere, change: func(c *oauth.Config) { c.Accounts.DifferentEmails = true },
			before: func(w *world, _ *browser) { w.browser().signIn(w.second, elsewhere) }, want: "/oops?error=account_already_linked_to_different_user",
		},
		// 1.7.16: whoever lost a session must not keep a way in.
		"the session was revoked": {person: ann(), before: func(w *world, _ *browser) { w.exec(`delete from session`) }, want: "/oops?error=unable_to_link_account"},
		"the session expired":     {person: ann(), before: func(w *world, _ *browser) { w.exec(`update session set "expiresAt" = '2026-11-25T02:00:00.000Z'`) }, want: "/oops?error=unable_to_link_account"},
		"the session is another's": {
			person: ann(), before: func(w *world, _ *browser) {
				w.browser().signIn(w.first, elsewhereOf("sub-else"))
				w.exec(`update session set "userId" = (select id from user where email = 'else@example.com')`)
			}, want: "/oops?error=unable_to_link_account",
		},
		"the user is gone": {person: ann(), before: func(w *world, _ *browser) { w.exec(`delete from user`) }, want: "/oops?error=unable_to_link_account"},
	} {
		t.Run(name, func(t *testing.T) {
			change := c.change
			if change == nil {
				change = func(*oauth.Config) {}
			}
			w := newWorld(t, change)
			b := w.browser()
			b.signIn(w.first, ann())
			state := b.linkBegin(`{"provider":"second","callbackURL":"/account","errorCallbackURL":"/oops"}`)
			if c.before != nil {
				c.before(w, b)
			}
			accounts := w.count("account")
			a := b.do("GET", "/api/auth/callback/second?code="+w.second.issue(c.person)+"&state="+state, "")
			if a.Location != c.want || len(a.Cookies) != 1 {
				t.Errorf("%+v", a)
			}
			if grown := w.count("account") - accounts; grown != 0 && c.want != "/account" || grown != 1 && c.want == "/account" {
				t.Errorf("%d accounts more", grown)
			}
		})
	}
}

func elsewhereOf(sub string) provider.Identity {
	i := ann()
	i.AccountID, i.Email = sub, "else@example.com"
	return i
}

func TestUpdateUserInfoOnLink(t *testing.T) {
	w := newWorld(t, func(c *oauth.Config) { c.Accounts.UpdateUserOnLink = true })
	b := w.browser()
	b.signIn(w.first, ann())
	i := ann()
	i.Name, i.Image = "Anna", nil
	b.linkWith(w.second, i)
	if u := w.row(`select * from user`); u["name"] != "Anna" || u["image"] != "https://img.example/ann.png" || u["email"] != "ann@example.com" {
		t.Error(u)
	}
}

func TestLinkingByIDToken(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(w.first, ann())
	bob := ann()
	bob.AccountID, bob.Email = "sub-bob", "bob@example.com"
	w.browser().signIn(w.second, bob)
	unverified := ann()
	unverified.EmailVerified, unverified.AccountID = false, "x"
	elsewhere := ann()
	elsewhere.AccountID, elsewhere.Email = "y", "else@example.com"
	for _, c := range []struct {
		token, want string
		code        int
	}{
		{w.second.issue(ann()), `{"url":"","status":true,"redirect":false}`, 200},
		{w.second.issue(ann()), `{"url":"","status":true,"redirect":false}`, 200},
		{"forged", `{"message":"Invalid token","code":"INVALID_TOKEN"}`, 401},
		{w.second.issue(bob), `{"message":"Social account already linked","code":"SOCIAL_ACCOUNT_ALREADY_LINKED"}`, 409},
		{w.second.issue(unverified), `{"message":"Account not linked - linking not allowed","code":"LINKING_NOT_ALLOWED"}`, 401},
		{w.second.issue(elsewhere), `{"message":"Account not linked - different emails not allowed","code":"LINKING_DIFFERENT_EMAILS_NOT_ALLOWED"}`, 401},
	} {
		a := b.do("POST", "/api/auth/link-social", `{"provider":"second","idToken":{"token":"`+c.token+`","accessToken":"at","refreshToken":"rt"}}`)
		if a.Code != c.code || a.Body != c.want || len(a.Cookies) != 0 {
			t.Errorf("%s: %d %s", c.token, a.Code, a.Body)
		}
	}
	if row := w.row(`select * from account where "accountId" = 'sub-ann' and "providerId" = 'second'`); row["accessToken"] != "at" || row["refreshToken"] != "rt" || row["scope"] != "<nil>" {
		t.Error(row)
	}
	w.pass(8 * 24 * time.Hour)
	if a := b.do("POST", "/api/auth/link-social", `{"provider":"second","idToken":{"token":"x"}}`); a.Code != 401 {
		t.Errorf("%d: an expired session linked", a.Code)
	}
}
