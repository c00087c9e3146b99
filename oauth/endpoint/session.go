package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/gate"
)

// Sessions is where sessions are kept. FindSession answers nil, nil, nil for a token without a session, and expired ones
// like any other; RefreshSession, whether the session was still there.
type Sessions interface {
	FindSession(ctx context.Context, token string) (*record.Session, *record.User, error)
	RefreshSession(ctx context.Context, s *record.Session, expiresAt, now time.Time) (bool, error)
	DeleteSession(ctx context.Context, token string) error
}

// errSession is what the library says when it could not find out.
var errSession = Error{Status: http.StatusInternalServerError, Code: "FAILED_TO_GET_SESSION", Message: "Failed to get session"}

// Session is the live session of the request's bearer or cookie, looked up once and made to last longer when that is due;
// nil: nobody is signed in. A store that could not be asked is an error, never nobody.
//
// It does what the library's get-session does, cookies included: those of a session that is over are cleared, and one
// that was renewed is handed out again.
func (c *Call) Session() (*record.Session, *record.User, error) {
	if !c.looked {
		c.looked = true
		c.session, c.user, c.failed = c.lookUp()
	}
	return c.session, c.user, c.failed
}

// Need is Session for what only somebody signed in may do: nobody is the library's 401.
func (c *Call) Need() (*record.Session, *record.User, error) {
	s, u, err := c.Session()
	switch {
	case errors.Is(err, ErrGone):
		return nil, nil, Unauthorized()
	case err != nil:
		return nil, nil, err
	case s == nil:
		return nil, nil, Unauthorized()
	}
	return s, u, nil
}

// Fresh is Need for what is delicate: a session made too long ago is the library's 403.
func (c *Call) Fresh() (*record.Session, *record.User, error) {
	s, u, err := c.Need()
	if err != nil {
		return nil, nil, err
	}
	if age := c.router.config.FreshAge; age > 0 && c.Now.Sub(s.CreatedAt) >= age {
		return nil, nil, NotFresh()
	}
	return s, u, nil
}

// ErrGone says that a session ended while it was being renewed.
var ErrGone = errors.New("the session ended while it was renewed")

var sessionQuery = &Object{Fields: []Field{
	{Name: "disableCookieCache", Type: Coerced, Optional: true},
	{Name: "disableRefresh", Type: Coerced, Optional: true},
}}

func (c *Call) lookUp() (*record.Session, *record.User, error) {
	query, err := c.Query(sessionQuery)
	if err != nil {
		return nil, nil, err
	}
	c.clearPieces()
	credentials := c.credentials()
	if credentials.Len() == 0 {
		return nil, nil, nil
	}
	s, u, err := c.find(credentials)
	if err != nil || s == nil {
		return nil, nil, err
	}
	if query.True("disableRefresh") || c.DontRemember() || !c.due(s) {
		return s, u, nil
	}
	return c.renew(s, u)
}

// credentials are the tokens that the request proves. As in the library, a bearer that proves nothing is no bearer, and
// the cookie counts; one that does prove something takes the cookie's place, wherever it leads. But a service is nobody
// who could be signed in, whatever cookies it passes on.
func (c *Call) credentials() gate.Credentials {
	if _, service := gate.ServiceToken(c.R.Header.Get("Authorization")); service {
		return gate.Credentials{}
	}
	ask := gate.Request{Cookies: c.R.Header["Cookie"], Authorization: c.R.Header.Get("Authorization")}
	found, err := c.router.config.Reader.Read(&ask)
	if err != nil && ask.Authorization != "" {
		ask.Authorization = ""
		found, err = c.router.config.Reader.Read(&ask)
	}
	if err != nil {
		return gate.Credentials{}
	}
	return found
}

// Tokens are the tokens that the request proves, for whoever ends their sessions.
func (c *Call) Tokens() []string {
	found := c.credentials()
	tokens := make([]string, found.Len())
	for i := range tokens {
		tokens[i] = found.At(i).Token()
	}
	return tokens
}

// DontRemember reports whether the browser's session should end with it, as was wished at sign-in. A session that is
// handed out anew follows it.
func (c *Call) DontRemember() bool {
	return c.router.config.Reader.DontRemember(&gate.Request{Cookies: c.R.Header["Cookie"]})
}

// find asks for each token until one is a live session. Where none is, the cookies go, and with them the row of a session
// that is over.
func (c *Call) find(credentials gate.Credentials) (*record.Session, *record.User, error) {
	store := c.router.config.Sessions
	var over []string
	for i := range credentials.Len() {
		token := credentials.At(i).Token()
		s, u, err := store.FindSession(c.R.Context(), token)
		switch {
		case err != nil:
			return nil, nil, c.unknown(err)
		case s == nil || u == nil:
		case s.ExpiresAt.Before(c.Now):
			over = append(over, token)
		default:
			return s, u, nil
		}
	}
	c.ClearSession()
	for _, token := range over {
		if err := store.DeleteSession(c.R.Context(), token); err != nil {
			return nil, nil, c.unknown(err)
		}
	}
	return nil, nil, nil
}

// unknown is the library's answer when its store fails, and our line in the log.
func (c *Call) unknown(err error) error {
	if !errors.Is(c.R.Context().Err(), context.Canceled) {
		c.Log.ErrorContext(c.R.Context(), "sign-in server: the session could not be looked up", "error", err)
	}
	failed := errSession
	return fmt.Errorf("%w", &failed)
}

// due reports whether the library would make the session last longer now. A session that lasts longer than ExpiresIn is
// not made shorter by this, unless it would be there too.
func (c *Call) due(s *record.Session) bool {
	every := max(0, c.router.config.UpdateAge)
	return !s.ExpiresAt.Add(every - c.router.config.ExpiresIn).After(c.Now)
}

func (c *Call) renew(s *record.Session, u *record.User) (*record.Session, *record.User, error) {
	until := c.Now.Add(c.router.config.ExpiresIn)
	there, err := c.router.config.Sessions.RefreshSession(c.R.Context(), s, until, c.Now)
	switch {
	case err != nil:
		return nil, nil, c.unknown(err)
	case !there:
		c.ClearSession()
		return nil, nil, ErrGone
	}
	renewed := *s
	renewed.ExpiresAt, renewed.UpdatedAt = until, c.Now
	c.SetSession(s.Token, true)
	return &renewed, u, nil
}
