package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/usherauth/usher/oauth/provider/idtoken"
	"github.com/usherauth/usher/oauth/provider/wire"
)

// line signs with the channel secret for web sign-in and with a key for native apps, whose tokens it verifies itself.
func line() preset {
	user := oidcUser()
	user.verified = nil // LINE does not say
	return preset{
		name: "LINE", authorize: "https://access.line.me/oauth2/v2.1/authorize", token: "https://api.line.me/oauth2/v2.1/token",
		userInfo: "https://api.line.me/oauth2/v2.1/userinfo", scopes: []string{"openid", "profile", "email"}, pkce: pkceFull,
		hint: true, user: user, identifies: lineUser, verifies: lineVerify,
		signed: &signed{issuers: []string{"https://access.line.me"}, jwks: "https://api.line.me/oauth2/v2.1/certs", maxAge: maxTokenAge},
	}
}

func lineUser(ctx context.Context, s *standard, t *Tokens, cb Callback) (*Identity, error) {
	if t.ID == nil {
		return s.fromUserInfo(ctx, t)
	}
	if cb.Stored {
		claims, err := idtoken.Decode(*t.ID)
		if err != nil {
			return nil, err
		}
		return s.user.identity(claims)
	}
	r := s.rule
	r.Audiences, r.Nonce, r.Algorithms = s.o.ClientIDs[:1], cb.Nonce, []string{"ES256"}
	if idtoken.Algorithm(*t.ID) == "HS256" {
		r.Algorithms = []string{"HS256"}
		claims, err := idtoken.Verify(ctx, *t.ID, idtoken.Secret(s.client.secret), r, s.client.now())
		if err != nil {
			return nil, err
		}
		return s.user.identity(claims)
	}
	claims, err := verifyWith(ctx, s, *t.ID, r)
	if err != nil {
		return nil, err
	}
	return s.user.identity(claims)
}

// verifyWith is idtoken.Verify with the preset's keys.
func verifyWith(ctx context.Context, s *standard, token string, r idtoken.Rule) (*wire.Object, error) {
	return idtoken.Verify(ctx, token, s.keys, r, s.client.now())
}

// lineVerify lets LINE look at the token of a native app, as Better Auth does.
func lineVerify(ctx context.Context, s *standard, token, nonce string) (*Identity, error) {
	form := append(params("id_token", token, "client_id", s.client.id), present(params("nonce", nonce))...)
	answer, err := s.client.object(ctx, wire.Request{
		Method: http.MethodPost, URL: "https://api.line.me/oauth2/v2.1/verify",
		Headers: params("content-type", "application/x-www-form-urlencoded"), Body: wire.Encode(form),
	})
	if err != nil {
		return nil, err
	}
	claims, err := idtoken.Decode(token)
	if err != nil {
		return nil, err
	}
	switch {
	case answer.Text("aud") != s.client.id:
		return nil, errors.New("audience")
	case nonce != "" && answer.Text("nonce") != nonce || nonce == "" && answer.Text("nonce") != "":
		return nil, errors.New("nonce")
	case answer.Text("sub") == "" || answer.Text("sub") != claims.Text("sub"):
		return nil, fmt.Errorf("the answer speaks of another subject")
	}
	return s.user.identity(claims)
}
