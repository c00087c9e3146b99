package ratelimit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The window of the library's memory store begins anew with every request that is admitted.
func TestLocalWindow(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := NewLocal(func() time.Time { return now })
	for _, step := range []struct {
		after time.Duration
		ok    bool
		retry time.Duration
	}{
		{0, true, 0},
		{6 * time.Second, true, 0},
		{6 * time.Second, true, 0},                // 12 s after the first
		{6 * time.Second, false, 4 * time.Second}, // a fixed window would have admitted it
		{3 * time.Second, false, time.Second},     // what is refused moves nothing
		{time.Second - time.Millisecond, false, time.Millisecond},
		{time.Millisecond, true, 0},
		{0, true, 0},
		{0, true, 0},
		{0, false, 10 * time.Second},
	} {
		now = now.Add(step.after)
		ok, retry := l.Take(t.Context(), "ada|/sign-in/social", 10*time.Second, 3)
		if ok != step.ok || retry != step.retry {
			t.Fatalf("at %v: %v %v, want %v %v", now, ok, retry, step.ok, step.retry)
		}
		if ok, _ := l.Take(t.Context(), fmt.Sprint("somebody else at ", now.UnixNano(), step), 10*time.Second, 3); !ok {
			t.Fatal("somebody else is refused")
		}
	}
}

func TestLocalIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := NewLocal(func() time.Time { return now })
	for i := range maxKeys + 5000 {
		now = now.Add(time.Microsecond)
		if ok, _ := l.Take(t.Context(), fmt.Sprint(i), 10*time.Second, 3); !ok {
			t.Fatal("a first request is refused")
		}
	}
	if len(l.keys) > maxKeys {
		t.Errorf("%d keys", len(l.keys))
	}
	now = now.Add(2 * time.Minute)
	if l.Take(t.Context(), "one more", 10*time.Second, 3); len(l.keys) != 1 {
		t.Errorf("%d keys are remembered for nothing", len(l.keys))
	}
}

func TestLocalConcurrently(t *testing.T) {
	l := NewLocal(nil)
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				if ok, _ := l.Take(t.Context(), "k", time.Hour, 100); ok {
					admitted.Add(1)
				}
			}
		})
	}
	if wg.Wait(); admitted.Load() != 100 {
		t.Errorf("%d of 1000 were admitted", admitted.Load())
	}
}
