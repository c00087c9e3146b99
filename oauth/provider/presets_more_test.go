package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/provider"
)

// shared signs for all presets: making an RSA key takes longer than any test here.
var shared = sync.OnceValue(oauthtest.New)

// preset is one of the table's in a world of its own; change is asked before it is made.
func preset(t *testing.T, id string, change func(*provider.Options, *world)) (provider.Provider, *world) {
	t.Helper()
	w := &world{profiles: load[map[string]any](t, "profiles.json"), replace: map[string]string{}, signer: shared()}
	o := options(id)
	if change != nil {
		change(&o, w)
	}
	p, err := provider.New(id, o, &http.Client{Transport: w}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, w
}

func tokens(access, id string) *provider.Tokens {
	t := &provider.Tokens{Raw: map[string]any{"openid": "OPENID"}}
	if access != "" {
		t.Access = &access
	}
	if id != "" {
		t.ID = &id
	}
	return t
}

// Better Auth decodes the id_tokens of the code flow; we verify them.
func TestPresetsVerifyIDTokens(t *testing.T) {
	for _, id := range []string{"google", "apple", "microsoft", "cognito", "twitch", "paybin", "line"} {
		p, w := preset(t, id, nil)
		for name, change := range map[string]func(map[string]any){
			"nothing":                    func(map[string]any) {},
			"another issuer":             func(c map[string]any) { c["iss"] = "https://evil.example" },
			"another audience":           func(c map[string]any) { c["aud"] = "CID2" },
			"expired":                    func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() },
			"two hours old":              func(c map[string]any) { c["iat"] = time.Now().Add(-2 * time.Hour).Unix() },
			"no subject":                 func(c map[string]any) { delete(c, "sub") },
			"undefined":                  func(c map[string]any) { c["sub"], c["oid"] = "undefined", "undefined" },
			"no issuer, another's token": func(c map[string]any) { delete(c, "iss") },
		} {
			claims := claimsOf(id, true)
			change(claims)
			i, err := p.Identify(t.Context(), tokens("AT", sign(t, w.signer, id, claims)), provider.Callback{})
			if good := name == "nothing"; good != (err == nil) || !good && (i != nil || !errors.Is(err, provider.ErrUserInfo)) {
				t.Errorf("%s, %s: %+v %v", id, name, i, err)
			}
		}
		forged := tokens("AT", sign(t, oauthtest.Start(t), id+"-forged", claimsOf(id, true)))
		if i, err := p.Identify(t.Context(), forged, provider.Callback{}); err == nil {
			t.Errorf("%s, another key: %+v", id, i)
		}
		// What the account table holds was verified when it came, and may be older than its keys by now.
		if _, err := p.Identify(t.Context(), forged, provider.Callback{Stored: true}); err != nil {
			t.Errorf("%s, stored: %v", id, err)
		}
	}
}

func TestNativeAppsOfPresets(t *testing.T) {
	for id, native := range map[string]bool{
		"google": true, "apple": true, "microsoft": true, "cognito": true, "facebook": true, "line": true, "twitch": false,
		"paybin": false, "github": false,
	} {
		p, w := preset(t, id, nil)
		v, can := p.(provider.IDTokenVerifier)
		if can != native {
			t.Errorf("%s: %v", id, can)
		}
		if !can {
			continue
		}
		claims := claimsOf(id, true)
		claims["nonce"] = "N"
		token := sign(t, w.signer, id, claims)
		w.replace["https://api.line.me/oauth2/v2.1/verify"] = `{"aud":"CID","sub":"SUB","nonce":"N"}`
		for nonce, good := range map[string]bool{"N": true, "M": false} {
			if i, err := v.VerifyIDToken(t.Context(), token, nonce); (err == nil && i.Email == "User@Example.COM") != good || !good && !errors.Is(err, provider.ErrIDToken) {
				t.Errorf("%s, nonce %s: %+v %v", id, nonce, i, err)
			}
		}
		p, _ = preset(t, id, func(o *provider.Options, _ *world) { o.DisableIDTokenSignIn = true })
		if _, can := p.(provider.IDTokenVerifier); can {
			t.Errorf("%s: switched off and still there", id)
		}
	}
}

func TestAppleTakesTheHashOfANonce(t *testing.T) {
	p, w := preset(t, "apple", func(o *provider.Options, _ *world) { o.AppBundleID = "app.bundle" })
	claims := claimsOf("apple", true)
	claims["aud"], claims["nonce"] = "app.bundle", "8ce86a6ae65d3692e7305e2c58ac62eebd97d3d943e093f577da25c36988246b" // SHA-256 of N
	token := sign(t, w.signer, "apple", claims)
	if _, err := p.(provider.IDTokenVerifier).VerifyIDToken(t.Context(), token, "N"); err != nil {
		t.Error(err)
	}
	if _, err := p.Identify(t.Context(), tokens("", token), provider.Callback{}); err == nil {
		t.Error("the code flow took a native app's token")
	}
}

func TestAppleUserIsOnlyAName(t *testing.T) {
	for user, want := range map[string]string{
		`{"name":{"firstName":"First","lastName":"Last"}}`: "First Last",
		`{"name":{"firstName":"First"}}`:                   "First",
		`{"name":{}}`:                                      "",
		``:                                                 "Name N",
		`junk`:                                             "Name N",
		`{"name":"text"}`:                                  "Name N",
		`{"name":{"firstName":"a\u0000\u202eb\n"}}`:                  "ab",
		`{"sub":"EVIL","email":"evil@evil.example"}`:                 "Name N",
		`{"name":{"firstName":"` + strings.Repeat("x", 5000) + `"}}`: "Name N",
	} {
		p, w := preset(t, "apple", nil)
		i, err := p.Identify(t.Context(), tokens("", sign(t, w.signer, "apple", claimsOf("apple", true))), provider.Callback{AppleUser: user})
		if err != nil || i.Name != want || i.AccountID != "SUB" || i.Email != "User@Example.COM" {
			t.Errorf("%.60s: %+v %v", user, i, err)
		}
	}
}

func TestGoogleHostedDomain(t *testing.T) {
	for _, c := range []struct {
		configured string
		claim      any
		good       bool
	}{{"", nil, true}, {"corp.com", "corp.com", true}, {"corp.com", "evil.com", false}, {"corp.com", nil, false}, {"*", "any.com", true}, {"*", "", false}, {"*", nil, false}, {"corp.com", true, false}} {
		p, w := preset(t, "google", func(o *provider.Options, _ *world) { o.HD = c.configured })
		claims := claimsOf("google", true)
		if c.claim != nil {
			claims["hd"] = c.claim
		}
		token := sign(t, w.signer, "google", claims)
		_, err := p.Identify(t.Context(), tokens("", token), provider.Callback{})
		_, native := p.(provider.IDTokenVerifier).VerifyIDToken(t.Context(), token, "")
		if (err == nil) != c.good || (native == nil) != c.good {
			t.Errorf("%+v: %v, %v", c, err, native)
		}
	}
}

func TestMicrosoftTenants(t *testing.T) {
	const org, personal = "8d1b6d2c-0000-4000-8000-000000000001", "9188040d-6c67-4c5b-b112-36a304b66dad"
	for _, c := range []struct {
		tenant, tid string
		good        bool
	}{
		{"", org, true},
		{"", personal, true},
		{"organizations", org, true},
		{"organizations", personal, false},
		{"consumers", org, false},
		{"consumers", personal, true},
		{org, org, true},
		{org, personal, false},
		{"corp.onmicrosoft.com", org, true},
	} {
		p, w := preset(t, "microsoft", func(o *provider.Options, _ *world) { o.Tenant = c.tenant })
		claims := claimsOf("microsoft", true)
		claims["tid"], claims["iss"] = c.tid, "https://login.microsoftonline.com/"+c.tid+"/v2.0"
		if _, err := p.Identify(t.Context(), tokens("", sign(t, w.signer, "microsoft", claims)), provider.Callback{}); (err == nil) != c.good {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestMicrosoftMailIsVerifiedWhereListed(t *testing.T) {
	for _, c := range []struct {
		claims map[string]any
		want   bool
	}{
		{map[string]any{"email_verified": "true"}, true},
		{map[string]any{"email_verified": false}, false},
		{map[string]any{"verified_primary_email": []string{"User@Example.COM"}}, true},
		{map[string]any{"verified_secondary_email": []string{"x", "User@Example.COM"}}, true},
		{map[string]any{"verified_primary_email": []string{"other@example.com"}}, false},
		{map[string]any{"email_verified": false, "verified_primary_email": []string{"User@Example.COM"}}, false},
	} {
		p, w := preset(t, "microsoft", nil)
		claims := claimsOf("microsoft", false)
		claims["email"] = "User@Example.COM"
		for k, v := range c.claims {
			claims[k] = v
		}
		i, err := p.Identify(t.Context(), tokens("", sign(t, w.signer, "microsoft", claims)), provider.Callback{})
		if err != nil || i.EmailVerified != c.want {
			t.Errorf("%v: %+v %v", c.claims, i, err)
		}
	}
}

// A token of another app must not sign its user in here.
func TestFacebookTokensOfOtherApps(t *testing.T) {
	const debug = "https://graph.facebook.com/debug_token?input_token=AT&access_token=CID%7CCSECRET"
	for body, good := range map[string]bool{
		`{"data":{"is_valid":true,"app_id":"CID","user_id":"ID"}}`:   true,
		`{"data":{"is_valid":true,"app_id":"OTHER","user_id":"ID"}}`: false,
		`{"data":{"is_valid":false,"app_id":"CID","user_id":"ID"}}`:  false,
		`{"data":{"is_valid":true,"app_id":"CID","user_id":"EVE"}}`:  false,
		`{"data":{"is_valid":true,"app_id":"CID"}}`:                  false,
		`{"data":{"is_valid":true,"user_id":"ID"}}`:                  false,
		`{"data":{"is_valid":"true","app_id":"CID","user_id":"ID"}}`: false,
		`{}`:   false,
		`junk`: false,
	} {
		p, w := preset(t, "facebook", nil)
		w.replace[debug] = body
		if _, err := p.Identify(t.Context(), tokens("AT", ""), provider.Callback{}); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
	p, _ := preset(t, "facebook", nil)
	if _, err := p.(provider.IDTokenVerifier).VerifyIDToken(t.Context(), "opaque", ""); !errors.Is(err, provider.ErrOpaqueToken) {
		t.Errorf("an opaque token: %v", err)
	}
}

func TestGitHubAddresses(t *testing.T) {
	const emails = "https://api.github.com/user/emails"
	for _, c := range []struct {
		name, profile, emails, email string
		verified                     bool
	}{
		{"the primary of the list", `null`, `[{"email":"a@x.com","verified":true},{"email":"b@x.com","primary":true,"verified":true}]`, "b@x.com", true},
		{"the first without primary", `null`, `[{"email":"a@x.com","verified":false},{"email":"b@x.com"}]`, "a@x.com", false},
		{"the profile's, verified", `"a@x.com"`, `[{"email":"a@x.com","verified":true}]`, "a@x.com", true},
		{"another case", `"A@x.com"`, `[{"email":"a@x.com","verified":true}]`, "A@x.com", false},
		{"not in the list", `"a@x.com"`, `[{"email":"b@x.com","primary":true,"verified":true}]`, "a@x.com", false},
		{"no list", `"a@x.com"`, `junk`, "a@x.com", false},
		{"nothing", `null`, `[]`, "", false},
		{"verified as text", `"a@x.com"`, `[{"email":"a@x.com","verified":"true"}]`, "a@x.com", false},
	} {
		p, w := preset(t, "github", nil)
		w.replace["https://api.github.com/user"] = `{"id":0,"login":"l","name":null,"avatar_url":null,"email":` + c.profile + `}`
		w.replace[emails] = c.emails
		i, err := p.Identify(t.Context(), tokens("AT", ""), provider.Callback{})
		if err != nil || i.AccountID != "0" || i.Name != "l" || i.Image != nil || i.Email != c.email || i.EmailVerified != c.verified {
			t.Errorf("%s: %+v %v", c.name, i, err)
		}
	}
}

func TestAccountIDs(t *testing.T) {
	for raw, want := range map[string]string{
		`42`: "42", `42.0`: "42", `0`: "0", `"x"`: "x", `9007199254740991`: "9007199254740991", `9007199254740992`: "",
		`9007199254740993`:     "", // one and the same to JavaScript as its neighbour
		`18446744073709551615`: "", `1.5`: "", `1e400`: "", `null`: "", `""`: "", `" "`: "", `"null"`: "", `"undefined"`: "", `"NaN"`: "",
		`true`: "", `{}`: "", `[]`: "",
	} {
		p, w := preset(t, "figma", nil)
		w.replace["https://api.figma.com/v1/me"] = `{"id":` + raw + `}`
		i, err := p.Identify(t.Context(), tokens("AT", ""), provider.Callback{})
		if want == "" && !errors.Is(err, provider.ErrUserInfo) || want != "" && (err != nil || i.AccountID != want) {
			t.Errorf("%s: %+v %v", raw, i, err)
		}
	}
}

// GHSA-652x of oauth2-proxy (a restriction that silently stopped working), GHSA-8fpg of NextAuth (checks that a wrong option
// switches off): an option does what it says, or nobody starts with it.
func TestOptionsHaveAnEffectOrAreRefused(t *testing.T) {
	with := func(id string, change func(*provider.Options)) error {
		o := options(id)
		change(&o)
		_, err := provider.New(id, o, nil, nil)
		return err
	}
	no := false
	for name, err := range map[string]error{
		"hd for GitHub":           with("github", func(o *provider.Options) { o.HD = "corp.com" }),
		"prompt for Spotify":      with("spotify", func(o *provider.Options) { o.Prompt = "login" }),
		"pkce for Google":         with("google", func(o *provider.Options) { o.PKCE = &no }),
		"a tenant for Google":     with("google", func(o *provider.Options) { o.Tenant = "x" }),
		"no client id":            with("google", func(o *provider.Options) { o.ClientIDs = nil }),
		"an empty client id":      with("google", func(o *provider.Options) { o.ClientIDs = []string{""} }),
		"no secret":               with("google", func(o *provider.Options) { o.ClientSecret = "" }),
		"basic without secret":    with("figma", func(o *provider.Options) { o.ClientSecret = "" }),
		"cognito without pool":    with("cognito", func(o *provider.Options) { o.UserPoolID = "" }),
		"a pool that is a path":   with("cognito", func(o *provider.Options) { o.UserPoolID = "../evil" }),
		"tiktok without key":      with("tiktok", func(o *provider.Options) { o.ClientIDs = nil }),
		"paypal elsewhere":        with("paypal", func(o *provider.Options) { o.Environment = "test" }),
		"a tenant that is a path": with("microsoft", func(o *provider.Options) { o.Tenant = "a/../b" }),
		"an unknown name":         with("nobody", func(*provider.Options) {}),
		"a name that is a path":   with("../x", func(o *provider.Options) { o.DiscoveryURL = "https://a.example" }),
		"http":                    with("acme", func(o *provider.Options) { o.DiscoveryURL = "http://idp.example/.well-known/openid-configuration" }),
		"http by another name":    with("gitlab", func(o *provider.Options) { o.Issuer = "http://gitlab.example" }),
		"a host that only begins": with("acme", func(o *provider.Options) { o.DiscoveryURL = "http://127.0.0.1.evil.example" }),
		"a user in the URL":       with("acme", func(o *provider.Options) { o.DiscoveryURL = "https://a:b@idp.example" }),
		"a scheme":                with("acme", func(o *provider.Options) { o.DiscoveryURL = "file:///etc/passwd" }),
		"basic, generic, no secret": with("acme", func(o *provider.Options) {
			o.DiscoveryURL, o.ClientSecret, o.Authentication = "https://a.example", "", "basic"
		}),
		"none with a secret": with("acme", func(o *provider.Options) { o.DiscoveryURL, o.Authentication = "https://a.example", "none" }),
		"id_token without keys": with("acme", func(o *provider.Options) {
			o.AuthorizationURL, o.TokenURL, o.RequireIDToken = "https://a.example", "https://a.example", true
		}),
	} {
		if !errors.Is(err, provider.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "CSECRET") {
			t.Errorf("%s: the error holds the secret", name)
		}
	}
	for name, err := range map[string]error{
		"http on loopback":      with("acme", func(o *provider.Options) { o.DiscoveryURL = "http://127.0.0.1:1/x" }),
		"http on ::1":           with("acme", func(o *provider.Options) { o.DiscoveryURL = "http://[::1]:1/x" }),
		"http on localhost":     with("acme", func(o *provider.Options) { o.DiscoveryURL = "http://localhost:1/x" }),
		"generic named google":  with("google", func(o *provider.Options) { o.DiscoveryURL = "https://a.example" }),
		"cloudflare, no secret": with("cloudflare", func(o *provider.Options) { o.ClientSecret = "" }),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAuthorizationParameters(t *testing.T) {
	for _, c := range []struct {
		name, id string
		change   func(*provider.Options)
		a        provider.Authorization
		want     string
	}{
		{"reserved ones are ignored, others replace", "google", nil, provider.Authorization{Additional: []provider.Param{
			{Name: "state", Value: "EVIL"},
			{Name: "redirect_uri", Value: "https://evil.example"},
			{Name: "code_challenge", Value: "x"},
			{Name: "include_granted_scopes", Value: "false"},
			{Name: "x y", Value: "a~b*c'd"},
		}}, "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=CID&state=S&scope=email+profile+openid&redirect_uri=R&code_challenge_method=S256&code_challenge=C&include_granted_scopes=false&x+y=a%7Eb*c%27d"},
		{"all of Google's", "google", func(o *provider.Options) {
			o.Display, o.Prompt, o.HD, o.AccessType = "popup", "consent", "corp.com", "offline"
		}, provider.Authorization{LoginHint: "a@b"}, "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=CID&state=S&scope=email+profile+openid&redirect_uri=R&display=popup&login_hint=a%40b&prompt=consent&hd=corp.com&access_type=offline&code_challenge_method=S256&code_challenge=C&include_granted_scopes=true"},
		{"scopes in turn", "github", func(o *provider.Options) { o.Scopes = []string{"repo"} }, provider.Authorization{Scopes: []string{"gist", "repo"}}, "https://github.com/login/oauth/authorize?response_type=code&client_id=CID&state=S&scope=read%3Auser+user%3Aemail+repo+gist+repo&redirect_uri=R&code_challenge_method=S256&code_challenge=C"},
		{"Discord's the other way round", "discord", func(o *provider.Options) {
			o.Scopes, o.DisableDefaultScope = []string{"bot"}, true
			n := uint64(8)
			o.Permissions = &n
		}, provider.Authorization{Scopes: []string{"guilds"}}, "https://discord.com/api/oauth2/authorize?response_type=code&client_id=CID&state=S&scope=guilds+bot&redirect_uri=R&prompt=none&permissions=8"},
		{"Cognito's at the end", "cognito", func(o *provider.Options) { o.IdentityProvider = "Google" }, provider.Authorization{}, "https://pool.auth.example/oauth2/authorize?response_type=code&client_id=CID&state=S&redirect_uri=R&code_challenge_method=S256&code_challenge=C&identity_provider=Google&scope=openid%20profile%20email"},
		{"an endpoint with a query", "github", func(o *provider.Options) { o.AuthorizationURL = "https://ghe.example/a?keep=%20&state=x" }, provider.Authorization{}, "https://ghe.example/a?keep=%20&response_type=code&client_id=CID&state=S&scope=read%3Auser+user%3Aemail&redirect_uri=R&code_challenge_method=S256&code_challenge=C"},
		{"WeChat's fragment", "wechat", nil, provider.Authorization{Additional: []provider.Param{{Name: "appid", Value: "EVIL"}, {Name: "style", Value: "black"}}}, "https://open.weixin.qq.com/connect/qrconnect?scope=snsapi_login&response_type=code&appid=CID&redirect_uri=R&state=S&lang=cn&style=black#wechat_redirect"},
		{"PayPal live", "paypal", func(o *provider.Options) { o.Environment = "live" }, provider.Authorization{Scopes: []string{"ignored"}}, "https://www.paypal.com/signin/authorize?response_type=code&client_id=CID&state=S&redirect_uri=R&code_challenge_method=S256&code_challenge=C"},
	} {
		o := options(c.id)
		if c.change != nil {
			c.change(&o)
		}
		p, err := provider.New(c.id, o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.a.State, c.a.RedirectURI, c.a.Verifier = "S", "R", "VERIFIER"
		got, err := p.Authorize(c.a)
		want := strings.Replace(c.want, "code_challenge=C", "code_challenge=a1Y-Z7sHPycP84FUZMgqhDyqVo6DdP5EUEXrLaTUge0", 1)
		if err != nil || got != want {
			t.Errorf("%s\n got %s\nwant %s\n%v", c.name, got, want, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	secret := "the-secret"
	o := provider.Options{ClientIDs: []string{"CID"}, ClientSecret: secret}
	values := []any{o, &o, provider.Tokens{Access: &secret, ScopeText: secret, Raw: map[string]any{"access_token": secret}}, &provider.Tokens{Access: &secret, Raw: map[string]any{"a": secret}}}
	for _, v := range values {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{fmt.Sprint(v), fmt.Sprintf("%+v %#v %s %q %x", v, v, v, v, v), string(j), log.String()} {
			if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%T prints %s", v, text)
			}
		}
	}
}

func TestRules(t *testing.T) {
	for _, id := range []string{"google", "vercel", "acme"} {
		o := options(id)
		o.DisableSignUp, o.RequireEmailVerification = true, true
		if id == "acme" {
			o.DiscoveryURL = "https://a.example"
		}
		p, err := provider.New(id, o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := provider.Rules(p); r != (provider.AccountRules{DisableSignUp: true, RequireEmailVerification: true}) {
			t.Errorf("%s: %+v", id, r)
		}
	}
}

func TestGoogleAndGitHubUnderTheirNames(t *testing.T) {
	idp := oauthtest.Start(t)
	for id, want := range map[string]string{"google": "sub-alice", "github": "1001"} {
		p, err := provider.New(id, idp.PresetOptions(), idp.Client(), nil)
		if err != nil {
			t.Fatal(err)
		}
		i, err := signIn(t, idp, p)
		if err != nil || i.AccountID != want || i.Email != "alice@example.com" || !i.EmailVerified {
			t.Errorf("%s: %+v %v", id, i, err)
		}
	}
	// GitHub refuses with status 200.
	p, err := provider.New("github", idp.PresetOptions(), idp.Client(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Exchange(t.Context(), provider.Exchange{Code: "made-up", Verifier: verifier, RedirectURI: callback}); !errors.Is(err, provider.ErrExchange) {
		t.Errorf("a made-up code: %v", err)
	}
}
