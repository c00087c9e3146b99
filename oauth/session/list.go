package session

import (
	"net/http"

	"github.com/usherauth/usher/oauth/endpoint"
)

// list is every live session of somebody, tokens included, for those who signed in lately. Those in which an
// administrator acts as them are not shown, as the admin plugin has it.
func (rm *Room) list(c *endpoint.Call) error {
	_, u, err := c.Fresh()
	if err != nil {
		return err
	}
	all, err := rm.config.Store.SessionsOf(c.R.Context(), u.ID)
	if err != nil {
		return err
	}
	b := []byte{'['}
	for i := range all {
		s := &all[i]
		if !s.ExpiresAt.After(c.Now) || s.ImpersonatedBy != nil && *s.ImpersonatedBy != "" {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = s.AppendJSON(b, rm.config.Shape)
	}
	return c.JSON(http.StatusOK, append(b, ']'))
}
