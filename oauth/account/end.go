package account

import (
	"context"
	"slices"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/provider"
)

// EndSession is where somebody who signed out goes to be signed out by their provider as well: that of the account they
// used last, of those with an end-session endpoint (sign-out.mjs of 1.7.25). Empty: nowhere. back, which the caller has
// found trustworthy, is where they come back to; a path is one of our site, and empty is the provider's matter.
func (rm *Room) EndSession(ctx context.Context, userID, back, state string) (string, error) {
	if !rm.ends {
		return "", nil
	}
	all, err := rm.config.Store.AccountsOf(ctx, userID)
	if err != nil {
		return "", err
	}
	slices.SortStableFunc(all, func(a, b record.Account) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	if strings.HasPrefix(back, "/") {
		back = rm.config.BaseURL + back
	}
	asked := map[string]bool{}
	for i := range all {
		p := rm.providers[all[i].ProviderID]
		e, ok := p.(provider.Ender)
		if !ok || asked[all[i].ProviderID] {
			continue
		}
		asked[all[i].ProviderID] = true
		if d, ok := p.(provider.Discoverer); ok && d.Discover(ctx) != nil {
			continue // nobody has signed in since the start, and the provider is away
		}
		token := ""
		if all[i].IDToken != nil {
			token = *all[i].IDToken
		}
		if to, ok := e.EndSession(token, back, state); ok {
			return to, nil
		}
	}
	return "", nil
}
