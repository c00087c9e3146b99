package cached_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/cached"
)

func TestMissesCollapse(t *testing.T) {
	for it, config := range map[string]cached.Config{"remembered": ordinary(), "not remembered": {}} {
		t.Run(it, func(t *testing.T) {
			inTime(t, config, func(t *testing.T, s *source, c *cached.Cache) {
				slow := newLatch()
				s.holdUp(slow.hold)
				var wg sync.WaitGroup
				for range 1000 {
					wg.Go(func() { want(t, c, token, "Ada") })
				}
				synctest.Wait()
				slow.open()
				wg.Wait()
				wantAsked(t, s, token, 1)
				if got := c.Stats(); got.Misses != 1 || got.Collapsed != 999 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// TestMissesCollapseWithoutHelp has no latch: however the goroutines run, the store is asked once.
func TestMissesCollapseWithoutHelp(t *testing.T) {
	s := newSource(map[string]*gate.Principal{token: person("Ada")})
	c := open(t, s, ordinary())
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { want(t, c, token, "Ada") })
	}
	wg.Wait()
	wantAsked(t, s, token, 1)
}

// TestAFailureIsOneCallers: who joined a lookup that fails gets an answer of the next one, for which there is one more
// question, however many they are.
func TestAFailureIsOneCallers(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		first := newLatch()
		s.holdUp(func(ctx context.Context, token string) error { _ = first.hold(ctx, token); return errors.New("broken") })
		var wg sync.WaitGroup
		wg.Go(func() { want(t, c, token, "error") })
		synctest.Wait()
		for range 100 {
			wg.Go(func() { want(t, c, token, "Ada") })
		}
		synctest.Wait()
		s.holdUp(nil)
		first.open()
		wg.Wait()
		wantAsked(t, s, token, 2)
	})
}

// TestOldAgeIsOneCallers: a lookup that takes too long for him who began it says nothing to one who has only just come.
func TestOldAgeIsOneCallers(t *testing.T) {
	config := ordinary()
	config.LookupTimeout = time.Second
	inTime(t, config, func(t *testing.T, s *source, c *cached.Cache) {
		s.holdUp(newLatch().hold)
		var wg sync.WaitGroup
		wg.Go(func() { want(t, c, token, "error") })
		time.Sleep(900 * time.Millisecond)
		s.holdUp(nil)
		wg.Go(func() { want(t, c, token, "Ada") })
		wg.Wait()
		wantAsked(t, s, token, 2)
	})
}

// TestAnErrorIsEverybodys that does not pass: with one more question, and not one for each who waits.
func TestAnErrorIsEverybodys(t *testing.T) {
	broken := errors.New("broken")
	for it, fail := range map[string]func() error{"error": func() error { return broken }, "panic": func() error { panic("broken") }} {
		t.Run(it, func(t *testing.T) {
			inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
				slow := newLatch()
				s.holdUp(func(ctx context.Context, token string) error { _ = slow.hold(ctx, token); return fail() })
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() {
						if _, err := c.Resolve(t.Context(), proven(token)); err == nil || it == "error" && !errors.Is(err, broken) {
							t.Error(err)
						}
					})
				}
				synctest.Wait()
				c.Channel("test").ChangedAll() // not even a notice makes them ask again
				wg.Go(func() { want(t, c, token, "error") })
				synctest.Wait()
				slow.open()
				wg.Wait()
				wantAsked(t, s, token, 2)
			})
		})
	}
}

// TestWaitersLeave: each with its own context, and none takes the lookup with it, the first one neither.
func TestWaitersLeave(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		s.holdUp(func(ctx context.Context, _ string) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		began := time.Now()
		var stayed atomic.Int32
		var wg sync.WaitGroup
		for i := range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*150*time.Millisecond+time.Millisecond)
			wg.Go(func() {
				defer cancel()
				deadline, _ := ctx.Deadline()
				_, err := c.Resolve(ctx, proven(token))
				switch {
				case err == nil:
					stayed.Add(1)
				case !errors.Is(err, context.DeadlineExceeded) || !time.Now().Equal(deadline):
					t.Errorf("%v after %v", err, time.Since(began))
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if stayed.Load() != 3 || time.Since(began) != time.Second {
			t.Errorf("%d stayed until the end, after %v", stayed.Load(), time.Since(began))
		}
		want(t, c, token, "Ada")
		wantAsked(t, s, token, 1)
	})
}

// TestCancelledBeforehand: nothing is asked for somebody who is gone, and he is told so, whatever is in memory.
func TestCancelledBeforehand(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 {
			if p, err := c.Resolve(ctx, proven(token)); !errors.Is(err, context.Canceled) || p != nil {
				t.Errorf("%v, %v", p, err)
			}
			synctest.Wait()
		}
		wantAsked(t, s, token, 0)
	})
}

// TestValuesOfTheFirst: a trace goes on in the lookup that a request begins, its deadline does not.
func TestValuesOfTheFirst(t *testing.T) {
	type key struct{}
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		s.holdUp(func(ctx context.Context, _ string) error {
			deadline, _ := ctx.Deadline()
			if ctx.Value(key{}) != "trace" || time.Until(deadline) != 1500*time.Millisecond {
				t.Errorf("%v, %v", ctx.Value(key{}), time.Until(deadline))
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "trace"), time.Millisecond)
		defer cancel()
		if _, err := c.Resolve(ctx, proven(token)); err != nil {
			t.Error(err)
		}
	})
}

func TestLookupsAreBounded(t *testing.T) {
	config := ordinary()
	config.Lookups = 3
	inTime(t, config, func(t *testing.T, s *source, c *cached.Cache) {
		slow := newLatch()
		s.holdUp(slow.hold)
		var failed atomic.Int32
		var wg sync.WaitGroup
		for i := range 10 { // each leaves at once, its lookup does not
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				if _, err := c.Resolve(ctx, proven(numbered(i))); errors.Is(err, context.DeadlineExceeded) {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		if got := c.Stats(); got.Lookups != 3 || got.Misses != 3 || failed.Load() != 10 {
			t.Errorf("%d failed, %+v", failed.Load(), got)
		}
		name := make(chan string)
		go func() { name <- look(t, c, token) }()
		synctest.Wait()
		wantAsked(t, s, token, 0)
		slow.open()
		if got := <-name; got != "Ada" {
			t.Error(got)
		}
		synctest.Wait()
		if got := c.Stats().Lookups; got != 0 {
			t.Errorf("%d lookups are left", got)
		}
	})
}

// TestWhoWaitedForRoom looks into memory again: what he would ask for may have been found meanwhile.
func TestWhoWaitedForRoom(t *testing.T) {
	config := ordinary()
	config.Lookups = 1
	inTime(t, config, func(t *testing.T, s *source, c *cached.Cache) {
		slow := newLatch()
		s.holdUp(slow.hold)
		var wg sync.WaitGroup
		wg.Go(func() { want(t, c, "another", "nobody") })
		synctest.Wait()
		for range 10 {
			wg.Go(func() { want(t, c, token, "Ada") })
		}
		synctest.Wait()
		slow.open()
		wg.Wait()
		wantAsked(t, s, token, 1)
	})
}

// TestGoexit: a store that ends the goroutine keeps nobody waiting.
func TestGoexit(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		s.holdUp(func(context.Context, string) error { runtime.Goexit(); return nil })
		want(t, c, token, "error")
		s.holdUp(nil)
		want(t, c, token, "Ada")
	})
}
