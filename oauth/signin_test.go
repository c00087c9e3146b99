package oauth_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/flow"
)

// The answers of section 1.1, byte for byte.
func TestSignInSocialAnswersAsTheLibrary(t *testing.T) {
	w := newWorld(t)
	const reserved = `{"message":"[body.additionalParams] additionalParams cannot include reserved OAuth parameters: state, client_id, redirect_uri, response_type, code_challenge, code_challenge_method, nonce, scope","code":"VALIDATION_ERROR"}`
	for name, c := range map[string]struct {
		body string
		code int
		want string
	}{
		"unknown provider":          {`{"provider":"nobody"}`, 404, `{"message":"Provider not found","code":"PROVIDER_NOT_FOUND"}`},
		"no provider":               {`{}`, 400, `{"message":"[body.provider] Invalid input","code":"VALIDATION_ERROR"}`},
		"provider is no text":       {`{"provider":1}`, 400, `{"message":"[body.provider] Invalid input","code":"VALIDATION_ERROR"}`},
		"empty":                     {``, 400, `{"message":"[body] Invalid input: expected object, received undefined","code":"VALIDATION_ERROR"}`},
		"broken":                    {`{`, 400, `{"message":"Invalid JSON in request body","code":"BAD_REQUEST"}`},
		"scopes":                    {`{"provider":"first","scopes":"x"}`, 400, `{"message":"[body.scopes] Invalid input: expected array, received string","code":"VALIDATION_ERROR"}`},
		"disableRedirect":           {`{"provider":"first","disableRedirect":"x"}`, 400, `{"message":"[body.disableRedirect] Invalid input: expected boolean, received string","code":"VALIDATION_ERROR"}`},
		"reserved parameter":        {`{"provider":"first","additionalParams":{"x":"y","nonce":"z"}}`, 400, reserved},
		"untrusted callback":        {`{"provider":1,"callbackURL":"//evil.com"}`, 403, `{"message":"Invalid callbackURL","code":"INVALID_CALLBACK_URL"}`},
		"untrusted error callback":  {`{"provider":"first","errorCallbackURL":"https://evil.com"}`, 403, `{"message":"Invalid errorCallbackURL","code":"INVALID_ERROR_CALLBACK_URL"}`},
		"untrusted new user":        {`{"provider":"first","newUserCallbackURL":"javascript:x"}`, 403, `{"message":"Invalid newUserCallbackURL","code":"INVALID_NEW_USER_CALLBACK_URL"}`},
		"header injection":          {`{"provider":"first","callbackURL":"https://app.example.com/\r\nX: y"}`, 403, `{"message":"Invalid callbackURL","code":"INVALID_CALLBACK_URL"}`},
		"id_token not supported":    {`{"provider":"nobody","idToken":{"token":"x"}}`, 404, `{"message":"Provider not found","code":"PROVIDER_NOT_FOUND"}`},
		"id_token without a token":  {`{"provider":"first","idToken":{}}`, 400, `{"message":"[body.idToken.token] Invalid input: expected string, received undefined","code":"VALIDATION_ERROR"}`},
		"additionalData is no data": {`{"provider":"first","additionalData":[1]}`, 400, `{"message":"[body.additionalData] Invalid input: expected record, received array","code":"VALIDATION_ERROR"}`},
	} {
		if a := w.browser().do("POST", "/api/auth/sign-in/social", c.body); a.Code != c.code || a.Body != c.want || len(a.Cookies) > 0 {
			t.Errorf("%s: %d %s %v", name, a.Code, a.Body, a.Cookies)
		}
	}
	for _, path := range []string{"/api/auth/sign-in/social/", "/api/auth//sign-in/social", "/api/auth/callback/", "/api/auth/callback/first/x"} {
		if a := w.browser().do("POST", path, `{"provider":"first"}`); a.Code != 404 || a.Body != "" || a.Header.Get("Content-Type") != "" {
			t.Errorf("%s: %d %q", path, a.Code, a.Body)
		}
	}
	if a := w.browser().do("GET", "/api/auth/sign-in/social", ""); a.Code != 404 || a.Body != "" {
		t.Errorf("GET: %d %q", a.Code, a.Body)
	}
	if n := w.count("verification"); n != 0 {
		t.Errorf("%d states were kept for nothing", n)
	}
}

func TestASignInBeginsWithTheLibrarysBytes(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	a := b.do("POST", "/api/auth/sign-in/social", `{"provider":"first","scopes":["s1","s2"],"loginHint":"a@b","additionalParams":{"hd":"x"},"additionalData":{"k":1.0,"link":{"userId":"evil"}},"requestSignUp":true,"errorCallbackURL":"/oops","newUserCallbackURL":""}`)
	state := stateOf(w, a.Location)
	if want := `{"url":"` + a.Location + `","redirect":true}`; a.Code != 200 || a.Body != want || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	for _, part := range []string{"&scope=s1+s2", "&login_hint=a%40b", "&hd=x", "&redirect_uri=https%3A%2F%2Fauth.example.com%2Fapi%2Fauth%2Fcallback%2Ffirst"} {
		if !strings.Contains(a.Location, part) {
			t.Errorf("no %s in %s", part, a.Location)
		}
	}
	if want := w.cookies.SetSigned("state", state, flow.StateCookieAge); len(a.Cookies) != 1 || a.Cookies[0] != want || !strings.HasSuffix(want, "; Max-Age=300; Path=/; HttpOnly; SameSite=Lax") {
		t.Errorf("%q", a.Cookies)
	}
	row := w.row(`select * from verification`)
	verifier := regexp.MustCompile(`"codeVerifier":"([\w-]{128})"`).FindStringSubmatch(row["value"])
	if verifier == nil {
		t.Fatal(row["value"])
	}
	want := `{"k":1,"callbackURL":"https://auth.example.com","codeVerifier":"` + verifier[1] + `","errorURL":"/oops","expiresAt":1795576200123,"requestSignUp":true,"oauthState":"` + state + `","usher":"first"}`
	if row["value"] != want || row["identifier"] != "auth-state:"+state || row["expiresAt"] != "2026-11-25T03:10:00.123Z" || row["createdAt"] != "2026-11-25T03:00:00.123Z" {
		t.Errorf("\n got %v\nwant %s", row, want)
	}
	if !strings.Contains(a.Location, "code_challenge="+flow.Challenge(verifier[1])) {
		t.Error("the challenge is another verifier's")
	}
	if a := w.browser().do("POST", "/api/auth/sign-in/social", `{"provider":"first","disableRedirect":true}`); a.Location != "" || !strings.HasSuffix(a.Body, `"redirect":false}`) {
		t.Errorf("%s %q", a.Body, a.Location)
	}
}

func TestStatesMayBeHashed(t *testing.T) {
	w := newWorld(t, func(c *oauth.Config) { c.State.Hashed = true })
	b := w.browser()
	state := b.begin(`{"provider":"first"}`)
	if row := w.row(`select identifier from verification`); row["identifier"] != flow.Identifier(state, true) {
		t.Error(row)
	}
	if a := b.do("GET", "/api/auth/callback/first?state="+state+"&code="+w.first.issue(ann()), ""); a.Location != base {
		t.Error(a.Location)
	}
}

// System B's plain link.
func TestSignInByLink(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	a := b.do("GET", "/api/auth/signin/first?callbackURL=https%3A%2F%2Fapp.example.com%2Fx%3Fy", "")
	state := stateOf(w, a.Location)
	if a.Code != 302 || a.Body != "" || a.Header.Get("Cache-Control") != "no-store" || len(a.Cookies) != 1 || a.Cookies[0] != w.cookies.SetSigned("state", state, flow.StateCookieAge) {
		t.Errorf("%+v", a)
	}
	if back := b.do("GET", "/api/auth/callback/first?state="+state+"&code="+w.first.issue(ann()), ""); back.Location != "https://app.example.com/x?y" {
		t.Error(back.Location)
	}
	b = w.browser()
	state = stateOf(w, b.do("GET", "/api/auth/signin/first", "").Location)
	if back := b.do("GET", "/api/auth/callback/first?state="+state+"&code="+w.first.issue(ann()), ""); back.Location != base {
		t.Error(back.Location)
	}
	for path, want := range map[string]string{
		"/api/auth/signin/first?callbackURL=//evil.com":                `{"message":"Invalid callbackURL","code":"INVALID_CALLBACK_URL"}`,
		"/api/auth/signin/first?callbackURL=%2F%5Cevil.com":            `{"message":"Invalid callbackURL","code":"INVALID_CALLBACK_URL"}`,
		"/api/auth/signin/first?errorCallbackURL=https://evil.com":     `{"message":"Invalid errorCallbackURL","code":"INVALID_ERROR_CALLBACK_URL"}`,
		"/api/auth/signin/nobody":                                      `{"message":"Provider not found","code":"PROVIDER_NOT_FOUND"}`,
		"/api/auth/signin/first?callbackURL=/a&callbackURL=//evil.com": `{"message":"[query.callbackURL] Invalid input: expected string, received array","code":"VALIDATION_ERROR"}`,
	} {
		if a := w.browser().do("GET", path, ""); a.Body != want || a.Location != "" || len(a.Cookies) > 0 {
			t.Errorf("%s: %d %s %s", path, a.Code, a.Body, a.Location)
		}
	}
}

func TestIDTokensOfApps(t *testing.T) {
	w := newWorld(t)
	token := w.first.issue(ann())
	sign := func(body string) answer { return w.browser().do("POST", "/api/auth/sign-in/social", body) }
	a := sign(`{"provider":"first","idToken":{"token":"` + token + `","accessToken":"at","refreshToken":"rt","nonce":"nonce-of-` + token + `"}}`)
	var got struct {
		Token string
		User  struct{ ID, Email string }
	}
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil || a.Code != 200 {
		t.Fatal(a.Code, a.Body)
	}
	want := `{"redirect":false,"token":"` + got.Token + `","user":{"name":"Ann","email":"ann@example.com","emailVerified":true,"image":"https://img.example/ann.png","createdAt":"2026-11-25T03:00:00.123Z","updatedAt":"2026-11-25T03:00:00.123Z","id":"` + got.User.ID + `"}}`
	if a.Body != want || len(a.Cookies) != 1 || !strings.HasPrefix(a.Cookies[0], "better-auth.session_token="+got.Token+".") || a.Header.Get("Set-Auth-Token") != w.cookies.Bearer(got.Token) {
		t.Errorf("%s\n%s\n%v", a.Body, want, a.Cookies)
	}
	row := w.row(`select * from account`)
	if row["accessToken"] != "at" || row["refreshToken"] != "<nil>" || row["scope"] != "<nil>" || row["idToken"] != token {
		t.Error(row)
	}
	none := ann()
	none.AccountID, none.Email = "x", ""
	stranger := ann()
	stranger.AccountID, stranger.EmailVerified = "y", false
	for name, c := range map[string]struct {
		body, want string
		code       int
	}{
		"forged":        {`{"provider":"first","idToken":{"token":"forged"}}`, `{"message":"Invalid token","code":"INVALID_TOKEN"}`, 401},
		"other nonce":   {`{"provider":"first","idToken":{"token":"` + token + `","nonce":"x"}}`, `{"message":"Invalid token","code":"INVALID_TOKEN"}`, 401},
		"no address":    {`{"provider":"first","idToken":{"token":"` + w.first.issue(none) + `"}}`, `{"message":"User email not found","code":"USER_EMAIL_NOT_FOUND"}`, 401},
		"not linked":    {`{"provider":"first","idToken":{"token":"` + w.first.issue(stranger) + `"}}`, `{"message":"account not linked","code":"OAUTH_LINK_ERROR"}`, 401},
		"not supported": {`{"provider":"plain","idToken":{"token":"x"}}`, `{"message":"Provider not found","code":"PROVIDER_NOT_FOUND"}`, 404},
	} {
		if a := sign(c.body); a.Code != c.code || a.Body != c.want || len(a.Cookies) > 0 {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
}
