package provider

import (
	"context"
	"encoding/json"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// Param is one name and value of a query or a form.
type Param = wire.Param

// Provider is one identity provider. Implementations are safe for concurrent use.
type Provider interface {
	// ID is the provider's word in URLs and in the account table, Name is for people.
	ID() string
	Name() string
	// Authorize is the URL a person is sent to, parameters in Better Auth's order. It makes no call; a provider that is
	// not discovered yet answers ErrAbsent, see Discoverer.
	Authorize(Authorization) (string, error)
	// Exchange trades a code for tokens; ErrExchange when the provider refuses, is down or talks junk.
	Exchange(context.Context, Exchange) (*Tokens, error)
	// Identify says whom the tokens speak of; ErrUserInfo when that cannot be said with certainty, ErrNoNonce when the
	// flow lost its nonce.
	Identify(context.Context, *Tokens, Callback) (*Identity, error)
}

// Authorization is what an authorization URL depends on. Verifier is the PKCE verifier, of which the challenge is sent.
type Authorization struct {
	State, Verifier, Nonce, RedirectURI, LoginHint string
	Scopes                                         []string // besides the configured ones
	Additional                                     []Param  // names the flow owns (state, scope, …) are ignored
}

// Exchange is what a token request depends on. DeviceID comes with the callback of VK.
type Exchange struct{ Code, Verifier, RedirectURI, DeviceID string }

// Callback is what else is known when tokens are read.
type Callback struct {
	Nonce string // sent with the authorization; "" where Signer.WantsNonce is false
	// AppleUser is the unsigned `user` JSON of Apple's form post. It gives a name to show and nothing else: whoever
	// holds the browser may write it.
	AppleUser string
	// Stored says the tokens come from our own account table: they were verified when they arrived, and may have expired
	// since. Only account-info sets it.
	Stored bool
}

// Identity is whom a provider vouches for.
type Identity struct {
	// AccountID is never empty, and never one of the words a careless provider sends for nothing ("undefined", "null").
	AccountID string
	// Email is as the provider wrote it, "" if it has none. EmailVerified is true only for an address that can be read in
	// one way.
	Email, Name   string
	Image         *string
	EmailVerified bool
	Raw           json.RawMessage // the profile as Better Auth's account-info shows it
}

// IDTokenVerifier is what providers can that let a native app sign in with an id_token it got itself. Providers whose
// configuration forbids it do not implement it.
type IDTokenVerifier interface {
	// VerifyIDToken compares nonce only if it is not empty, as Better Auth does. ErrIDToken refuses; ErrUserInfo says that
	// a good token names nobody; ErrOpaqueToken that it is none, which Facebook's may be.
	VerifyIDToken(ctx context.Context, token, nonce string) (*Identity, error)
}

// Refresher is what providers can that renew access tokens. ErrRefresh when it did not work. The answer's Refresh is
// nil where the old one stays good.
type Refresher interface {
	Refresh(ctx context.Context, refreshToken string) (*Tokens, error)
}

// Discoverer is what providers can that must be asked about themselves first. Call Discover before anything else of a
// sign-in; it returns at once when it worked before. ErrAbsent: treat the provider as not there (Better Auth answers
// PROVIDER_NOT_FOUND), and try again next time.
type Discoverer interface {
	Discover(ctx context.Context) error
}

// Signer is what providers can whose callbacks and id_tokens are bound to their issuer.
type Signer interface {
	WantsNonce() bool // Authorization.Nonce and Callback.Nonce must be set
	Issuer() string   // what `iss` of a callback must be (RFC 9207); "" before discovery
	// CheckIssuer compares the `iss` of a callback, "" if it had none; ErrIssuer refuses. A provider that announced to
	// send it must.
	CheckIssuer(iss string) error
}

// Ender is what providers can where signing out may end the session at the provider, too.
type Ender interface {
	// EndSession is where that is done. back is where the provider leads afterwards, absolute; empty: what is configured.
	EndSession(idToken, back, state string) (url string, ok bool)
}

// AccountRules are what linking reads of a provider's options.
type AccountRules struct {
	DisableSignUp, DisableImplicitSignUp, OverrideUserInfoOnSignIn, RequireEmailVerification bool
}

// Rules are the account rules of a provider made by New. Another's may have a method of this name; else all are false.
func Rules(p Provider) AccountRules {
	if ruled, ok := p.(interface{ Rules() AccountRules }); ok {
		return ruled.Rules()
	}
	return AccountRules{}
}
