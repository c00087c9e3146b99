package cached_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
)

// inTime runs a test in time of its own, with a cache in front of one session.
func inTime(t *testing.T, c cached.Config, test func(t *testing.T, s *source, c *cached.Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSource(map[string]*gate.Principal{token: person("Ada")})
		cache := cached.New(s, c)
		defer cache.Close()
		test(t, s, cache)
	})
}

func TestAnswersComeFromMemory(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		first, err := c.Resolve(t.Context(), proven(token))
		if err != nil {
			t.Fatal(err)
		}
		second, err := c.Resolve(t.Context(), gate.Proven(gate.ByBearer, token))
		if err != nil {
			t.Fatal(err)
		}
		wantAsked(t, s, token, 1)
		if !second.Plain {
			t.Error("nobody looked whether it is plain")
		}
		second.Plain = first.Plain
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("from memory (-store +memory):\n%s", diff)
		}
		if got := c.Stats(); got.Hits != 1 || got.Misses != 1 || got.Entries != 1 || got.Lookups != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestTTL(t *testing.T) {
	short := func(change func(*cached.Config)) cached.Config { c := ordinary(); change(&c); return c }
	for it, c := range map[string]struct {
		config    cached.Config
		notified  time.Duration // how long answers count, with notices
		otherwise time.Duration
	}{
		"ordinary":                  {ordinary(), time.Minute, 5 * time.Second},
		"unnotified not at all":     {short(func(c *cached.Config) { c.TTLUnnotified = 0 }), time.Minute, 0},
		"unnotified longer":         {short(func(c *cached.Config) { c.TTL = 2 * time.Second }), 2 * time.Second, 2 * time.Second},
		"no TTL":                    {short(func(c *cached.Config) { c.TTL = 0 }), 0, 0},
		"no size":                   {short(func(c *cached.Config) { c.Size = 0 }), 0, 0},
		"negative":                  {cached.Config{Size: -1, TTL: -1, TTLUnnotified: -1}, 0, 0},
		"unnotified never, notices": {cached.Config{Size: 1, TTL: time.Second, TTLUnnotified: -1}, time.Second, 0},
	} {
		for _, notified := range []bool{false, true} {
			ttl := c.otherwise
			if notified {
				ttl = c.notified
			}
			t.Run(fmt.Sprint(it, ", notified ", notified), func(t *testing.T) {
				inTime(t, c.config, func(t *testing.T, s *source, cache *cached.Cache) {
					if notified {
						defer tell(cache.Channel("test"))()
					}
					want(t, cache, token, "Ada")
					s.set(token, person("Bob")) // untold
					if ttl > 0 {
						time.Sleep(ttl - 1)
						want(t, cache, token, "Ada")
						wantAsked(t, s, token, 1)
						time.Sleep(time.Nanosecond)
					}
					want(t, cache, token, "Bob")
					wantAsked(t, s, token, 2)
				})
			})
		}
	}
}

// TestAgeIsThatOfTheLookup: what a slow store answers was true when it was asked, not when it answered.
func TestAgeIsThatOfTheLookup(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		s.holdUp(func(context.Context, string) error { time.Sleep(time.Second); return nil })
		want(t, c, token, "Ada")
		s.holdUp(nil)
		s.set(token, person("Bob"))
		time.Sleep(4*time.Second - 1)
		want(t, c, token, "Ada")
		time.Sleep(time.Nanosecond)
		want(t, c, token, "Bob")
	})
}

func TestAnswersEndWithTheSession(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		defer tell(c.Channel("test"))()
		p := person("Ada")
		p.Session.ExpiresAt = time.Now().Add(10 * time.Second)
		s.set(token, p)
		want(t, c, token, "Ada")
		time.Sleep(10*time.Second - 1)
		want(t, c, token, "Ada")
		wantAsked(t, s, token, 1)
		time.Sleep(time.Nanosecond)
		want(t, c, token, "Ada") // the gate judges it
		wantAsked(t, s, token, 2)
		time.Sleep(time.Second - 1)
		want(t, c, token, "Ada")
		wantAsked(t, s, token, 2)
		p = person("Ada, again")
		s.set(token, p) // refreshed late, untold
		time.Sleep(time.Nanosecond)
		want(t, c, token, "Ada, again")
		if got := c.Stats(); got.Entries != 1 || got.BriefHits != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestNobodyIsRememberedBriefly(t *testing.T) {
	gone := person("")
	gone.User = gate.User{}
	ended := person("Ada")
	ended.Session.ExpiresAt = time.Now().Add(-24 * 365 * 100 * time.Hour) // time in synctest begins in 2000
	for it, p := range map[string]*gate.Principal{"nobody": nil, "": gone, "Ada": ended} {
		t.Run("it is "+it, func(t *testing.T) {
			inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
				defer tell(c.Channel("test"))()
				s.set(token, p)
				want(t, c, token, it)
				time.Sleep(time.Second - 1)
				want(t, c, token, it)
				wantAsked(t, s, token, 1)
				if got := c.Stats(); got.BriefHits != 1 || got.Hits != 0 || got.Brief != 1 || got.Entries != 0 {
					t.Errorf("%+v", got)
				}
				time.Sleep(time.Nanosecond)
				want(t, c, token, it)
				wantAsked(t, s, token, 2)
			})
		})
	}
}

// TestSignInIsSeenAtOnce: a token that was nobody's is somebody's as soon as a notice says so, and the other way around.
func TestSignInIsSeenAtOnce(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		n := c.Channel("test")
		defer tell(n)()
		s.set(token, nil)
		want(t, c, token, "nobody")
		s.set(token, person("Ada"))
		want(t, c, token, "nobody")
		n.Changed(time.Time{}, store.SessionTag(token))
		want(t, c, token, "Ada")
		s.set(token, nil)
		want(t, c, token, "Ada")
		n.Changed(time.Time{}, store.SessionTag(token))
		want(t, c, token, "nobody")
		wantAsked(t, s, token, 3)
		if got := c.Stats(); got.Entries != 0 {
			t.Errorf("who signed out takes up room: %+v", got)
		}
	})
}

func TestNotices(t *testing.T) {
	for it, tag := range tags() {
		t.Run(it, func(t *testing.T) {
			inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
				n := c.Channel("test")
				defer tell(n)()
				want(t, c, token, "Ada")
				s.set(token, person("Bob"))
				n.Changed(time.Time{}, store.SessionTag("another"), store.UserTag("another"), store.OrganizationTag("another"))
				want(t, c, token, "Ada")
				n.Changed(time.Time{}, store.UserTag("another"), tag)
				want(t, c, token, "Bob")
				want(t, c, token, "Bob")
				wantAsked(t, s, token, 2)
			})
		})
	}
	t.Run("everything", func(t *testing.T) {
		inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
			n := c.Channel("test")
			defer tell(n)()
			want(t, c, token, "Ada")
			s.set(token, nil)
			n.ChangedAll()
			want(t, c, token, "nobody")
			s.set(token, person("Bob"))
			n.ChangedAll()
			want(t, c, token, "Bob")
			if got := c.Stats(); got.Flushes != 3 { // one when the channel was complete at first
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("our own", func(t *testing.T) {
		inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
			want(t, c, token, "Ada")
			s.set(token, person("Bob"))
			c.Drop("another")
			want(t, c, token, "Ada")
			c.Drop(token)
			want(t, c, token, "Bob")
		})
	})
}

func TestEveryMembershipCounts(t *testing.T) {
	inTime(t, cached.Config{Size: 1000, TTL: time.Minute}, func(t *testing.T, s *source, c *cached.Cache) {
		n := c.Channel("test")
		defer tell(n)()
		p := person("0")
		for i := range store.MaxMemberships {
			p.Memberships = append(p.Memberships, gate.Membership{OrganizationID: fmt.Sprint("o", i), Teams: []string{"t"}})
		}
		s.set(token, p)
		want(t, c, token, "0")
		for i := range store.MaxMemberships {
			next := *p
			next.User.Name = fmt.Sprint(i + 1)
			s.set(token, &next)
			n.Changed(time.Time{}, store.OrganizationTag(fmt.Sprint("o", i)))
			want(t, c, token, fmt.Sprint(i+1))
			want(t, c, token, fmt.Sprint(i+1))
		}
		wantAsked(t, s, token, store.MaxMemberships+1)
	})
}

// Of somebody who is banned less may have been found than he needs to pass, so that he is looked up anew when the ban ends.
func TestAnswersEndWithTheBan(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		defer tell(c.Channel("test"))()
		banned := person("banned")
		banned.User.Banned, banned.User.BanExpires = true, time.Now().Add(10*time.Second)
		s.set(token, banned)
		want(t, c, token, "banned")
		time.Sleep(10*time.Second - 1)
		want(t, c, token, "banned")
		wantAsked(t, s, token, 1)
		s.set(token, person("free"))
		time.Sleep(time.Nanosecond)
		want(t, c, token, "free")
		wantAsked(t, s, token, 2)

		once := person("once") // the ban is long over
		once.User.Banned, once.User.BanExpires = true, time.Now().Add(-time.Second)
		s.set(token, once)
		c.Drop(token)
		want(t, c, token, "once")
		time.Sleep(30 * time.Second)
		want(t, c, token, "once")
		wantAsked(t, s, token, 3)
	})
}

// What could not be found out as a whole is an answer to those who wait for it, and to nobody else.
func TestPartsAreNotRemembered(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		part := person("part")
		part.Partial = true
		s.set(token, part)
		want(t, c, token, "part")
		want(t, c, token, "part")
		if c.Recall(proven(token)) != nil {
			t.Error("a part was remembered")
		}
		wantAsked(t, s, token, 2)
		s.set(token, person("whole"))
		want(t, c, token, "whole")
		want(t, c, token, "whole")
		wantAsked(t, s, token, 3)
	})
}

func TestErrorsAreNotRemembered(t *testing.T) {
	for it, failing := range map[string]func(context.Context, string) error{
		"error":   func(context.Context, string) error { return errors.New("broken") },
		"panic":   func(context.Context, string) error { panic("broken") },
		"timeout": func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() },
		"nothing": func(context.Context, string) error { return nil },
	} {
		t.Run(it, func(t *testing.T) {
			inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
				var next gate.Resolver = s
				if it == "nothing" {
					next = resolver(func() (*gate.Principal, error) { return nil, nil })
					c = open(t, next, ordinary())
					defer c.Close()
				}
				s.holdUp(failing)
				began := time.Now()
				for i := range 3 {
					p, err := c.Resolve(t.Context(), proven(token))
					if err == nil || p != nil || errors.Is(err, gate.ErrNoSession) || strings.Contains(err.Error(), token) {
						t.Errorf("%v, %v", p, err)
					}
					if it == "timeout" && (!errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Duration(i+1)*1500*time.Millisecond) {
						t.Errorf("%v after %v", err, time.Since(began))
					}
				}
				if it == "nothing" {
					return
				}
				wantAsked(t, s, token, 3)
				s.holdUp(nil)
				want(t, c, token, "Ada")
			})
		})
	}
}

// resolver is a function that answers.
type resolver func() (*gate.Principal, error)

func (f resolver) Resolve(context.Context, gate.Credential) (*gate.Principal, error) { return f() }

// TestAnErrorKeepsWhatWasKnown: while the store is down, what still counts is answered.
func TestAnErrorKeepsWhatWasKnown(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		want(t, c, token, "Ada")
		s.holdUp(func(context.Context, string) error { return errors.New("broken") })
		want(t, c, token, "Ada")
		want(t, c, "another", "error")
	})
}

func TestWhatCannotBeASession(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		for _, odd := range []string{"", "a\x00b", "\xff", strings.Repeat("x", store.MaxToken+1)} {
			want(t, c, odd, "nobody")
			wantAsked(t, s, odd, 0)
		}
	})
}

func TestSizeIsABound(t *testing.T) {
	s := newSource(make(map[string]*gate.Principal))
	c := open(t, s, cached.Config{Size: 100, TTL: time.Hour, TTLUnnotified: time.Hour})
	for i := range 10_000 {
		s.set(numbered(i), person("Ada"))
		want(t, c, numbered(i), "Ada")
	}
	deadline := time.Now().Add(10 * time.Second)
	for c.Stats().Entries > 100 && time.Now().Before(deadline) { // it makes room a little later
		time.Sleep(time.Millisecond)
	}
	if got := c.Stats(); got.Entries > 100 || got.Evictions < 9900 {
		t.Errorf("%+v", got)
	}
}

func TestClosed(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		s.holdUp(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		failed := make(chan error, 1)
		go func() { _, err := c.Resolve(t.Context(), proven(token)); failed <- err }()
		synctest.Wait()
		c.Close()
		if err := <-failed; err == nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		want(t, c, token, "error")
		wantAsked(t, s, token, 1)
		c.Close()
	})
}
