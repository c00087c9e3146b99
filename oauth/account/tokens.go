package account

import (
	"net/http"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/provider"
)

// access is an access token that can be used now, and what belongs to it.
type access struct {
	token     string // empty: the account has none
	expiresAt *time.Time
	scope     *string
	id        *string
}

// valid is an account's access token, renewed first when it is at its end and that is possible.
func (rm *Room) valid(c *endpoint.Call, a *record.Account, p provider.Provider) (*access, error) {
	needed := func(a *record.Account) bool {
		return a.RefreshToken != nil && *a.RefreshToken != "" && ended(a, c.Now)
	}
	answer := refused("FAILED_TO_GET_ACCESS_TOKEN", "Failed to get a valid access token")
	r := &renewed{account: a}
	if refresher, ok := p.(provider.Refresher); ok && needed(a) {
		var err error
		if r, err = rm.renew(c, a, refresher, needed); err != nil {
			return nil, failed(c, a, err, answer)
		}
	}
	has := &access{expiresAt: r.account.AccessTokenExpiresAt, scope: r.account.Scope, id: r.account.IDToken}
	if t := r.tokens; t != nil && t.Access != nil {
		has.token = *t.Access
	} else if stored := r.account.AccessToken; stored != nil {
		var err error
		if has.token, err = rm.open(*stored); err != nil {
			return nil, failed(c, a, err, answer)
		}
	}
	if t := r.tokens; t != nil {
		if t.AccessExpiresAt != nil {
			has.expiresAt = t.AccessExpiresAt
		}
		if t.ID != nil {
			has.id = t.ID
		}
	}
	return has, nil
}

func (rm *Room) accessToken(c *endpoint.Call) error {
	body, err := c.Body(selection)
	if err != nil {
		return err
	}
	a, err := rm.selected(c, body)
	if err != nil {
		return err
	}
	p := rm.provider(c.R.Context(), a)
	if p == nil {
		return notSupported(a)
	}
	has, err := rm.valid(c, a, p)
	if err != nil {
		return err
	}
	b := record.AppendString([]byte(`{"accessToken":`), has.token)
	if has.expiresAt != nil {
		b = record.AppendString(append(b, `,"accessTokenExpiresAt":`...), record.Time(*has.expiresAt))
	}
	b = appendScopes(append(b, `,"scopes":`...), has.scope)
	if has.id != nil {
		b = record.AppendString(append(b, `,"idToken":`...), *has.id)
	}
	return c.JSON(http.StatusOK, append(b, '}'))
}

// refreshToken renews an account's tokens, whether they need it or not.
func (rm *Room) refreshToken(c *endpoint.Call) error {
	body, err := c.Body(selection)
	if err != nil {
		return err
	}
	a, err := rm.selected(c, body)
	if err != nil {
		return err
	}
	p := rm.provider(c.R.Context(), a)
	if p == nil {
		return notSupported(a)
	}
	refresher, ok := p.(provider.Refresher)
	switch {
	case !ok:
		return refused("TOKEN_REFRESH_NOT_SUPPORTED", "Provider "+a.ProviderID+" does not support token refreshing.")
	case a.RefreshToken == nil || *a.RefreshToken == "":
		return refused("REFRESH_TOKEN_NOT_FOUND", "Refresh token not found")
	}
	r, err := rm.renew(c, a, refresher, func(*record.Account) bool { return true })
	if err != nil {
		return failed(c, a, err, refused("FAILED_TO_REFRESH_ACCESS_TOKEN", "Failed to refresh access token"))
	}
	return c.JSON(http.StatusOK, r.appendJSON(nil))
}

// appendJSON is the answer to refresh-token. The scope is what was granted at sign-in: an answer that renews may name less.
func (r *renewed) appendJSON(b []byte) []byte {
	a, t := r.account, r.tokens
	b = append(b, `{"accessToken":`...)
	b = appendText(b, t.Access)
	b = append(b, `,"refreshToken":`...)
	if t.Refresh != nil {
		b = record.AppendString(b, *t.Refresh)
	} else {
		b = record.AppendString(b, r.refresh)
	}
	if t.AccessExpiresAt != nil {
		b = appendTime(append(b, `,"accessTokenExpiresAt":`...), t.AccessExpiresAt)
	}
	b = append(b, `,"refreshTokenExpiresAt":`...)
	if t.RefreshExpiresAt != nil {
		b = appendTime(b, t.RefreshExpiresAt)
	} else {
		b = appendTime(b, a.RefreshTokenExpiresAt)
	}
	b = appendText(append(b, `,"scope":`...), a.Scope)
	b = append(b, `,"idToken":`...)
	if t.ID != nil {
		b = record.AppendString(b, *t.ID)
	} else {
		b = appendText(b, a.IDToken)
	}
	b = record.AppendString(append(b, `,"providerId":`...), a.ProviderID)
	b = record.AppendString(append(b, `,"accountId":`...), a.ID)
	return append(b, '}')
}

func appendText(b []byte, text *string) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	return record.AppendString(b, *text)
}

func appendTime(b []byte, t *time.Time) []byte {
	if t == nil {
		return append(b, "null"...)
	}
	return record.AppendString(b, record.Time(*t))
}
