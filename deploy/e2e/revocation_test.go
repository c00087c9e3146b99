package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestARevocationReachesEveryReplica is the promise of contract section 6: what the real Better Auth changes shows at every
// one of three gates within a second, and meanwhile nobody else notices.
func TestARevocationReachesEveryReplica(t *testing.T) {
	for _, s := range storages() {
		t.Run(s.name, func(t *testing.T) {
			place := s.open(t)
			people := gather(t, place.auth)
			gates := place.replicas(t)
			bound := time.Second
			if s.silent {
				bound += 500 * time.Millisecond // cache.ttl_unnotified
			} else {
				awaitComplete(t, gates)
			}
			watch := watchOver(t, gates, question{cookie: people.bea.Cookie, org: people.acme.ID}, people.bea.UserID)
			var gone []question
			for _, a := range acts {
				var took []time.Duration
				for round := range s.rounds {
					step := a.prepare(t, people, round)
					took = append(took, measure(t, gates, a.name, step))
					if step.ends {
						gone = append(gone, step.q)
					}
				}
				p50, p99, most := percentile(took, 50), percentile(took, 99), percentile(took, 100)
				t.Logf("%-30s until the last of %d gates: p50 %v, p99 %v, max %v of %d", a.name, len(gates), p50, p99, most, len(took))
				if p99 > bound {
					t.Errorf("%s: p99 %v, more than %v", a.name, p99, bound)
				}
			}
			watch.end(t)
			for _, g := range gates {
				for _, q := range gone {
					if said := g.ask(t.Context(), q); !said.refused() {
						t.Errorf("%s: a session that had ended is answered %d again", g.edge, said.status)
					}
				}
				complete := map[bool]float64{true: 0, false: 1}[s.silent]
				if m := g.mustMetrics(t); m["usher_cache_hits_total"] == 0 || m["usher_revocation_complete"] != complete {
					t.Errorf("%s: hits %v, complete %v: nothing was proved", g.edge, m["usher_cache_hits_total"], m["usher_revocation_complete"])
				}
			}
		})
	}
}

// measure does one step and returns how long it took, from Better Auth's answer on, until the last gate showed it.
func measure(t *testing.T, gates []replica, name string, s step) time.Duration {
	t.Helper()
	for range 2 { // the second time, it comes from memory
		for _, g := range gates {
			if _, said, ok := until(g, s.q, 5*time.Second, s.before); !ok {
				t.Fatalf("%s: before, a gate asked over %s says %d %v %v", name, g.edge, said.status, said.header, said.err)
			}
		}
	}
	s.do(t)
	done := time.Now()
	late := make([]time.Duration, len(gates))
	var wg sync.WaitGroup
	for i, g := range gates {
		wg.Go(func() {
			shown, said, ok := until(g, s.q, 5*time.Second, s.after)
			late[i] = shown.Sub(done)
			if !ok {
				t.Errorf("%s: %v later, a gate asked over %s still says %d %v %v", name, late[i], g.edge, said.status, said.header, said.err)
			}
		})
	}
	wg.Wait()
	return slices.Max(late)
}

// percentile is the smallest value that so many per cent do not exceed.
func percentile(values []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)*percent+99)/100-1].Round(10 * time.Microsecond)
}

// bystander is somebody whom nothing happens to, and who asks all the time.
type bystander struct {
	stop     context.CancelFunc
	wg       sync.WaitGroup
	asked    atomic.Int64
	mu       sync.Mutex
	surprise []string
}

// watchOver asks every gate about a hundred times a second whether this user passes.
func watchOver(t *testing.T, gates []replica, q question, userID string) *bystander {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := &bystander{stop: cancel}
	for _, g := range gates {
		b.wg.Go(func() {
			for ctx.Err() == nil {
				said := g.ask(context.WithoutCancel(ctx), q)
				b.asked.Add(1)
				if !said.passes(userID) {
					b.mu.Lock()
					b.surprise = append(b.surprise, fmt.Sprintf("over %s: %d %s %v", g.edge, said.status, said.header.Get("X-Usher-Reason"), said.err))
					b.mu.Unlock()
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	t.Cleanup(func() { cancel(); b.wg.Wait() })
	return b
}

// end stops it. Whoever was refused without reason fails the test.
func (b *bystander) end(t *testing.T) {
	t.Helper()
	b.stop()
	b.wg.Wait()
	if n := len(b.surprise); n > 0 || b.asked.Load() == 0 {
		t.Errorf("a bystander was refused %d of %d times: %.10q", n, b.asked.Load(), b.surprise)
	}
}
