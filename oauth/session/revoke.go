package session

import (
	"net/http"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
)

func revoked(c *endpoint.Call) error { return c.JSON(http.StatusOK, []byte(`{"status":true}`)) }

// failed is the library's answer where a session could not be ended.
func failed(c *endpoint.Call, err error) error {
	c.Log.ErrorContext(c.R.Context(), "sign-in server: a session could not be ended", "error", err)
	return &endpoint.Error{Status: http.StatusInternalServerError, Code: "INTERNAL_SERVER_ERROR", Message: "Internal Server Error"}
}

// revoke ends one session of somebody's own. The answer does not tell whether there was one, or whose.
func (rm *Room) revoke(c *endpoint.Call) error {
	body, err := c.Body(&endpoint.Object{Fields: []endpoint.Field{{Name: "token"}}})
	if err != nil {
		return err
	}
	s, u, err := c.Need()
	if err != nil {
		return err
	}
	token := body.Text("token")
	other, err := rm.find(c, token)
	if err != nil {
		return err
	}
	if other != nil && other.UserID == u.ID {
		if err := rm.config.Store.DeleteSession(c.R.Context(), token); err != nil {
			return failed(c, err)
		}
		rm.config.Forget(token)
		rm.audit(c, "revoke-session", s, other.ID)
	}
	if token == s.Token {
		c.ClearSession()
	}
	return revoked(c)
}

// find looks a token up that somebody wrote into a body.
func (rm *Room) find(c *endpoint.Call, token string) (*record.Session, error) {
	const longest = 512 // bytes, as in betterauth; no database keeps NUL in a text
	if token == "" || len(token) > longest || strings.IndexByte(token, 0) >= 0 {
		return nil, nil
	}
	s, _, err := rm.config.Store.FindSession(c.R.Context(), token)
	return s, err
}

func (rm *Room) revokeAll(c *endpoint.Call) error {
	s, _, err := c.Need()
	if err != nil {
		return err
	}
	if err := rm.endAll(c, s, ""); err != nil {
		return failed(c, err)
	}
	rm.audit(c, "revoke-sessions", s, "")
	c.ClearSession()
	return revoked(c)
}

func (rm *Room) revokeOthers(c *endpoint.Call) error {
	s, _, err := c.Need()
	if err != nil {
		return err
	}
	if err := rm.endAll(c, s, s.Token); err != nil {
		return failed(c, err)
	}
	rm.audit(c, "revoke-other-sessions", s, "")
	return revoked(c)
}

// endAll ends all sessions of somebody but one, and then has them forgotten: those that are begun meanwhile are ended
// too, and nobody remembers those yet.
func (rm *Room) endAll(c *endpoint.Call, s *record.Session, except string) error {
	all, err := rm.config.Store.SessionsOf(c.R.Context(), s.UserID)
	if err != nil {
		return err
	}
	if err := rm.config.Store.DeleteSessionsOf(c.R.Context(), s.UserID, except); err != nil {
		return err
	}
	for i := range all {
		if token := all[i].Token; token != except {
			rm.config.Forget(token)
		}
	}
	return nil
}
