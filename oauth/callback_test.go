package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
)

const clearedState = "better-auth.state=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"

// Section 2.2, line by line. FLOW is /oops, which every state here names.
func TestErrorsOfTheCallback(t *testing.T) {
	type setup struct {
		w     *world
		b     *browser
		state string // of the provider "first"
		row   func(value string)
	}
	const (
		def  = api + "/error?error="
		flw  = "/oops?keep=1&error="
		free = true // the state is still there afterwards
	)
	for name, c := range map[string]struct {
		path     func(s *setup) string // below /api/auth/callback/
		want     string
		cleared  bool // the state's cookie
		unspent  bool // its row is still there
		exchange int
	}{
		"b: no state":                {path: func(*setup) string { return "first?code=x" }, want: def + "state_not_found", unspent: free},
		"b: no state but an error":   {path: func(*setup) string { return "first?error=access_denied" }, want: def + "state_not_found", unspent: free},
		"b: an empty state":          {path: func(*setup) string { return "first?state=&code=x" }, want: def + "state_not_found", unspent: free},
		"c: unknown state":           {path: func(*setup) string { return "first?state=nobody&code=x" }, want: def + "state_mismatch", unspent: free},
		"d: the row is no JSON":      {path: func(s *setup) string { s.row("an e-mail's token"); return "first?code=x&state=" + s.state }, want: def + "internal_server_error", unspent: free},
		"d: the row is another kind": {path: func(s *setup) string { s.row(`{"email":"a@b.c"}`); return "first?code=x&state=" + s.state }, want: def + "internal_server_error", unspent: free},
		"e: the row is another's": {path: func(s *setup) string {
			s.row(`{"callbackURL":"/","codeVerifier":"v","errorURL":"/oops?keep=1","expiresAt":9795293299204,"oauthState":"other"}`)
			return "first?code=x&state=" + s.state
		}, want: flw + "state_mismatch", unspent: free},
		"f: no cookie": {path: func(s *setup) string { clear(s.b.jar); return "first?code=x&state=" + s.state }, want: flw + "state_mismatch", unspent: free},
		"f: a forged cookie": {path: func(s *setup) string {
			s.b.jar["better-auth.state"] = s.state + "." + strings.Repeat("A", 43) + "%3D"
			return "first?code=x&state=" + s.state
		}, want: flw + "state_mismatch", unspent: free},
		"f: another state's cookie": {path: func(s *setup) string {
			old := s.state
			s.b.begin(`{"provider":"first","errorCallbackURL":"/elsewhere"}`)
			return "first?code=x&state=" + old
		}, want: flw + "state_mismatch", unspent: free},
		"g: over": {path: func(s *setup) string {
			s.row(`{"callbackURL":"/","codeVerifier":"v","errorURL":"/oops?keep=1","expiresAt":1,"oauthState":"` + s.state + `"}`)
			return "first?code=x&state=" + s.state
		}, want: flw + "state_mismatch", cleared: true},
		"mix-up: a known provider, but another": {path: func(s *setup) string { return "second?code=x&state=" + s.state }, want: flw + "state_mismatch", cleared: true},
		"h: the provider's error":               {path: func(s *setup) string { return "first?error=access_denied&error_description=No+thanks&state=" + s.state }, want: flw + "access_denied&error_description=No+thanks", cleared: true},
		"h: verbatim":                           {path: func(s *setup) string { return "first?error=%3Cb%3E&state=" + s.state + "&code=x" }, want: flw + "%3Cb%3E", cleared: true},
		"i: no code":                            {path: func(s *setup) string { return "first?state=" + s.state }, want: flw + "no_code", cleared: true},
		"j: unknown provider":                   {path: func(s *setup) string { return "nobody?code=x&state=" + s.state }, want: flw + "oauth_provider_not_found", cleared: true},
		"m: refused code":                       {path: func(s *setup) string { return "first?code=x&state=" + s.state }, want: flw + "invalid_code", cleared: true, exchange: 1},
		"n: nobody": {path: func(s *setup) string {
			return "first?code=" + s.w.first.issue(provider.Identity{}) + "&state=" + s.state
		}, want: flw + "unable_to_get_user_info", cleared: true, exchange: 1},
		"o: no callback URL": {path: func(s *setup) string {
			s.row(`{"callbackURL":"","codeVerifier":"v","errorURL":"/oops?keep=1","expiresAt":9795293299204}`)
			return "first?code=" + s.w.first.issue(ann()) + "&state=" + s.state
		}, want: flw + "no_callback_url", cleared: true, exchange: 1},
		"q: no address": {path: func(s *setup) string {
			i := ann()
			i.Email = ""
			return "first?code=" + s.w.first.issue(i) + "&state=" + s.state
		}, want: flw + "email_not_found", cleared: true, exchange: 1},
		"r: an account without its user": {path: func(s *setup) string {
			s.w.exec(`pragma foreign_keys=off`)
			s.w.exec(`insert into account (id, "accountId", "providerId", "userId", "createdAt", "updatedAt") values ('a', 'sub-ann', 'first', 'gone', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')`)
			return "first?code=" + s.w.first.issue(ann()) + "&state=" + s.state
		}, want: flw + "unable_to_link_account", cleared: true, exchange: 1},
		"t: two accounts of one identity": {path: func(s *setup) string {
			s.b.signIn(s.w.first, ann())
			s.w.exec(`insert into account (id, "accountId", "providerId", "userId", "createdAt", "updatedAt") select 'twin', "accountId", "providerId", "userId", "createdAt", "updatedAt" from account`)
			again := s.b.begin(`{"provider":"first","errorCallbackURL":"/oops?keep=1"}`)
			return "first?code=" + s.w.first.issue(ann()) + "&state=" + again
		}, want: def + "internal_server_error", cleared: true, unspent: free, exchange: 2},
		"FLOW without errorCallbackURL is DEF": {path: func(s *setup) string {
			return "first?code=x&state=" + s.b.begin(`{"provider":"first"}`)
		}, want: def + "invalid_code", cleared: true, unspent: free, exchange: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := &setup{w: w, b: w.browser()}
			s.state = s.b.begin(`{"provider":"first","callbackURL":"/dash","errorCallbackURL":"/oops?keep=1"}`)
			s.row = func(value string) { w.exec(`update verification set value = ?`, value) }
			a := s.b.do("GET", "/api/auth/callback/"+c.path(s), "")
			if a.Code != 302 || a.Location != c.want || a.Body != "" || a.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s %q, want %s", a.Code, a.Location, a.Body, c.want)
			}
			if cleared := len(a.Cookies) == 1 && a.Cookies[0] == clearedState; cleared != c.cleared || !cleared && len(a.Cookies) > 0 {
				t.Errorf("cookies %q", a.Cookies)
			}
			if there := w.count("verification") > 0; there != c.unspent {
				t.Errorf("the state's row: %v", there)
			}
			if n := w.first.exchanged() + w.second.exchanged(); n != c.exchange {
				t.Errorf("%d exchanges", n)
			}
			told := w.told()
			if last := told[len(told)-1]; last.Kind != oauth.Refused || !strings.Contains(c.want, "error="+strings.TrimSuffix(last.Reason, "+")) || last.Address != "203.0.113.9" {
				t.Errorf("%+v", last)
			}
		})
	}
}

// a: where a provider may begin, its code is thrown away and a flow of our own begins.
func TestAFlowThatBeginsAtTheProvider(t *testing.T) {
	w := newWorld(t, func(c *oauth.Config) { c.IDPInitiated = []string{"first"} })
	b := w.browser()
	a := b.do("GET", "/api/auth/callback/first?code=theirs", "")
	state := stateOf(w, a.Location)
	if a.Code != 302 || !strings.HasPrefix(a.Location, "https://first.example/authorize?") || len(a.Cookies) != 1 || w.first.exchanged() != 0 {
		t.Errorf("%+v", a)
	}
	if a = b.do("GET", "/api/auth/callback/first?code="+w.first.issue(ann())+"&state="+state, ""); a.Location != base {
		t.Error(a.Location)
	}
	for _, path := range []string{"second?code=x", "first?code=x&state=", "first?error=x"} {
		if a = w.browser().do("GET", "/api/auth/callback/"+path, ""); a.Location != api+"/error?error=state_not_found" {
			t.Errorf("%s: %s", path, a.Location)
		}
	}
}

// The library answers repeated parameters with 400, and a provider's form with a redirect to itself.
func TestWhatACallbackMayBeAsked(t *testing.T) {
	w := newWorld(t)
	a := w.browser().do("GET", "/api/auth/callback/first?code=a&code=b&state=x", "")
	if want := `{"message":"[query.code] Invalid input: expected string, received array","code":"VALIDATION_ERROR"}`; a.Code != 400 || a.Body != want {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	b := w.browser()
	b.header.Set("Content-Type", "application/x-www-form-urlencoded")
	a = b.do("POST", "/api/auth/callback/first?state=q", "user=%7B%22a%22%3A%22%C3%A9%20b%22%7D&state=body&id_token=t&code=c*-._~&x=y")
	if want := api + "/callback/first?code=c*-._%7E&state=q&user=%7B%22a%22%3A%22%C3%A9+b%22%7D"; a.Code != 302 || a.Location != want || a.Body != "" || len(a.Cookies) > 0 {
		t.Errorf("%d %s", a.Code, a.Location)
	}
	if a = b.do("POST", "/api/auth/callback/first", ""); a.Code != 302 || a.Location != api+"/callback/first?" {
		t.Errorf("%d %s", a.Code, a.Location)
	}
	b.header.Set("Content-Type", "text/plain")
	if a = b.do("POST", "/api/auth/callback/first", "code=x"); a.Code != 415 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	b.header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.header.Set("Origin", "https://appleid.apple.com")
	b.jar["any"] = "cookie"
	if a = b.do("POST", "/api/auth/callback/first", "code=x"); a.Code != 403 || a.Body != `{"message":"Invalid origin","code":"INVALID_ORIGIN"}` {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if a = w.browser().do("HEAD", "/api/auth/callback/first?state=x", ""); a.Code != 404 {
		t.Errorf("HEAD: %d", a.Code)
	}
}

// Sections 2.5 and 2.6.
func TestAnewUserAndHisReturn(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	code := w.first.issue(ann())
	state := b.begin(`{"provider":"first","callbackURL":"/dash?x=1","newUserCallbackURL":"/wälcome"}`)
	b.jar["better-auth.session_token"] = "planted.by-an-attacker"
	a := b.do("GET", "/api/auth/callback/first?code="+code+"&state="+state+"&scope=ignored&authuser=0", "")
	session := w.row(`select * from session`)
	want := []string{clearedState, w.cookies.SetSigned("session_token", session["token"], 7*24*time.Hour)}
	if a.Code != 302 || a.Location != "/w%C3%A4lcome" || a.Body != "" || fmt.Sprint(a.Cookies) != fmt.Sprint(want) {
		t.Errorf("%+v\nwant %q", a, want)
	}
	if !strings.HasSuffix(want[1], "; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax") || a.Header.Get("Set-Auth-Token") != w.cookies.Bearer(session["token"]) ||
		a.Header.Get("Access-Control-Expose-Headers") != "set-auth-token" {
		t.Errorf("%q %v", want, a.Header)
	}
	const now = "2026-11-25T03:00:00.123Z"
	user := w.row(`select * from user`)
	equal(t, user, map[string]string{"id": user["id"], "name": "Ann", "email": "ann@example.com", "emailVerified": "1", "image": "https://img.example/ann.png", "createdAt": now, "updatedAt": now})
	account := w.row(`select * from account`)
	equal(t, account, map[string]string{
		"id": account["id"], "accountId": "sub-ann", "providerId": "first", "userId": user["id"], "accessToken": "access-" + code, "refreshToken": "refresh-1",
		"idToken": "id-" + code, "accessTokenExpiresAt": "<nil>", "refreshTokenExpiresAt": "<nil>", "scope": "a,b", "password": "<nil>", "createdAt": now, "updatedAt": now,
	})
	equal(t, session, map[string]string{
		"id": session["id"], "token": session["token"], "userId": user["id"], "expiresAt": "2026-12-02T03:00:00.123Z", "createdAt": now, "updatedAt": now,
		"ipAddress": "203.0.113.9", "userAgent": "rig/1.0",
	})

	w.pass(time.Hour)
	w.first.refresh, w.first.scopes = nil, []string{"c"}
	i := ann()
	i.Email, i.Name = "other@example.com", "Anna" // a returning identity is found by its id alone
	a = w.browser().signIn(w.first, i)
	if a.Location != "/dash" || w.count("user") != 1 || w.count("account") != 1 || w.count("session") != 2 {
		t.Errorf("%s: %d users, %d accounts, %d sessions", a.Location, w.count("user"), w.count("account"), w.count("session"))
	}
	equal(t, w.row(`select * from user`), user)
	account["accessToken"], account["idToken"], account["updatedAt"] = "access-code-first-2", "id-code-first-2", "2026-11-25T04:00:00.123Z"
	equal(t, w.row(`select * from account`), account)
	told := w.told()
	b = w.browser() // who is known is not led to the page for new users
	state = b.begin(`{"provider":"first","callbackURL":"/dash","newUserCallbackURL":"/welcome"}`)
	if a = b.do("GET", "/api/auth/callback/first?code="+w.first.issue(ann())+"&state="+state, ""); a.Location != "/dash" {
		t.Error(a.Location)
	}
	if len(told) != 2 || told[0].Kind != oauth.SignedUp || told[1].Kind != oauth.SignedIn || told[1].UserID != user["id"] || told[1].Account != "sub-ann" || told[1].Session == "" {
		t.Errorf("%+v", told)
	}
	if text := fmt.Sprintf("%+v", told) + w.log.String(); strings.Contains(text, "access-code") || strings.Contains(text, session["token"]) {
		t.Error("a token was told")
	}
}

func equal(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range got {
		if got[name] != want[name] {
			t.Errorf("%s is %q, want %q", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestOptionsOfAccounts(t *testing.T) {
	t.Run("tokens are sealed, id_tokens are not", func(t *testing.T) {
		w := newWorld(t, func(c *oauth.Config) { c.Accounts.EncryptTokens = true })
		w.browser().signIn(w.first, ann())
		row := w.row(`select * from account`)
		access, err := w.keys.Decrypt(row["accessToken"])
		refresh, err2 := w.keys.Decrypt(row["refreshToken"])
		if err != nil || err2 != nil || access != "access-code-first-1" || refresh != "refresh-1" || row["idToken"] != "id-code-first-1" {
			t.Error(row)
		}
	})
	t.Run("updateAccountOnSignIn false", func(t *testing.T) {
		w := newWorld(t, func(c *oauth.Config) { c.Accounts.KeepTokens = true })
		w.browser().signIn(w.first, ann())
		before := w.row(`select * from account`)
		w.pass(time.Hour)
		w.browser().signIn(w.first, ann())
		equal(t, w.row(`select * from account`), before)
	})
	t.Run("disableSignUp", func(t *testing.T) {
		w := newWorld(t)
		w.first.rules.DisableSignUp = true
		if a := w.browser().signIn(w.first, ann()); a.Location != "/oops?error=signup_disabled" || w.count("user") != 0 {
			t.Error(a.Location)
		}
		w.browser().signIn(w.second, ann())
		if a := w.browser().signIn(w.first, ann()); a.Location != "/dash" { // it does not stop linking
			t.Error(a.Location)
		}
	})
	t.Run("disableImplicitSignUp", func(t *testing.T) {
		w := newWorld(t)
		w.first.rules.DisableImplicitSignUp = true
		if a := w.browser().signIn(w.first, ann()); a.Location != "/oops?error=signup_disabled" {
			t.Error(a.Location)
		}
		b := w.browser()
		state := b.begin(`{"provider":"first","callbackURL":"/dash","requestSignUp":true}`)
		if a := b.do("GET", "/api/auth/callback/first?code="+w.first.issue(ann())+"&state="+state, ""); a.Location != "/dash" {
			t.Error(a.Location)
		}
	})
	t.Run("requireEmailVerification", func(t *testing.T) {
		w := newWorld(t)
		w.first.rules.RequireEmailVerification = true
		i := ann()
		i.EmailVerified = false
		a := w.browser().signIn(w.first, i)
		if a.Location != "/oops?error=email_not_verified" || w.count("user") != 1 || w.count("account") != 1 || w.count("session") != 0 || len(a.Cookies) != 1 {
			t.Errorf("%+v", a)
		}
	})
	t.Run("overrideUserInfoOnSignIn", func(t *testing.T) {
		w := newWorld(t)
		w.first.rules.OverrideUserInfoOnSignIn = true
		w.browser().signIn(w.first, ann())
		i := ann()
		i.Name, i.Email, i.EmailVerified, i.Image = "New", "NEW@example.com", false, nil
		if a := w.browser().signIn(w.first, i); a.Location != "/dash" {
			t.Error(a.Location)
		}
		if u := w.row(`select * from user`); u["name"] != "New" || u["email"] != "new@example.com" || u["emailVerified"] != "0" || u["image"] != "https://img.example/ann.png" {
			t.Error(u)
		}
	})
	t.Run("u: an address that is taken", func(t *testing.T) {
		w := newWorld(t)
		w.first.rules.OverrideUserInfoOnSignIn = true
		w.browser().signIn(w.first, ann())
		bob := ann()
		bob.AccountID, bob.Email = "sub-bob", "bob@example.com"
		w.browser().signIn(w.first, bob)
		bob.Email = "ANN@example.com"
		if a := w.browser().signIn(w.first, bob); a.Code != 500 || a.Body != "" || len(a.Cookies) != 0 || a.Location != "" {
			t.Errorf("%+v", a)
		}
		if u := w.row(`select email from user where email like 'bob%'`); u["email"] != "bob@example.com" {
			t.Error(u)
		}
	})
	t.Run("a browser that is not to be remembered", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		value, _, _ := strings.Cut(w.cookies.SetSigned("dont_remember", "true", 0), ";")
		b.jar["better-auth.dont_remember"] = strings.TrimPrefix(value, "better-auth.dont_remember=")
		if a := b.signIn(w.first, ann()); len(a.Cookies) != 3 || strings.Contains(a.Cookies[1], "Max-Age") || !strings.HasPrefix(a.Cookies[2], value) {
			t.Errorf("%q", a.Cookies)
		}
	})
}

// Section 12: the admin plugin's bans count where a session would begin, and end there.
func TestBannedUsers(t *testing.T) {
	w := newWorldOn(t, "all-plugins")
	w.browser().signIn(w.first, ann())
	if u := w.row(`select role, banned from user`); u["role"] != "user" || u["banned"] != "0" {
		t.Error(u)
	}
	w.exec(`update user set banned = 1, "banReason" = 'spam'`)
	const message = "You+have+been+banned+from+this+application.+Please+contact+support+if+you+believe+this+is+an+error."
	a := w.browser().signIn(w.first, ann())
	if a.Location != "/oops?error=BANNED_USER&error_description="+message || len(a.Cookies) != 1 || w.count("session") != 1 {
		t.Errorf("%+v", a)
	}
	a = w.browser().do("POST", "/api/auth/sign-in/social", `{"provider":"first","idToken":{"token":"`+w.first.issue(ann())+`"}}`)
	if a.Code != 403 || a.Body != `{"message":"`+strings.ReplaceAll(message, "+", " ")+`","code":"BANNED_USER"}` {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	w.exec(`update user set "banExpires" = '2026-11-25T02:59:59.000Z'`)
	if a := w.browser().signIn(w.first, ann()); a.Location != "/dash" {
		t.Error(a.Location)
	}
	if u := w.row(`select banned, "banReason", "banExpires" from user`); u["banned"] != "0" || u["banReason"] != "<nil>" || u["banExpires"] != "<nil>" {
		t.Error(u)
	}
}

// broken is a store some of whose calls fail.
type broken struct {
	oauth.Store
	find, take, identify, create bool
}

var errBroken = errors.New("the database is away")

func (b *broken) FindVerification(ctx context.Context, id string) (string, bool, error) {
	if b.find {
		return "", false, errBroken
	}
	return b.Store.FindVerification(ctx, id)
}

func (b *broken) TakeVerification(ctx context.Context, id string) (string, bool, error) {
	if b.take {
		return "", false, errBroken
	}
	return b.Store.TakeVerification(ctx, id)
}

func (b *broken) Identify(ctx context.Context, p, a, e string, do func(accounts.Tx) error) error {
	if b.identify {
		return errBroken
	}
	return b.Store.Identify(ctx, p, a, e, do)
}

func (b *broken) CreateSession(ctx context.Context, s *record.Session, u *record.User) error {
	if b.create {
		return errBroken
	}
	return b.Store.CreateSession(ctx, s, u)
}

// t and u: nothing is half done when the database goes away.
func TestADatabaseThatFails(t *testing.T) {
	var store *broken
	w := newWorld(t, func(c *oauth.Config) { store = &broken{Store: c.Store}; c.Store = store })
	for name, c := range map[string]struct {
		fault broken
		want  string
	}{
		"find":     {broken{find: true}, api + "/error?error=internal_server_error"},
		"take":     {broken{take: true}, api + "/error?error=internal_server_error"},
		"identify": {broken{identify: true}, api + "/error?error=internal_server_error"},
		"create":   {broken{create: true}, "/oops?error=unable_to_create_session"},
	} {
		w.exec(`delete from user`)
		b := w.browser()
		state := b.begin(`{"provider":"first","errorCallbackURL":"/oops"}`)
		store.find, store.take, store.identify, store.create = c.fault.find, c.fault.take, c.fault.identify, c.fault.create
		a := b.do("GET", "/api/auth/callback/first?code="+w.first.issue(ann())+"&state="+state, "")
		store.find, store.take, store.identify, store.create = false, false, false, false
		if a.Location != c.want || w.count("user") != 0 && !c.fault.create || w.count("session") != 0 || strings.Contains(fmt.Sprint(a.Cookies), "session_token=") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestErrorsGoWhereTheConfigurationSays(t *testing.T) {
	w := newWorld(t, func(c *oauth.Config) { c.ErrorURL = "https://app.example.com/err?x=1#y" })
	if a := w.browser().do("GET", "/api/auth/callback/first", ""); a.Location != "https://app.example.com/err?x=1&error=state_not_found#y" {
		t.Error(a.Location)
	}
}

// States that Better Auth began carry no key of ours, and may hold URLs that we would refuse.
func TestStatesOfTheLibraryAreFinished(t *testing.T) {
	for name, c := range map[string]struct{ value, path, want string }{
		"as it writes them":    {`{"callbackURL":"/js","codeVerifier":"v","expiresAt":9795293299204,"oauthState":"S"}`, "first", "/js"},
		"without oauthState":   {`{"callbackURL":"/js","codeVerifier":"v","expiresAt":9795293299204}`, "second", "/js"},
		"a newline in the URL": {`{"callbackURL":"https://app.example.com/\r\nX: y","codeVerifier":"v","expiresAt":9795293299204}`, "first", "https://app.example.com/%0D%0AX: y"},
	} {
		w := newWorld(t)
		b := w.browser()
		pair, _, _ := strings.Cut(w.cookies.SetSigned("state", "S", 0), ";")
		b.jar["better-auth.state"] = strings.TrimPrefix(pair, "better-auth.state=")
		w.exec(`insert into verification (id, identifier, value, "expiresAt", "createdAt", "updatedAt") values ('v', 'auth-state:S', ?, '2026-11-25T03:10:00.000Z', '2026-11-25T03:00:00.000Z', '2026-11-25T03:00:00.000Z')`, c.value)
		p := map[string]*scripted{"first": w.first, "second": w.second}[c.path]
		if a := b.do("GET", "/api/auth/callback/"+c.path+"?code="+p.issue(ann())+"&state=S", ""); a.Location != c.want || p.asked[0].Verifier != "v" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	// An error URL of dots would lead away once an error is put into it: it leads to our page.
	w := newWorld(t)
	b := w.browser()
	state := b.begin(`{"provider":"first"}`)
	w.exec(`update verification set value = '{"callbackURL":"/","codeVerifier":"v","errorURL":"/..//evil.com","expiresAt":9795293299204}'`)
	if a := b.do("GET", "/api/auth/callback/first?state="+state, ""); a.Location != api+"/error?error=no_code" {
		t.Error(a.Location)
	}
}

func TestTheCookieStrategy(t *testing.T) {
	w := newWorld(t, func(c *oauth.Config) { c.State.InCookie = true })
	b := w.browser()
	state := b.begin(`{"provider":"first","callbackURL":"/dash","errorCallbackURL":"/oops"}`)
	if w.count("verification") != 0 || len(b.jar) != 1 || b.jar["better-auth.oauth_state"] == "" {
		t.Errorf("%v", b.jar)
	}
	sealed := b.jar["better-auth.oauth_state"]
	text, err := w.keys.For("oauth-state-cookie").Decrypt(sealed)
	if err != nil || !strings.HasSuffix(text, `"oauthState":"`+state+`","usher":"first"}`) {
		t.Error(text, err)
	}
	path := "/api/auth/callback/first?state=" + state + "&code=" + w.first.issue(ann())
	a := b.do("GET", path, "")
	if a.Location != "/dash" || len(a.Cookies) != 2 || a.Cookies[0] != "better-auth.oauth_state=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax" {
		t.Errorf("%+v", a)
	}
	foreign, err := (&flow.State{ID: state, CallbackURL: "/", Verifier: "v", ErrorURL: "/oops", ExpiresAt: w.time().Add(time.Minute)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ cookie, state, want string }{
		"c': no cookie":                {"", state, api + "/error?error=state_mismatch"},
		"c': no cookie of ours":        {"junk", state, api + "/error?error=state_invalid"},
		"c': sealed for another use":   {w.keys.Encrypt(foreign), state, api + "/error?error=state_invalid"},                       // GHSA-r4xp-prcw-77qf
		"c': another state":            {w.keys.For("oauth-state-cookie").Encrypt(foreign), "other", "/oops?error=state_mismatch"}, // GHSA-wxw3-q3m9-c3jr
		"a callback that was answered": {sealed, state, "/oops?error=state_mismatch"},
	} {
		b := w.browser()
		if c.cookie != "" {
			b.jar["better-auth.oauth_state"] = c.cookie
		}
		if a := b.do("GET", "/api/auth/callback/first?code=x&state="+c.state, ""); a.Location != c.want || len(a.Cookies) > 0 {
			t.Errorf("%s: %s %q", name, a.Location, a.Cookies)
		}
	}
	if n := w.first.exchanged(); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

// A real OIDC driver behind a provider that may lie: k, l, m, n.
func TestProvidersThatLie(t *testing.T) {
	for name, c := range map[string]struct {
		lie   oauthtest.Lies
		fault map[oauthtest.Endpoint]oauthtest.Fault
		want  string
	}{
		"the truth":           {want: "/dash"},
		"k: another issuer":   {lie: oauthtest.Lies{CallbackIssuer: "https://evil.example"}, want: "/oops?error=issuer_mismatch"},
		"m: down":             {fault: map[oauthtest.Endpoint]oauthtest.Fault{oauthtest.Token: {Down: true}}, want: "/oops?error=invalid_code"},
		"m: a redirect":       {fault: map[oauthtest.Endpoint]oauthtest.Fault{oauthtest.Token: {Redirect: "https://evil.example/"}}, want: "/oops?error=invalid_code"},
		"m: 500":              {fault: map[oauthtest.Endpoint]oauthtest.Fault{oauthtest.Token: {Status: 500}}, want: "/oops?error=invalid_code"},
		"n: another nonce":    {lie: oauthtest.Lies{Nonce: "other"}, want: "/oops?error=unable_to_get_user_info"},
		"n: another audience": {lie: oauthtest.Lies{Audience: "other"}, want: "/oops?error=unable_to_get_user_info"},
		"n: an expired token": {lie: oauthtest.Lies{Expired: true}, want: "/oops?error=unable_to_get_user_info"},
		"n: an unsigned one":  {lie: oauthtest.Lies{Algorithm: "none"}, want: "/oops?error=unable_to_get_user_info"},
		"another state":       {lie: oauthtest.Lies{State: "other"}, want: api + "/error?error=state_mismatch"},
		"n: keys are down":    {fault: map[oauthtest.Endpoint]oauthtest.Fault{oauthtest.JWKS: {Status: 500}}, want: "/oops?error=unable_to_get_user_info"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			a := b.do("POST", "/api/auth/sign-in/social", `{"provider":"acme","callbackURL":"/dash","errorCallbackURL":"/oops"}`)
			if a.Code != 200 || !strings.Contains(a.Location, "nonce=") {
				t.Fatalf("%d %s", a.Code, a.Body)
			}
			w.idp.Lie(c.lie)
			for e, f := range c.fault {
				w.idp.Break(e, f)
			}
			back, err := w.idp.Consent(a.Location)
			if err != nil {
				t.Fatal(err)
			}
			a = b.do("GET", back.String(), "")
			if a.Code != 302 || a.Location != c.want {
				t.Errorf("%d %s, want %s", a.Code, a.Location, c.want)
			}
			if in := w.count("session"); in != 0 && c.want != "/dash" || in != 1 && c.want == "/dash" || c.want != "/dash" && w.count("user") != 0 {
				t.Errorf("%d sessions, %d users", in, w.count("user"))
			}
		})
	}
	t.Run("l: the state lost its nonce", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		a := b.do("POST", "/api/auth/sign-in/social", `{"provider":"acme","errorCallbackURL":"/oops"}`)
		w.exec(`update verification set value = json_remove(value, '$.idTokenNonce')`)
		back, err := w.idp.Consent(a.Location)
		if err != nil {
			t.Fatal(err)
		}
		if a = b.do("GET", back.String(), ""); a.Location != "/oops?error=nonce_binding_missing" || w.idp.Calls(oauthtest.Token) != 0 {
			t.Error(a.Location)
		}
	})
	t.Run("a provider nobody can ask about itself is none", func(t *testing.T) {
		w := newWorld(t)
		w.idp.Break(oauthtest.Discovery, oauthtest.Fault{Down: true})
		if a := w.browser().do("POST", "/api/auth/sign-in/social", `{"provider":"acme"}`); a.Code != http.StatusNotFound || a.Body != `{"message":"Provider not found","code":"PROVIDER_NOT_FOUND"}` {
			t.Errorf("%d %s", a.Code, a.Body)
		}
	})
}

// Sections 2.3, 2.4 and 12, with the real drivers of Google and GitHub under their own names.
func TestGoogleAndGitHub(t *testing.T) {
	for name, c := range map[string]struct {
		provider string
		lie      oauthtest.Lies
		want     string
	}{
		"google":                         {"google", oauthtest.Lies{}, "/dash"},
		"github":                         {"github", oauthtest.Lies{}, "/dash"},
		"google, junk id_token":          {"google", oauthtest.Lies{TokenMembers: map[string]any{"id_token": "junk"}}, "/oops?error=unable_to_get_user_info"},
		"google, id_token is no text":    {"google", oauthtest.Lies{TokenMembers: map[string]any{"id_token": 7}}, "/oops?error=unable_to_get_user_info"},
		"google, no id_token":            {"google", oauthtest.Lies{NoIDToken: true}, "/oops?error=unable_to_get_user_info"},
		"google, an id_token for others": {"google", oauthtest.Lies{Audience: "another-client"}, "/oops?error=unable_to_get_user_info"},
		"github, no access_token":        {"github", oauthtest.Lies{NoAccessToken: true}, "/oops?error=unable_to_get_user_info"},
		"github, an error in a 200":      {"github", oauthtest.Lies{TokenMembers: map[string]any{"error": "bad_verification_code"}}, "/oops?error=invalid_code"},
	} {
		t.Run(name, func(t *testing.T) {
			idp := oauthtest.Start(t)
			w := newWorld(t, func(c *oauth.Config) {
				c.Providers = nil
				for _, id := range []string{"google", "github"} {
					p, err := provider.New(id, idp.PresetOptions(), idp.Client(), c.Now)
					if err != nil {
						t.Fatal(err)
					}
					c.Providers = append(c.Providers, p)
				}
			})
			idp.Clock(w.time)
			b := w.browser()
			a := b.do("POST", "/api/auth/sign-in/social", `{"provider":"`+c.provider+`","callbackURL":"/dash","errorCallbackURL":"/oops"}`)
			idp.Lie(c.lie)
			back, err := idp.Consent(a.Location)
			if err != nil {
				t.Fatal(err)
			}
			if a = b.do("GET", back.String(), ""); a.Location != c.want {
				t.Errorf("%s, want %s", a.Location, c.want)
			}
			if in := w.count("session") + w.count("user") + w.count("account"); in != 0 && c.want != "/dash" || in != 3 && c.want == "/dash" {
				t.Errorf("%d rows", in)
			}
			if c.want == "/dash" && w.row(`select email from user`)["email"] != "alice@example.com" {
				t.Error(w.row(`select * from user`))
			}
		})
	}
}
