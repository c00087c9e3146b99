package oauth

import (
	"slices"
	"strings"
	"unicode"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/provider"
)

// The reasons why an identity is not let in; they are the library's codes of an error redirect.
const (
	notLinked      = "account_not_linked"
	cannotLink     = "unable_to_link_account"
	otherEmail     = "email_does_not_match"
	othersAccount  = "account_already_linked_to_different_user"
	noSignUp       = "signup_disabled"
	emailUnproven  = "email_not_verified"
	bannedUser     = "BANNED_USER"
	bannedMessage  = "You have been banned from this application. Please contact support if you believe this is an error."
	noSession      = "unable_to_create_session"
	noEmail        = "email_not_found"
	internalError  = "internal_server_error"
	noUserInfo     = "unable_to_get_user_info"
	invalidCode    = "invalid_code"
	nonceMissing   = "nonce_binding_missing"
	issuerMismatch = "issuer_mismatch"
	stateMismatch  = "state_mismatch"
)

func (a *Accounts) trusts(providerID string) bool {
	return slices.Contains(a.TrustedProviders, providerID)
}

// mayLinkImplicitly is whether an identity without an account may be taken for the user whose address it has, because of
// the address alone. Both sides must have proved it: an attacker registers a victim's address without being able to read
// its mail, and waits (GHSA-g38m-r43w-p2q7); or has a provider say an address that nobody checked. Trusting a provider
// stands for its own check, never for ours.
func (a *Accounts) mayLinkImplicitly(providerID string, localVerified, providerVerified bool) bool {
	return (providerVerified || a.trusts(providerID)) &&
		(localVerified || a.AnyLocalEmail) &&
		!a.LinkingDisabled && !a.ImplicitLinkingDisabled
}

// mayLinkExplicitly is whether somebody signed in may add an identity; code says why not. owner is the user who has the
// identity already, or empty.
func (a *Accounts) mayLinkExplicitly(providerID string, providerVerified bool, email, userID, userEmail, owner string) (code string) {
	switch {
	case !providerVerified && !a.trusts(providerID), a.LinkingDisabled:
		return cannotLink
	case !a.DifferentEmails && !sameEmail(email, userEmail):
		return otherEmail
	case owner != "" && owner != userID:
		return othersAccount
	}
	return ""
}

// maySignUp is whether somebody without a user may become one.
func maySignUp(r provider.AccountRules, requested bool) bool {
	return !r.DisableSignUp && (!r.DisableImplicitSignUp || requested)
}

// proves is whether an identity proves the address a user has and had not proved before.
func proves(i *provider.Identity, u *record.User) bool {
	return i.EmailVerified && !u.EmailVerified && sameEmail(i.Email, u.Email)
}

// sameEmail compares as the library does, in lower case. No address equals none.
func sameEmail(a, b string) bool { return a != "" && record.Lower(a) == record.Lower(b) }

// lookalike is whether an address has a letter that is an ASCII one in lower case only: the Kelvin sign is a k then, and
// the address another's. No provider is trusted to have meant that.
func lookalike(email string) bool {
	return strings.ContainsFunc(email, func(r rune) bool { return r > unicode.MaxASCII && unicode.ToLower(r) <= unicode.MaxASCII })
}

// mergeScopes is what an account may do after another grant was added, in the library's writing.
func mergeScopes(stored *string, granted []string) *string {
	var all []string
	add := func(scope string) {
		if scope = strings.TrimSpace(scope); scope != "" && !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	if stored != nil {
		for scope := range strings.SplitSeq(*stored, ",") {
			add(scope)
		}
	}
	for _, scope := range granted {
		add(scope)
	}
	if len(all) == 0 {
		return nil
	}
	merged := strings.Join(all, ",")
	return &merged
}
