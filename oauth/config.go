package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
)

// Store is what signing in reads and writes; *accounts.Store is one.
type Store interface {
	endpoint.Sessions
	CreateSession(ctx context.Context, s *record.Session, u *record.User) error
	PutVerification(ctx context.Context, identifier, value string, expiresAt, now time.Time) error
	FindVerification(ctx context.Context, identifier string) (value string, found bool, err error)
	TakeVerification(ctx context.Context, identifier string) (value string, found bool, err error)
	SweepVerifications(ctx context.Context, before time.Time) error
	Identify(ctx context.Context, providerID, accountID, email string, do func(accounts.Tx) error) error
	Shape() record.Shape
}

// Config is what a Server needs. Required are BaseURL, Origins, Keys, Cookies, Reader, Store and Log.
type Config struct {
	BaseURL  string // the origin browsers know us by, without a path
	BasePath string // before every route; empty: /api/auth
	ErrorURL string // onAPIError.errorURL; empty: our own page, BaseURL + BasePath + /error

	Origins *flow.Origins
	Keys    *seal.Keys // of all secrets, for what is sealed
	Cookies *betterauth.Cookies
	Reader  *betterauth.Reader // proves cookies and bearers
	Store   Store

	Providers []provider.Provider // no two of one id
	// IDPInitiated are the ids of those at which a flow may begin (allowIdpInitiated): a callback without a state starts a
	// sign-in of its own there, whose code is thrown away.
	IDPInitiated []string

	Accounts Accounts
	State    StateOptions
	Sessions Sessions

	Proxies gate.Proxies
	Limiter endpoint.Limiter // nil: nobody is limited
	Routes  []endpoint.Route // of the other rooms, on the same router

	Observe func(Event)      // the audit log; nil: nobody listens. It must not block
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger
}

// Accounts are Better Auth's options below account. The zero value is its defaults.
type Accounts struct {
	EncryptTokens bool // encryptOAuthTokens
	KeepTokens    bool // updateAccountOnSignIn: false

	TrustedProviders        []string // accountLinking.trustedProviders
	LinkingDisabled         bool     // accountLinking.enabled: false
	ImplicitLinkingDisabled bool     // accountLinking.disableImplicitLinking
	AnyLocalEmail           bool     // accountLinking.requireLocalEmailVerified: false
	DifferentEmails         bool     // accountLinking.allowDifferentEmails
	UpdateUserOnLink        bool     // accountLinking.updateUserInfoOnLink
}

// StateOptions say where a state is kept. The zero value is Better Auth's default: a row and a signed cookie.
type StateOptions struct {
	InCookie        bool // account.storeStateStrategy: cookie
	Hashed          bool // verification.storeIdentifier: hashed
	SkipCookieCheck bool // account.skipStateCookieCheck: no protection against login CSRF any more
}

// Sessions are Better Auth's options below session.
type Sessions struct {
	ExpiresIn time.Duration // 0: seven days
	UpdateAge time.Duration // as in endpoint.Config
	FreshAge  time.Duration // as in endpoint.Config
}

func (c *Config) check() error {
	switch {
	case c.BaseURL == "" || c.Origins == nil || c.Keys == nil || c.Cookies == nil || c.Reader == nil || c.Store == nil || c.Log == nil:
		return errors.New("oauth: BaseURL, Origins, Keys, Cookies, Reader, Store and Log are required")
	case c.Origins.Base() != c.BaseURL:
		return fmt.Errorf("oauth: the base URL is %s, but its origin %s", c.BaseURL, c.Origins.Base())
	}
	if c.ErrorURL != "" {
		if _, ok := flow.ErrorURL(c.ErrorURL, "x", ""); !ok {
			return fmt.Errorf("oauth: %q is no URL for errors; write a path or an absolute http(s) URL", c.ErrorURL)
		}
	}
	seen := map[string]bool{}
	for _, p := range c.Providers {
		if seen[p.ID()] {
			return fmt.Errorf("oauth: two providers are called %s", p.ID())
		}
		seen[p.ID()] = true
	}
	return nil
}
