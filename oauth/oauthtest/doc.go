// Package oauthtest is an identity provider in one process, for tests of anything that signs people in: discovery, keys,
// consent without asking, tokens, userinfo and the end of a session, plus the shapes of Google and GitHub under their
// real host names. It is strict (PKCE, one use of a code, exact redirect URI, client secret) and, on demand, hostile:
// see Faults and Lies.
//
//	idp := oauthtest.Start(t)
//	p, err := provider.New("acme", idp.Options(), idp.Client(), nil)
//	back, err := idp.Consent(authorizeURL) // what the browser would be sent to: …/callback/acme?code=…&state=…
package oauthtest
