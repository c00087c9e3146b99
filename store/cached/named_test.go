package cached_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
)

// twofold answers about sessions and about users of the same text, and counts.
type twofold struct {
	sessions, users *source
	byName          atomic.Int64
}

func (s *twofold) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	if c.Method() == gate.ByInternal {
		s.byName.Add(1)
		return s.users.Resolve(ctx, c)
	}
	return s.sessions.Resolve(ctx, c)
}

// named is what a store finds for a user who was named.
func named(name string) *gate.Principal {
	p := person(name)
	p.Session = gate.Session{}
	return p
}

func lookNamed(t testing.TB, c *cached.Cache, id string) string {
	t.Helper()
	p, err := c.Resolve(t.Context(), gate.Named(id))
	switch {
	case errors.Is(err, gate.ErrNoSession):
		return "nobody"
	case err != nil:
		t.Fatal(err)
	case p.Session != gate.Session{}:
		t.Errorf("a session: %+v", p.Session)
	}
	return p.User.Name
}

// TestNamedUsers are remembered like sessions, beside them, and never taken for one.
func TestNamedUsers(t *testing.T) {
	s := &twofold{sessions: newSource(map[string]*gate.Principal{"u": person("session u")}), users: newSource(map[string]*gate.Principal{"u": named("user u")})}
	c := open(t, s, ordinary())
	for range 3 {
		if got := lookNamed(t, c, "u"); got != "user u" {
			t.Errorf("named: %s", got)
		}
		want(t, c, "u", "session u")
		if p := c.Recall(gate.Named("u")); p == nil || p.User.Name != "user u" || p.Session != (gate.Session{}) {
			t.Errorf("recalled: %+v", p)
		}
		if p := c.Recall(proven("u")); p == nil || p.User.Name != "session u" {
			t.Errorf("recalled: %+v", p)
		}
	}
	wantAsked(t, s.sessions, "u", 1)
	wantAsked(t, s.users, "u", 1)
	c.Drop("u") // the session
	if p := c.Recall(gate.Named("u")); p == nil {
		t.Error("the end of a session forgets a user of the same text")
	}
}

func TestNamedUsersChange(t *testing.T) {
	for what, tag := range map[string]store.Tag{"user": store.UserTag("u"), "organization": store.OrganizationTag("o"), "the name": store.KeyOf(gate.Named("u"))} {
		t.Run(what, func(t *testing.T) {
			s := &twofold{users: newSource(map[string]*gate.Principal{"u": named("old")})}
			c := open(t, s, ordinary())
			n := c.Channel("test")
			defer tell(n)()
			if got := lookNamed(t, c, "u"); got != "old" {
				t.Fatal(got)
			}
			s.users.set("u", named("new"))
			if got := lookNamed(t, c, "u"); got != "old" {
				t.Fatalf("nothing is remembered: %s", got)
			}
			n.Changed(time.Time{}, tag)
			if c.Recall(gate.Named("u")) != nil {
				t.Error("still recalled")
			}
			if got := lookNamed(t, c, "u"); got != "new" {
				t.Error(got)
			}
		})
	}
	t.Run("made", func(t *testing.T) {
		s := &twofold{users: newSource(map[string]*gate.Principal{})}
		c := open(t, s, ordinary())
		n := c.Channel("test")
		defer tell(n)()
		if got := lookNamed(t, c, "u"); got != "nobody" {
			t.Fatal(got)
		}
		s.users.set("u", named("new"))
		n.Changed(time.Time{}, store.UserTag("u"))
		if got := lookNamed(t, c, "u"); got != "new" {
			t.Error(got)
		}
	})
}

// TestNamedUsersGrowOld: there is no session that ends, so it is the time to live that counts.
func TestNamedUsersGrowOld(t *testing.T) {
	now := time.Now()
	s := &twofold{users: newSource(map[string]*gate.Principal{"u": named("old")})}
	config := ordinary()
	config.Now = func() time.Time { return now }
	c := open(t, s, config)
	lookNamed(t, c, "u")
	now = now.Add(config.TTLUnnotified - 1)
	lookNamed(t, c, "u")
	wantAsked(t, s.users, "u", 1)
	now = now.Add(1)
	lookNamed(t, c, "u")
	wantAsked(t, s.users, "u", 2)
}

// TestASessionWithoutEndIsNotKept: what holds for users who are named must not hold for sessions.
func TestASessionWithoutEndIsNotKept(t *testing.T) {
	s := newSource(map[string]*gate.Principal{token: named("endless")})
	c := open(t, s, ordinary())
	want(t, c, token, "endless")
	if p := c.Recall(proven(token)); p != nil {
		t.Errorf("recalled: %+v", p)
	}
}
