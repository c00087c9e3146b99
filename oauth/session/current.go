package session

import (
	"errors"
	"net/http"

	"github.com/usherauth/usher/oauth/endpoint"
)

// current is who is signed in, or null.
func (rm *Room) current(c *endpoint.Call) error {
	noCache(c)
	s, u, err := c.Session()
	switch {
	case errors.Is(err, endpoint.ErrGone):
		return &endpoint.Error{Status: http.StatusUnauthorized, Code: "FAILED_TO_GET_SESSION", Message: "Failed to get session"}
	case err != nil:
		return err
	case s == nil:
		return c.JSON(http.StatusOK, []byte("null"))
	}
	b := append([]byte(nil), `{"session":`...)
	b = append(s.AppendJSON(b, rm.config.Shape), `,"user":`...)
	return c.JSON(http.StatusOK, append(u.AppendJSON(b, rm.config.Shape), '}'))
}

// notDeferred is the library's answer to who would renew a session by POST, which is done only where GET leaves it to
// that (session.deferSessionRefresh). Ours never does.
func notDeferred(c *endpoint.Call) error {
	noCache(c)
	return &endpoint.Error{
		Status: http.StatusMethodNotAllowed, Code: "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED",
		Message: "POST method requires deferSessionRefresh to be enabled in session config",
	}
}

// noCache adds to no-store, which every answer says, what the library says besides.
func noCache(c *endpoint.Call) { c.W.Header().Set("Pragma", "no-cache") }
