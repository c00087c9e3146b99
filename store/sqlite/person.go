package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Person finds a user and what he belongs to by his id, in one query: for sessions that are kept elsewhere. The user is
// nil where there is none; an error means that it could not be found out.
func (s *Store) Person(ctx context.Context, userID string) (*gate.User, []gate.Membership, error) {
	if !store.Askable(userID) {
		return nil, nil, nil
	}
	p, err := s.answer(ctx, question{personOf, userID})
	switch {
	case err == nil:
		return &p.User, p.Memberships, nil
	case errors.Is(err, gate.ErrNoSession):
		return nil, nil, nil
	case ctx.Err() != nil:
		return nil, nil, fmt.Errorf("sqlite: look up user: %w (%w)", ctx.Err(), err)
	default:
		return nil, nil, fmt.Errorf("sqlite: look up user: %w", remedy(err))
	}
}
