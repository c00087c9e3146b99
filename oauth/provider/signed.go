package provider

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/oauth/provider/idtoken"
	"github.com/usherauth/usher/oauth/provider/wire"
)

// signed says how a preset's id_tokens are verified. Better Auth verifies those of native apps only and decodes the
// others; here both are verified, which changes nothing that an honest provider would notice.
type signed struct {
	issuers   []string                // {base} as in preset; empty: claims looks at the issuer
	pool      func(*Options) string   // issuer, and where the keys are below it, if neither is known beforehand (Cognito)
	jwks      string                  // "" asks the issuer's discovery document
	maxAge    time.Duration           // 0 is no limit
	nonceHash bool                    // native apps may send the nonce's SHA-256
	native    bool                    // native apps may sign in
	audiences func(*Options) []string // of native apps; nil is all client ids
	claims    func(*Options) func(*wire.Object) bool
	identify  func(context.Context, *standard, *wire.Object, *Tokens, Callback) (*Identity, error)
}

// person maps verified claims.
func (g *signed) person(ctx context.Context, s *standard, claims *wire.Object, t *Tokens, cb Callback) (*Identity, error) {
	if g.identify != nil {
		return g.identify(ctx, s, claims, t, cb)
	}
	return s.user.identity(claims)
}

// prepare makes the keys and the rule for native apps.
func (g *signed) prepare(s *standard) (*idtoken.Keys, idtoken.Rule) {
	r := idtoken.Rule{Audiences: s.o.ClientIDs, Algorithms: []string{"RS256"}, MaxAge: g.maxAge}
	base := ""
	if s.base != nil {
		base = trimBase(s.base(&s.o))
	}
	for _, iss := range g.issuers {
		r.Issuers = append(r.Issuers, expand(iss, base))
	}
	if g.audiences != nil {
		r.Audiences = g.audiences(&s.o)
	}
	if g.claims != nil {
		r.Claims = g.claims(&s.o)
	}
	jwks := idtoken.At(expand(g.jwks, base))
	switch {
	case g.pool != nil:
		r.Issuers = []string{g.pool(&s.o)}
		jwks = idtoken.At(g.pool(&s.o) + "/.well-known/jwks.json")
	case g.jwks == "":
		d := &discovery{
			url: base + "/.well-known/openid-configuration", issuer: base, caller: s.client.caller, now: s.client.now,
			turn: make(chan struct{}, 1), usable: func(m *metadata) error {
				if m.jwks == "" {
					return errors.New("no keys")
				}
				return nil
			},
		}
		jwks = func(ctx context.Context) (string, error) {
			m, err := d.get(ctx)
			if err != nil {
				return "", err
			}
			return m.jwks, nil
		}
	}
	return idtoken.NewKeys(jwks, s.client.caller, s.client.now), r
}
