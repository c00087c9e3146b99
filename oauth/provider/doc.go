// Package provider knows identity providers: where they send people, how they trade a code for tokens, and whom tokens
// speak of. A Provider is one row of the table in presets.go, one file where data is not enough (apple.go,
// microsoft.go, …), or generic OIDC behind a discovery URL (generic.go). All of it is tested against
// testdata/observed.json, which was recorded from Better Auth 1.7.25.
//
// The package knows no database, no cookie and no HTTP server. It makes bounded calls (wire), believes no id_token it
// has not verified (idtoken), and its errors carry neither tokens nor codes nor secrets.
//
// golang.org/x/oauth2 makes the PKCE challenge and go-oidc verifies tokens. Authorization URLs and token requests are
// written here: x/oauth2 sorts their parameters by name, and Better Auth's order is part of what must not change.
package provider
