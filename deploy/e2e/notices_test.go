package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// TestALostConnectionLosesNoRevocation ends, from the server's side, the connections on which the gates hear of changes, while
// people sign out: first once each time, so that it happens while nobody listens and the news are complete soon after; then
// again and again, so that they hardly ever are.
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
			gates := place.replicas(t)
			awaitComplete(t, gates)
			watch := watchOver(t, gates, question{cookie: bea.Cookie}, bea.UserID)

			var late []time.Duration
			ended := 0
			for range 10 {
				p := place.auth.SignIn(t, leo)
				awaitComplete(t, gates)
				late = append(late, measure(t, gates, "signs out while nobody listens", ends(p, func(t *testing.T) {
					ended += place.cut(t)
					place.auth.SignOut(t, p)
				})))
			}
			t.Logf("cut once: %d connections ended; until the last gate: p50 %v, max %v of %d", ended, percentile(late, 50), percentile(late, 100), len(late))
			if most := slices.Max(late); most > bound {
				t.Errorf("a revocation took %v, more than %v", most, bound)
			}
			if ended < len(late)*len(gates) {
				t.Errorf("%d connections were ended, want %d at least: nothing was proved", ended, len(late)*len(gates))
			}

			var leaving []*testenv.Person
			for range 10 {
				leaving = append(leaving, place.auth.SignIn(t, leo))
			}
			cuts := cutting(t, place)
			late = nil
			for _, p := range leaving {
				late = append(late, measure(t, gates, "signs out while connections break", ends(p, func(t *testing.T) { place.auth.SignOut(t, p) })))
			}
			t.Logf("cut again and again: %d connections ended; until the last gate: p50 %v, max %v of %d", cuts(), percentile(late, 50), percentile(late, 100), len(late))
			if most := slices.Max(late); most > bound {
				t.Errorf("a revocation took %v, more than %v", most, bound)
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
				if passed == 0 {
					t.Errorf("over %s: it never came from memory: nothing was proved", g.edge)
				}
			})
		}
		wg.Wait()
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

	// The owner runs it now, and later takes it back. Nothing is restarted.
	applySchema(t, "-revocation", place.auth, place.database)
	awaitComplete(t, gates)
	p := place.auth.SignIn(t, leo)
	if took := measure(t, gates, "signs out", ends(p, func(t *testing.T) { place.auth.SignOut(t, p) })); took > time.Second {
		t.Errorf("with notices, signing out took %v", took)
	}
	applySchema(t, "-revocation=off", place.auth, place.database)
	for _, g := range gates {
		g.awaitRevocation(t, "ttl-bound: ")
	}
}

// TestALongerMemoryBridgesAnOutage is what an operator buys with a longer cache.ttl_unnotified: who was there lately does not
// notice that the database is gone. The price is that a session revoked without notices passes as long.
func TestALongerMemoryBridgesAnOutage(t *testing.T) {
	s := breakablePostgres(t, testenv.StartPostgres(t))
	leo := s.auth.SignUp(t, "Leo", "leo@example.com")
	gates := (&place{auth: s.auth, store: fmt.Sprintf("store: { url: %q }", s.url)}).replicas(t, "cache: { ttl_unnotified: 1m }")
	awaitComplete(t, gates)
	for _, g := range gates {
		until(g, question{cookie: leo.Cookie}, 5*time.Second, func(a answer) bool { return a.passes(leo.UserID) })
	}
	watch := watchOver(t, gates, question{cookie: leo.Cookie}, leo.UserID)
	s.server.Kill()
	time.Sleep(outageLength(t))
	for _, g := range gates {
		if said := g.ready(t); said.code != 503 {
			t.Errorf("/readyz says %d", said.code)
		}
	}
	s.server.Start()
	awaitComplete(t, gates)
	watch.end(t)
}
