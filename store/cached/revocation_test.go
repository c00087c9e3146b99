package cached_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
)

// heard is what ObserveRevocation heard.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) observe(r cached.Revocation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, r.String())
}

func (h *heard) want(t *testing.T, lines ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if diff := cmp.Diff(lines, h.lines); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
	h.lines = nil
}

// inTimeHeard is inTime with somebody who listens.
func inTimeHeard(t *testing.T, test func(t *testing.T, s *source, c *cached.Cache, h *heard)) {
	t.Helper()
	h := new(heard)
	config := ordinary()
	config.ObserveRevocation = h.observe
	inTime(t, config, func(t *testing.T, s *source, c *cached.Cache) { test(t, s, c, h) })
}

// notified reports whether an answer that is older than TTLUnnotified counts.
func notified(t *testing.T, c *cached.Cache) bool {
	t.Helper()
	r := c.Revocation()
	if (r.String() == "notified") != r.Notified {
		t.Errorf("%+v is %s", r, r)
	}
	return r.Notified
}

func TestChannels(t *testing.T) {
	inTimeHeard(t, func(t *testing.T, s *source, c *cached.Cache, h *heard) {
		db, redis := c.Channel("postgres"), c.Channel("redis")
		want(t, c, token, "Ada")
		h.want(t) // they have a second to say something
		stopDB := tell(db)
		if notified(t, c) {
			t.Error("notified by one of two channels")
		}
		stopRedis := tell(redis)
		if !notified(t, c) {
			t.Error("not notified by two channels")
		}
		h.want(t, "notified")

		s.set(token, person("Bob"))
		want(t, c, token, "Bob") // the first word of a channel is a flush
		time.Sleep(30 * time.Second)
		want(t, c, token, "Bob")
		wantAsked(t, s, token, 2)

		stopDB()
		db.Incomplete(errors.New("connection refused"))
		db.Incomplete(errors.New("the server starts up"))
		since := time.Now()
		time.Sleep(time.Second)
		if notified(t, c) {
			t.Error("notified by one of two channels")
		}
		h.want(t, "ttl-bound: postgres: connection refused")
		r := c.Revocation()
		if len(r.Channels) != 2 || r.Channels[0].Why.Error() != "the server starts up" || !r.Channels[0].Since.Equal(since) || !r.Since.Equal(since) ||
			!r.Channels[1].Complete || r.Channels[1].Why != nil || r.Channels[1].Name != "redis" {
			t.Errorf("%+v", r)
		}
		s.set(token, person("Eve")) // untold
		want(t, c, token, "Eve")    // what is in memory is older than five seconds
		s.set(token, person("Zoe"))
		want(t, c, token, "Eve")
		stopDB = tell(db)
		want(t, c, token, "Zoe") // it could have been told while the connection was lost
		h.want(t, "notified")

		stopRedis()
		time.Sleep(2 * time.Second)
		want(t, c, token, "Zoe") // silence is noticed by a request, too
		h.want(t, "ttl-bound: redis: it has said nothing for more than a second")
		stopRedis = tell(redis)
		h.want(t, "notified")
		stopDB()
		stopRedis()
	})
}

// TestSilence: a channel that says nothing is believed for one second.
func TestSilence(t *testing.T) {
	inTimeHeard(t, func(t *testing.T, s *source, c *cached.Cache, h *heard) {
		n := c.Channel("test")
		stop := tell(n)
		want(t, c, token, "Ada")
		time.Sleep(10*time.Second + time.Millisecond)
		stop()
		n.Complete(time.Now())
		s.set(token, person("Bob"))
		time.Sleep(time.Second)
		want(t, c, token, "Ada")
		time.Sleep(time.Nanosecond)
		want(t, c, token, "Bob")
		r := c.Revocation()
		if r.Notified || len(r.Channels) != 1 || r.Channels[0].Complete || r.Channels[0].Why == nil || !r.Channels[0].Since.Equal(time.Now().Add(-1)) {
			t.Errorf("%+v", r)
		}
		h.want(t, "notified", "ttl-bound: test: it has said nothing for more than a second")

		// It was late, and yet told everything: nothing has to be forgotten.
		time.Sleep(10 * time.Second)
		flushes := c.Stats().Flushes
		n.Complete(time.Now())
		want(t, c, token, "Bob")
		wantAsked(t, s, token, 2)
		if got := c.Stats().Flushes; got != flushes {
			t.Errorf("%d flushes after silence", got-flushes)
		}
		h.want(t, "notified")
	})
}

// TestOddWords: whatever a watcher takes for the time, it cannot be complete in the future, and the past is the past.
func TestOddWords(t *testing.T) {
	for it, until := range map[string]time.Time{
		"no time": {}, "long ago": time.Unix(0, 0), "before everything": time.Unix(-1<<60, 0), "older than a second": time.Date(1999, 12, 31, 23, 59, 58, 999999999, time.UTC),
	} {
		t.Run(it, func(t *testing.T) {
			inTime(t, ordinary(), func(t *testing.T, _ *source, c *cached.Cache) {
				n := c.Channel("test")
				n.Complete(until)
				if notified(t, c) {
					t.Error("complete")
				}
				n.Complete(time.Now())
				n.Complete(until)
				if !notified(t, c) {
					t.Error("what was told later is forgotten")
				}
			})
		})
	}
	t.Run("the future", func(t *testing.T) {
		inTime(t, ordinary(), func(t *testing.T, _ *source, c *cached.Cache) {
			c.Channel("test").Complete(time.Now().Add(time.Hour))
			if !notified(t, c) {
				t.Error("not complete")
			}
			time.Sleep(time.Second + 1)
			if notified(t, c) {
				t.Error("complete for longer than a second")
			}
		})
	})
	t.Run("no reason", func(t *testing.T) {
		inTime(t, ordinary(), func(t *testing.T, _ *source, c *cached.Cache) {
			n := c.Channel("test")
			n.Complete(time.Now())
			n.Incomplete(nil)
			if r := c.Revocation(); r.Notified || r.Channels[0].Why == nil || r.String() == "" {
				t.Errorf("%+v", r)
			}
		})
	})
}

func TestNothingWatches(t *testing.T) {
	inTimeHeard(t, func(t *testing.T, _ *source, c *cached.Cache, h *heard) {
		if notified(t, c) {
			t.Error("by whom?")
		}
		for range 3 {
			want(t, c, token, "Ada")
		}
		h.want(t, "ttl-bound: this kind of store cannot tell what changes in it")
	})
}

// TestAChannelThatNeverSpeaks is told of after its second, by whoever looks.
func TestAChannelThatNeverSpeaks(t *testing.T) {
	inTimeHeard(t, func(t *testing.T, _ *source, c *cached.Cache, h *heard) {
		c.Channel("test")
		time.Sleep(time.Second)
		notified(t, c)
		h.want(t)
		time.Sleep(time.Nanosecond)
		notified(t, c)
		h.want(t, "ttl-bound: test: it has said nothing yet")
	})
}

// TestFirstWordIncomplete: a watcher that cannot begin is told of at once.
func TestFirstWordIncomplete(t *testing.T) {
	inTimeHeard(t, func(t *testing.T, _ *source, c *cached.Cache, h *heard) {
		c.Channel("test").Incomplete(errors.New("no triggers: run usher schema apply -revocation"))
		h.want(t, "ttl-bound: test: no triggers: run usher schema apply -revocation")
	})
}

// TestWhoListensMayAsk: nothing is locked while somebody hears, and what comes about meanwhile is heard in order.
func TestWhoListensMayAsk(t *testing.T) {
	h := new(heard)
	var c *cached.Cache
	var n store.Notices
	config := ordinary()
	config.ObserveRevocation = func(r cached.Revocation) {
		h.observe(r)
		_, _ = c.Resolve(t.Context(), proven(token))
		_, _ = c.Stats(), c.Revocation()
		if r.Notified {
			n.Incomplete(errors.New("at once"))
		}
		h.observe(cached.Revocation{Notified: r.Notified})
	}
	c = open(t, newSource(map[string]*gate.Principal{token: person("Ada")}), config)
	n = c.Channel("test")
	n.Complete(time.Now())
	h.want(t, "notified", "notified", "ttl-bound: test: at once", "ttl-bound: this kind of store cannot tell what changes in it")
}

// TestAListenerThatPanics harms whoever noticed, not the next one.
func TestAListenerThatPanics(t *testing.T) {
	h, panics := new(heard), true
	config := ordinary()
	config.ObserveRevocation = func(r cached.Revocation) {
		if panics {
			panic("broken")
		}
		h.observe(r)
	}
	c := open(t, newSource(map[string]*gate.Principal{token: person("Ada")}), config)
	n := c.Channel("test")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		n.Complete(time.Now())
	}()
	panics = false
	n.Incomplete(errors.New("gone"))
	h.want(t, "ttl-bound: test: gone")
}

// TestTransitionsAreToldOnce, however many notice them at the same time.
func TestTransitionsAreToldOnce(t *testing.T) {
	inTimeHeard(t, func(t *testing.T, _ *source, c *cached.Cache, h *heard) {
		n := c.Channel("test")
		for range 20 {
			n.Complete(time.Now())
			time.Sleep(time.Second + 1)
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() { want(t, c, token, "Ada") })
				wg.Go(func() { c.Revocation() })
			}
			wg.Wait()
			h.want(t, "notified", "ttl-bound: test: it has said nothing for more than a second")
		}
	})
}

func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lags []time.Duration
		config := ordinary()
		config.ObserveLag = func(lag time.Duration) { lags = append(lags, lag) }
		c := cached.New(newSource(nil), config)
		defer c.Close()
		n := c.Channel("test")
		n.Changed(time.Now().Add(-20*time.Millisecond), store.UserTag("u"))
		n.Changed(time.Time{}, store.UserTag("u"))
		n.Changed(time.Now().Add(time.Hour)) // a clock that is ahead, and no tag
		n.Changed(time.Now().Add(-3 * time.Millisecond).UTC().Round(0))
		if fmt.Sprint(lags) != "[20ms 0s 3ms]" {
			t.Error(lags)
		}
		if got := c.Stats(); got.LastLag != 3*time.Millisecond || got.Notices != 4 {
			t.Errorf("%+v", got)
		}
	})
}
