package shared

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

func TestWhatOneLookedUpTheOthersNeedNot(t *testing.T) {
	server, d := newWorld(t)
	a, b, c := newReplica(t, server.URL(), d, nil), newReplica(t, server.URL(), d, nil), newReplica(t, server.URL(), d, nil)
	aged()
	if a.name(t, "token") != "old" {
		t.Fatal("not found")
	}
	a.written(t, 1)
	for _, r := range []*replica{a, b, c} {
		before := time.Now()
		got, asOf, err := r.ResolveDated(t.Context(), gate.Proven(gate.ByBearer, "token"))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(d.rows["token"], got, cmpopts.IgnoreFields(gate.Principal{}, "Plain")); d != "" {
			t.Errorf("another principal: %s", d)
		}
		if asOf.After(before.Add(-slack)) || asOf.Before(before.Add(-5*time.Second)) {
			t.Errorf("as of %v before the question", before.Sub(asOf))
		}
		if s := r.Stats(); s.Hits != 1 || s.Errors != 0 {
			t.Errorf("stats: %+v", s)
		}
	}
	if n := d.asked.Load(); n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
}

// The slow replica has not heard of the change and writes what it read before it, after the fast one has heard.
func TestSlowWriter(t *testing.T) {
	server, d := newWorld(t)
	slow, fast := newReplica(t, server.URL(), d, nil), newReplica(t, server.URL(), d, nil)
	aged()

	held, stop := d.holding()
	done := make(chan string)
	go func() { done <- slow.name(t, "token") }()
	release := <-held
	stop()
	d.set("token", "new")
	fast.notices.Changed(time.Time{}, store.SessionTag("token"))
	close(release)
	if got := <-done; got != "old" {
		t.Fatalf("the lookup that read before the change answered %q", got)
	}
	slow.written(t, 1)

	if got := slow.name(t, "token"); got != "old" || slow.Stats().Hits != 1 {
		t.Errorf("before it heard of the change, the slow replica answers %q with %d hits; the test proves nothing", got, slow.Stats().Hits)
	}
	if got := fast.name(t, "token"); got != "new" {
		t.Errorf("after it heard of the change, the fast replica answers %q", got)
	}
	if s := fast.Stats(); s.Stale != 1 || s.Hits != 0 {
		t.Errorf("stats: %+v", s)
	}
	slow.notices.Changed(time.Time{}, store.UserTag("user of token"))
	if got := slow.name(t, "token"); got != "new" {
		t.Errorf("after it heard of the change, the slow replica answers %q", got)
	}

	// What is looked up well after the notice is taken again, by both.
	aged()
	if got := fast.name(t, "token"); got != "new" {
		t.Error(got)
	}
	fast.written(t, 2)
	asked := d.asked.Load()
	if slow.name(t, "token") != "new" || fast.name(t, "token") != "new" || d.asked.Load() != asked {
		t.Errorf("a fresh entry is not taken: %+v, %+v", slow.Stats(), fast.Stats())
	}
}

// A lookup that a notice overtakes is answered and not written.
func TestOvertakenLookup(t *testing.T) {
	for what, notice := range map[string]func(*replica){
		"session":      func(r *replica) { r.notices.Changed(time.Time{}, store.SessionTag("token")) },
		"user":         func(r *replica) { r.notices.Changed(time.Time{}, store.UserTag("user of token")) },
		"organization": func(r *replica) { r.notices.Changed(time.Time{}, store.OrganizationTag("org")) },
		"everything":   func(r *replica) { r.notices.ChangedAll() },
		"own change":   func(r *replica) { r.Drop("token") },
		"incomplete":   func(r *replica) { r.mute.Store(true); r.notices.Incomplete(errors.New("lost")) },
	} {
		t.Run(what, func(t *testing.T) {
			server, d := newWorld(t)
			r := newReplica(t, server.URL(), d, nil)
			held, stop := d.holding()
			done := make(chan string)
			go func() { done <- r.name(t, "token") }()
			release := <-held
			stop()
			notice(r)
			close(release)
			if got := <-done; got != "old" {
				t.Fatalf("answered %q", got)
			}
			await(t, "it is dropped", func() bool { return r.Stats().Dropped == 1 })
			if keys := r.client.Keys(t.Context(), "*").Val(); len(keys) != 0 {
				t.Errorf("it was written: %v", keys)
			}
		})
	}
}

// Every notice is noted before it is passed on: who hears it from here may ask at once.
func TestNotedBeforePassedOn(t *testing.T) {
	for what, tell := range map[string]func(store.Notices){
		"changed":  func(n store.Notices) { n.Changed(time.Time{}, store.OrganizationTag("org")) },
		"all":      func(n store.Notices) { n.ChangedAll() },
		"complete": func(n store.Notices) { n.Complete(time.Now()) },
	} {
		t.Run(what, func(t *testing.T) {
			server, d := newWorld(t)
			r := newReplica(t, server.URL(), d, nil)
			aged()
			r.name(t, "token")
			r.written(t, 1)
			if r.name(t, "token"); r.Stats().Hits != 1 {
				t.Fatalf("stats: %+v", r.Stats())
			}
			d.set("token", "new")
			asked := false
			ask := asking{func() {
				asked = true
				if got := r.name(t, "token"); got != "new" {
					t.Errorf("who was told asked and got %q", got)
				}
			}}
			if what == "complete" {
				tell(r.Notices(ask)) // its first word
			} else {
				tell(&channel{cache: r.Cache, next: ask})
			}
			if !asked {
				t.Error("it was not passed on")
			}
		})
	}
}

type asking struct{ ask func() }

func (a asking) Changed(time.Time, ...store.Tag) { a.ask() }
func (a asking) ChangedAll()                     { a.ask() }
func (a asking) Complete(time.Time)              { a.ask() }
func (a asking) Incomplete(error)                {}

// While notices may be lost Redis is neither read nor written, and nothing from before counts afterwards.
func TestIncomplete(t *testing.T) {
	for what, lose := range map[string]func(*replica){
		"said":        func(r *replica) { r.mute.Store(true); r.notices.Incomplete(errors.New("lost")) },
		"silent":      func(r *replica) { r.mute.Store(true); time.Sleep(silence + 100*time.Millisecond) },
		"another one": func(r *replica) { r.Notices(new(heard)) },
	} {
		t.Run(what, func(t *testing.T) {
			server, d := newWorld(t)
			r, other := newReplica(t, server.URL(), d, nil), newReplica(t, server.URL(), d, nil)
			aged()
			other.name(t, "token")
			other.written(t, 1)
			if r.name(t, "token"); r.Stats().Hits != 1 {
				t.Fatalf("stats: %+v", r.Stats())
			}
			lose(r)
			d.set("token", "new")
			if got := r.name(t, "token"); got != "new" {
				t.Errorf("while incomplete it answers %q", got)
			}
			if s := r.Stats(); s.Hits != 1 || s.Bypassed != 1 || s.Writes != 0 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
	t.Run("lost notices are made up for", func(t *testing.T) {
		server, d := newWorld(t)
		r, other := newReplica(t, server.URL(), d, nil), newReplica(t, server.URL(), d, nil)
		aged()
		other.name(t, "token")
		other.written(t, 1)
		r.mute.Store(true)
		r.notices.Incomplete(errors.New("lost"))
		d.set("token", "new") // nobody tells r
		r.mute.Store(false)
		r.notices.Complete(time.Now())
		if got := r.name(t, "token"); got != "new" {
			t.Errorf("after the loss it answers %q", got)
		}
	})
	t.Run("a replica that has just begun", func(t *testing.T) {
		server, d := newWorld(t)
		first := newReplica(t, server.URL(), d, nil)
		first.name(t, "token")
		first.written(t, 1)
		d.set("token", "new")
		first.notices.Changed(time.Time{}, store.SessionTag("token"))
		second := newReplica(t, server.URL(), d, nil)
		if got := second.name(t, "token"); got != "new" {
			t.Errorf("the second replica, which was not told, answers %q", got)
		}
	})
}

// A stopped Redis carries out a write long after it was given up. Its entry is as old as its lookup nevertheless.
func TestLateWrite(t *testing.T) {
	server, d := newWorld(t)
	impatient := func(c *Config) { c.Timeout = 200 * time.Millisecond }
	a, b := newReplica(t, server.URL(), d, impatient), newReplica(t, server.URL(), d, nil)
	aged()
	held, stop := d.holding()
	done := make(chan string)
	go func() { done <- a.name(t, "token") }()
	release := <-held
	stop()
	server.Pause()
	close(release)
	if got := <-done; got != "old" {
		t.Fatal(got)
	}
	await(t, "the write is given up", func() bool { return a.Stats().Dropped == 1 })
	time.Sleep(slack)
	d.set("token", "new")
	b.notices.Changed(time.Time{}, store.SessionTag("token"))
	time.Sleep(2 * time.Second) // longer than slack
	server.Resume()
	await(t, "the late write is there", func() bool { return len(b.client.Keys(t.Context(), "*").Val()) == 1 })
	await(t, "Redis is in use again", func() bool { return !b.breaker.Open() })
	if left := b.client.PTTL(t.Context(), b.names.of(gate.Proven(gate.ByCookie, "token")).redis).Val(); left < 55*time.Second {
		t.Fatalf("the entry has %v left: the write was not late, and the test proves nothing", left)
	}
	if got := b.name(t, "token"); got != "new" {
		t.Errorf("it answers %q", got)
	}
	if b.Stats().Hits != 0 {
		t.Errorf("stats: %+v", b.Stats())
	}
}

// Whoever can write to Redis can neither make an identity nor bring one back.
func TestTampering(t *testing.T) {
	server, d := newWorld(t)
	d.set("other", "somebody else")
	r := newReplica(t, server.URL(), d, nil)
	aged()
	r.name(t, "token")
	r.name(t, "other")
	r.written(t, 2)
	at, ctx := r.names.of(gate.Proven(gate.ByCookie, "token")).redis, t.Context()
	genuine := r.client.Get(ctx, at).Val()
	d.set("token", "new") // who answers "new" has asked the store
	if got := r.name(t, "token"); got != "old" {
		t.Fatalf("before anybody tampers, it answers %q", got)
	}

	n := uint64(0)
	for what, value := range map[string]string{
		"another's":      r.client.Get(ctx, r.names.of(gate.Proven(gate.ByCookie, "other")).redis).Val(),
		"empty":          "",
		"one byte":       genuine[:1],
		"nonce only":     genuine[:12],
		"truncated":      genuine[:len(genuine)-1],
		"longer":         genuine + "x",
		"first bit":      string(genuine[0]^1) + genuine[1:],
		"last bit":       genuine[:len(genuine)-1] + string(genuine[len(genuine)-1]^1),
		"readable text":  `{"user":"admin"}`,
		"packed in open": store.Pack(somebody("token", "forged")),
		"very long":      strings.Repeat("x", 1<<20),
	} {
		r.client.Set(ctx, at, value, time.Minute)
		if got := r.name(t, "token"); got != "new" {
			t.Errorf("%s: it answers %q", what, got)
		}
		n++
		r.written(t, 2+n)
	}
	if s := r.Stats(); s.Hits != 1 || s.Unreadable != n-1 || s.Errors != 0 { // nothing is a miss
		t.Errorf("stats: %+v", s)
	}
	r.client.Del(ctx, at)
	r.client.HSet(ctx, at, "a", "b")
	if got := r.name(t, "token"); got != "new" || r.Stats().Unreadable != n || r.breaker.Open() {
		t.Errorf("a value of another type: it answers %q", got)
	}
	r.written(t, 3+n)

	// An old entry put back is as old as it was.
	r.notices.Changed(time.Time{}, store.SessionTag("token"))
	r.client.Set(ctx, at, genuine, 0)
	if got := r.name(t, "token"); got != "new" {
		t.Errorf("an entry put back after the notice: it answers %q", got)
	}
}

func TestAnotherKey(t *testing.T) {
	server, d := newWorld(t)
	a := newReplica(t, server.URL(), d, nil)
	b := newReplica(t, server.URL(), d, func(c *Config) { c.Key = []byte(strings.Repeat("k", 32)) })
	aged()
	a.name(t, "token")
	a.written(t, 1)
	if b.name(t, "token"); b.Stats().Misses != 1 || b.Stats().Unreadable != 0 {
		t.Errorf("stats: %+v", b.Stats())
	}
	// The same entry at the other's name.
	b.client.Set(t.Context(), b.names.of(gate.Proven(gate.ByCookie, "token")).redis, a.client.Get(t.Context(), a.names.of(gate.Proven(gate.ByCookie, "token")).redis).Val(), 0)
	if b.name(t, "token"); b.Stats().Hits != 0 {
		t.Errorf("stats: %+v", b.Stats())
	}
}

func TestNothingIsReadable(t *testing.T) {
	server, d := newWorld(t)
	r := newReplica(t, server.URL(), d, nil)
	r.name(t, "token")
	r.written(t, 1)
	keys := r.client.Keys(t.Context(), "*").Val()
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "usher:session:") {
		t.Fatalf("keys: %q", keys)
	}
	all := keys[0][len(prefix):] + r.client.Get(t.Context(), keys[0]).Val()
	for _, secret := range []string{"token", "old", "somebody@example.com", "user of", "session", "acme", store.SessionTag("token").String()} {
		if strings.Contains(all, secret) {
			t.Errorf("%q can be read", secret)
		}
	}
}

func TestOnlyPeopleAreKept(t *testing.T) {
	server, d := newWorld(t)
	ended, soon, gone := somebody("ended", "ended"), somebody("soon", "soon"), somebody("gone", "")
	ended.Session.ExpiresAt = time.Now().Add(-time.Second)
	soon.Session.ExpiresAt = time.Now().Add(1500 * time.Millisecond)
	gone.User = gate.User{}
	part := somebody("part", "part")
	part.Partial = true
	d.rows["ended"], d.rows["soon"], d.rows["gone"], d.rows["part"] = ended, soon, gone, part
	r := newReplica(t, server.URL(), d, nil)
	aged()
	r.name(t, "nobody")
	r.name(t, "ended")
	r.name(t, "gone")
	r.name(t, "part")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Resolve(canceled, gate.Proven(gate.ByCookie, "token")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	began := time.Now()
	r.name(t, "soon")
	r.written(t, 1)
	way := time.Since(began) // of the entry to Redis, where its time begins: at most this much later than it was reckoned
	keys := r.client.Keys(t.Context(), "*").Val()
	if len(keys) != 1 {
		t.Fatalf("kept: %q", keys)
	}
	until := time.Until(soon.Session.ExpiresAt) // before Redis is asked, for both get less
	// Redis says whole milliseconds, of which the last has begun.
	if left := r.client.PTTL(t.Context(), keys[0]).Val(); left <= 0 || left-time.Millisecond >= until+way {
		t.Errorf("an entry has %v left, and its session had %v", left, until)
	}
	if got := r.name(t, "soon"); got != "soon" || r.Stats().Hits != 1 {
		t.Errorf("%q, %+v", got, r.Stats())
	}
	r.client.Persist(t.Context(), keys[0])
	time.Sleep(time.Until(soon.Session.ExpiresAt) + 10*time.Millisecond)
	if r.name(t, "soon"); r.Stats().Hits != 1 || r.Stats().Stale != 1 {
		t.Errorf("a session that has ended comes from Redis: %+v", r.Stats())
	}
	if r.Stats().Breaker.Failures != 0 {
		t.Errorf("a caller that left counts as a failure: %+v", r.Stats().Breaker)
	}
}

// Of somebody who is banned less may have been found than he needs to pass: what was kept meanwhile does not count after.
func TestAnEndedBanIsLookedUpAnew(t *testing.T) {
	server, d := newWorld(t)
	banned, once := somebody("banned", "banned"), somebody("once", "once")
	banned.User.Banned, banned.User.BanExpires = true, time.Now().Add(4*time.Second)
	once.User.Banned, once.User.BanExpires = true, time.Now().Add(-time.Hour)
	d.rows["banned"], d.rows["once"] = banned, once
	a, b := newReplica(t, server.URL(), d, nil), newReplica(t, server.URL(), d, nil)
	aged()
	a.name(t, "banned")
	a.name(t, "once")
	a.written(t, 2)
	b.name(t, "banned")
	b.name(t, "once")
	if got := b.Stats(); got.Hits != 2 {
		t.Errorf("while the ban lasts: %+v", got)
	}
	time.Sleep(time.Until(banned.User.BanExpires) + 10*time.Millisecond)
	b.name(t, "banned")
	b.name(t, "once")
	if got := b.Stats(); got.Hits != 3 || got.Stale != 1 {
		t.Errorf("after it: %+v", got)
	}
}

func TestTTL(t *testing.T) {
	server, d := newWorld(t)
	const ttl = 2 * time.Second
	short := func(c *Config) { c.TTL = ttl }
	a, b := newReplica(t, server.URL(), d, short), newReplica(t, server.URL(), d, short)
	aged()
	began := time.Now()
	a.name(t, "token")
	a.written(t, 1)
	at := a.names.of(gate.Proven(gate.ByCookie, "token")).redis
	if left := a.client.PTTL(t.Context(), at).Val(); left <= 0 || left > ttl-time.Since(began)+100*time.Millisecond {
		t.Errorf("%v are left of %v, %v after the lookup began", left, ttl, time.Since(began))
	}
	if b.name(t, "token"); b.Stats().Hits != 1 {
		t.Errorf("stats: %+v", b.Stats())
	}
	b.client.Persist(t.Context(), at) // Redis keeps it, and it does not count
	time.Sleep(ttl - slack - time.Since(began) + 10*time.Millisecond)
	if b.name(t, "token"); b.Stats().Hits != 1 || b.Stats().Stale != 1 {
		t.Errorf("stats: %+v", b.Stats())
	}
}

// By how much an entry is too old is a matter of Redis' clock and of nothing else.
func TestAges(t *testing.T) {
	c, err := New(&database{}, Config{Client: unused{}, Key: testKey, TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ch := c.Notices(new(heard))
	n := c.names.of(gate.Proven(gate.ByCookie, "token"))
	const then = clock(1_700_000_000_000_000)
	sealed, err := n.seal(entry{then, somebody("token", "somebody")})
	if err != nil {
		t.Fatal(err)
	}
	c.start = c.start.Add(-time.Hour) // the replica has run for an hour
	for _, one := range []struct {
		what   string
		age    time.Duration
		notice time.Duration // so long ago; 0: none
		want   bool
	}{
		{"just now", 0, 0, true},
		{"young", 59 * time.Second, 0, true},
		{"as old as may be", time.Minute - slack - time.Microsecond, 0, true},
		{"too old", time.Minute - slack, 0, false},
		{"much too old", time.Hour, 0, false},
		{"from the future", -time.Microsecond, 0, false},
		{"older than the notice", 10 * time.Second, 5 * time.Second, false},
		{"as old as the notice", 10 * time.Second, 10 * time.Second, false},
		{"hardly younger than the notice", 10*time.Second - slack + time.Millisecond, 10 * time.Second, false},
		{"younger than the notice", 10*time.Second - slack - time.Millisecond, 10 * time.Second, true},
	} {
		c.marks = new(marks)
		ch.(*channel).complete = true
		ch.Complete(time.Now())
		began := c.now()
		if one.notice > 0 {
			c.marks.set(began-int64(one.notice), store.OrganizationTag("org"))
		}
		p, loaded := c.accept(gate.Proven(gate.ByCookie, "token"), n, found{string(sealed), then + clock(one.age.Microseconds())}, began)
		if (p != nil) != one.want {
			t.Errorf("%s: accepted is %v", one.what, p != nil)
		}
		if p != nil && loaded != began-int64(one.age+slack) {
			t.Errorf("%s: it is from %v", one.what, time.Duration(loaded-began))
		}
	}
}

func TestConfig(t *testing.T) {
	for what, c := range map[string]Config{
		"no client": {Key: testKey, TTL: time.Minute},
		"short key": {Client: unused{}, Key: testKey[:31], TTL: time.Minute},
		"no TTL":    {Client: unused{}, Key: testKey},
	} {
		if _, err := New(&database{}, c); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
