package session

import (
	"net/http"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
)

// signOut ends the session of this browser. Whoever has none is signed out as well, and the cookies go in any case.
func (rm *Room) signOut(c *endpoint.Call) error {
	body, err := c.Body(&endpoint.Object{Optional: true, Fields: []endpoint.Field{
		{Name: "callbackURL", Optional: true},
		{Name: "disableRedirect", Type: endpoint.Flag, Optional: true},
		{Name: "state", Optional: true},
	}})
	if err != nil {
		return err
	}
	c.ClearSession()
	ended, err := rm.end(c)
	if err != nil {
		// The library says "success" here, with the session still good for whoever copied its cookie.
		c.Log.ErrorContext(c.R.Context(), "sign-in server: a session could not be ended", "error", err)
		return &endpoint.Error{Status: http.StatusInternalServerError, Code: "FAILED_TO_SIGN_OUT", Message: "Failed to sign out"}
	}
	if ended != nil {
		rm.audit(c, "sign-out", ended, ended.ID)
		to, err := rm.config.EndSession(c.R.Context(), ended.UserID, body.Text("callbackURL"), body.Text("state"))
		if err != nil {
			c.Log.WarnContext(c.R.Context(), "sign-in server: somebody who signed out here may still be signed in at their provider", "user_id", ended.UserID, "error", err)
		} else if to != "" {
			return leave(c, to, !body.True("disableRedirect"))
		}
	}
	return c.JSON(http.StatusOK, []byte(`{"success":true}`))
}

// end ends every session that the request proves, and returns the first.
func (rm *Room) end(c *endpoint.Call) (ended *record.Session, err error) {
	for _, token := range c.Tokens() {
		s, _, err := rm.config.Store.FindSession(c.R.Context(), token)
		if err != nil {
			return nil, err
		}
		if err := rm.config.Store.DeleteSession(c.R.Context(), token); err != nil {
			return nil, err
		}
		rm.config.Forget(token)
		if ended == nil {
			ended = s
		}
	}
	return ended, nil
}

// leave sends somebody to their provider's own sign-out.
func leave(c *endpoint.Call, to string, redirect bool) error {
	b := append([]byte(nil), `{"success":true,"url":`...)
	b = record.AppendString(b, to)
	if !redirect {
		return c.JSON(http.StatusOK, append(b, `,"redirect":false}`...))
	}
	c.W.Header().Set("Location", to)
	return c.JSON(http.StatusOK, append(b, `,"redirect":true}`...))
}
