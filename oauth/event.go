package oauth

import (
	"time"

	"github.com/usherauth/usher/oauth/endpoint"
)

// Kind is what happened.
type Kind string

// The kinds of events.
const (
	SignedIn Kind = "sign-in" // an account that was known, or was linked on the way
	SignedUp Kind = "sign-up" // the user is new
	Linked   Kind = "link"    // somebody signed in added an account
	Refused  Kind = "refused" // Reason says why
)

// Event is one line of the audit log. It never holds a token, a code or a state.
type Event struct {
	Kind     Kind
	At       time.Time
	Provider string // the provider's id; empty where the path named none that exists
	UserID   string // empty where nobody was found
	Account  string // the identity's id at the provider; empty where it did not come to that
	Session  string // id of the session that was made
	Reason   string // of a refusal: the error code of the redirect or answer
	Address  string // of the client
}

func (s *Server) tell(c *endpoint.Call, e Event) {
	if s.config.Observe == nil {
		return
	}
	e.At, e.Address = c.Now, c.Address()
	s.config.Observe(e)
}
