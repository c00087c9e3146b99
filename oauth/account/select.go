package account

import (
	"context"
	"errors"
	"net/http"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/provider"
)

// selection says which account is meant. The cookie is the library's way without a database; here it selects nothing. A
// userId is for callers on the library's own server, and is not looked at.
var selection = &endpoint.Object{OneOf: []*endpoint.Object{
	{Strict: true, Fields: []endpoint.Field{{Name: "accountId"}, {Name: "userId", Optional: true}}},
	{Strict: true, Fields: []endpoint.Field{{Name: "useAccountCookie", Type: endpoint.True}, {Name: "userId", Optional: true}}},
}}

// owner is whose accounts are meant: the session's user. Nobody is a 401 without a body, unlike elsewhere.
func owner(c *endpoint.Call) (*record.User, error) {
	_, u, err := c.Session()
	if errors.Is(err, endpoint.ErrGone) || err == nil && u == nil {
		return nil, &endpoint.Error{Status: http.StatusUnauthorized}
	}
	return u, err
}

// find is the account of that id, if it is the user's own.
func (rm *Room) find(ctx context.Context, userID, id string) (*record.Account, error) {
	all, err := rm.config.Store.AccountsOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, notFound()
}

// selected is the account that a request means.
func (rm *Room) selected(c *endpoint.Call, chosen endpoint.Values) (*record.Account, error) {
	u, err := owner(c)
	if err != nil {
		return nil, err
	}
	if !chosen.Has("accountId") {
		return nil, notFound()
	}
	return rm.find(c.R.Context(), u.ID, chosen.Text("accountId"))
}

// provider is an account's provider. One that cannot be discovered is not there, as in the library.
func (rm *Room) provider(ctx context.Context, a *record.Account) provider.Provider {
	p := rm.providers[a.ProviderID]
	if d, ok := p.(provider.Discoverer); ok && d.Discover(ctx) != nil {
		return nil
	}
	return p
}

func notSupported(a *record.Account) error {
	return refused("PROVIDER_NOT_SUPPORTED", "Provider "+a.ProviderID+" is not supported.")
}
