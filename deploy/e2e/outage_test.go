package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

const (
	unnotified  = 2 * time.Second        // cache.ttl_unnotified
	patience    = 2 * time.Second        // the gate answers within this, whatever happens
	recovery    = 2 * time.Second        // and is well again so soon after what it depends on
	noise       = 500 * time.Millisecond // the test machine is shared
	mostWaiting = 1200                   // goroutines: 300 requests in flight, each with a few
	mostMemory  = 64 << 20               // bytes more than before
)

// outageLength is how long each fault lasts: 4 s, or what USHER_OUTAGE says.
func outageLength(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("USHER_OUTAGE")
	if text == "" {
		return 4 * time.Second
	}
	length, err := time.ParseDuration(text)
	if err != nil || length < 4*time.Second {
		t.Fatalf("USHER_OUTAGE=%s: want a duration of at least 4s", text)
	}
	return length
}

// fault is one thing that breaks.
type fault struct {
	name   string
	begin  func(t *testing.T)
	during func(t *testing.T, length time.Duration) // nil: time passes
	end    func(t *testing.T)                       // returns as soon as the server itself serves again; nil: it does

	harmless bool   // nobody with a session may notice
	silent   bool   // nothing is heard from the server: what is remembered ends after cache.ttl_unnotified
	heard    bool   // what changes is heard of all the time
	ready    int    // what /readyz answers; 0: now this, now that
	warns    string // what the log says
	reason   string // of every 503; empty: now this, now that

	// Not zero: Better Auth goes on meanwhile. Somebody signs out, and passes for this long at most.
	leaving time.Duration
}

// back is what the log says when what was lost is back.
func (f *fault) back() string { return strings.Replace(f.warns, " lost", " is back", 1) }

// target is what the load is directed at.
type target struct {
	auth  *testenv.BetterAuthServer
	gates []*usher
	edges []replica
}

// aim starts gates, each asked over both protocols.
func aim(t *testing.T, auth *testenv.BetterAuthServer, gates int, lines ...string) *target {
	t.Helper()
	a := &target{auth: auth}
	for range gates {
		u := startUsherOn(t, auth, nil, append([]string{quiet, rules}, lines...)...)
		a.gates = append(a.gates, u)
		a.edges = append(a.edges, replica{u, u.overHTTP(t), "HTTP"}, replica{u, u.overGRPC(t), "gRPC"})
	}
	return a
}

// suffer has people sign up, and puts the gates through one fault after the other.
func suffer(t *testing.T, a *target, faults []fault) {
	var people []*testenv.Person
	for i := range 8 {
		people = append(people, a.auth.SignUp(t, "Person", fmt.Sprintf("person-%d@example.com", i)))
	}
	gone := a.auth.SignIn(t, people[0])
	a.auth.SignOut(t, gone)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) { sufferOne(t, a, f, people, gone) })
	}
}

func sufferOne(t *testing.T, a *target, f fault, people []*testenv.Person, gone *testenv.Person) {
	length := outageLength(t)
	line := outageLine{test: t.Name()}
	defer func() { outages.add(t, line) }()
	clients := crowd(t, a.auth, people, gone)
	leaver := a.auth.SignIn(t, people[0])
	if f.leaving > 0 {
		q := question{cookie: leaver.Cookie}
		clients = append(clients, client{
			kind: leaves, ask: func() question { return q },
			calm:    func(a answer) bool { return a.passes(leaver.UserID) },
			allowed: func(a answer) bool { return a.passes(leaver.UserID) || a.refused() || a.unavailable() },
		})
	}
	for _, g := range a.gates {
		g.waitReady(t, 200)
		g.awaitRevocation(t, "complete")
	}
	load := startLoad(t, clients, a.edges)
	time.Sleep(time.Second)
	var before []size
	var gauges []*gauge
	for _, g := range a.gates {
		now, err := g.size()
		if err != nil {
			t.Fatal(err)
		}
		before, gauges = append(before, now), append(gauges, startGauge(t, g))
	}
	if f.during == nil {
		f.during = func(_ *testing.T, length time.Duration) { time.Sleep(length) }
	}

	var when times
	when.began = time.Now()
	f.begin(t)
	f.during(t, length/2)
	if f.leaving > 0 {
		a.auth.SignOut(t, leaver)
		when.left = time.Now()
	}
	f.during(t, length/2)
	meanwhile := a.gates[0].ready(t)
	warned := a.gates[0].logged(f.warns, when.began)
	when.ending = time.Now()
	if f.end != nil {
		f.end(t)
	}
	when.back = time.Now()
	time.Sleep(recovery + 700*time.Millisecond)
	outcomes := load.end()
	line.lasted, line.ready, line.tally = when.back.Sub(when.began), meanwhile.code, count(outcomes)

	if f.ready != 0 && meanwhile.code != f.ready {
		t.Errorf("/readyz said %d %v during the fault", meanwhile.code, meanwhile.Checks)
	}
	if f.warns != "" && (warned != 1 || a.gates[0].logged(f.back(), when.ending) == 0) {
		t.Errorf("the log said %d times %q, want once, and then %q", warned, f.warns, f.back())
	}
	if said := meanwhile.Revocation; f.silent && !strings.HasPrefix(said, "ttl-bound: ") || f.heard && said != "complete" {
		t.Errorf("/readyz said of revocation %q during the fault", said)
	}
	if f.ready == 503 {
		now := a.gates[0].mustMetrics(t)
		if now.sum("usher_decisions_total", `verdict="unavailable"`) == 0 || now.sum("usher_store_requests_total", `result="error"`)+now.sum("usher_store_requests_total", `result="timeout"`) == 0 {
			t.Error("/metrics does not show it")
		}
	}
	recovered := judge(t, f, when, outcomes)
	line.recovered = recovered
	var sizes []string
	for i, g := range a.gates {
		most := gauges[i].end(t)
		g.waitReady(t, 200)
		after := a.settle(t, g, before[i])
		sizes = append(sizes, fmt.Sprintf("goroutines %.0f, %.0f, %.0f, memory %.0f, %.0f, %.0f MiB",
			before[i].goroutines, most.goroutines, after.goroutines, before[i].memory/(1<<20), most.memory/(1<<20), after.memory/(1<<20)))
		if most.goroutines > before[i].goroutines+mostWaiting || most.memory > before[i].memory+mostMemory || after.memory > before[i].memory+mostMemory {
			t.Errorf("it grew too much: %s", sizes[i])
		}
	}
	t.Logf("%s for %v: %s; well again after %v; /readyz %d %v, revocation %q; before, at most, after: %s",
		f.name, when.back.Sub(when.began).Round(100*time.Millisecond), line.tally, recovered.Round(time.Millisecond),
		meanwhile.code, meanwhile.Checks, meanwhile.Revocation, strings.Join(sizes, "; "))
}

// settle waits until the gate is as small as before, but for a few connections.
func (a *target) settle(t *testing.T, g *usher, before size) size {
	t.Helper()
	for _, edge := range a.edges {
		if over, ok := edge.asker.(*httpAsker); ok {
			over.client.CloseIdleConnections()
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		now, err := g.size()
		if err != nil {
			t.Fatal(err)
		}
		if now.goroutines <= before.goroutines+20 {
			return now
		}
		if time.Now().After(deadline) {
			t.Errorf("%.0f goroutines before, %.0f after", before.goroutines, now.goroutines)
			return now
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestPostgresFails breaks the database in every way it breaks in.
func TestPostgresFails(t *testing.T) {
	s := breakablePostgres(t, testenv.StartPostgres(t))
	a := aim(t, s.auth, 1, fmt.Sprintf("store: { url: %q }", s.url))
	suffer(t, a, s.faults())
}

// TestRedisFailsBehindTheDatabase breaks the cache that replicas share: nobody may notice, and what was revoked meanwhile
// must not come back with it.
func TestRedisFailsBehindTheDatabase(t *testing.T) {
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	applyNotices(t, auth, databaseURL)
	server := testenv.StartRedis(t)
	a := aim(t, auth, 2, fmt.Sprintf("store: { url: %q }", databaseURL), fmt.Sprintf("redis: { url: %q }", server.URL()))
	faults := redisFaults(server)
	for i := range faults {
		faults[i].harmless, faults[i].silent, faults[i].heard = true, false, true
		faults[i].ready, faults[i].leaving = 200, time.Second
	}
	suffer(t, a, faults)
}

// TestRedisWithTheSessionsFails breaks Better Auth's secondary storage, in each way it is used.
func TestRedisWithTheSessionsFails(t *testing.T) {
	for _, both := range []bool{false, true} {
		t.Run(fmt.Sprintf("in the database too: %v", both), func(t *testing.T) {
			databaseURL := testenv.Postgres(t).NewDatabase(t)
			server := testenv.StartRedis(t)
			auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{
				DatabaseURL: databaseURL, RedisURL: server.URL(),
				Options: map[string]any{"session": map[string]any{"storeSessionInDatabase": both}},
			})
			applyNotices(t, auth, databaseURL, secondaryEnv(server.URL(), both)...)
			a := aim(t, auth, 1, fmt.Sprintf("store: { url: %q, secondary: { url: %q, store_session_in_database: %v } }", databaseURL, server.URL(), both))
			faults := redisFaults(server)
			for i := range faults {
				switch {
				case both: // the rows answer in its place
					faults[i].harmless, faults[i].silent = true, false
				case faults[i].silent:
					faults[i].ready = 503
				}
			}
			suffer(t, a, faults)
		})
	}
}
