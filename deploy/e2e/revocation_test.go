package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// TestARevocationReachesEveryReplica is the promise of contract section 6: what the real Better Auth changes shows at every
// one of three gates within a second, and meanwhile nobody else notices.
func TestARevocationReachesEveryReplica(t *testing.T) {
	for _, s := range storages() {
		t.Run(s.name, func(t *testing.T) {
			place := s.open(t)
			people := gather(t, place.auth)
			gates := place.replicas(t)
			awaitComplete(t, gates)
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
				if p99 > time.Second {
					t.Errorf("%s: p99 %v, more than a second", a.name, p99)
				}
			}
			watch.end(t)
			for _, g := range gates {
				for _, q := range gone {
					if said := g.ask(t.Context(), q); !said.refused() {
						t.Errorf("%s: a session that had ended is answered %d again", g.edge, said.status)
					}
				}
				if !cacheServes {
					continue
				}
				m := g.mustMetrics(t)
				if m["usher_cache_hits_total"] == 0 || m["usher_revocation_complete"] != 1 {
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

// TestALostConnectionLosesNoRevocation ends, from the server's side and again and again, the connections on which the gates
// hear of changes, while people sign out.
func TestALostConnectionLosesNoRevocation(t *testing.T) {
	// What may pass without news, and a second.
	const bound = 2*time.Second + time.Second
	for _, s := range storages() {
		if !s.hears {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			place := s.open(t)
			leo := place.auth.SignUp(t, "Leo", "leo@example.com")
			bea := place.auth.SignUp(t, "Bea", "bea@example.com")
			var leaving []*testenv.Person
			for range 20 {
				leaving = append(leaving, place.auth.SignIn(t, leo))
			}
			gates := place.replicas(t)
			awaitComplete(t, gates)
			watch := watchOver(t, gates, question{cookie: bea.Cookie}, bea.UserID)
			cuts := cutting(t, place)
			var waiting sync.WaitGroup
			late := make([]time.Duration, len(leaving))
			for i, p := range leaving {
				s := ends(p, func(t *testing.T) { place.auth.SignOut(t, p) })
				for _, g := range gates {
					if _, said, ok := until(g, s.q, 5*time.Second, s.before); !ok {
						t.Fatalf("before: %d %v", said.status, said.err)
					}
				}
				s.do(t)
				done := time.Now()
				waiting.Go(func() {
					for _, g := range gates {
						shown, said, ok := until(g, s.q, 10*time.Second, s.after)
						if !ok {
							t.Errorf("a gate asked over %s lost a revocation: %d", g.edge, said.status)
						}
						late[i] = max(late[i], shown.Sub(done))
					}
				})
			}
			waiting.Wait()
			ended := cuts()
			t.Logf("%d connections ended meanwhile; until the last gate: p50 %v, max %v of %d", ended, percentile(late, 50), percentile(late, 100), len(late))
			if most := slices.Max(late); most > bound {
				t.Errorf("a revocation took %v, more than %v", most, bound)
			}
			if cacheServes && ended < len(gates) {
				t.Errorf("%d connections were ended: nothing was proved", ended)
			}
			awaitComplete(t, gates)
			watch.end(t)
		})
	}
}

// cutting ends the connections about seven times a second until the returned function is called, which says how many.
func cutting(t *testing.T, p *place) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	ended := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			ended += p.cut(t)
			time.Sleep(150 * time.Millisecond)
		}
	})
	stop = func() int { cancel(); wg.Wait(); return ended }
	t.Cleanup(func() { stop() })
	return stop
}

// TestWithoutNoticesMemoryIsShort is a database whose owner did not run `usher schema apply -revocation`: a session that
// has ended may pass for cache.ttl_unnotified, no longer, and the operator is told.
func TestWithoutNoticesMemoryIsShort(t *testing.T) {
	const unnotified, margin = 2 * time.Second, 250 * time.Millisecond
	place := onPostgres(t, false)
	leo := place.auth.SignUp(t, "Leo", "leo@example.com")
	gates := place.replicas(t)
	for range 3 {
		p := place.auth.SignIn(t, leo)
		s := ends(p, func(t *testing.T) { place.auth.SignOut(t, p) })
		for _, g := range gates {
			if _, said, ok := until(g, s.q, 5*time.Second, s.before); !ok {
				t.Fatalf("before: %d %v", said.status, said.err)
			}
		}
		s.do(t)
		done := time.Now()
		var wg sync.WaitGroup
		for _, g := range gates {
			wg.Go(func() {
				var passed int
				var last time.Duration
				for began := time.Now(); began.Before(done.Add(unnotified + time.Second)); began = time.Now() {
					switch said := g.ask(t.Context(), s.q); {
					case s.before(said):
						passed++
						last = began.Sub(done)
					case !said.refused():
						t.Errorf("over %s: %d %v", g.edge, said.status, said.err)
					}
					time.Sleep(5 * time.Millisecond)
				}
				t.Logf("over %s: passed %d times, the last one %v after signing out", g.edge, passed, last.Round(time.Millisecond))
				if last > unnotified+margin {
					t.Errorf("over %s: a session that had ended passed %v later", g.edge, last)
				}
				if cacheServes && passed == 0 {
					t.Errorf("over %s: it never came from memory: nothing was proved", g.edge)
				}
			})
		}
		wg.Wait()
	}
	if !cacheServes {
		return
	}
	for _, g := range gates {
		g.awaitRevocation(t, "ttl-bound: ")
		if m := g.mustMetrics(t); m["usher_revocation_complete"] != 0 {
			t.Errorf("usher_revocation_complete is %v", m["usher_revocation_complete"])
		}
		if n := g.logged("ttl-bound", time.Time{}); n != 1 {
			t.Errorf("the log says it %d times, want once", n)
		}
	}
}
