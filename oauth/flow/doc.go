// Package flow holds the pure rules of signing in: what a state holds and what it is called, the random strings and PKCE,
// where somebody may be led back to, and how an error is told in a redirect. Every byte is Better Auth's
// (better-auth-oauth.md, sections 0.3, 1.3, 2.2, 6.3). It knows no HTTP, no provider and no database.
package flow
