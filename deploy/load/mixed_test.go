//go:build linux

package load

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	mixedRate    = 2000 // checks a second
	mixedRevoked = 20   // sessions a second
)

// tail is one open run of one server.
type tail struct {
	p50, p99, p999 time.Duration
	hits           float64 // share of the sessions that were answered from memory
	lookups        float64 // a second
	revoked        float64 // a second
	store          float64 // its processors
}

func (t tail) String() string {
	return fmt.Sprintf("p50 %.2f p99 %.2f p99.9 %.2f ms", t.p50.Seconds()*1e3, t.p99.Seconds()*1e3, t.p999.Seconds()*1e3)
}

// mixed is ordinary life: people come as Zipf 1.1 says, at a steady rate, and some sign out. What is remembered ends after
// as long as the warming up lasts, so that hits and misses are as many at the end of the measurement as at its beginning.
// The gate and the store share the first processor, the generator has the second.
func mixed(w *world, r *report) {
	n := min(w.most, 100_000)
	w.sessions(n)
	keys := w.secondary(n)
	if runtime.NumCPU() > 1 {
		affinity(keys.Pid(), 1)
		for _, pid := range withChildren(w.t, w.postgres) { // what the gate's connections are served by inherits it
			affinity(pid, 1)
			defer affinity(pid, allProcessors())
		}
	}
	warm, length := max(w.seconds(8), time.Second), max(w.seconds(10), 3*time.Second)
	short := fmt.Sprintf("cache: { ttl: %q }", warm)
	people := newVisitors(n, overGRPC)
	conn, err := pgx.Connect(w.t.Context(), w.database)
	must(w.t, err)
	defer conn.Close(context.Background())

	plain := bare(w.t, true, "grpc")
	places := []*place{
		{w.usher(w.t, true, short), newChurn(people, rows{conn}), func() time.Duration { return family(w.t, w.postgres) }},
		{w.usher(w.t, true, short, inRedis(keys)), newChurn(people, values{dialRedis(w.t, keys)}), func() time.Duration { return cpu(w.t, keys.Pid()) }},
	}
	defer places[0].crowd.undo(w.t)

	var bares []tail
	all := make([][]tail, len(places))
	for range min(w.rounds, 3) {
		bares = append(bares, w.open(plain, people.zipf(), min(warm, time.Second), length))
		for i, p := range places {
			all[i] = append(all[i], p.visited(w, warm, length))
		}
	}
	typical := func(all []tail) tail {
		slices.SortFunc(all, func(a, b tail) int { return cmp.Compare(a.p99, b.p99) })
		return all[len(all)/2]
	}
	plainly := typical(bares)
	for i, add := range []func(float64, string, ...any){
		func(value float64, format string, args ...any) { r.add(18, value, format, args...) },
		func(value float64, format string, args ...any) {
			r.also(18, "the same, sessions in Redis", value, format, args...)
		},
	} {
		t := typical(all[i])
		add(float64(t.p99)/float64(plainly.p99), "gate %v, bare %v; %.1f %% from memory, %.0f lookups/s, %.1f revocations/s, %.2f processors for the store",
			t, plainly, 100*t.hits, t.lookups, t.revoked, t.store)
	}
}

// place is a storage, with a gate on it and people whose sessions it keeps.
type place struct {
	gate  *server
	crowd *churn
	used  func() time.Duration // what the storage has used of its processors
}

// visited lets people come for a while, and measures for another, while sessions are revoked all the time.
func (p *place) visited(w *world, warm, length time.Duration) tail {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.crowd.run(ctx, mixedRevoked) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	}()
	ask := p.crowd.zipf()
	w.open(p.gate, ask, 0, warm)
	before, used, revoked := p.gate.counts(w), p.used(), p.crowd.revoked.Load()
	t := w.open(p.gate, ask, 0, length)
	after := p.gate.counts(w)
	hits, misses := after.hits-before.hits, after.misses-before.misses
	t.hits, t.lookups = hits/(hits+misses), (after.lookups-before.lookups)/length.Seconds()
	t.store = (p.used() - used).Seconds() / length.Seconds()
	t.revoked = float64(p.crowd.revoked.Load()-revoked) / length.Seconds()
	return t
}

// open asks a server at the steady rate, and wants every answer to be right.
func (w *world) open(s *server, ask func(*question), warm, length time.Duration) tail {
	w.t.Helper()
	defer pinSelf()()
	e, err := newEngine(s.grpc, w.lanes, newGRPC, ask)
	must(w.t, err)
	rate := float64(mixedRate)
	if !*figures {
		rate /= 10 // only whether it works, on a machine that others use
	}
	o, err := e.open(rate, warm, length)
	must(w.t, err)
	if o.wrong > 0 {
		w.t.Fatalf("%d of %d answers are wrong; the gate has decided until now:\n%s", o.wrong, o.done, s.decisions(w.t))
	}
	return tail{p50: o.hist.at(0.5), p99: o.hist.at(0.99), p999: o.hist.at(0.999)}
}

// decisions are the lines of its metrics that count them by verdict and reason.
func (s *server) decisions(t testing.TB) string {
	t.Helper()
	if s.ops == "" {
		return "nothing: it is a bare one"
	}
	var lines strings.Builder
	for line := range strings.Lines(fetch(t, "http://"+s.ops+"/metrics")) {
		if strings.HasPrefix(line, "usher_decisions_total") || strings.HasPrefix(line, "usher_store_requests_total") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// counted is what a gate has counted until now.
type counted struct{ hits, misses, lookups float64 }

func (s *server) counts(w *world) counted {
	w.t.Helper()
	return counted{
		hits:    s.metric(w.t, "usher_cache_hits_total") + s.metric(w.t, "usher_cache_unknown_hits_total"),
		misses:  s.metric(w.t, "usher_cache_misses_total"),
		lookups: s.metric(w.t, "usher_store_requests_total"),
	}
}
