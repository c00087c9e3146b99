package ratelimit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/redisconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient is for tests of what Redis counts: on a busy machine an answer may take longer than a gate waits for it, and
// each replica counts alone from then on.
const patient = 10 * time.Second

// newShared is a Shared that runs, and whose Redis has been found.
func newShared(t *testing.T, url string, timeout time.Duration) *Shared {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := NewShared(SharedConfig{Client: client, Prefix: "better-auth:", Timeout: timeout})
	ctx, stop := t.Context(), make(chan struct{})
	go func() { s.Run(ctx); close(stop) }()
	t.Cleanup(func() { <-stop; _ = client.Close() })
	await(t, "Redis", s.Sharing)
	return s
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s in time", what)
		}
	}
}

func TestReplicasCountTogether(t *testing.T) {
	redis := testenv.StartRedis(t)
	one, two := newShared(t, redis.URL(), patient), newShared(t, redis.URL(), patient)
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			s := one
			if i%2 == 0 {
				s = two
			}
			if ok, retry := s.Take(t.Context(), "203.0.113.9|/sign-in/social", time.Minute, 3); ok {
				admitted.Add(1)
			} else if retry != time.Minute {
				t.Errorf("come again in %v", retry)
			}
		})
	}
	if wg.Wait(); admitted.Load() != 3 {
		t.Errorf("%d of 40 were admitted", admitted.Load())
	}
	life, err := one.client.PTTL(t.Context(), "better-auth:203.0.113.9|/sign-in/social").Result()
	if err != nil || life <= 50*time.Second || life > time.Minute {
		t.Errorf("the library's key lives %v, %v", life, err)
	}
}

// A key without an end would lock somebody out for ever: a process that died between counting and setting it, of another
// maker than the scripts, leaves one.
func TestACountWithoutAnEndGetsOne(t *testing.T) {
	s := newShared(t, testenv.StartRedis(t).URL(), patient)
	if err := s.client.Set(t.Context(), "better-auth:k", 7, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if ok, _ := s.Take(t.Context(), "k", 300*time.Millisecond, 3); ok {
		t.Error("8 of 3 are admitted")
	}
	await(t, "end", func() bool { ok, _ := s.Take(t.Context(), "k", 300*time.Millisecond, 3); return ok })
}

// Redis is never a reason to refuse anybody, and its absence none to count nothing.
func TestWithoutRedisEachCountsAlone(t *testing.T) {
	redis := testenv.StartRedis(t)
	s := newShared(t, redis.URL(), 0)
	for _, fault := range []struct {
		name     string
		do, undo func()
	}{{"stopped", redis.Pause, redis.Resume}, {"dead", redis.Kill, redis.Start}} {
		fault.do()
		began := time.Now()
		for i := range 5 {
			if ok, _ := s.Take(t.Context(), fault.name, time.Minute, 3); ok != (i < 3) {
				t.Errorf("%s: request %d: %v", fault.name, i+1, ok)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: five requests took %v", fault.name, took)
		}
		fault.undo()
		await(t, "Redis again", s.Sharing)
	}
}
