package account

import (
	"context"
	"net/http"
	"strconv"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/provider"
)

// profile asks an account's provider who that is there (the library's account-info).
func (rm *Room) profile(c *endpoint.Call) error {
	query, err := c.Query(selection)
	if err != nil {
		return err
	}
	a, err := rm.selected(c, query)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.R.Context(), patience)
	defer cancel()
	p := rm.provider(ctx, a)
	if p == nil {
		return refused("PROVIDER_NOT_CONFIGURED", "Account is not associated with a configured social provider.")
	}
	has, err := rm.valid(c, a, p)
	if err != nil {
		return err
	}
	if has.token == "" {
		return refused("ACCESS_TOKEN_NOT_FOUND", "Access token not found")
	}
	who, err := p.Identify(ctx, &provider.Tokens{
		Access: &has.token, ID: has.id, AccessExpiresAt: has.expiresAt, Scopes: scopes(has.scope),
	}, provider.Callback{Stored: true})
	if err != nil {
		return failed(c, a, err, &endpoint.Error{
			Status: http.StatusUnauthorized, Code: "FAILED_TO_GET_USER_INFO", Message: "Failed to get user info",
		})
	}
	return c.JSON(http.StatusOK, appendProfile(nil, p, who, a))
}

func appendProfile(b []byte, p provider.Provider, who *provider.Identity, a *record.Account) []byte {
	b = append(b, `{"user":{`...)
	for _, key := range provider.UserKeys(p) {
		var value []byte
		switch {
		case key == "emailVerified":
			value = strconv.AppendBool(nil, who.EmailVerified)
		case key == "email" && who.Email != "":
			value = record.AppendString(nil, who.Email)
		case key == "name" && who.Name != "":
			value = record.AppendString(nil, who.Name)
		case key == "image" && who.Image != nil:
			value = record.AppendString(nil, *who.Image)
		default:
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(append(append(append(b, '"'), key...), '"', ':'), value...)
	}
	b = append(b, `},"data":`...)
	if len(who.Raw) == 0 {
		b = append(b, "null"...)
	}
	b = append(b, who.Raw...)
	b = record.AppendString(append(b, `,"account":{"id":`...), a.ID)
	b = record.AppendString(append(b, `,"providerId":`...), a.ProviderID)
	b = record.AppendString(append(b, `,"accountId":`...), a.AccountID)
	return append(b, "}}"...)
}
