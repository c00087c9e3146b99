package cached_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a store in memory whose lookups can be held up, and are counted.
type source struct {
	mu    sync.Mutex
	rows  map[string]*gate.Principal
	calls map[string]int
	hold  func(ctx context.Context, token string) error // after the row was read
}

func newSource(rows map[string]*gate.Principal) *source {
	return &source{rows: rows, calls: make(map[string]int)}
}

func (s *source) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	s.mu.Lock()
	s.calls[c.Token()]++
	p, hold := s.rows[c.Token()], s.hold
	s.mu.Unlock()
	if hold != nil {
		if err := hold(ctx, c.Token()); err != nil {
			return nil, err
		}
	}
	if p == nil {
		return nil, gate.ErrNoSession
	}
	return p, nil
}

func (s *source) set(token string, p *gate.Principal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[token] = p
}

func (s *source) holdUp(hold func(ctx context.Context, token string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = hold
}

// asked is how often the store was asked about a token.
func (s *source) asked(token string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[token]
}

// latch holds lookups up until it is opened.
type latch struct{ opened chan struct{} }

func newLatch() latch { return latch{make(chan struct{})} }

func (l latch) hold(ctx context.Context, _ string) error {
	select {
	case <-l.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l latch) open() { close(l.opened) }

// person is the principal of user u in organization o, for a day; the name tells versions apart.
func person(name string) *gate.Principal {
	now := time.Now().UTC().Round(0)
	return &gate.Principal{
		Session:     gate.Session{ID: "s", CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour)},
		User:        gate.User{ID: "u", Name: name, Email: "u@example.com"},
		Memberships: []gate.Membership{{OrganizationID: "o", Slug: "acme", Roles: "owner"}},
	}
}

const token = "CfGKi167y3hW3FhSqs998axwsNhZgpBx"

func proven(token string) gate.Credential { return gate.Proven(gate.ByCookie, token) }

// open makes a cache that is closed with the test.
func open(t testing.TB, next gate.Resolver, c cached.Config) *cached.Cache {
	t.Helper()
	cache := cached.New(next, c)
	t.Cleanup(cache.Close)
	return cache
}

func ordinary() cached.Config {
	return cached.Config{Size: 1000, TTL: time.Minute, TTLUnnotified: 5 * time.Second}
}

// look is the name that is found in the way the gate looks: "nobody" without a session, "error" when a lookup fails.
func look(t testing.TB, c *cached.Cache, token string) string {
	t.Helper()
	if p := c.Recall(proven(token)); p != nil {
		return p.User.Name
	}
	p, err := c.Resolve(t.Context(), proven(token))
	switch {
	case errors.Is(err, gate.ErrNoSession) && p == nil:
		return "nobody"
	case err != nil && p == nil:
		return "error"
	case err != nil:
		t.Errorf("both %v and %v", p, err)
	}
	return p.User.Name
}

func want(t testing.TB, c *cached.Cache, token, name string) {
	t.Helper()
	if got := look(t, c, token); got != name {
		t.Errorf("got %s, want %s", got, name)
	}
}

// wantAsked demands how often the store was asked about a token.
func wantAsked(t testing.TB, s *source, token string, times int) {
	t.Helper()
	if got := s.asked(token); got != times {
		t.Errorf("the store was asked %d times, want %d", got, times)
	}
}

// tell keeps a channel complete until the function it returns is called.
func tell(n store.Notices) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	n.Complete(time.Now())
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(400 * time.Millisecond):
				n.Complete(time.Now())
			}
		}
	}()
	return func() { close(done); <-ended }
}

// tags are all that the answer about person depends on.
func tags() map[string]store.Tag {
	return map[string]store.Tag{"session": store.SessionTag(token), "user": store.UserTag("u"), "organization": store.OrganizationTag("o")}
}

func numbered(i int) string { return fmt.Sprintf("token-%08d", i) }
