package provider_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/provider"
)

const (
	state    = "STATE"
	nonce    = "the-nonce"
	verifier = "a-verifier-of-some-length-that-nobody-would-guess"
	callback = "https://app.example/api/auth/callback/acme"
)

func acme(t *testing.T, idp *oauthtest.IdP, o provider.Options) provider.Provider {
	t.Helper()
	p, err := provider.New("acme", o, idp.Client(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// visit is everything between the button and the code: discovery, the authorization URL, the provider's consent.
func visit(t *testing.T, idp *oauthtest.IdP, p provider.Provider) *url.URL {
	t.Helper()
	if d, ok := p.(provider.Discoverer); ok {
		if err := d.Discover(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a := provider.Authorization{State: state, Verifier: verifier, RedirectURI: callback}
	if s, ok := p.(provider.Signer); ok && s.WantsNonce() {
		a.Nonce = nonce
	}
	to, err := p.Authorize(a)
	if err != nil {
		t.Fatal(err)
	}
	back, err := idp.Consent(to)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func exchange(t *testing.T, p provider.Provider, back *url.URL) (*provider.Tokens, error) {
	t.Helper()
	return p.Exchange(t.Context(), provider.Exchange{Code: back.Query().Get("code"), Verifier: verifier, RedirectURI: callback})
}

// signIn is the whole way; err is of whichever step failed.
func signIn(t *testing.T, idp *oauthtest.IdP, p provider.Provider) (*provider.Identity, error) {
	t.Helper()
	tokens, err := exchange(t, p, visit(t, idp, p))
	if err != nil {
		return nil, err
	}
	cb := provider.Callback{}
	if s, ok := p.(provider.Signer); ok && s.WantsNonce() {
		cb.Nonce = nonce
	}
	return p.Identify(t.Context(), tokens, cb)
}

func TestGenericSignsIn(t *testing.T) {
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		idp := oauthtest.Start(t)
		idp.Rotate(algorithm)
		i, err := signIn(t, idp, acme(t, idp, idp.Options()))
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if i.AccountID != "sub-alice" || i.Email != "alice@example.com" || !i.EmailVerified || i.Name != "Alice Liddell" ||
			i.Image == nil || *i.Image != "https://img.example/alice.png" {
			t.Errorf("%s: %+v", algorithm, i)
		}
		if n := idp.Calls(oauthtest.UserInfo); n != 0 {
			t.Errorf("%s: userinfo asked %d times although the id_token says it all", algorithm, n)
		}
		if !strings.HasPrefix(string(i.Raw), `{"id":"sub-alice","emailVerified":true,"image":"https://img.example/alice.png",`) {
			t.Errorf("%s: profile %s", algorithm, i.Raw)
		}
	}
}

func TestGenericAsksUserInfoWhereTheTokenHasNoEmail(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Lie(oauthtest.Lies{Claims: map[string]any{"email": nil}})
	i, err := signIn(t, idp, acme(t, idp, idp.Options()))
	if err != nil || i.AccountID != "sub-alice" || i.Email != "alice@example.com" || !i.EmailVerified {
		t.Fatalf("%+v %v", i, err)
	}
	if n := idp.Calls(oauthtest.UserInfo); n != 1 {
		t.Errorf("userinfo asked %d times", n)
	}
}

// An id_token is worth what its verification is worth. GHSA-r4xp, GHSA-p2fr (an audience that nobody
// compares), mix-up and the alg confusions of every JWT library.
func TestGenericRefusesWhatIsNotSignedForUs(t *testing.T) {
	for name, lies := range map[string]oauthtest.Lies{
		"another issuer":               {Issuer: "https://evil.example"},
		"issuer of no text":            {Claims: map[string]any{"iss": 1}},
		"another audience":             {Audience: "client-2"},
		"no audience":                  {Claims: map[string]any{"aud": nil}},
		"an audience of numbers":       {Claims: map[string]any{"aud": []any{oauthtest.ClientID, 1}}},
		"issued to another party":      {Claims: map[string]any{"aud": []any{oauthtest.ClientID, "client-2"}, "azp": "client-2"}},
		"another nonce":                {Nonce: "of-another-flow"},
		"no nonce":                     {Claims: map[string]any{"nonce": nil}},
		"expired":                      {Expired: true},
		"no expiry":                    {Claims: map[string]any{"exp": nil}},
		"expiry in milliseconds":       {Claims: map[string]any{"exp": time.Now().Add(time.Hour).UnixMilli()}},
		"expiry as text":               {Claims: map[string]any{"exp": "4102444800"}},
		"issued two hours ago":         {IssuedAt: -2 * time.Hour},
		"issued in the future":         {IssuedAt: 10 * time.Minute},
		"no time of issue":             {Claims: map[string]any{"iat": nil}},
		"not yet valid":                {Claims: map[string]any{"nbf": time.Now().Add(10 * time.Minute).Unix()}},
		"alg none":                     {Algorithm: "none"},
		"HS256 with the public key":    {Algorithm: "HS256"},
		"a key that is not in the set": {UnknownKey: true},
		"a key under the true id":      {StolenKeyID: true},
		"no subject":                   {Claims: map[string]any{"sub": nil}},
		"an empty subject":             {Claims: map[string]any{"sub": ""}},
		"a subject undefined":          {Sub: "undefined"},
		"a subject null":               {Sub: "null"},
		"a subject NaN":                {Sub: "NaN"},
		"a subject of blanks":          {Sub: "  "},
		"a subject that is a number":   {Claims: map[string]any{"sub": 42}},
	} {
		t.Run(name, func(t *testing.T) {
			idp := oauthtest.Start(t)
			idp.Rotate("ES256")
			idp.Lie(lies)
			i, err := signIn(t, idp, acme(t, idp, idp.Options()))
			if i != nil || !errors.Is(err, provider.ErrUserInfo) {
				t.Errorf("got %+v, %v", i, err)
			}
			if n := idp.Calls(oauthtest.UserInfo); n != 0 {
				t.Errorf("userinfo asked %d times after a refused id_token", n)
			}
		})
	}
}

func TestGenericRefusesUserInfoOfAnother(t *testing.T) {
	for name, lies := range map[string]oauthtest.Lies{
		"another subject":  {UserInfoSub: "sub-mallory"},
		"no subject":       {UserInfo: map[string]any{"sub": nil}},
		"a number":         {UserInfo: map[string]any{"sub": 1}},
		"without id_token": {NoIDToken: true, UserInfo: map[string]any{"sub": "undefined"}},
	} {
		t.Run(name, func(t *testing.T) {
			idp := oauthtest.Start(t)
			idp.Rotate("ES256")
			lies.Claims = map[string]any{"email": nil}
			idp.Lie(lies)
			if i, err := signIn(t, idp, acme(t, idp, idp.Options())); i != nil || !errors.Is(err, provider.ErrUserInfo) {
				t.Errorf("got %+v, %v", i, err)
			}
		})
	}
}

func TestGenericRefusesJunkAsUserInfo(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"HTML":            {Body: "<html>"},
		"an array":        {Body: `[{"sub":"sub-alice"}]`},
		"a member twice":  {Body: `{"sub":"sub-alice","email":"alice@example.com","email":"mallory@example.com"}`},
		"two objects":     {Body: `{"sub":"sub-alice"}{"sub":"sub-mallory"}`},
		"cut off":         {Body: `{"sub":"sub-alice"`},
		"no UTF-8":        {Body: "{\"sub\":\"sub-alice\",\"name\":\"\xff\"}"},
		"nested too deep": {Body: `{"sub":"sub-alice","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`},
		"2 MiB":           {Huge: true},
		"500":             {Status: 500},
		"401":             {Status: 401},
		"down":            {Down: true},
		"a redirect":      {Redirect: "/token"},
	} {
		t.Run(name, func(t *testing.T) {
			idp := oauthtest.Start(t)
			idp.Rotate("ES256")
			idp.Lie(oauthtest.Lies{Claims: map[string]any{"email": nil}})
			idp.Break(oauthtest.UserInfo, fault)
			if i, err := signIn(t, idp, acme(t, idp, idp.Options())); i != nil || !errors.Is(err, provider.ErrUserInfo) {
				t.Errorf("got %+v, %v", i, err)
			}
		})
	}
}

func TestExchangeFails(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"down":                 {Down: true},
		"500":                  {Status: 500},
		"400":                  {Status: 400},
		"HTML":                 {Body: "<html>"},
		"a redirect":           {Redirect: "/token"},
		"2 MiB":                {Huge: true},
		"no access_token":      {Body: `{"token_type":"Bearer"}`},
		"an empty one":         {Body: `{"access_token":""}`},
		"one that is no text":  {Body: `{"access_token":1}`},
		"two access_tokens":    {Body: `{"access_token":"a","access_token":"b"}`},
		"an error beside it":   {Body: `{"access_token":"a","error":"invalid_grant"}`},
		"only an error":        {Body: `{"error":"bad_verification_code"}`},
		"an object in a list":  {Body: `[{"access_token":"a"}]`},
		"members differ by os": {Body: `{"Access_Token":"a"}`},
	} {
		t.Run(name, func(t *testing.T) {
			idp := oauthtest.Start(t)
			idp.Rotate("ES256")
			p := acme(t, idp, idp.Options())
			back := visit(t, idp, p)
			idp.Break(oauthtest.Token, fault)
			tokens, err := exchange(t, p, back)
			if tokens != nil || !errors.Is(err, provider.ErrExchange) {
				t.Errorf("got %v, %v", tokens, err)
			}
			if n := idp.Calls(oauthtest.Token); n != 1 {
				t.Errorf("the token endpoint was asked %d times", n)
			}
		})
	}
}

// A slow provider costs its caller no longer than the caller wants to wait.
func TestExchangeLeavesWithItsCaller(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	p := acme(t, idp, idp.Options())
	back := visit(t, idp, p)
	idp.Break(oauthtest.Token, oauthtest.Fault{Slow: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := p.Exchange(ctx, provider.Exchange{Code: back.Query().Get("code"), Verifier: verifier, RedirectURI: callback})
	if !errors.Is(err, provider.ErrExchange) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// BA GHSA-86j7, tinyauth GHSA-xg2q, zitadel GHSA-xqxv, BA GHSA-7w99, authentik GHSA-mrx3: a code is good once, with its verifier, for its redirect URI.
func TestOneCodeOneExchange(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	p := acme(t, idp, idp.Options())
	back := visit(t, idp, p)
	if _, err := exchange(t, p, back); err != nil {
		t.Fatal(err)
	}
	if _, err := exchange(t, p, back); !errors.Is(err, provider.ErrExchange) {
		t.Errorf("a code twice: %v", err)
	}
	if idp.Replays() != 1 {
		t.Errorf("%d replays counted", idp.Replays())
	}
	back = visit(t, idp, p)
	for name, e := range map[string]provider.Exchange{
		"no verifier":      {Code: back.Query().Get("code"), RedirectURI: callback},
		"another verifier": {Code: visit(t, idp, p).Query().Get("code"), Verifier: "another", RedirectURI: callback},
		"another redirect": {Code: visit(t, idp, p).Query().Get("code"), Verifier: verifier, RedirectURI: "https://evil.example"},
	} {
		if _, err := p.Exchange(t.Context(), e); !errors.Is(err, provider.ErrExchange) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	p := acme(t, idp, idp.Options())
	code := visit(t, idp, p).Query().Get("code")
	idp.Break(oauthtest.Token, oauthtest.Fault{
		Body: `{"error":"invalid_grant","error_description":"` + code + ` and ` + verifier + ` and ` + oauthtest.ClientSecret + strings.Repeat(" long", 100) + `\u001b[31m\n"}`,
	})
	_, err := p.Exchange(t.Context(), provider.Exchange{Code: code, Verifier: verifier, RedirectURI: callback})
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{code, verifier, oauthtest.ClientSecret, "\x1b", "\n"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds %q: %v", secret, err)
		}
	}
	if len(err.Error()) > 300 || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("%d bytes: %v", len(err.Error()), err)
	}
}

func TestTheNonceMustNotBeLost(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	p := acme(t, idp, idp.Options())
	tokens, err := exchange(t, p, visit(t, idp, p))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Identify(t.Context(), tokens, provider.Callback{}); !errors.Is(err, provider.ErrNoNonce) {
		t.Errorf("without nonce: %v", err)
	}
	if _, err := p.Identify(t.Context(), tokens, provider.Callback{Stored: true}); err != nil {
		t.Errorf("from the account table: %v", err)
	}
}

// NextAuth GHSA-x445, RFC 9207: an answer of one provider must not pass for another's.
func TestCheckIssuer(t *testing.T) {
	idp := oauthtest.Start(t)
	p := acme(t, idp, idp.Options())
	back := visit(t, idp, p)
	s := p.(provider.Signer)
	for iss, good := range map[string]bool{back.Query().Get("iss"): true, "https://evil.example": false, "": false, idp.URL + "/": false} {
		if err := s.CheckIssuer(iss); (err == nil) != good || err != nil && !errors.Is(err, provider.ErrIssuer) {
			t.Errorf("%q: %v", iss, err)
		}
	}
	idp.Lie(oauthtest.Lies{Metadata: map[string]any{"authorization_response_iss_parameter_supported": nil}})
	p = acme(t, idp, idp.Options())
	visit(t, idp, p)
	if err := p.(provider.Signer).CheckIssuer(""); err != nil {
		t.Errorf("a provider that did not announce iss: %v", err)
	}
}

func TestEndSession(t *testing.T) {
	idp := oauthtest.Start(t)
	o := idp.Options()
	p := acme(t, idp, o)
	if _, ok := p.(provider.Ender).EndSession("IDT", "", ""); ok {
		t.Error("an end before discovery")
	}
	visit(t, idp, p)
	for _, c := range []struct{ redirect, token, state, want string }{
		{"", "IDT", "S", "?id_token_hint=IDT"},
		{"", "", "", "?client_id=client-1"},
		{"https://app.example/bye", "IDT", "S", "?id_token_hint=IDT&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye&client_id=client-1&state=S"},
	} {
		o.PostLogoutRedirect = c.redirect
		p := acme(t, idp, o)
		visit(t, idp, p)
		if got, ok := p.(provider.Ender).EndSession(c.token, "", c.state); !ok || got != idp.URL+"/end-session"+c.want {
			t.Errorf("%+v: %q %v", c, got, ok)
		}
	}
}

func TestGenericRefreshes(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	o := idp.Options()
	o.Authentication = "basic"
	p := acme(t, idp, o)
	tokens, err := exchange(t, p, visit(t, idp, p))
	if err != nil {
		t.Fatal(err)
	}
	log := idp.Log(oauthtest.Token)
	if got := log[0].Header.Get("Authorization"); got != "Basic Y2xpZW50LTE6c2VjJTJGcmV0JTNBeA==" {
		t.Errorf("Authorization: %s", got)
	}
	fresh, err := p.(provider.Refresher).Refresh(t.Context(), *tokens.Refresh)
	if err != nil || fresh.Access == nil || *fresh.Access == *tokens.Access {
		t.Errorf("%v %v", fresh, err)
	}
	if _, err := p.(provider.Refresher).Refresh(t.Context(), "unknown"); !errors.Is(err, provider.ErrRefresh) {
		t.Errorf("an unknown refresh token: %v", err)
	}
}

func TestNativeAppsSignIn(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	p := acme(t, idp, idp.Options())
	v := p.(provider.IDTokenVerifier)
	token := idp.IDToken(oauthtest.Alice(), nonce, "")
	for n, good := range map[string]bool{"": true, nonce: true, "another": false} {
		if i, err := v.VerifyIDToken(t.Context(), token, n); (err == nil && i.AccountID == "sub-alice") != good || err != nil && !errors.Is(err, provider.ErrIDToken) {
			t.Errorf("nonce %q: %v", n, err)
		}
	}
	parts := strings.Split(token, ".")
	asJSON := `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
	for _, junk := range []string{asJSON, asJSON + "..", "", "x", "a.b.c", "..", token + "x", strings.Repeat("a", 100<<10) + ".b.c"} {
		if _, err := v.VerifyIDToken(t.Context(), junk, ""); !errors.Is(err, provider.ErrIDToken) {
			t.Errorf("%.20q: %v", junk, err)
		}
	}
	nobody := oauthtest.Alice()
	nobody.Sub = "undefined"
	mailless := oauthtest.Alice()
	mailless.Email = ""
	for _, person := range []oauthtest.Person{nobody, mailless} {
		if _, err := v.VerifyIDToken(t.Context(), idp.IDToken(person, "", ""), ""); !errors.Is(err, provider.ErrUserInfo) || errors.Is(err, provider.ErrIDToken) {
			t.Errorf("a good token that names nobody: %v", err)
		}
	}
	o := idp.Options()
	o.DisableIDTokenSignIn = true
	if _, can := acme(t, idp, o).(provider.IDTokenVerifier); can {
		t.Error("sign-in with id_tokens is switched off and still there")
	}
}

func TestVerifiedMailHasOneReading(t *testing.T) {
	for email, verified := range map[string]bool{
		"alice@example.com":        true,
		"Jörg@example.com":         true,
		"a@evil@corp.com":          false, // GHSA-c5c4, CVE-2026-40574
		"a＠corp.com@evil.example":  false, // GHSA-7rqj
		"a@c\u043erp.com":          false, // Cyrillic o
		"a@corp.com\n":             false,
		"a b@corp.com":             false,
		"\"a\"@corp.com":           false,
		"@corp.com":                false,
		"a@":                       false,
		"<a@corp.com>":             false,
		"a@corp.com,b@example.com": false,
	} {
		idp := oauthtest.Start(t)
		idp.Rotate("ES256")
		person := oauthtest.Alice()
		person.Email = email
		idp.Sit(person)
		i, err := signIn(t, idp, acme(t, idp, idp.Options()))
		if err != nil || i.EmailVerified != verified || i.Email != email {
			t.Errorf("%q: %+v %v", email, i, err)
		}
	}
}
