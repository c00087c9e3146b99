package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Person finds a user and what he belongs to by his id, in one round trip: for sessions that are kept elsewhere. The user
// is nil where there is none; an error means that it could not be found out.
func (s *Store) Person(ctx context.Context, userID string) (*gate.User, []gate.Membership, error) {
	if !store.Askable(userID) || !s.queries.Load().holds(userID) {
		return nil, nil, nil
	}
	p, err := s.resolve(ctx, question{personOf, userID})
	switch {
	case err == nil:
		return &p.User, p.Memberships, nil
	case errors.Is(err, gate.ErrNoSession):
		return nil, nil, nil
	case ctx.Err() != nil:
		return nil, nil, fmt.Errorf("postgres: look up user: %w (%w)", ctx.Err(), err)
	default:
		return nil, nil, fmt.Errorf("postgres: look up user: %w", explain(err))
	}
}

// CanonicalUUID reports whether an id is written as PostgreSQL writes a UUID.
func CanonicalUUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case i == 8, i == 13, i == 18, i == 23:
			if c != '-' {
				return false
			}
		case c < '0', c > '9' && c < 'a', c > 'f':
			return false
		}
	}
	return true
}

// holds reports whether the column of user ids can hold this one, as it is written. The rest would be an error of the
// server, as if something were broken.
func (all *queries) holds(userID string) bool {
	bits, number := map[string]int{"int2": 16, "int4": 32, "int8": 64}[all.idKind]
	if number {
		n, err := strconv.ParseInt(userID, 10, bits)
		return err == nil && strconv.FormatInt(n, 10) == userID
	}
	return all.idKind != "uuid" || CanonicalUUID(userID)
}

// nobody is an id that can be asked for and that nobody has.
func (all *queries) nobody() string {
	switch all.idKind {
	case "uuid":
		return "00000000-0000-0000-0000-000000000000"
	case "int2", "int4", "int8":
		return "-1"
	}
	return ""
}
