package account

import (
	"errors"
	"net/http"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/store/accounts"
)

func (rm *Room) list(c *endpoint.Call) error {
	_, u, err := c.Need()
	if err != nil {
		return err
	}
	all, err := rm.config.Store.AccountsOf(c.R.Context(), u.ID)
	if err != nil {
		return err
	}
	b := []byte{'['}
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendListed(b, &all[i])
	}
	return c.JSON(http.StatusOK, append(b, ']'))
}

// appendListed is an account without tokens and password, with its scopes as a list.
func appendListed(b []byte, a *record.Account) []byte {
	b = record.AppendString(append(b, `{"accountId":`...), a.AccountID)
	b = record.AppendString(append(b, `,"providerId":`...), a.ProviderID)
	b = record.AppendString(append(b, `,"userId":`...), a.UserID)
	b = record.AppendString(append(b, `,"createdAt":`...), record.Time(a.CreatedAt))
	b = record.AppendString(append(b, `,"updatedAt":`...), record.Time(a.UpdatedAt))
	b = record.AppendString(append(b, `,"id":`...), a.ID)
	return append(appendScopes(append(b, `,"scopes":`...), a.Scope), '}')
}

// appendScopes takes apart what a row keeps in one text.
func appendScopes(b []byte, scope *string) []byte {
	b = append(b, '[')
	for i, one := range scopes(scope) {
		if i > 0 {
			b = append(b, ',')
		}
		b = record.AppendString(b, one)
	}
	return append(b, ']')
}

func scopes(scope *string) []string {
	if scope == nil {
		return nil
	}
	var each []string
	for one := range strings.SplitSeq(*scope, ",") {
		if one = strings.TrimSpace(one); one != "" {
			each = append(each, one)
		}
	}
	return each
}

var unlinkBody = &endpoint.Object{Fields: []endpoint.Field{{Name: "accountId"}}}

// unlink deletes an account. It asks for a session that is young: whoever found a browser open must not cut its owner off.
func (rm *Room) unlink(c *endpoint.Call) error {
	body, err := c.Body(unlinkBody)
	if err != nil {
		return err
	}
	s, u, err := c.Fresh()
	if err != nil {
		return err
	}
	gone, err := rm.config.Store.Unlink(c.R.Context(), u.ID, body.Text("accountId"), rm.config.AllowUnlinkingAll)
	switch {
	case errors.Is(err, accounts.ErrLastAccount):
		return refused("FAILED_TO_UNLINK_LAST_ACCOUNT", "You can't unlink your last account")
	case errors.Is(err, accounts.ErrNoAccount):
		return notFound()
	case err != nil:
		return err
	}
	rm.config.Audit(c.R.Context(), Event{
		Action: "unlink", UserID: u.ID, Session: s.ID, Provider: gone.ProviderID, Account: gone.AccountID, Client: c.Address(),
	})
	return c.JSON(http.StatusOK, []byte(`{"status":true}`))
}
