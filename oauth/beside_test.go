package oauth_test

import (
	"database/sql"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
)

// pair is the real Better Auth and a Server of ours, with one database, one secret and one base URL.
type pair struct {
	*world
	js             *testenv.BetterAuthServer
	google, github *scripted
}

func newPair(t *testing.T, options map[string]any, change ...func(*oauth.Config)) *pair {
	t.Helper()
	path := filepath.Join(t.TempDir(), "both.db")
	all := map[string]any{
		"rateLimit": map[string]any{"enabled": false},
		"socialProviders": map[string]any{
			"google": map[string]any{"clientId": "id", "clientSecret": "secret"}, "github": map[string]any{"clientId": "id", "clientSecret": "secret"},
		},
	}
	for name, value := range options {
		all[name] = value
	}
	js := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: "sqlite://" + path, Secret: secret, TrustedOrigins: []string{"https://app.example.com"}, Options: all})
	google, github := newScripted("google"), newScripted("github")
	w := newWorld(t, append([]func(*oauth.Config){func(c *oauth.Config) {
		store, err := accounts.Open(t.Context(), accounts.Config{URL: "sqlite://" + path})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(store.Close)
		origins, err := flow.NewOrigins(js.URL, "https://app.example.com")
		if err != nil {
			t.Fatal(err)
		}
		c.BaseURL, c.Origins, c.Store, c.Now, c.Providers = js.URL, origins, store, nil, []provider.Provider{google, github}
	}}, change...)...)
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.db = db
	return &pair{w, js, google, github}
}

// reply is an answer of Better Auth's.
type reply struct {
	*http.Response
	body string
}

// ask asks Better Auth.
func (p *pair) ask(method, path, body string, header http.Header) reply {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), method, p.js.URL+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	return reply{res, string(text)}
}

// value is the state that a sign-in left behind, with everything random replaced, and the row taken away.
func (p *pair) value(strategy, cookie string) string {
	p.Helper()
	var text string
	if strategy == "database" {
		text = p.row(`select value from verification order by "createdAt" desc limit 1`)["value"]
	} else {
		_, sealed, _ := strings.Cut(cookie, "=")
		opened, err := p.keys.For("oauth-state-cookie").Decrypt(sealed)
		if err != nil {
			p.Fatal(err)
		}
		text = opened
	}
	text = regexp.MustCompile(`"expiresAt":\d+`).ReplaceAllString(text, `"expiresAt":0`)
	return regexp.MustCompile(`[\w-]{32,128}`).ReplaceAllString(text, "<random>")
}

// told is an answer as text.
func told(code int, body string, h http.Header) string {
	s := http.StatusText(code) + "\n" + body + "\n"
	for _, name := range []string{"Content-Type", "Location", "Set-Cookie", "Set-Auth-Token", "Access-Control-Expose-Headers"} {
		for _, value := range h.Values(name) {
			s += name + ": " + value + "\n"
		}
	}
	s = regexp.MustCompile(`https://((google|github)\.example|accounts\.google\.com|github\.com)[^"\n]*`).ReplaceAllString(s, "<provider>")
	return regexp.MustCompile(`[\w-]{32}(\.[\w%+/=]{44,60})?`).ReplaceAllString(s, "<random>")
}

// Each request is asked twice and compared byte for byte, but for what is random.
func TestBesideTheRealBetterAuth(t *testing.T) {
	p := newPair(t, nil)
	request := func(method, path string, header ...string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, p.js.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		return r
	}
	state := func(id string) []string {
		line, _, _ := strings.Cut(p.cookies.SetSigned(betterauth.State, id, 0), ";")
		return []string{"Cookie", line}
	}
	keep := func(id, value string) {
		p.exec(`delete from verification`)
		at := time.Now().UTC().Add(5 * time.Minute).Format("2006-01-02T15:04:05.000Z")
		p.exec(`insert into verification (id, identifier, value, "expiresAt", "createdAt", "updatedAt") values ('v', ?, ?, ?, ?, ?)`, "auth-state:"+id, value, at, at, at)
	}
	const whole = `{"callbackURL":"/dash","codeVerifier":"v","errorURL":"/oops?a=1#f","expiresAt":9795293299204,"oauthState":"S"}`
	for name, c := range map[string]struct {
		r      *http.Request
		body   string
		before string // the state's row
	}{
		"sign-in":                    {r: request("POST", "/api/auth/sign-in/social"), body: `{"provider":"google","callbackURL":"/x"}`},
		"sign-in, no redirect":       {r: request("POST", "/api/auth/sign-in/social"), body: `{"provider":"github","disableRedirect":true}`},
		"unknown provider":           {r: request("POST", "/api/auth/sign-in/social"), body: `{"provider":"nobody"}`},
		"no provider":                {r: request("POST", "/api/auth/sign-in/social"), body: `{}`},
		"null":                       {r: request("POST", "/api/auth/sign-in/social"), body: `null`},
		"a list":                     {r: request("POST", "/api/auth/sign-in/social"), body: `[]`},
		"several faults":             {r: request("POST", "/api/auth/sign-in/social"), body: `{"provider":null,"scopes":[1,"a"],"idToken":{"token":1,"user":{"name":"x"}},"requestSignUp":"y","additionalParams":{"a":1},"additionalData":"z","loginHint":7,"callbackURL":""}`},
		"reserved":                   {r: request("POST", "/api/auth/sign-in/social"), body: `{"provider":"google","additionalParams":{"scope":"x"}}`},
		"form":                       {r: request("POST", "/api/auth/sign-in/social", "Content-Type", "application/x-www-form-urlencoded"), body: `provider=google`},
		"callbackURL is no text":     {r: request("POST", "/api/auth/sign-in/social"), body: `{"provider":"google","callbackURL":1}`},
		"untrusted":                  {r: request("POST", "/api/auth/sign-in/social"), body: `{"provider":"google","errorCallbackURL":"//evil.com"}`},
		"junk id_token":              {r: request("POST", "/api/auth/sign-in/social"), body: `{"provider":"google","idToken":{"token":"junk"}}`},
		"link without a session":     {r: request("POST", "/api/auth/link-social"), body: `{"provider":"google"}`},
		"link, bad body, no session": {r: request("POST", "/api/auth/link-social"), body: `{"provider":1,"idToken":{}}`},
		"GET":                        {r: request("GET", "/api/auth/sign-in/social")},
		"slash":                      {r: request("POST", "/api/auth/sign-in/social/"), body: `{}`},
		"callback without a state":   {r: request("GET", "/api/auth/callback/google?code=x")},
		"callback, empty state":      {r: request("GET", "/api/auth/callback/google?code=x&state=")},
		"callback, error only":       {r: request("GET", "/api/auth/callback/google?error=x")},
		"callback, unknown":          {r: request("GET", "/api/auth/callback/google?code=x&state=y")},
		"callback, twice":            {r: request("GET", "/api/auth/callback/google?code=x&code=z&state=y&iss=1&iss=2")},
		"callback, nobody":           {r: request("GET", "/api/auth/callback/nobody?code=x&state=y")},
		"form post":                  {r: request("POST", "/api/auth/callback/google?state=q", "Content-Type", "application/x-www-form-urlencoded"), body: "user=%7B%22n%22%3A%22%C3%A9+x%22%7D&state=b&code=c*-._~'()!&id_token=z&x=y&code=last"},
		"form post, nothing":         {r: request("POST", "/api/auth/callback/google")},
		"form post, JSON":            {r: request("POST", "/api/auth/callback/google"), body: `{"code":"a b","state":"s","other":1}`},
		"form post, wrong JSON":      {r: request("POST", "/api/auth/callback/google"), body: `{"code":1}`},
		"form post, text":            {r: request("POST", "/api/auth/callback/google", "Content-Type", "text/plain"), body: `code=1`},
		"HEAD":                       {r: request("HEAD", "/api/auth/callback/google?state=x")},
		"deeper":                     {r: request("GET", "/api/auth/callback/google/x?state=x")},
		"row is no JSON":             {r: request("GET", "/api/auth/callback/google?code=x&state=S", state("S")...), before: `junk`},
		"row has another shape":      {r: request("GET", "/api/auth/callback/google?code=x&state=S", state("S")...), before: `{"callbackURL":"/","codeVerifier":"v","expiresAt":"1"}`},
		"another state":              {r: request("GET", "/api/auth/callback/google?code=x&state=S", state("S")...), before: strings.Replace(whole, `"S"`, `"T"`, 1)},
		"no cookie":                  {r: request("GET", "/api/auth/callback/google?code=x&state=S"), before: whole},
		"another cookie":             {r: request("GET", "/api/auth/callback/google?code=x&state=S", state("T")...), before: whole},
		"over":                       {r: request("GET", "/api/auth/callback/google?code=x&state=S", state("S")...), before: strings.Replace(whole, "9795293299204", "1", 1)},
		"refused":                    {r: request("GET", "/api/auth/callback/google?error=access_denied&error_description=no%20%C3%A9%26thanks&state=S", state("S")...), before: whole},
		"refused, odd word":          {r: request("GET", "/api/auth/callback/google?error=%3Cb%3E%20*-._~'()!&state=S", state("S")...), before: whole},
		"no code":                    {r: request("GET", "/api/auth/callback/google?state=S", state("S")...), before: whole},
		"no code, no errorURL":       {r: request("GET", "/api/auth/callback/google?state=S", state("S")...), before: `{"callbackURL":"/dash","codeVerifier":"v","expiresAt":9795293299204}`},
		"empty errorURL":             {r: request("GET", "/api/auth/callback/google?state=S", state("S")...), before: `{"callbackURL":"/dash","codeVerifier":"v","expiresAt":9795293299204,"errorURL":""}`},
		"errorURL is absolute":       {r: request("GET", "/api/auth/callback/google?state=S", state("S")...), before: strings.Replace(whole, "/oops?a=1#f", "https://APP.example.com:443/a/./b c/%2e%2e/d^{}?q='é#<f> `", 1)},
		"errorURL is a path":         {r: request("GET", "/api/auth/callback/google?state=S", state("S")...), before: strings.Replace(whole, "/oops?a=1#f", "/a b/é|[]\\\"?q=\\\"<>'#x y", 1)},
		"unknown provider, state":    {r: request("GET", "/api/auth/callback/nobody?code=x&state=S", state("S")...), before: whole},
	} {
		t.Run(name, func(t *testing.T) {
			prepare := func() {
				if c.before != "" {
					keep("S", c.before)
				}
			}
			prepare()
			a := (&browser{p.world, map[string]string{}, c.r.Header}).do(c.r.Method, c.r.URL.RequestURI(), c.body)
			ours := told(a.Code, a.Body, a.Header)
			prepare()
			res := p.ask(c.r.Method, c.r.URL.RequestURI(), c.body, c.r.Header)
			theirs := told(res.StatusCode, res.body, res.Header)
			if ours != theirs {
				t.Errorf("\nours   %s\ntheirs %s", ours, theirs)
			}
		})
	}
}

// What one side begins, the other ends.
func TestBeginHereEndThere(t *testing.T) {
	for _, strategy := range []string{"database", "cookie"} {
		t.Run(strategy, func(t *testing.T) {
			p := newPair(t, map[string]any{"account": map[string]any{"storeStateStrategy": strategy}}, func(c *oauth.Config) { c.State.InCookie = strategy == "cookie" })
			begin := func(header http.Header, location string) (state, cookie string) {
				line, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
				return stateOf(p.world, location), line
			}
			const body = `{"provider":"google","callbackURL":"/dash","errorCallbackURL":"/oops","requestSignUp":true,"additionalData":{"b":1.50,"a":"<é\u2028>","7":[null,true]}}`
			// There first: the state is Better Auth's, and ends here with a session that it knows.
			res := p.ask("POST", "/api/auth/sign-in/social", body, nil)
			state, cookie := begin(res.Header, res.Header.Get("Location"))
			value := p.value(strategy, cookie)
			b := &browser{p.world, map[string]string{}, http.Header{"Cookie": {cookie}}}
			code := p.google.issue(ann())
			a := b.do("GET", "/api/auth/callback/google?code="+code+"&state="+state, "")
			if a.Location != "/dash" || len(a.Cookies) != 2 {
				t.Fatalf("%+v", a)
			}
			session, _, _ := strings.Cut(a.Cookies[1], ";")
			if res := p.ask("GET", "/api/auth/get-session", "", http.Header{"Cookie": {session}}); !strings.Contains(res.body, `"email":"ann@example.com"`) {
				t.Error(res.body)
			}
			// Here first: Better Auth takes the state and uses it up.
			b = p.world.browser()
			a = b.do("POST", "/api/auth/sign-in/social", body)
			state, cookie = begin(a.Header, a.Location)
			if own := p.value(strategy, cookie); strings.Replace(own, `,"usher":"google"`, "", 1) != value {
				t.Errorf("\nours   %s\ntheirs %s", own, value)
			}
			path := "/api/auth/callback/google?error=access_denied&state=" + state
			if res := p.ask("GET", path, "", http.Header{"Cookie": {cookie}}); res.Header.Get("Location") != "/oops?error=access_denied" {
				t.Errorf("%s", res.Header)
			}
			if a := (&browser{p.world, map[string]string{}, http.Header{"Cookie": {cookie}}}).do("GET", path, ""); strategy == "database" && a.Location != p.js.URL+"/api/auth/error?error=state_mismatch" {
				t.Error(a.Location)
			}
			// Links carry the session, sealed for its purpose; either side opens the other's.
			res = p.ask("POST", "/api/auth/link-social", `{"provider":"github","callbackURL":"/account","errorCallbackURL":"/oops"}`, http.Header{"Cookie": {session}, "Origin": {p.js.URL}})
			state, cookie = begin(res.Header, res.Header.Get("Location"))
			b = &browser{p.world, map[string]string{}, http.Header{"Cookie": {cookie}}}
			if a := b.do("GET", "/api/auth/callback/github?code="+p.github.issue(ann())+"&state="+state, ""); a.Location != "/account" {
				t.Errorf("%+v", a)
			}
			if res := p.ask("GET", "/api/auth/list-accounts", "", http.Header{"Cookie": {session}}); strings.Count(res.body, `"providerId"`) != 2 {
				t.Error(res.body)
			}
		})
	}
}
