package provider_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/provider"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func timed(t *testing.T, idp *oauthtest.IdP, c *clock) provider.Provider {
	t.Helper()
	idp.Clock(c.now)
	p, err := provider.New("acme", idp.Options(), idp.Client(), c.now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// verifies asks with a token of now.
func verifies(t *testing.T, idp *oauthtest.IdP, p provider.Provider) error {
	t.Helper()
	_, err := p.(provider.IDTokenVerifier).VerifyIDToken(t.Context(), idp.IDToken(oauthtest.Alice(), "", ""), "")
	return err
}

// go-oidc fetches the keys for every unknown key id; anybody can make those up.
func TestUnknownKeyIDsDoNotFloodTheProvider(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	c := newClock()
	p := timed(t, idp, c)
	if err := verifies(t, idp, p); err != nil {
		t.Fatal(err)
	}
	idp.Lie(oauthtest.Lies{UnknownKey: true})
	for range 50 {
		if err := verifies(t, idp, p); !errors.Is(err, provider.ErrIDToken) {
			t.Fatal(err)
		}
	}
	if n := idp.Calls(oauthtest.JWKS); n != 2 {
		t.Errorf("the keys were asked for %d times", n)
	}
	c.pass(31 * time.Second)
	if err := verifies(t, idp, p); err == nil {
		t.Error("an unknown key passed")
	}
	if n := idp.Calls(oauthtest.JWKS); n != 3 {
		t.Errorf("after the pause the keys were asked for %d times", n)
	}
	// A wrong signature under a known id is no reason to ask at all.
	idp.Lie(oauthtest.Lies{StolenKeyID: true})
	c.pass(31 * time.Second)
	if err := verifies(t, idp, p); err == nil || idp.Calls(oauthtest.JWKS) != 3 {
		t.Errorf("%v, %d calls", err, idp.Calls(oauthtest.JWKS))
	}
}

func TestRotatedKeysAreFoundAtOnceByAll(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	c := newClock()
	p := timed(t, idp, c)
	old := idp.IDToken(oauthtest.Alice(), "", "")
	if err := verifies(t, idp, p); err != nil {
		t.Fatal(err)
	}
	idp.Rotate("ES256")
	idp.Break(oauthtest.JWKS, oauthtest.Fault{Slow: 50 * time.Millisecond})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := verifies(t, idp, p); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := idp.Calls(oauthtest.JWKS); n != 2 {
		t.Errorf("the keys were asked for %d times", n)
	}
	if _, err := p.(provider.IDTokenVerifier).VerifyIDToken(t.Context(), old, ""); err == nil {
		t.Error("a key that was withdrawn still verifies")
	}
}

func TestKeysAge(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	c := newClock()
	p := timed(t, idp, c)
	ask := func(want error, calls int) {
		t.Helper()
		if err := verifies(t, idp, p); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		if n := idp.Calls(oauthtest.JWKS); n != calls {
			t.Errorf("the keys were asked for %d times, not %d", n, calls)
		}
	}
	ask(nil, 1)
	c.pass(9 * time.Minute)
	ask(nil, 1)
	c.pass(2 * time.Minute)
	ask(nil, 2)
	idp.Break(oauthtest.JWKS, oauthtest.Fault{Status: 503})
	c.pass(11 * time.Minute)
	ask(nil, 3) // the provider is down: the keys of eleven minutes ago will do
	ask(nil, 3) // and it is not asked again at once
	c.pass(4 * time.Second)
	ask(nil, 4)
	c.pass(time.Hour)
	ask(provider.ErrIDToken, 5) // but not for ever
	ask(provider.ErrIDToken, 5)
	idp.Mend()
	c.pass(4 * time.Second)
	ask(nil, 6)
}

func TestKeySetsWithJunk(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"junk": {Body: "<html>"}, "no keys": {Body: `{}`}, "an empty set": {Body: `{"keys":[]}`}, "null": {Body: `{"keys":null}`},
		"a symmetric key": {Body: `{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}]}`}, "keys of no kind": {Body: `{"keys":[{"kty":"XX"},1,null]}`},
		"2 MiB": {Huge: true}, "down": {Down: true}, "a redirect": {Redirect: "/token"}, "500": {Status: 500},
	} {
		idp := oauthtest.Start(t)
		idp.Rotate("ES256")
		idp.Break(oauthtest.JWKS, fault)
		p := timed(t, idp, newClock())
		if err := verifies(t, idp, p); !errors.Is(err, provider.ErrIDToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A provider that cannot be discovered is absent, and there as soon as it can.
func TestDiscoveryIsTriedAgain(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"down": {Down: true}, "500": {Status: 500}, "junk": {Body: "<html>"}, "2 MiB": {Huge: true}, "a redirect": {Redirect: "/jwks"},
		"empty":           {Body: `{}`},
		"http elsewhere":  {Body: `{"issuer":"https://a.example","authorization_endpoint":"http://a.example/a","token_endpoint":"https://a.example/t"}`},
		"an issuer twice": {Body: `{"issuer":"https://a.example","issuer":"https://b.example","authorization_endpoint":"https://a.example/a","token_endpoint":"https://a.example/t"}`},
	} {
		t.Run(name, func(t *testing.T) {
			idp := oauthtest.Start(t)
			idp.Break(oauthtest.Discovery, fault)
			c := newClock()
			p := timed(t, idp, c)
			d := p.(provider.Discoverer)
			for range 3 {
				if err := d.Discover(t.Context()); !errors.Is(err, provider.ErrAbsent) {
					t.Errorf("got %v", err)
				}
				if _, err := p.Authorize(provider.Authorization{State: state}); !errors.Is(err, provider.ErrAbsent) {
					t.Errorf("authorize: %v", err)
				}
			}
			if n := idp.Calls(oauthtest.Discovery); n != 1 {
				t.Errorf("asked %d times at once", n)
			}
			idp.Mend()
			c.pass(3 * time.Second)
			if err := d.Discover(t.Context()); err != nil {
				t.Error(err)
			}
			if err := d.Discover(t.Context()); err != nil || idp.Calls(oauthtest.Discovery) != 2 {
				t.Errorf("%v, asked %d times", err, idp.Calls(oauthtest.Discovery))
			}
		})
	}
}

func TestDiscoveryMayBeHeldToAnIssuer(t *testing.T) {
	idp := oauthtest.Start(t)
	for issuer, good := range map[string]bool{idp.URL: true, "https://other.example": false} {
		o := idp.Options()
		o.Issuer = issuer
		if err := acme(t, idp, o).(provider.Discoverer).Discover(t.Context()); (err == nil) != good {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

// An algorithm list of nothing we know must not read as "any".
func TestNoCommonAlgorithm(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	idp.Lie(oauthtest.Lies{Metadata: map[string]any{"id_token_signing_alg_values_supported": []string{"HS256", "none"}}})
	if _, err := signIn(t, idp, acme(t, idp, idp.Options())); !errors.Is(err, provider.ErrUserInfo) {
		t.Errorf("got %v", err)
	}
}

// Ten seconds, and not one more, for a provider that says nothing.
func TestCallsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := provider.New("github", provider.Options{ClientIDs: []string{"CID"}, ClientSecret: "CSECRET"}, silent(), nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := p.Exchange(t.Context(), provider.Exchange{Code: "c", Verifier: "v"}); !errors.Is(err, provider.ErrExchange) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestWithoutIDToken(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	idp.Lie(oauthtest.Lies{NoIDToken: true})
	if i, err := signIn(t, idp, acme(t, idp, idp.Options())); err != nil || i.AccountID != "sub-alice" {
		t.Errorf("Better Auth takes userinfo then: %+v %v", i, err)
	}
	o := idp.Options()
	o.RequireIDToken = true
	if _, err := signIn(t, idp, acme(t, idp, o)); !errors.Is(err, provider.ErrUserInfo) {
		t.Errorf("required: %v", err)
	}
}

// Without discovery nobody can verify an id_token: reading it unverified is what Better Auth does, and we do not.
func TestPlainOAuth2(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Rotate("ES256")
	o := provider.Options{
		ClientIDs: []string{oauthtest.ClientID}, ClientSecret: oauthtest.ClientSecret, AuthorizationURL: idp.URL + "/authorize",
		TokenURL: idp.URL + "/token", UserInfoURL: idp.URL + "/userinfo",
	}
	if _, err := signIn(t, idp, acme(t, idp, o)); !errors.Is(err, provider.ErrUserInfo) {
		t.Errorf("an id_token nobody verified: %v", err)
	}
	idp.Lie(oauthtest.Lies{NoIDToken: true, UserInfo: map[string]any{"id": 7}})
	if i, err := signIn(t, idp, acme(t, idp, o)); err != nil || i.AccountID != "7" {
		t.Errorf("%+v %v", i, err)
	}
	idp.Lie(oauthtest.Lies{NoIDToken: true})
	if _, err := signIn(t, idp, acme(t, idp, o)); !errors.Is(err, provider.ErrUserInfo) {
		t.Errorf("no id: %v", err)
	}
}
