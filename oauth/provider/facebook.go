package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/usherauth/usher/oauth/provider/wire"
)

const graph = "https://graph.facebook.com"

// facebook is asked whose an access token is and for which app before the profile counts: a token of another app would
// otherwise sign in its user here. Limited Login gives an id_token instead.
func facebook() preset {
	return preset{
		name: "Facebook", authorize: "https://www.facebook.com/v24.0/dialog/oauth", token: graph + "/v24.0/oauth/access_token",
		userInfo: graph + "/me", scopes: []string{"email", "public_profile"}, hint: true, secret: true,
		takes: []string{"ConfigID", "Fields"}, identifies: facebookUser, verifies: facebookLimited,
		extra: func(o *Options, _ []string) []Param { return present(params("config_id", o.ConfigID)) },
		user:  mapping{id: at("sub"), name: []path{at("name")}, email: at("email"), image: []path{at("picture")}},
		signed: &signed{
			issuers: []string{"https://www.facebook.com"}, jwks: "https://limited.facebook.com/.well-known/oauth/openid/jwks/", native: true,
		},
	}
}

func facebookLimited(ctx context.Context, s *standard, token, nonce string) (*Identity, error) {
	if strings.Count(token, ".") != 2 {
		return nil, ErrOpaqueToken
	}
	r := s.rule
	r.Nonce = nonce
	claims, err := verifyWith(ctx, s, token, r)
	if err != nil {
		return nil, err
	}
	return s.user.identity(claims)
}

func facebookUser(ctx context.Context, s *standard, t *Tokens, cb Callback) (*Identity, error) {
	if t.ID != nil && strings.Count(*t.ID, ".") == 2 {
		claims, err := s.claims(ctx, t, cb)
		if err != nil {
			return nil, err
		}
		return s.user.identity(claims)
	}
	if t.Access == nil {
		return nil, errNoAccessToken
	}
	owner, err := facebookOwner(ctx, s, *t.Access)
	if err != nil {
		return nil, err
	}
	fields := strings.Join(append([]string{"id", "name", "email", "picture"}, s.o.Fields...), ",")
	profile, err := s.client.object(ctx, bearer(wire.AppendQuery(s.userInfo, params("fields", fields)), *t.Access))
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	if profile.Text("id") != owner {
		return nil, errors.New("the profile is not the access token's")
	}
	image := profile.Get("picture", "data", "url")
	return identity(owner, profile.Text("email"), profile.Text("name"), image, truth(profile.Get("email_verified")), profile)
}

// facebookOwner is whose an access token of our app is.
func facebookOwner(ctx context.Context, s *standard, token string) (string, error) {
	query := params("input_token", token, "access_token", s.client.id+"|"+s.client.secret)
	answer, err := s.client.object(ctx, wire.Request{Method: http.MethodGet, URL: wire.AppendQuery(graph+"/debug_token", query)})
	if err != nil {
		return "", fmt.Errorf("debug_token: %w", err)
	}
	owner := answer.Text("data", "user_id")
	if answer.Get("data", "is_valid") != true || owner == "" || !slices.Contains(s.o.ClientIDs, or(answer.Text("data", "app_id"), " ")) {
		return "", errors.New("the access token is not one of this app")
	}
	return owner, nil
}
