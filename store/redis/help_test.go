package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/redis"
)

// prefix is that of Better Auth's own adapter.
const prefix = "better-auth:"

// open opens a store that must work, and runs it.
func open(t testing.TB, c redis.Config) *redis.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		s.Close()
	})
	awaitRedis(t, s)
	return s
}

// awaitRedis waits until Redis is asked: a store with a fallback asks that until Redis has answered a probe.
func awaitRedis(t testing.TB, s *redis.Store) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		if degraded, _ := s.Degraded(); !degraded {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("Redis is not asked")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func ask(t testing.TB, s gate.Resolver, token string) (*gate.Principal, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return s.Resolve(ctx, gate.Proven(gate.ByCookie, token))
}

func resolve(t testing.TB, s gate.Resolver, token string) *gate.Principal {
	t.Helper()
	p, err := ask(t, s, token)
	if err != nil {
		t.Fatalf("resolve %q: %v", token, err)
	}
	return p
}

func nobody(t testing.TB, s gate.Resolver, token string) {
	t.Helper()
	if p, err := ask(t, s, token); !errors.Is(err, gate.ErrNoSession) {
		t.Errorf("resolve %q: %+v, %v; want no session", token, p, err)
	}
}

func same(t testing.TB, got, want *gate.Principal) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("principal (-want +got):\n%s", diff)
	}
}

// born is when the sessions of value were made.
var born = time.Date(2026, time.November, 21, 20, 38, 43, 151_000_000, time.UTC)

// value is what Better Auth writes for a session of the user u1.
func value(token string) string {
	return fmt.Sprintf(`{"session":{"id":"session-%[1]s","ipAddress":"","userAgent":"","expiresAt":"2036-11-28T20:38:43.151Z",`+
		`"userId":"u1","token":%[1]q,"createdAt":"2026-11-21T20:38:43.151Z","updatedAt":"2026-11-21T20:38:43.151Z"},`+
		`"user":{"name":"Ada ☃","email":"ada@example.com","emailVerified":true,"image":null,"createdAt":"2026-11-21T20:38:43.138Z",`+
		`"updatedAt":"2026-11-21T20:38:43.138Z","role":"user","banned":false,"banReason":null,"banExpires":null,"id":"u1"}}`, token)
}

// principal is what value says.
func principal(token string) *gate.Principal {
	return &gate.Principal{
		Session: gate.Session{ID: "session-" + token, CreatedAt: born, ExpiresAt: time.Date(2036, time.November, 28, 20, 38, 43, 151_000_000, time.UTC)},
		User:    gate.User{ID: "u1", Name: "Ada ☃", Email: "ada@example.com", EmailVerified: true, Roles: "user"},
	}
}

// people is a database of users by id.
type people struct {
	known       map[string]*gate.User
	memberships []gate.Membership
	err         error
	asked       chan struct{} // receives when somebody asks; nil: nothing does
}

func (p people) Person(ctx context.Context, id string) (*gate.User, []gate.Membership, error) {
	if p.asked != nil {
		p.asked <- struct{}{}
	}
	if p.err != nil {
		return nil, nil, p.err
	}
	return p.known[id], p.memberships, nil
}
