package shared

import (
	"context"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// TestNamedUsers are shared like sessions, beside them, and never taken for one.
func TestNamedUsers(t *testing.T) {
	server, d := newWorld(t)
	users := &database{rows: map[string]*gate.Principal{}}
	users.set("token", "user")
	users.rows["token"].Session = gate.Session{}
	both := twofold{d, users}
	a, b := newReplica(t, server.URL(), both, nil), newReplica(t, server.URL(), both, nil)
	aged()
	named := func(r *replica) string {
		t.Helper()
		p, err := r.Resolve(t.Context(), gate.Named("token"))
		if err != nil {
			t.Fatal(err)
		}
		if p.Session != (gate.Session{}) {
			t.Errorf("a session: %+v", p.Session)
		}
		return p.User.Name
	}
	if got := named(a); got != "user" {
		t.Fatal(got)
	}
	a.written(t, 1)
	if got := a.name(t, "token"); got != "old" {
		t.Errorf("the session of that text: %s", got)
	}
	a.written(t, 2)
	if got := named(b); got != "user" || b.Stats().Hits != 1 {
		t.Errorf("the other replica: %s, %+v", got, b.Stats())
	}
	if got := b.name(t, "token"); got != "old" || b.Stats().Hits != 2 {
		t.Errorf("the other replica: %s, %+v", got, b.Stats())
	}
	if keys := a.client.Keys(t.Context(), prefix+"*").Val(); len(keys) != 2 {
		t.Errorf("keys: %q", keys)
	}
	for key, left := range map[string]time.Duration{a.names.of(gate.Named("token")).redis: time.Minute} {
		if got := a.client.PTTL(t.Context(), key).Val(); got <= 0 || got > left {
			t.Errorf("%v are left", got)
		}
	}

	// Each under the other's name says nothing.
	session, user := a.names.of(gate.Proven(gate.ByCookie, "token")).redis, a.names.of(gate.Named("token")).redis
	b.client.Set(t.Context(), user, b.client.Get(t.Context(), session).Val(), 0)
	if got := named(b); got != "user" || b.Stats().Unreadable != 1 {
		t.Errorf("a session under a user's name: %s, %+v", got, b.Stats())
	}

	users.set("token", "renamed")
	users.rows["token"].Session = gate.Session{}
	b.notices.Changed(time.Time{}, store.UserTag("user of token"))
	if got := named(b); got != "renamed" {
		t.Errorf("after a change: %s", got)
	}
}

// twofold answers about sessions and about users of the same text.
type twofold struct{ sessions, users gate.Resolver }

func (s twofold) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	if c.Method() == gate.ByInternal {
		return s.users.Resolve(ctx, c)
	}
	return s.sessions.Resolve(ctx, c)
}
