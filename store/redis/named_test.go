package redis_test

import (
	"context"
	"errors"
	"testing"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/redis"
)

// crowd is a database of users.
type crowd map[string]*gate.User

func (c crowd) Person(_ context.Context, userID string) (*gate.User, []gate.Membership, error) {
	if userID == "broken" {
		return nil, nil, errors.New("the database is down")
	}
	return c[userID], nil, nil
}

// TestNamedUsers: it is the database that knows who somebody is. Redis is never asked, where a key may have any name.
func TestNamedUsers(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	server.Call(t, "SET", prefix+"token", value("token"))
	beside := open(t, redis.Config{URL: server.URL(), Prefix: prefix, People: crowd{"u1": {ID: "u1", Name: "Ada"}}})
	alone := open(t, redis.Config{URL: server.URL(), Prefix: prefix})
	p, err := beside.Resolve(t.Context(), gate.Named("u1"))
	if err != nil || p.User.Name != "Ada" || p.Session != (gate.Session{}) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, id := range []string{"token", "u2", "revoked-sessions-before-u1", ""} {
		if p, err := beside.Resolve(t.Context(), gate.Named(id)); !errors.Is(err, gate.ErrNoSession) || p != nil {
			t.Errorf("%q: %+v, %v", id, p, err)
		}
	}
	if p, err := beside.Resolve(t.Context(), gate.Named("broken")); err == nil || errors.Is(err, gate.ErrNoSession) || p != nil {
		t.Errorf("while the database is down: %+v, %v", p, err)
	}
	for _, id := range []string{"u1", "token"} {
		if p, err := alone.Resolve(t.Context(), gate.Named(id)); !errors.Is(err, store.ErrSessionsOnly) || errors.Is(err, gate.ErrNoSession) || p != nil {
			t.Errorf("alone: %q: %+v, %v", id, p, err)
		}
	}
}
