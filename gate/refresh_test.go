package gate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
)

const day = 24 * time.Hour

// mover is a gate.Refresher that can be broken, and remembers.
type mover struct {
	mu    sync.Mutex
	moved []string // token: from -> to
	lost  bool     // somebody else has moved it
	err   error
	wait  time.Duration // unless ctx ends before
	panic bool
}

func (m *mover) Refresh(ctx context.Context, c gate.Credential, s *gate.Session, now, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.moved = append(m.moved, fmt.Sprint(c.Token(), ": ", s.ExpiresAt.Sub(now), " -> ", until.Sub(now)))
	if m.panic {
		panic("a refresher of ours")
	}
	if m.wait > 0 {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(m.wait):
		}
	}
	return !m.lost && m.err == nil, m.err
}

// refreshed is a world whose gate refreshes, as Better Auth does by default.
type refreshed struct {
	*world
	mover     *mover
	now       time.Time
	forgotten []string
	outcomes  []string
}

func newRefreshed(t *testing.T, rules []gate.Rule, adjust ...func(*gate.Sliding)) *refreshed {
	t.Helper()
	w := &refreshed{mover: new(mover), now: now}
	s := &gate.Sliding{
		Refresher: w.mover, ExpiresIn: 7 * day, UpdateAge: day, Except: "/api/auth",
		Cookie:       func(token string) gate.SetCookie { return gate.NewSetCookie("session=" + token + "; Max-Age=604800") },
		DontRemember: func(r *gate.Request) bool { return strings.Contains(strings.Join(r.Cookies, ";"), "forget=1") },
		Forget:       func(token string) { w.forgotten = append(w.forgotten, token) },
		Observe: func(renewed bool, err error, _ time.Duration) {
			w.outcomes = append(w.outcomes, fmt.Sprint(renewed, " ", err))
		},
	}
	for _, f := range adjust {
		f(s)
	}
	w.world = newWorld(t, rules, func(c *gate.Config) {
		c.Sliding, c.Resolver = s, gatetest.NewResolver(dueSessions(w.now))
		c.Now = func() time.Time { return w.now }
	})
	return w
}

// dueSessions are sessions by token, most of them due.
func dueSessions(now time.Time) map[string]*gate.Principal {
	known := make(map[string]*gate.Principal)
	add := func(token string, age, left time.Duration, change ...func(*gate.Principal)) {
		p := &gate.Principal{
			Session: gate.Session{ID: "s-" + token, CreatedAt: now.Add(-age), ExpiresAt: now.Add(left)},
			User:    gate.User{ID: "u", Name: "U"},
		}
		for _, f := range change {
			f(p)
		}
		known[token] = p
	}
	for i := range 30 {
		add(fmt.Sprint("due-", i), 5*day, 2*day)
	}
	add("just due", day, 6*day)
	add("almost due", day, 6*day+time.Millisecond)
	add("fresh", 0, 7*day)
	add("old", 100*day, time.Second)
	add("impersonated", 5*day, 2*day, func(p *gate.Principal) { p.Session.ImpersonatedBy = "u-root" })
	add("for a day", 20*time.Hour, 4*time.Hour)
	add("for a day and a minute", 20*time.Hour, 4*time.Hour+time.Minute)
	add("for longer", 20*time.Hour, 4*time.Hour+time.Minute+1)
	add("member", 5*day, 2*day, func(p *gate.Principal) { p.Memberships = []gate.Membership{{OrganizationID: "o", Roles: "member"}} })
	add("banned", 5*day, 2*day, func(p *gate.Principal) { p.User.Banned = true })
	add("expired", 8*day, -time.Second)
	return known
}

func TestWhatIsRefreshed(t *testing.T) {
	t.Parallel()
	rules := []gate.Rule{
		{Path: "/public/**", Access: gate.Open},
		{Path: "/optional", Access: gate.Optional},
		{Path: "/admin", OrgRoles: []string{"admin"}},
	}
	for _, c := range []struct {
		what    string
		request *gate.Request
		decided string
		moved   bool
		cookie  bool
	}{
		{"due", get("/x", cookie("due-0")), "allow SIGNED_IN", true, true},
		{"on an optional rule", get("/optional", cookie("due-0")), "allow SIGNED_IN", true, true},
		{"by a POST", get("/x", cookie("due-0"), method("POST")), "allow SIGNED_IN", true, true},
		{"on the millisecond", get("/x", cookie("just due")), "allow SIGNED_IN", true, true},
		{"in its last second", get("/x", cookie("old")), "allow SIGNED_IN", true, true},
		{"by bearer", get("/x", bearer("due-0")), "allow SIGNED_IN", true, false},
		{"lasting a little more than a day", get("/x", bearer("for longer")), "allow SIGNED_IN", true, false},
		{"a path that only begins like Better Auth's", get("/api/authors", cookie("due-0")), "allow SIGNED_IN", true, true},

		{"a millisecond before", get("/x", cookie("almost due")), "allow SIGNED_IN", false, false},
		{"fresh", get("/x", cookie("fresh")), "allow SIGNED_IN", false, false},
		{"impersonated", get("/x", cookie("impersonated")), "allow SIGNED_IN", false, false},
		{"impersonated, by bearer", get("/x", bearer("impersonated")), "allow SIGNED_IN", false, false},
		{"who is not to be remembered", get("/x", func(r *gate.Request) { r.Cookies = []string{"forget=1; session=due-0"} }), "allow SIGNED_IN", false, false},
		{"likewise, by bearer", get("/x", bearer("due-0"), func(r *gate.Request) { r.Cookies = []string{"forget=1"} }), "allow SIGNED_IN", false, false},
		{"a row that lasts a day", get("/x", bearer("for a day")), "allow SIGNED_IN", false, false},
		{"or a minute more", get("/x", cookie("for a day and a minute")), "allow SIGNED_IN", false, false},
		{"public", get("/public/x", cookie("due-0")), "allow PUBLIC", false, false},
		{"refused by the rule", get("/admin", cookie("member")), "deny ORG_ROLE_REQUIRED", false, false},
		{"from another origin", get("/x", cookie("due-0"), method("POST"), origin("https://evil.test")), "deny INVALID_ORIGIN", false, false},
		{"banned", get("/x", cookie("banned")), "deny USER_BANNED", false, false},
		{"expired", get("/x", cookie("expired")), "sign-in SESSION_EXPIRED", false, false},
		{"unknown", get("/x", cookie("nobody")), "sign-in SESSION_UNKNOWN", false, false},
		{"Better Auth's own path", get("/api/auth", cookie("due-0")), "allow SIGNED_IN", false, false},
		{"and below it", get("/api/auth/sign-out?x=1", cookie("due-0"), method("POST")), "allow SIGNED_IN", false, false},
	} {
		w := newRefreshed(t, rules)
		d := w.Check(t.Context(), c.request)
		if got := verdict(d); got != c.decided {
			t.Errorf("%s: %s, want %s", c.what, got, c.decided)
		}
		if got := len(w.mover.moved) == 1; got != c.moved || c.moved && !strings.HasSuffix(w.mover.moved[0], " -> 168h0m0s") {
			t.Errorf("%s: moved %q, want %v", c.what, w.mover.moved, c.moved)
		}
		if got := d.Cookie.Line() != ""; got != c.cookie || c.cookie && !strings.HasPrefix(d.Cookie.Line(), "session="+c.request.Cookies[0][len("a=b; session="):]) {
			t.Errorf("%s: the cookie is %q, want %v", c.what, d.Cookie.Line(), c.cookie)
		}
		if got := w.Answer(c.request, d).Cookie; got != d.Cookie {
			t.Errorf("%s: the answer has %q", c.what, got.Line())
		}
		if c.moved != (len(w.forgotten) == 1) || c.moved != (len(w.outcomes) == 1 && w.outcomes[0] == "true <nil>") {
			t.Errorf("%s: forgotten %q, outcomes %q", c.what, w.forgotten, w.outcomes)
		}
	}
}

// TestRefreshOfShortSessions: where sessions last less than a day, a row that was made for one is somebody's who is not to
// be remembered; where they last a day, nothing but the cookie tells.
func TestRefreshOfShortSessions(t *testing.T) {
	t.Parallel()
	made := func(life, left time.Duration) map[string]*gate.Principal {
		return map[string]*gate.Principal{"x": {
			Session: gate.Session{ID: "s", CreatedAt: now.Add(left - life), ExpiresAt: now.Add(left)}, User: gate.User{ID: "u"},
		}}
	}
	for _, c := range []struct {
		what           string
		expiresIn, age time.Duration
		life, left     time.Duration
		want           bool
	}{
		{"a day of eight hours", 8 * time.Hour, time.Hour, 24 * time.Hour, time.Hour, false},
		{"moved to a day and two seconds", 8 * time.Hour, time.Hour, 24*time.Hour + 2*time.Second, time.Hour, true},
		{"eight hours", 8 * time.Hour, time.Hour, 8 * time.Hour, time.Hour, true},
		{"everybody's day", 24 * time.Hour, time.Hour, 24 * time.Hour, time.Hour, true},
		{"at every use, after half a minute", 7 * day, 0, 7 * day, 7*day - 30*time.Second, false},
		{"at every use, after a minute", 7 * day, 0, 7 * day, 7*day - time.Minute, true},
		{"at every use of ten seconds, after four", 10 * time.Second, 0, 10 * time.Second, 6 * time.Second, false},
		{"at every use of ten seconds, after five", 10 * time.Second, 0, 10 * time.Second, 5 * time.Second, true},
		{"an age beyond the life", time.Hour, day, time.Hour, time.Second, false},
	} {
		m := new(mover)
		w := newWorld(t, nil, func(g *gate.Config) {
			g.Resolver = gatetest.NewResolver(made(c.life, c.left))
			g.Sliding = &gate.Sliding{Refresher: m, ExpiresIn: c.expiresIn, UpdateAge: c.age}
		})
		if d := w.Check(t.Context(), get("/", cookie("x"))); d.Verdict != gate.Allow {
			t.Errorf("%s: %v", c.what, verdict(d))
		}
		if got := len(m.moved) == 1; got != c.want {
			t.Errorf("%s: moved %v", c.what, m.moved)
		}
	}
}

// TestTroubleOfARefresh: whatever happens, the request passes, without cookie.
func TestTroubleOfARefresh(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		adjust  func(*refreshed, *gate.Sliding)
		outcome string
		forgets bool
	}{
		"overtaken":          {func(w *refreshed, _ *gate.Sliding) { w.mover.lost = true }, "false <nil>", true},
		"refused":            {func(w *refreshed, _ *gate.Sliding) { w.mover.err = errDown }, "false connection refused", false},
		"a panic":            {func(w *refreshed, _ *gate.Sliding) { w.mover.panic = true }, "false gate: refresh: panic: a refresher of ours", false},
		"a panic of memory":  {func(_ *refreshed, s *gate.Sliding) { s.Forget = func(string) { panic("oh") } }, "true gate: refresh: panic: oh", false},
		"a panic of cookies": {func(_ *refreshed, s *gate.Sliding) { s.Cookie = func(string) gate.SetCookie { panic("oh") } }, "true gate: refresh: panic: oh", true},
		"a deaf observer":    {func(_ *refreshed, s *gate.Sliding) { s.Observe = func(bool, error, time.Duration) { panic("oh") } }, "", true},
	} {
		w := newRefreshed(t, nil)
		adjusted := newRefreshed(t, nil, func(s *gate.Sliding) {
			c.adjust(w, s)
			s.Refresher = w.mover
		})
		d := adjusted.Check(t.Context(), get("/", cookie("due-0")))
		if verdict(d) != "allow SIGNED_IN" || d.Err != nil || d.Principal == nil {
			t.Errorf("%s: %v, %v", what, verdict(d), d.Err)
		}
		if d.Cookie.Line() != "" && what != "a deaf observer" {
			t.Errorf("%s: a cookie", what)
		}
		if got := strings.Join(adjusted.outcomes, ","); got != c.outcome {
			t.Errorf("%s: %q, want %q", what, got, c.outcome)
		}
		if got := len(adjusted.forgotten) == 1; got != c.forgets {
			t.Errorf("%s: forgotten %q", what, adjusted.forgotten)
		}
	}
}

// TestRefreshDoesNotWait: a store that hangs costs a request 300 ms, once a second, and those beside it nothing.
func TestRefreshDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		m := &mover{wait: time.Hour}
		var mu sync.Mutex
		var failed []error
		w := newWorld(t, nil, func(c *gate.Config) {
			c.Resolver, c.Now, c.Observe = gatetest.NewResolver(dueSessions(start)), time.Now, nil
			c.Sliding = &gate.Sliding{Refresher: m, ExpiresIn: 7 * day, UpdateAge: day, Observe: func(_ bool, err error, took time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
				if took != 300*time.Millisecond {
					t.Errorf("took %v", took)
				}
			}}
		})
		ask := func(token string) time.Duration {
			began := time.Now()
			if d := w.Check(t.Context(), get("/", cookie(token))); verdict(d) != "allow SIGNED_IN" {
				t.Errorf("%s: %s", token, verdict(d))
			}
			return time.Since(began)
		}
		var wg sync.WaitGroup
		var waited time.Duration
		for range 50 {
			wg.Go(func() {
				took := ask("due-0")
				mu.Lock()
				defer mu.Unlock()
				waited += took
			})
		}
		wg.Wait()
		if waited != 300*time.Millisecond {
			t.Errorf("50 requests of one session waited %v in all", waited)
		}
		if len(failed) != 1 || !errors.Is(failed[0], context.DeadlineExceeded) {
			t.Errorf("observed %v", failed)
		}
		if took := ask("due-1"); took != 0 {
			t.Errorf("right after a failure another session waited %v", took)
		}
		time.Sleep(time.Second)
		if took := ask("due-1"); took != 300*time.Millisecond {
			t.Errorf("a second after a failure: %v", took)
		}
		time.Sleep(time.Second)
		if took := ask("due-0"); took != 0 {
			t.Errorf("the session that failed is tried again after %v", time.Since(start))
		}
		time.Sleep(time.Minute)
		if took := ask("due-0"); took != 300*time.Millisecond {
			t.Errorf("a minute later it is not tried again: %v", took)
		}

		time.Sleep(2 * time.Second)
		slow, cancel := context.WithCancel(t.Context())
		cancel() // a client that hung up does not break the write
		before := len(failed)
		w.Check(slow, get("/", cookie("due-2")))
		if len(failed) != before+1 || !errors.Is(failed[before], context.DeadlineExceeded) {
			t.Errorf("of a client that hung up: %v", failed[before:])
		}
	})
}

// TestOneRefreshAtATime: of many requests of one session one moves it; of many sessions eight are moved at a time.
func TestOneRefreshAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		m := &slowMover{}
		w := newWorld(t, nil, func(c *gate.Config) {
			c.Resolver, c.Now, c.Observe = gatetest.NewResolver(dueSessions(start)), time.Now, nil
			c.Sliding = &gate.Sliding{Refresher: m, ExpiresIn: 7 * day, UpdateAge: day}
		})
		everybody := func(sessions int) {
			var wg sync.WaitGroup
			for i := range 1000 {
				wg.Go(func() {
					if d := w.Check(t.Context(), get("/", bearer(fmt.Sprint("due-", i%sessions)))); d.Verdict != gate.Allow {
						t.Error(verdict(d))
					}
				})
			}
			wg.Wait()
		}
		everybody(1)
		if m.calls != 1 {
			t.Errorf("1000 requests of one session: %d refreshes", m.calls)
		}
		everybody(1) // its memory still says that it is due
		if m.calls != 1 {
			t.Errorf("and again: %d", m.calls)
		}
		time.Sleep(time.Minute)
		m.calls = 0
		everybody(30)
		if m.most != 8 || m.calls != 8 {
			t.Errorf("1000 requests of 30 sessions: %d refreshes, %d at a time", m.calls, m.most)
		}
		everybody(30)
		everybody(30)
		everybody(30)
		if m.calls != 30 {
			t.Errorf("in the end %d of 30 sessions are refreshed", m.calls)
		}
	})
}

// slowMover counts who is in it.
type slowMover struct {
	mu               sync.Mutex
	now, most, calls int
}

func (m *slowMover) Refresh(context.Context, gate.Credential, *gate.Session, time.Time, time.Time) (bool, error) {
	m.mu.Lock()
	m.now++
	m.calls++
	m.most = max(m.most, m.now)
	m.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	m.mu.Lock()
	m.now--
	m.mu.Unlock()
	return true, nil
}

// TestRefreshUsesTheCookieThatCounts: of several, the one that is a session.
func TestRefreshUsesTheCookieThatCounts(t *testing.T) {
	t.Parallel()
	w := newRefreshed(t, nil)
	g := newWorld(t, nil, func(c *gate.Config) {
		c.Reader, c.Resolver = candidates{"nobody", "due-3", "due-4"}, gatetest.NewResolver(dueSessions(now))
		c.Sliding = &gate.Sliding{
			Refresher: w.mover, ExpiresIn: 7 * day, UpdateAge: day,
			Cookie: func(token string) gate.SetCookie { return gate.NewSetCookie(token) },
		}
	})
	if d := g.Check(t.Context(), get("/")); d.Cookie.Line() != "due-3" || len(w.mover.moved) != 1 || !strings.HasPrefix(w.mover.moved[0], "due-3:") {
		t.Errorf("%q, %q", d.Cookie.Line(), w.mover.moved)
	}
}

// TestRefreshKeepsNoPrincipal: the texts of one from memory are parts of one string, with a name that may be of any length;
// which sessions were refreshed is remembered without it. It is not parallel, for it looks at all memory in use.
func TestRefreshKeepsNoPrincipal(t *testing.T) {
	const sessions, long = 200, 1 << 20
	w := newWorld(t, nil, func(c *gate.Config) {
		c.Resolver = packed(func(token string) *gate.Principal {
			all := token + strings.Repeat("n", long)
			return &gate.Principal{
				Session: gate.Session{ID: all[:len(token)], CreatedAt: now.Add(-5 * day), ExpiresAt: now.Add(2 * day)},
				User:    gate.User{ID: "u", Name: all[len(token):]},
			}
		})
		c.Sliding, c.Observe = &gate.Sliding{Refresher: new(slowMover), ExpiresIn: 7 * day, UpdateAge: day}, nil
	})
	for i := range sessions {
		if d := w.Check(t.Context(), get("/", bearer(fmt.Sprint("token-", i)))); d.Verdict != gate.Allow {
			t.Fatal(verdict(d))
		}
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc > sessions*long/4 {
		t.Errorf("%d MiB are in use after %d refreshes", memory.HeapAlloc>>20, sessions)
	}
	runtime.KeepAlive(w)
}

type packed func(token string) *gate.Principal

func (p packed) Resolve(_ context.Context, c gate.Credential) (*gate.Principal, error) {
	return p(c.Token()), nil
}

// TestRefreshFitsIntoTheAnswer: where the store has used up the time there is, nothing more is asked of it.
func TestRefreshFitsIntoTheAnswer(t *testing.T) {
	t.Parallel()
	for late, want := range map[time.Duration]int{1800 * time.Millisecond: 1, 1900 * time.Millisecond: 0} {
		m := new(mover)
		clock := now
		w := newWorld(t, nil, func(c *gate.Config) {
			c.Now = func() time.Time { return clock }
			c.Resolver = lateResolver{gatetest.NewResolver(dueSessions(now)), func() { clock = clock.Add(late) }}
			c.Sliding = &gate.Sliding{Refresher: m, ExpiresIn: 7 * day, UpdateAge: day}
		})
		if d := w.Check(t.Context(), get("/", cookie("due-0"))); d.Verdict != gate.Allow || len(m.moved) != want {
			t.Errorf("after %v: %s, %q", late, verdict(d), m.moved)
		}
	}
}

type lateResolver struct {
	gate.Resolver
	late func()
}

func (l lateResolver) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	l.late()
	return l.Resolver.Resolve(ctx, c)
}

func TestSlidingNeedsWhatItNeeds(t *testing.T) {
	t.Parallel()
	for what, s := range map[string]*gate.Sliding{"no refresher": {ExpiresIn: day}, "no life": {Refresher: new(mover)}} {
		_, err := gate.New(gate.Config{Reader: gatetest.Reader{}, Resolver: everybody{}, Headers: newHeaders(t), Sliding: s})
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestSetCookiesAreNotPrinted(t *testing.T) {
	t.Parallel()
	d := gate.Decision{Cookie: gate.NewSetCookie("TOKEN")}
	a := gate.Answer{Cookie: d.Cookie}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{d, &d, a, &a, d.Cookie, []gate.SetCookie{d.Cookie}} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "TOKEN") || strings.Contains(got, "544f4b454e") {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "decision", d, "cookie", d.Cookie)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "decision", d, "cookie", d.Cookie)
	if strings.Contains(log.String(), "TOKEN") {
		t.Error(log.String())
	}
}
