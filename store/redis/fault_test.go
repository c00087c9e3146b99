package redis_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/redis"
)

// slack is how much later than its deadline a call may return on a machine that others use, too.
const slack = 5 * time.Second

// lookUp resolves within a time, and demands that what could not be found out is not taken for no session.
func lookUp(t testing.TB, s gate.Resolver, token string, within time.Duration) (*gate.Principal, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	before := time.Now()
	p, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, token))
	if took := time.Since(before); took > within+slack {
		t.Errorf("took %v of %v", took, within)
	}
	if errors.Is(err, gate.ErrNoSession) {
		t.Errorf("could not find out, and said that there is none: %v", err)
	}
	return p, err
}

// together resolves n times at once and returns how many found the session.
func together(t testing.TB, s gate.Resolver, n int, within time.Duration) (found int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := lookUp(t, s, "token", within); err == nil {
				mu.Lock()
				found++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return found
}

// TestTakenAway: without a database nobody passes while Redis is away, nobody is signed out, and all pass when it is back.
func TestTakenAway(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	server.Call(t, "SET", prefix+"token", value("token"))
	s := open(t, redis.Config{URL: server.URL(), Prefix: prefix})
	if got := together(t, s, 64, 5*time.Second); got != 64 {
		t.Fatalf("%d of 64", got)
	}
	if open := s.Stats().Open; open < 2 || open > s.Stats().Max {
		t.Errorf("%+v", s.Stats())
	}
	for name, c := range map[string]struct{ away, back func() }{
		"killed": {server.Kill, server.Start}, "paused": {server.Pause, server.Resume},
	} {
		c.away()
		if got := together(t, s, 64, 200*time.Millisecond); got != 0 {
			t.Errorf("%s: %d found a session", name, got)
		}
		if err := s.Ping(t.Context()); err == nil {
			t.Errorf("%s: ping succeeds", name)
		}
		c.back()
		eventually(t, s, "token", 2*time.Second) // the library tries a server that refused connections once a second
		if got := together(t, s, 64, 5*time.Second); got != 64 {
			t.Errorf("%s: after it %d of 64", name, got)
		}
	}
	// A restart that nobody noticed, because nobody asked meanwhile.
	server.Kill()
	server.Start()
	eventually(t, s, "token", 2*time.Second)
	if got := together(t, s, 64, 5*time.Second); got != 64 {
		t.Errorf("restarted unnoticed: %d of 64", got)
	}
}

// TestDatabaseInstead: where the database knows the sessions, it answers for a Redis that does not, at next to no cost.
func TestDatabaseInstead(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	server.Call(t, "SET", prefix+"token", value("token"))
	row := &gate.Principal{Session: gate.Session{ID: "row"}, User: gate.User{ID: "u1"}}
	rows := gatetest.NewResolver(map[string]*gate.Principal{"token": row})
	s := open(t, redis.Config{URL: server.URL(), Prefix: prefix, StoreSessionInDatabase: true, Fallback: rows})
	same(t, resolve(t, s, "token"), principal("token"))
	if rows.Calls() > 0 {
		t.Error("the database was asked while Redis answers")
	}
	for name, c := range map[string]struct{ away, back func() }{
		"killed": {server.Kill, server.Start}, "paused": {server.Pause, server.Resume},
	} {
		c.away()
		const lookups = 2000
		began := time.Now()
		for range lookups {
			p, err := lookUp(t, s, "token", time.Second)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if p != row && time.Since(began) > time.Second {
				t.Fatalf("%s: not from the database", name)
			}
		}
		if took := time.Since(began); took > 300*time.Millisecond+slack/5 {
			t.Errorf("%s: %d lookups took %v", name, lookups, took)
		}
		if degraded, since := s.Degraded(); !degraded || since.Before(began) {
			t.Errorf("%s: degraded: %v since %v", name, degraded, since)
		}
		nobody(t, s, "unknown")
		c.back()
		back := time.Now()
		for {
			if p, err := lookUp(t, s, "token", time.Second); err == nil && p != row {
				break
			}
			if time.Since(back) > 3*time.Second {
				t.Fatalf("%s: Redis is not asked again", name)
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Logf("%s: asked again %v after its return", name, time.Since(back))
	}

	// The database fails as well: an error.
	broken := errors.New("the database is gone")
	rows.Break(broken)
	server.Kill()
	if _, err := lookUp(t, s, "token", time.Second); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestPreservedRowsProveNothing: they outlive their sessions, so they are no answer for a Redis that does not.
func TestPreservedRowsProveNothing(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	rows := gatetest.NewResolver(map[string]*gate.Principal{"token": {}})
	s := open(t, redis.Config{
		URL: server.URL(), Prefix: prefix, StoreSessionInDatabase: true, PreserveSessionInDatabase: true, Fallback: rows,
	})
	server.Kill()
	if p, err := lookUp(t, s, "token", time.Second); err == nil {
		t.Errorf("got %+v", p)
	}
	if rows.Calls() > 0 {
		t.Error("the database was asked")
	}
}

// TestForeignKeysDoNotDegrade: what a client chose to ask for must not make Redis look as if it failed.
func TestForeignKeysDoNotDegrade(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	server.Call(t, "RPUSH", prefix+"list", "a")
	s := open(t, redis.Config{URL: server.URL(), Prefix: prefix, StoreSessionInDatabase: true, Fallback: gatetest.NewResolver(nil)})
	nobody(t, s, "list")
	if degraded, _ := s.Degraded(); degraded {
		t.Error("degraded")
	}
}

// TestGone: whoever has left is not waited for, and his leaving says nothing of Redis.
func TestGone(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	s := open(t, redis.Config{URL: server.URL(), Prefix: prefix, StoreSessionInDatabase: true, Fallback: gatetest.NewResolver(nil)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, "token")); err == nil {
		t.Error("an answer for somebody who is gone")
	}
	if degraded, _ := s.Degraded(); degraded {
		t.Error("degraded")
	}
}
