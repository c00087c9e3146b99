package flow

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_" // 64: a byte picks without bias

// NewID makes a state's name: 32 characters, 192 bits.
func NewID() string { return random(32) }

// NewNonce makes what an id_token is bound to the flow with: 32 characters.
func NewNonce() string { return random(32) }

// NewVerifier makes a PKCE code verifier of the greatest length: 128 characters.
func NewVerifier() string { return random(128) }

// Challenge is the S256 challenge of a verifier (RFC 7636, section 4.2).
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func random(n int) string {
	out := make([]byte, n)
	_, _ = rand.Read(out) // never fails: it ends the process instead
	for i, b := range out {
		out[i] = alphabet[b&63]
	}
	return string(out)
}
