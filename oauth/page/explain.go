package page

import "strings"

// Explain says in words what an error code of a sign-in means (better-auth-oauth.md, sections 2.2 and 12) and what to do.
// Codes come from outside: one that is not known, or that could not be one of ours, is shown as "UNKNOWN" at most.
func Explain(code, provider string) Explanation {
	code = CleanCode(code)
	e, known := explanations[code]
	if !known {
		e = Explanation{
			Title: "Signing in did not work", Text: "Something went wrong that this page has no words for.",
			Hints: []string{"Try again. If it happens again, tell whoever runs this site the code below."},
		}
	}
	e.Code = code
	if provider == "" {
		provider = "the provider"
		if rest, begins := strings.CutPrefix(e.Text, "PROVIDER"); begins {
			e.Text = "The provider" + rest
		}
	}
	e.Text = strings.ReplaceAll(e.Text, "PROVIDER", provider)
	return e
}

// CleanCode is a code that may be shown: Better Auth's own rule for its error page.
func CleanCode(code string) string {
	if code == "" || len(code) > 64 || strings.Trim(code, "'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return "UNKNOWN"
	}
	return code
}

const again = "Go back and sign in again."

var expired = Explanation{
	Title: "That sign-in is no longer good",
	Text:  "It took too long, was opened twice, or began in another browser. Nothing happened to your account.",
	Hints: []string{
		again,
		"Do it in one go: a sign-in lasts five minutes, in one browser and one tab.",
		"If it keeps happening, allow cookies for this site, and open it outside of another app's built-in browser.",
	},
}

var upset = Explanation{
	Title: "Signing in did not work just now",
	Text:  "PROVIDER did not answer as it should. Nothing was changed.",
	Hints: []string{"Wait a minute and try again.", "Use another way to sign in, if you have one."},
}

var ours = Explanation{
	Title: "Something broke on our side",
	Text:  "The sign-in was right, but could not be written down. Nothing was changed.",
	Hints: []string{"Try again in a minute. If it happens again, tell whoever runs this site the code below."},
}

// explanations are the codes that can happen here.
var explanations = map[string]Explanation{
	"state_not_found": expired, "state_mismatch": expired, "state_invalid": expired, "no_callback_url": expired,
	"nonce_binding_missing": expired, "invalid_callback_request": expired,

	"invalid_code": upset, "unable_to_get_user_info": upset, "no_code": upset, "issuer_mismatch": upset, "issuer_missing": upset,

	"internal_server_error": ours, "unable_to_create_user": ours, "unable_to_create_session": ours,
	"unable_to_update_account": ours, "state_generation_error": ours,

	"access_denied": {
		Title: "You said no", Text: "PROVIDER was told not to sign you in here. Nothing was changed.",
		Hints: []string{"If that was a slip, go back and sign in again."},
	},
	"oauth_provider_not_found": {
		Title: "This way to sign in is not there any more", Text: "The site was changed while you were signing in.",
		Hints: []string{"Go back and choose another one."},
	},
	"email_not_found": {
		Title: "We need your e-mail address", Text: "PROVIDER did not tell us an e-mail address, and there is no account here without one.",
		Hints: []string{"At the provider, add an e-mail address or allow it to be shared, then sign in again."},
	},
	"email_not_verified": {
		Title: "Confirm your e-mail address first", Text: "PROVIDER has not yet seen that your e-mail address is yours, so it cannot open an account here.",
		Hints: []string{"Confirm it at the provider, then sign in again."},
	},
	"account_not_linked": {
		Title: "There is an account with this e-mail address",
		Text:  "Somebody, probably you, already has an account here with the same address. It is not joined with PROVIDER by itself, for then whoever controls one could enter the other.",
		Hints: []string{"Sign in the way you did before; then, on your account page, link this one."},
	},
	"unable_to_link_account": {
		Title: "The account could not be linked", Text: "You were signed out in the meantime, or PROVIDER has not confirmed your e-mail address. Nothing was changed.",
		Hints: []string{"Sign in and link it again.", "Confirm your e-mail address at the provider."},
	},
	"email_does_not_match": {
		Title: "The e-mail addresses differ", Text: "The account at PROVIDER has another e-mail address than yours here, and only equal ones are linked.",
		Hints: []string{"Link an account with the same address, or ask whoever runs this site to allow different ones."},
	},
	"account_already_linked_to_different_user": {
		Title: "That account belongs to somebody else here", Text: "The account at PROVIDER is linked with another user of this site.",
		Hints: []string{"Sign in with it to see which; unlink it there, then link it here."},
	},
	"signup_disabled": {
		Title: "No new accounts", Text: "You have no account here yet, and new ones cannot be made this way.",
		Hints: []string{"If you have an account, sign in the way you did before.", "Ask whoever runs this site to invite you."},
	},
	"TOO_MANY_REQUESTS": {
		Title: "That was too fast", Text: "Too many requests came from your address within a few seconds. Nothing was changed.",
		Hints: []string{"Wait ten seconds and try again."},
	},
	"SESSION_NOT_FRESH": {
		Title: "Sign in again for that", Text: "What you want to do is delicate, and you signed in more than a day ago.",
		Hints: []string{"Sign in again below; then do it."},
	},
	"ACCOUNT_NOT_FOUND": {
		Title: "That account is not there any more", Text: "It was unlinked before, perhaps in another window.",
		Hints: []string{"The list below shows what is linked now."},
	},
	"FAILED_TO_UNLINK_LAST_ACCOUNT": {
		Title: "That is your only way to sign in", Text: "Without it nobody could enter this account any more, not even you.",
		Hints: []string{"Link another account first."},
	},
	"USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION": {
		Title: "You do not belong to that organization any more", Text: "Somebody removed you, or it was deleted.",
		Hints: []string{"Ask its owner to invite you again."},
	},
	"BANNED_USER": {
		Title: "This account is closed", Text: "Whoever runs this site has closed your account.",
		Hints: []string{"If you think that is a mistake, write to them."},
	},
}
