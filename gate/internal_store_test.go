package gate_test

import (
	"context"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
)

// TestAConfusedResolver: one that takes the name of a user for a session's token must not make anybody of it, and a
// session without an end stays over.
func TestAConfusedResolver(t *testing.T) {
	alice := people()["alice"]
	named := &gate.Principal{User: alice.User, Memberships: alice.Memberships}
	ended := *named
	ended.Session.ExpiresAt = now.Add(time.Hour)
	for what, c := range map[string]struct {
		p    *gate.Principal
		user string
		want string
	}{
		"right":         {named, "u-alice", "allow INTERNAL"},
		"a session":     {alice, "u-alice", "unavailable INTERNAL_ERROR"},
		"an expiry":     {&ended, "u-alice", "unavailable INTERNAL_ERROR"},
		"somebody else": {named, "u-root", "unavailable INTERNAL_ERROR"},
		"nothing":       {nil, "u-alice", "unavailable INTERNAL_ERROR"},
		"nobody":        {new(gate.Principal), "u-alice", "unavailable INTERNAL_ERROR"},
	} {
		w := newWorld(t, serviceRules, func(g *gate.Config) { g.Callers, g.Resolver = services(t), everybody{c.p} })
		if got := w.decide(t, ask(t, w, "/x", "", "Authorization: Bearer "+serviceToken('a'), "X-User-Id: "+c.user)); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	for _, credential := range []string{"Cookie: session=alice", "Authorization: Bearer alice"} {
		w := newWorld(t, serviceRules, func(g *gate.Config) { g.Callers, g.Resolver = services(t), everybody{named} })
		if got := w.decide(t, ask(t, w, "/x", "", credential)); got != "sign-in SESSION_EXPIRED" {
			t.Errorf("%s without an end: %s", credential, got)
		}
	}
}

func TestInternalCallersWhileTheStoreIsDown(t *testing.T) {
	w := newServiceWorld(t)
	w.sessions.Break(errDown)
	for lines, want := range map[string]string{
		"X-User-Id: u-alice": "unavailable STORE_UNAVAILABLE", "": "deny USER_REQUIRED",
	} {
		if got := w.decide(t, ask(t, w, "/x", "", "Authorization: Bearer "+serviceToken('a'), lines)); got != want {
			t.Errorf("%q: %s, want %s", lines, got, want)
		}
	}
	w.sessions.Break(nil)
	w.sessions.Hang(true)
	if got := w.decide(t, ask(t, w, "/x", "", "Authorization: Bearer "+serviceToken('a'), "X-User-Id: u-alice")); got != "unavailable STORE_TIMEOUT" {
		t.Error(got)
	}
}

// TestSlidingLeavesTheNamedAlone: there is no session whose end could be moved.
func TestSlidingLeavesTheNamedAlone(t *testing.T) {
	w := newServiceWorld(t, func(g *gate.Config) {
		g.Sliding = &gate.Sliding{Refresher: refuser{t}, ExpiresIn: time.Hour}
	})
	if got := w.decide(t, ask(t, w, "/x", "", "Authorization: Bearer "+serviceToken('a'), "X-User-Id: u-alice")); got != "allow INTERNAL" {
		t.Error(got)
	}
}

type refuser struct{ t *testing.T }

func (r refuser) Refresh(context.Context, gate.Credential, *gate.Session, time.Time, time.Time) (bool, error) {
	r.t.Error("a session is refreshed")
	return false, nil
}
