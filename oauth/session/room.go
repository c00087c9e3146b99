package session

import (
	"context"
	"net/http"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
)

// Store is where sessions are kept; FindSession answers nil, nil, nil for a token without one.
type Store interface {
	FindSession(ctx context.Context, token string) (*record.Session, *record.User, error)
	SessionsOf(ctx context.Context, userID string) ([]record.Session, error)
	DeleteSession(ctx context.Context, token string) error
	DeleteSessionsOf(ctx context.Context, userID, exceptToken string) error // empty: all
}

// Config is what a Room needs. Only Store is required.
type Config struct {
	Store Store
	Shape record.Shape // which columns there are

	// Forget tells whoever remembers a session that it ended here, so that nobody waits for the database to say so. nil:
	// nobody remembers.
	Forget func(token string)

	// EndSession is where somebody who signed out should go to be signed out by their provider as well; empty: nowhere.
	// callbackURL (trusted, may be relative or empty) is where they come back to. It is called after the session has
	// ended; its failure is logged, and they are signed out here. nil: nobody's.
	EndSession func(ctx context.Context, userID, callbackURL, state string) (string, error)

	// Audit is told of every session that somebody ended. nil: nobody is.
	Audit func(ctx context.Context, e Event)
}

// Event is one entry of the audit log. It holds nothing that opens anything.
type Event struct {
	Action  string // sign-out, revoke-session, revoke-sessions or revoke-other-sessions
	UserID  string
	Session string // id of the session in which it was asked for
	Target  string // id of the one session that ended; empty: several, or none
	Client  string // address
}

// Room is the routes of this package.
type Room struct{ config Config }

// New makes a Room.
func New(c Config) *Room {
	if c.Store == nil {
		panic("session: Store is required")
	}
	if c.Forget == nil {
		c.Forget = func(string) {}
	}
	if c.Audit == nil {
		c.Audit = func(context.Context, Event) {}
	}
	if c.EndSession == nil {
		c.EndSession = func(context.Context, string, string, string) (string, error) { return "", nil }
	}
	return &Room{c}
}

// Routes are what the Room answers.
func (rm *Room) Routes() []endpoint.Route {
	return []endpoint.Route{
		{Method: http.MethodGet, Path: "/ok", Handler: ok},
		{Method: http.MethodGet, Path: "/get-session", Handler: rm.current},
		{Method: http.MethodPost, Path: "/get-session", Handler: notDeferred, NoBody: true},
		{Method: http.MethodGet, Path: "/session", Handler: rm.current},
		{Method: http.MethodPost, Path: "/sign-out", Handler: rm.signOut},
		{Method: http.MethodGet, Path: "/list-sessions", Handler: rm.list},
		{Method: http.MethodPost, Path: "/revoke-session", Handler: rm.revoke},
		{Method: http.MethodPost, Path: "/revoke-sessions", Handler: rm.revokeAll},
		{Method: http.MethodPost, Path: "/revoke-other-sessions", Handler: rm.revokeOthers},
	}
}

func ok(c *endpoint.Call) error { return c.JSON(http.StatusOK, []byte(`{"ok":true}`)) }

func (rm *Room) audit(c *endpoint.Call, action string, s *record.Session, target string) {
	rm.config.Audit(c.R.Context(), Event{Action: action, UserID: s.UserID, Session: s.ID, Target: target, Client: c.Address()})
}
