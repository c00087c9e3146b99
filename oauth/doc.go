// Package oauth is the sign-in server: the routes on which somebody comes to be signed in or links another identity, and
// the place where all rooms of the companion are put together. It speaks Better Auth's own HTTP, shares its tables and
// cookies, and follows its rules (better-auth-oauth.md, sections 1 to 3 and 12); where it refuses more, docs/companion.md
// says so.
//
// One sign-in: begin (signin.go, link.go) keeps a state and sends the person away; finish (callback.go) takes the state,
// exchanges the code, and lets identify (identify.go) decide by rules (rules.go) whom the identity belongs to, in one
// transaction; session.go signs the browser in.
package oauth
