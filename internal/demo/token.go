package demo

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth/record"
)

// tokenAnswer is OpenID Connect Core 1.0, section 3.1.3.3.
type tokenAnswer struct {
	AccessToken string `json:"access_token"` // opens nothing: there is nothing here to open
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
	IDToken     string `json:"id_token"`
}

// idClaims are what an id_token says, times in seconds since 1970.
type idClaims struct {
	Issuer        string `json:"iss"`
	Subject       string `json:"sub"`
	Audience      string `json:"aud"`
	IssuedAt      int64  `json:"iat"`
	ExpiresAt     int64  `json:"exp"`
	Nonce         string `json:"nonce,omitempty"`
	Name          string `json:"name,omitempty"`           // with the scope profile
	Email         string `json:"email,omitempty"`          // with the scope email
	EmailVerified bool   `json:"email_verified,omitempty"` // with the scope email
}

// tokenLifetime is how long the tokens say they are good.
const tokenLifetime = time.Hour

// refused is RFC 6749, section 5.2.
type refused struct {
	Error string `json:"error"`
}

// token exchanges a code.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		writeJSON(w, http.StatusBadRequest, refused{"invalid_request"})
		return
	}
	form := r.PostForm
	for _, values := range form {
		if len(values) != 1 {
			writeJSON(w, http.StatusBadRequest, refused{"invalid_request"})
			return
		}
	}
	if !same(form.Get("client_id"), p.clientID) || !same(form.Get("client_secret"), p.clientSecret) {
		writeJSON(w, http.StatusUnauthorized, refused{"invalid_client"})
		return
	}
	if form.Get("grant_type") != "authorization_code" {
		writeJSON(w, http.StatusBadRequest, refused{"unsupported_grant_type"})
		return
	}
	g, ok := p.codes.take(form.Get("code"), p.now())
	if !ok || form.Get("redirect_uri") != p.redirectURI || !g.provenBy(form.Get("code_verifier")) {
		writeJSON(w, http.StatusBadRequest, refused{"invalid_grant"})
		return
	}
	idToken, err := p.sign(p.claims(g, p.now()))
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, refused{"server_error"})
		return
	}
	writeJSON(w, http.StatusOK, tokenAnswer{
		AccessToken: record.Token(), TokenType: "Bearer", ExpiresIn: int(tokenLifetime.Seconds()), Scope: g.scope, IDToken: idToken,
	})
}

func (p *provider) claims(g grant, now time.Time) idClaims {
	c := idClaims{
		Issuer: p.issuer, Subject: g.person.Key, Audience: p.clientID, Nonce: g.nonce,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(tokenLifetime).Unix(),
	}
	scopes := strings.Fields(g.scope)
	if slices.Contains(scopes, "profile") {
		c.Name = g.person.Name
	}
	if slices.Contains(scopes, "email") {
		c.Email, c.EmailVerified = g.person.Email, true
	}
	return c
}

// provenBy reports whether whoever exchanges the code is who asked for it (RFC 7636, section 4.6; S256 only).
func (g grant) provenBy(verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return same(base64.RawURLEncoding.EncodeToString(sum[:]), g.challenge)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
