package shared

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
)

// clocked is a store that takes a millisecond, and tells its caller how long it really took.
type clocked struct{ *database }

type tookKey struct{}

func (c clocked) Resolve(ctx context.Context, credential gate.Credential) (*gate.Principal, error) {
	began := time.Now()
	time.Sleep(time.Millisecond)
	p, err := c.database.Resolve(ctx, credential)
	*ctx.Value(tookKey{}).(*time.Duration) += time.Since(began)
	return p, err
}

// load asks for sessions all the time, several at once, and checks every answer.
type load struct {
	stop    chan struct{}
	workers sync.WaitGroup
	mu      sync.Mutex
	asked   int
	longest time.Duration // that one question took beside the store
}

const workers = 8

func startLoad(t *testing.T, r *replica) *load {
	l := &load{stop: make(chan struct{})}
	for range workers {
		l.workers.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				token := fmt.Sprint("token ", rand.IntN(200))
				var took time.Duration
				began := time.Now()
				p, err := r.Resolve(context.WithValue(t.Context(), tookKey{}, &took), gate.Proven(gate.ByCookie, token))
				rest := time.Since(began) - took
				if err != nil || p.User.ID != "user of "+token {
					t.Errorf("%s: a wrong answer, or an error: %v", token, err)
				}
				l.mu.Lock()
				l.asked++
				l.longest = max(l.longest, rest)
				l.mu.Unlock()
			}
		})
	}
	return l
}

func (l *load) end() {
	close(l.stop)
	l.workers.Wait()
}

// A dead or slow Redis costs all requests together less than 100 ms per second of outage, nobody gets a wrong answer or
// an error, and it is in use again within two seconds of its return.
func TestFaults(t *testing.T) {
	for what, fault := range map[string]struct {
		outage  time.Duration
		begin   func(*testenv.RedisServer)
		end     func(*testenv.RedisServer)
		atLeast int // outages that must be noticed
	}{
		"stopped":   {5 * time.Second, (*testenv.RedisServer).Pause, (*testenv.RedisServer).Resume, 1},
		"killed":    {5 * time.Second, (*testenv.RedisServer).Kill, (*testenv.RedisServer).Start, 1},
		"restarted": {0, (*testenv.RedisServer).Kill, (*testenv.RedisServer).Start, 0},
	} {
		t.Run(what, func(t *testing.T) {
			server, d := newWorld(t)
			for i := range 200 {
				token := fmt.Sprint("token ", i)
				d.set(token, token)
			}
			var told []error
			r := newReplica(t, server.URL(), clocked{d}, func(c *Config) {
				c.Timeout = 0 // as it is when nobody says otherwise
				c.Changed = func(err error) { told = append(told, err) }
			})
			l := startLoad(t, r)
			await(t, "Redis is in use", func() bool { return r.Stats().Hits > 1000 })
			goroutines := runtime.NumGoroutine()

			before := r.Stats()
			fault.begin(server)
			time.Sleep(fault.outage)
			during := r.Stats()
			most := runtime.NumGoroutine()
			fault.end(server)
			back := time.Now()
			await(t, "Redis is in use again", func() bool { return r.Stats().Hits > during.Hits+100 })
			healed := time.Since(back)
			l.end()

			lost := during.Breaker.Lost - before.Breaker.Lost
			t.Logf("%v: %d questions; all waited %v together, the longest %v; in use %v after its return",
				fault.outage, l.asked, lost, l.longest.Round(time.Millisecond), healed.Round(time.Millisecond))
			if fault.outage > 0 && lost.Seconds() > 0.1*fault.outage.Seconds() {
				t.Errorf("in %v, questions waited %v for nothing", fault.outage, lost)
			}
			if n := during.Breaker.Opened - before.Breaker.Opened; int(n) < fault.atLeast {
				t.Errorf("%d outages were noticed", n)
			}
			if healed > 2*time.Second {
				t.Errorf("it was in use again only after %v", healed)
			}
			if most > goroutines+2*workers {
				t.Errorf("%d goroutines became %d", goroutines, most)
			}
			if fault.atLeast > 0 && (len(told) < 2 || told[0] == nil || told[len(told)-1] != nil) {
				t.Errorf("told: %v", told)
			}
		})
	}
}

// A replica that begins while Redis is dead, or whose URL is wrong, answers all the same.
func TestDeadFromTheStart(t *testing.T) {
	server, d := newWorld(t)
	server.Pause()
	defer server.Resume()
	r := startReplica(t, server.URL(), d, nil)
	began := time.Now()
	for range 100 {
		if r.name(t, "token") != "old" {
			t.Fatal("a wrong answer")
		}
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("100 answers took %v", took)
	}
	if s := r.Stats(); s.Bypassed != 100 || s.Breaker.Failures != 0 {
		t.Errorf("stats: %+v", s)
	}
	server.Resume()
	await(t, "Redis is in use", func() bool { r.name(t, "token"); return r.Stats().Hits > 0 })
}

// A Redis that is full takes nothing more, and is still read.
func TestFull(t *testing.T) {
	server, d := newWorld(t)
	d.set("other", "other")
	r := newReplica(t, server.URL(), d, nil)
	aged()
	r.name(t, "token")
	r.written(t, 1)
	server.Call(t, "CONFIG", "SET", "maxmemory", "1")
	r.name(t, "other")
	await(t, "it is dropped", func() bool { return r.Stats().Dropped == 1 })
	if r.name(t, "token"); r.Stats().Hits != 1 || r.Stats().Refused == nil || r.breaker.Open() {
		t.Errorf("stats: %+v", r.Stats())
	}
	server.Call(t, "CONFIG", "SET", "maxmemory", "0")
	r.name(t, "other")
	r.written(t, 2)
	if r.Stats().Refused != nil {
		t.Errorf("stats: %+v", r.Stats())
	}
}

// Who leaves before Redis has answered says nothing of Redis: no error is counted that an operator would look for, and in
// a Cluster the server that does not answer stays the suspect.
func TestWhoLeavesIsNoFault(t *testing.T) {
	server, d := newWorld(t)
	r := newReplica(t, server.URL(), d, nil)
	suspected := "not answered last"
	r.failed.Store(&suspected)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := r.Resolve(gone, gate.Proven(gate.ByCookie, "token")); !errors.Is(err, context.Canceled) {
		t.Errorf("who left is told %v", err)
	}
	if s := r.Stats(); s.Errors != 0 || s.Breaker.Failures != 0 || s.Breaker.Open {
		t.Errorf("stats: %+v", s)
	}
	if got := r.failed.Load(); got != &suspected {
		t.Errorf("suspected is %q", *got)
	}
}
