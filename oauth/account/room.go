package account

import (
	"context"
	"net/http"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
)

// Store is where users and accounts are kept; *accounts.Store is one.
type Store interface {
	AccountsOf(ctx context.Context, userID string) ([]record.Account, error)
	UpdateAccount(ctx context.Context, id string, change accounts.AccountChange, now time.Time) error
	Unlink(ctx context.Context, userID, id string, lastToo bool) (*record.Account, error)
	UpdateUser(ctx context.Context, id string, change accounts.UserChange, now time.Time) (*record.User, error)
	SessionsOf(ctx context.Context, userID string) ([]record.Session, error)
}

// Config is what a Room needs. Store is required, and Keys where tokens are encrypted.
type Config struct {
	Store     Store
	Shape     record.Shape // which columns there are
	Providers []provider.Provider
	BaseURL   string // our own origin, where EndSession leads back to

	EncryptTokens     bool       // encryptOAuthTokens: access and refresh tokens are sealed at rest
	Keys              *seal.Keys // of all secrets
	AllowUnlinkingAll bool       // accountLinking.allowUnlinkingAll: the last account may go

	// Forget tells whoever remembers a session that its user changed here. nil: nobody remembers.
	Forget func(token string)

	// Audit is told of every account that somebody unlinked. nil: nobody is.
	Audit func(ctx context.Context, e Event)
}

// Event is one entry of the audit log. It holds nothing that opens anything.
type Event struct {
	Action   string // unlink
	UserID   string
	Session  string // id of the session in which it was asked for
	Provider string // the provider's id
	Account  string // the identity's id at the provider
	Client   string // address
}

// Room is the routes of this package.
type Room struct {
	config    Config
	providers map[string]provider.Provider
	ends      bool // whether any of them may have an end-session endpoint
	turns     turns
}

// New makes a Room.
func New(c Config) *Room {
	if c.Store == nil || c.EncryptTokens && c.Keys == nil {
		panic("account: Store is required, and Keys where tokens are encrypted")
	}
	if c.Forget == nil {
		c.Forget = func(string) {}
	}
	if c.Audit == nil {
		c.Audit = func(context.Context, Event) {}
	}
	rm := &Room{config: c, providers: make(map[string]provider.Provider, len(c.Providers))}
	for _, p := range c.Providers {
		rm.providers[p.ID()] = p
		_, ender := p.(provider.Ender)
		rm.ends = rm.ends || ender
	}
	return rm
}

// Routes are what the Room answers.
func (rm *Room) Routes() []endpoint.Route {
	return []endpoint.Route{
		{Method: http.MethodGet, Path: "/list-accounts", Handler: rm.list},
		{Method: http.MethodPost, Path: "/unlink-account", Handler: rm.unlink},
		{Method: http.MethodPost, Path: "/get-access-token", Handler: rm.accessToken},
		{Method: http.MethodPost, Path: "/refresh-token", Handler: rm.refreshToken},
		{Method: http.MethodGet, Path: "/account-info", Handler: rm.profile},
		{Method: http.MethodPost, Path: "/update-user", Handler: rm.updateUser},
	}
}

// refused is one of the library's 400s.
func refused(code, message string) error {
	return &endpoint.Error{Status: http.StatusBadRequest, Code: code, Message: message}
}

func notFound() error { return refused("ACCOUNT_NOT_FOUND", "Account not found") }
