package oauth

import (
	"context"
	"slices"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/provider"
)

// EndSession is where somebody who signed out here goes to be signed out at their provider as well; empty: nowhere. As in
// the library, of the providers that can do it the one counts whose account was written last, for a session does not say
// which provider it came from. back is where the provider leads afterwards: trusted, may be relative or empty.
func (s *Server) EndSession(ctx context.Context, userID, back, state string) string {
	all, err := s.config.Store.AccountsOf(ctx, userID)
	if err != nil {
		// The session is over here, whatever becomes of the other one.
		s.config.Log.ErrorContext(ctx, "sign-in server: a provider's sign-out could not be looked up", "error", err)
		return ""
	}
	slices.SortStableFunc(all, func(a, b record.Account) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	if strings.HasPrefix(back, "/") {
		back = s.config.BaseURL + back
	}
	seen := make(map[string]bool)
	for _, one := range all {
		if seen[one.ProviderID] {
			continue
		}
		seen[one.ProviderID] = true
		ender, ok := s.provider(ctx, one.ProviderID).(provider.Ender)
		if !ok {
			continue
		}
		hint := ""
		if one.IDToken != nil {
			hint = *one.IDToken
		}
		if to, ok := ender.EndSession(hint, back, state); ok {
			return to
		}
	}
	return ""
}
