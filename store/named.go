package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/usherauth/usher/gate"
)

// People is the part of a database that knows who somebody is. It answers a nil User when there is no such user, must
// honour ctx and be safe for concurrent use.
type People interface {
	Person(ctx context.Context, userID string) (*gate.User, []gate.Membership, error)
}

// ErrSessionsOnly is the answer of a storage that knows nobody without a session, to whoever names a user.
var ErrSessionsOnly = errors.New("this storage finds people by their sessions only; an internal caller can name nobody without a database")

// Named answers a credential of gate.Named: the user, as every store's Resolve has to. Without people it is an error, and
// never a session whose token reads like the id.
func Named(ctx context.Context, people People, c gate.Credential) (*gate.Principal, error) {
	switch {
	case c.Method() != gate.ByInternal:
		return nil, fmt.Errorf("store: %q names nobody", c.Method())
	case people == nil:
		return nil, fmt.Errorf("store: look up user: %w", ErrSessionsOnly)
	}
	user, memberships, err := people.Person(ctx, c.Token())
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		return nil, gate.ErrNoSession
	}
	return &gate.Principal{User: *user, Memberships: memberships}, nil
}
