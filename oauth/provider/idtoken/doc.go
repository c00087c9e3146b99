// Package idtoken verifies what an identity provider signed. go-oidc and go-jose do the cryptography; this package adds
// what they leave to their caller: a pause before keys are asked for again because somebody sent an unknown key id,
// keys that age, claims read in one way only, several audiences, the age of a token, and errors without its content.
package idtoken
