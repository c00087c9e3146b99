package redisconn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// fakeRedis answers at once, or not at all.
type fakeRedis struct {
	dead  atomic.Bool
	asked atomic.Int64
}

func (f *fakeRedis) ask(ctx context.Context) error {
	f.asked.Add(1)
	if !f.dead.Load() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// run starts the breaker's probes until the test ends.
func run(t *testing.T, b *Breaker) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
}

func TestOutageCostsOneTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r fakeRedis
		b := NewBreaker(BreakerConfig{Probe: r.ask})
		if err := b.Do(t.Context(), r.ask); !errors.Is(err, ErrOpen) {
			t.Errorf("before the first probe an operation was tried: %v", err)
		}
		run(t, b)
		if err := b.Do(t.Context(), r.ask); err != nil {
			t.Fatal(err)
		}

		const outage, workers = 30 * time.Second, 8
		time.Sleep(100 * time.Millisecond) // between two probes
		r.dead.Store(true)
		var wg sync.WaitGroup
		var longest atomic.Int64
		for range workers {
			wg.Go(func() {
				var waited time.Duration
				for began := time.Now(); time.Since(began) < outage; time.Sleep(time.Millisecond) {
					before := time.Now()
					if b.Do(t.Context(), r.ask) == nil {
						t.Error("a dead Redis answered")
					}
					waited += time.Since(before)
				}
				longest.Store(max(longest.Load(), int64(waited)))
			})
		}
		wg.Wait()
		if got := time.Duration(longest.Load()); got != 50*time.Millisecond {
			t.Errorf("one worker waited %v in %v, and was to wait one timeout of 50ms", got, outage)
		}
		s := b.Stats()
		if !s.Open || s.Opened != 1 || s.Failures != workers || s.Lost != workers*50*time.Millisecond || s.Refused == 0 || s.Err == nil {
			t.Errorf("stats: %+v", s)
		}

		r.dead.Store(false)
		time.Sleep(2 * time.Second)
		if err := b.Do(t.Context(), r.ask); err != nil {
			t.Errorf("two seconds after Redis is back: %v", err)
		}
		if s := b.Stats(); s.Open || s.Err != nil {
			t.Errorf("stats: %+v", s)
		}
	})
}

// A server that answers probes and nothing else costs one timeout a second.
func TestProbesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var probe, r fakeRedis
		b := NewBreaker(BreakerConfig{Probe: probe.ask})
		run(t, b)
		r.dead.Store(true)
		var waited time.Duration
		for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
			before := time.Now()
			_ = b.Do(t.Context(), r.ask)
			waited += time.Since(before)
		}
		if waited > 11*50*time.Millisecond {
			t.Errorf("waited %v in 10s", waited)
		}
	})
}

func TestProbeFindsTheOutageFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r fakeRedis
		regained := 0
		b := NewBreaker(BreakerConfig{Probe: r.ask, Regained: func() { regained++ }})
		run(t, b)
		synctest.Wait()
		if regained != 0 {
			t.Error("the first success counts as regained")
		}
		r.dead.Store(true)
		time.Sleep(2 * time.Second)
		before := time.Now()
		if err := b.Do(t.Context(), r.ask); !errors.Is(err, ErrOpen) || time.Since(before) != 0 {
			t.Errorf("an idle outage was not noticed: %v after %v", err, time.Since(before))
		}
		r.dead.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if regained != 1 || b.Open() {
			t.Errorf("regained %d times, open %v", regained, b.Open())
		}
	})
}

// A hiccup between two probes is not an outage after which another server may answer.
func TestHiccup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r fakeRedis
		b := NewBreaker(BreakerConfig{Probe: r.ask, Regained: func() { t.Error("regained after a hiccup") }})
		run(t, b)
		time.Sleep(100 * time.Millisecond)
		r.dead.Store(true)
		_ = b.Do(t.Context(), r.ask)
		r.dead.Store(false)
		if !b.Open() {
			t.Error("a failure did not open the breaker")
		}
		time.Sleep(time.Second)
		if b.Open() {
			t.Error("it did not heal")
		}
	})
}

func TestNoFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r fakeRedis
		b := NewBreaker(BreakerConfig{Probe: r.ask, Changed: func(err error) { t.Errorf("changed: %v", err) }})
		run(t, b)
		if err := b.Do(t.Context(), func(context.Context) error { return redis.Nil }); !errors.Is(err, redis.Nil) {
			t.Error(err)
		}
		canceled, cancel := context.WithCancel(t.Context())
		if err := b.Do(canceled, func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := b.Do(short, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if b.Open() {
			t.Error("what is no failure of Redis opened the breaker")
		}
	})
}

// That no Sentinel knows the master is an error that wraps redis.Nil.
func TestUnknownMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unknown := fmt.Errorf("all sentinels specified in configuration are unreachable: %w", redis.Nil)
		b := NewBreaker(BreakerConfig{Probe: func(context.Context) error { return unknown }})
		run(t, b)
		if !b.Open() {
			t.Error("a probe that found no master closed the breaker")
		}
	})
}

// An operation that began before an outage and fails after it says nothing about the time since.
func TestLateFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r fakeRedis
		b := NewBreaker(BreakerConfig{Probe: r.ask, Every: 10 * time.Millisecond, Timeout: time.Second})
		run(t, b)
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = b.Do(t.Context(), func(context.Context) error {
				time.Sleep(500 * time.Millisecond)
				return errors.New("late")
			})
		})
		time.Sleep(time.Millisecond)
		_ = b.Do(t.Context(), func(context.Context) error { return errors.New("now") })
		if !b.Open() {
			t.Fatal("not open")
		}
		time.Sleep(100 * time.Millisecond)
		wg.Wait()
		if b.Open() {
			t.Error("the late failure ended a stretch it was not of")
		}
	})
}

// A success that a probe saw before the outage does not end the outage.
func TestProbeFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		b := NewBreaker(BreakerConfig{Probe: func(context.Context) error {
			if slow.Load() {
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		}})
		run(t, b)
		slow.Store(true)
		time.Sleep(1050 * time.Millisecond) // in the middle of a probe
		_ = b.Do(t.Context(), func(context.Context) error { return errors.New("now") })
		time.Sleep(100 * time.Millisecond)
		if !b.Open() {
			t.Error("a probe that began before the failure closed the breaker")
		}
		time.Sleep(time.Second)
		if b.Open() {
			t.Error("it did not heal")
		}
	})
}

// Whoever is told hears of each outage once, and of its end, in order, also when it lasts from the start.
func TestChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r fakeRedis
		var told []bool
		b := NewBreaker(BreakerConfig{Probe: r.ask, Changed: func(err error) { told = append(told, err == nil) }})
		r.dead.Store(true)
		run(t, b)
		time.Sleep(5 * time.Second)
		for _, dead := range []bool{false, true, false} {
			r.dead.Store(dead)
			time.Sleep(5 * time.Second)
		}
		synctest.Wait()
		if want := []bool{false, true, false, true}; len(told) != len(want) || told[0] || !told[1] || told[2] || !told[3] {
			t.Errorf("told (works) %v, want %v", told, want)
		}
	})
}

func TestConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r fakeRedis
		b := NewBreaker(BreakerConfig{Probe: r.ask, Every: 7 * time.Millisecond, Timeout: 3 * time.Millisecond})
		run(t, b)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 200 {
				r.dead.Store(i%2 == 0)
				time.Sleep(11 * time.Millisecond)
			}
			r.dead.Store(false)
		})
		for range 16 {
			wg.Go(func() {
				for range 1000 {
					_ = b.Do(t.Context(), r.ask)
					_ = b.Stats()
					time.Sleep(time.Millisecond)
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		if err := b.Do(t.Context(), r.ask); err != nil {
			t.Error(err)
		}
	})
}
