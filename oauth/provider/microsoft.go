package provider

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// consumers is the tenant of personal Microsoft accounts.
const consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

// maxPhoto is how large a photo may be, in bytes, to be kept in the user's row. 48 pixels take about two thousand.
const maxPhoto = 100 << 10

// microsoft has a tenant in every URL, finds accounts by oid, and serves a photo that becomes a data: URI.
func microsoft() preset {
	return preset{
		name: "Microsoft EntraID", base: microsoftBase, authorize: "{base}/oauth2/v2.0/authorize", token: "{base}/oauth2/v2.0/token",
		userInfo: "https://graph.microsoft.com/v1.0/me/photos", pkce: pkceFull, hint: true,
		scopes: []string{"openid", "profile", "email", "User.Read", "offline_access"},
		takes:  []string{"Prompt", "Tenant", "Authority", "ProfilePhotoSize", "DisableProfilePhoto"},
		check:  microsoftTenant, refreshes: microsoftRefresh,
		signed: &signed{
			jwks: "{base}/discovery/v2.0/keys", maxAge: maxTokenAge, native: true, claims: microsoftClaims, identify: microsoftPerson,
		},
	}
}

func authority(o *Options) string {
	return trimBase(or(o.Authority, "https://login.microsoftonline.com"))
}

func microsoftBase(o *Options) string { return authority(o) + "/" + or(o.Tenant, "common") }

func microsoftTenant(o *Options) error {
	if strings.Trim(strings.ToLower(o.Tenant), "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
		return errors.New("tenant_id must be an id, a domain, common, organizations or consumers")
	}
	return nil
}

// microsoftClaims: the issuer has the tenant in it, and a token of one class of accounts must not pass for another's.
func microsoftClaims(o *Options) func(*wire.Object) bool {
	return func(claims *wire.Object) bool {
		tid := claims.Text("tid")
		if tid == "" || claims.Text("iss") != authority(o)+"/"+tid+"/v2.0" {
			return false
		}
		switch or(o.Tenant, "common") {
		case "common":
			return true
		case "organizations":
			return tid != consumers
		case "consumers":
			return tid == consumers
		}
		// A tenant configured by its domain cannot be compared with an id; its keys and its token endpoint are its own.
		return tid == o.Tenant || strings.Contains(o.Tenant, ".")
	}
}

func microsoftPerson(ctx context.Context, s *standard, claims *wire.Object, t *Tokens, _ Callback) (*Identity, error) {
	if t.Access != nil && !s.o.DisableProfilePhoto {
		size := 48
		if s.o.ProfilePhotoSize > 0 {
			size = s.o.ProfilePhotoSize
		}
		pixels := strconv.Itoa(size)
		url := s.userInfo + "/" + pixels + "x" + pixels + "/%24value"
		if answer, err := s.client.caller.Do(ctx, bearer(url, *t.Access)); err == nil && answer.OK() && len(answer.Body) <= maxPhoto {
			claims.Set("picture", "data:image/jpeg;base64, "+base64.StdEncoding.EncodeToString(answer.Body))
		}
	}
	if _, ok := claims.Get("oid").(string); !ok {
		return nil, errNoSubject
	}
	email := claims.Text("email")
	verified := truth(claims.Get("email_verified"))
	if !claims.Has("email_verified") && email != "" {
		verified = listed(claims.Get("verified_primary_email"), email) || listed(claims.Get("verified_secondary_email"), email)
	}
	return identity(claims.Get("oid"), email, claims.Text("name"), claims.Get("picture"), verified, claims)
}

func listed(v any, email string) bool {
	list, ok := v.([]any)
	return ok && slices.Contains(list, any(email))
}

// microsoftRefresh asks for the same scopes again.
func microsoftRefresh(ctx context.Context, s *standard, token string) (*Tokens, error) {
	form := append(refreshForm(token), Param{Name: "scope", Value: strings.Join(s.requested(nil), " ")})
	return s.client.tokens(ctx, tokenRequest{url: s.token, form: form, secrets: []string{token}})
}
