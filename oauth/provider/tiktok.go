package provider

import (
	"context"
	"strings"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// tiktok calls the client id client_key, joins scopes by commas, and gets a verifier without ever seeing a challenge.
func tiktok() preset {
	return preset{
		name: "TikTok", authorize: "https://www.tiktok.com/v2/auth/authorize", token: "https://open.tiktokapis.com/v2/oauth/token/",
		userInfo: "https://open.tiktokapis.com/v2/user/info/?fields=open_id%2Cavatar_large_url%2Cdisplay_name%2Cusername",
		scopes:   []string{"user.info.profile"}, pkce: pkceVerifier, secret: true,
		authorizes: tiktokAuthorize, exchanges: tiktokExchange, refreshes: tiktokRefresh,
		user: mapping{
			id: at("data", "user", "open_id"), name: []path{at("data", "user", "display_name"), at("data", "user", "username")},
			email: at("data", "user", "email"), image: []path{at("data", "user", "avatar_large_url")}, placeholder: "tiktok",
		},
	}
}

func tiktokAuthorize(s *standard, a Authorization) string {
	p := params(
		"scope", strings.Join(s.requested(a.Scopes), ","), "response_type", "code", "client_key", s.client.id,
		"redirect_uri", or(s.o.RedirectURI, a.RedirectURI), "state", a.State,
	)
	return wire.AppendQuery(s.authorize, additional(p, a.Additional, "client_key"))
}

func tiktokProof(s *standard) []Param {
	return params("client_key", s.client.id, "client_secret", s.client.secret)
}

func tiktokExchange(ctx context.Context, s *standard, e Exchange) (*Tokens, error) {
	r := s.codeRequest(e)
	r.proof = tiktokProof(s)
	return s.client.tokens(ctx, r)
}

func tiktokRefresh(ctx context.Context, s *standard, token string) (*Tokens, error) {
	return s.client.tokens(ctx, tokenRequest{url: s.token, form: refreshForm(token), proof: tiktokProof(s), secrets: []string{token}})
}
