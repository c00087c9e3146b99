package boot

import (
	"context"
	"slices"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
)

// atProvider is where somebody who signed out goes to be signed out by their provider as well: that of the account they
// used last, of those with an end-session endpoint (sign-out.mjs of 1.7.25). Empty: nowhere. What cannot be found out is
// logged, for the session has ended already.
func (p *companionParts) atProvider(db *accounts.Store) func(ctx context.Context, userID, back, state string) string {
	enders := map[string]provider.Ender{}
	for _, one := range p.providers {
		if e, ok := one.(provider.Ender); ok {
			enders[one.ID()] = e
		}
	}
	return func(ctx context.Context, userID, back, state string) string {
		if len(enders) == 0 {
			return ""
		}
		all, err := db.AccountsOf(ctx, userID)
		if err != nil {
			p.log.WarnContext(ctx, "somebody who signed out here may still be signed in at their provider", "user_id", userID, "error", err)
			return ""
		}
		slices.SortStableFunc(all, func(a, b record.Account) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
		if strings.HasPrefix(back, "/") {
			back = p.server.BaseURL + back
		}
		asked := map[string]bool{}
		for i := range all {
			e := enders[all[i].ProviderID]
			if e == nil || asked[all[i].ProviderID] {
				continue
			}
			asked[all[i].ProviderID] = true
			token := ""
			if all[i].IDToken != nil {
				token = *all[i].IDToken
			}
			if to, ok := e.EndSession(token, back, state); ok {
				return to
			}
		}
		return ""
	}
}
