package provider

import (
	"context"
	"errors"
	"strings"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// cognito lives at a domain of one's own, signs under a pool's name, and takes scopes with %20 only, at the very end.
func cognito() preset {
	return preset{
		name: "Cognito", base: func(o *Options) string { return "https://" + cognitoDomain(o) },
		authorize: "{base}/oauth2/authorize", token: "{base}/oauth2/token", userInfo: "{base}/oauth2/userinfo",
		scopes: []string{"openid", "profile", "email"}, pkce: pkceFull,
		takes: []string{"Prompt", "Domain", "Region", "UserPoolID", "IdentityProvider"}, check: cognitoPool,
		authorizes: cognitoAuthorize, identifies: cognitoUser,
		extra:  func(o *Options, _ []string) []Param { return present(params("identity_provider", o.IdentityProvider)) },
		user:   named(oidcUser(), at("name"), at("given_name"), at("username")),
		signed: &signed{pool: cognitoIssuer, maxAge: maxTokenAge, native: true, identify: cognitoPerson},
	}
}

func cognitoDomain(o *Options) string {
	return strings.TrimPrefix(strings.TrimPrefix(o.Domain, "https://"), "http://")
}

func cognitoPool(o *Options) error {
	if o.Domain == "" || o.Region == "" || o.UserPoolID == "" {
		return errors.New("needs domain, region and user_pool_id")
	}
	const words = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	if strings.Trim(o.Region+o.UserPoolID, words) != "" {
		return errors.New("region and user_pool_id are letters, digits, '-' and '_'")
	}
	return nil
}

// cognitoIssuer is also where the keys are.
func cognitoIssuer(o *Options) string {
	return "https://cognito-idp." + o.Region + ".amazonaws.com/" + o.UserPoolID
}

func cognitoAuthorize(s *standard, a Authorization) string {
	u := s.authorization(a)
	scope := u.scope
	u.scope = ""
	if scope == "" {
		return u.url()
	}
	return u.url() + "&scope=" + wire.EscapeComponent(scope)
}

func cognitoUser(ctx context.Context, s *standard, t *Tokens, cb Callback) (*Identity, error) {
	if t.ID == nil {
		return s.fromUserInfo(ctx, t)
	}
	claims, err := s.claims(ctx, t, cb)
	if err != nil {
		return nil, err
	}
	return cognitoPerson(ctx, s, claims, t, cb)
}

func cognitoPerson(_ context.Context, s *standard, claims *wire.Object, _ *Tokens, _ Callback) (*Identity, error) {
	claims.Set("name", first(claims, s.user.name))
	return s.user.identity(claims)
}
