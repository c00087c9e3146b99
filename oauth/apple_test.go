package oauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/provider"
)

// atApple answers what appleid.apple.com is asked: one code for one id_token, and the keys it is signed with.
type atApple struct {
	idp     *oauthtest.IdP
	idToken string
	asked   []url.Values
}

func (a *atApple) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "appleid.apple.com" || r.URL.Path != "/auth/token" {
		keys := r.Clone(r.Context())
		to, err := url.Parse(a.idp.URL + "/jwks")
		if err != nil {
			return nil, err
		}
		keys.URL, keys.Host = to, ""
		return http.DefaultTransport.RoundTrip(keys)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	a.asked = append(a.asked, form)
	answer := `{"access_token":"at","token_type":"Bearer","expires_in":3600,"id_token":"` + a.idToken + `"}`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// Apple comes back with a form that its own page sends, without our cookies, which are Lax: it is led to the same callback
// by GET, which has them, and the name that only this form holds comes along. Nothing is spent on the way.
func TestAppleComesBackByAForm(t *testing.T) {
	apple := &atApple{}
	w := newWorld(t, func(c *oauth.Config) {
		p, err := provider.New("apple", provider.Options{ClientIDs: []string{"app"}, ClientSecret: "secret"}, &http.Client{Transport: apple}, c.Now)
		if err != nil {
			t.Fatal(err)
		}
		c.Providers = []provider.Provider{p}
	})
	apple.idp = w.idp
	b := w.browser()
	to, err := url.Parse(b.do("POST", "/api/auth/sign-in/social", `{"provider":"apple","callbackURL":"/dash","errorCallbackURL":"/oops"}`).Location)
	if err != nil || to.Host != "appleid.apple.com" || to.Query().Get("response_mode") != "form_post" {
		t.Fatal(to, err)
	}
	claims := map[string]any{
		"iss": "https://appleid.apple.com", "aud": "app", "sub": "001.apple", "email": "ann@example.com", "email_verified": "true",
		"iat": w.time().Unix(), "exp": w.time().Add(time.Hour).Unix(),
	}
	if nonce := to.Query().Get("nonce"); nonce != "" {
		claims["nonce"] = nonce
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	apple.idToken = w.idp.Sign(string(text))
	form := url.Values{"state": {to.Query().Get("state")}, "code": {"code"}, "user": {`{"name":{"firstName":"Änn","lastName":"O'Neil"},"email":"mallory@example.com"}`}}
	crossing := w.browser() // the same one, which sends no cookie with a form of another site
	crossing.header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {"https://appleid.apple.com"}, "Sec-Fetch-Site": {"cross-site"}}
	a := crossing.do("POST", "/api/auth/callback/apple", form.Encode())
	if a.Code != http.StatusFound || !strings.HasPrefix(a.Location, api+"/callback/apple?") || len(a.Cookies) != 0 || len(apple.asked) != 0 || w.count("verification") != 1 {
		t.Fatalf("%d %s %q, the provider was asked %d times", a.Code, a.Location, a.Cookies, len(apple.asked))
	}
	// Whoever else is sent there has not the cookie, and nothing of it helps them.
	if stranger := w.browser().do("GET", a.Location, ""); !strings.Contains(stranger.Location, "error=state_mismatch") || len(apple.asked) != 0 {
		t.Errorf("without the cookie: %s", stranger.Location)
	}
	if a = b.do("GET", a.Location, ""); a.Location != "/dash" {
		t.Fatalf("%d %s", a.Code, a.Location)
	}
	if len(apple.asked) != 1 || apple.asked[0].Get("code") != "code" || apple.asked[0].Get("redirect_uri") != api+"/callback/apple" {
		t.Errorf("Apple was asked %v", apple.asked)
	}
	if u := w.row(`select name, email from user`); u["name"] != "Änn O'Neil" || u["email"] != "ann@example.com" {
		t.Errorf("%v", u)
	}
	if n := w.row(`select count(*) n from account where "providerId" = 'apple' and "accountId" = '001.apple'`)["n"]; n != "1" {
		t.Errorf("%s accounts", n)
	}
}
