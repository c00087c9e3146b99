package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Resolve implements gate.Resolver as Better Auth's findSession: the value of the token's key, unless the user's
// tombstone is younger than the session. Sessions that have expired are answered like any other.
//
// Which tombstone it is stands in the value, so these are two round trips, one after the other; a script could make it
// one, but not in a Cluster, where the two keys live on different servers, nor for a user who may only read. The second
// one is made while the database is asked for the person.
//
// While Redis fails this is an error, for nothing else knows what was revoked. Only where every revocation deletes rows
// as well (StoreSessionInDatabase without PreserveSessionInDatabase) the database answers instead: there it is as much
// of an authority.
func (s *Store) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	if c.Method() == gate.ByInternal {
		return store.Named(ctx, s.people, c) // Redis knows nobody without a session
	}
	token := c.Token()
	if !askable(token) {
		return nil, gate.ErrNoSession
	}
	p, err := s.find(ctx, token)
	switch {
	case s.fallback != nil && (errors.Is(err, errAbsent) || errors.Is(err, errRedis)):
		return s.fallback.Resolve(ctx, c)
	case errors.Is(err, errAbsent):
		return nil, gate.ErrNoSession
	case err == nil, errors.Is(err, gate.ErrNoSession):
		return p, err
	case ctx.Err() != nil:
		return nil, fmt.Errorf("redis: resolve session: %w (%w)", ctx.Err(), err)
	default:
		return nil, fmt.Errorf("redis: resolve session: %w", explain(err))
	}
}

var (
	errAbsent = errors.New("no such key")
	errRedis  = errors.New("lookup failed") // of Redis, not of the database
)

// find answers what Redis knows. A key that is there and holds no session of this token is gate.ErrNoSession.
func (s *Store) find(ctx context.Context, token string) (*gate.Principal, error) {
	value, err := s.get(ctx, token, longest)
	if err != nil {
		return nil, err
	}
	if value == "" {
		return nil, errAbsent
	}
	found, ok := parse(value, token)
	if !ok {
		return nil, gate.ErrNoSession
	}
	p := &gate.Principal{Session: found.session}
	if s.people == nil {
		p.User = found.user
		return p, s.revoked(ctx, found)
	}
	// The person is asked for here, not on a goroutine of its own, where nobody would catch a panic.
	dead := make(chan error, 1)
	go func() { dead <- s.revoked(ctx, found) }()
	user, memberships, err := s.people.Person(ctx, found.userID)
	if err := <-dead; err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	if user != nil { // else the gate finds that the user is gone
		p.User, p.Memberships = *user, memberships
	}
	return p, nil
}

// revoked is gate.ErrNoSession for a session that was made before all of its user's were revoked.
func (s *Store) revoked(ctx context.Context, found record) error {
	const digits = 32
	tombstone, err := s.get(ctx, revokedBefore+found.userID, digits)
	if err != nil {
		return err
	}
	if revoked(found.session.CreatedAt, tombstone) {
		return gate.ErrNoSession
	}
	return nil
}

// get reads the string at a key, and one byte more than most if it is longer. It is empty where there is none, which is
// how Better Auth takes an empty string, too. A key of another type is gate.ErrNoSession: nothing that Better Auth wrote.
func (s *Store) get(ctx context.Context, name string, most int64) (value string, err error) {
	ask := func(ctx context.Context) error {
		value, err = s.client.GetRange(ctx, s.prefix+name, 0, most).Result()
		if err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE") {
			err = gate.ErrNoSession
			return nil // Redis answers
		}
		return err
	}
	if s.breaker != nil {
		if stopped := s.breaker.Do(ctx, ask); stopped != nil {
			err = stopped
		}
	} else {
		_ = ask(ctx)
	}
	if err != nil && !errors.Is(err, gate.ErrNoSession) {
		return "", fmt.Errorf("%w: %w", errRedis, err)
	}
	return value, err
}
