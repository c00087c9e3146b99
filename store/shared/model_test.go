package shared_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
	"github.com/usherauth/usher/store/redisconn"
	"github.com/usherauth/usher/store/shared"
)

// versions is a storage in which every session is a version number, kept as the user's name.
type versions struct {
	asked atomic.Int64
	of    [sessions]atomic.Int64
}

const sessions = 40

func (v *versions) Resolve(_ context.Context, c gate.Credential) (*gate.Principal, error) {
	v.asked.Add(1)
	n, err := strconv.Atoi(c.Token())
	if err != nil {
		return nil, err
	}
	time.Sleep(rand.N(2 * time.Millisecond))
	version := v.of[n].Load()
	time.Sleep(rand.N(5 * time.Millisecond)) // the answer is old when it arrives
	return &gate.Principal{
		Session: gate.Session{ID: c.Token(), ExpiresAt: time.Now().Add(time.Hour)},
		User:    gate.User{ID: "user " + c.Token(), Name: strconv.FormatInt(version, 10)},
	}, nil
}

// Three replicas, each with a memory of its own above the shared one, hear of every change at some time of their own,
// and lose their notices now and then. Whoever asks a replica after it has heard of a change never sees what was before.
func TestNobodySeesWhatWasBefore(t *testing.T) {
	for _, memory := range []string{"with a memory above", "alone"} {
		t.Run(memory, func(t *testing.T) { model(t, memory == "alone") })
	}
}

func model(t *testing.T, alone bool) {
	server := testenv.StartRedis(t)
	db := new(versions)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })

	type replica struct {
		resolver gate.Resolver
		notices  store.Notices
		shared   *shared.Cache
		known    [sessions]atomic.Int64 // the version that it has heard of
		lost     atomic.Bool
	}
	var replicas [3]*replica
	for i := range replicas {
		client, err := redisconn.Open(server.URL(), redisconn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cancel(); running.Wait(); _ = client.Close() })
		second, err := shared.New(db, shared.Config{Client: client, Key: make([]byte, 32), TTL: time.Minute, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		shared.SetSlack(second, 0) // one Redis and one clock; with slack hardly anything would be taken from it here
		first := cached.New(second, cached.Config{Size: sessions / 4, TTL: time.Minute, TTLUnnotified: 10 * time.Millisecond})
		t.Cleanup(first.Close)
		r := &replica{resolver: first, shared: second, notices: second.Notices(first.Channel("test"))}
		if alone {
			r.resolver = second
		}
		replicas[i] = r
		running.Go(func() { second.Run(ctx) })
		running.Go(func() { // what keeps notices complete, and loses them now and then
			for ctx.Err() == nil {
				if rand.IntN(20) == 0 {
					r.notices.Incomplete(fmt.Errorf("lost"))
					r.lost.Store(true)
					time.Sleep(rand.N(30 * time.Millisecond))
					var before [sessions]int64
					for n := range before {
						before[n] = db.of[n].Load()
					}
					r.lost.Store(false)
					r.notices.Complete(time.Now())
					for n := range before {
						raise(&r.known[n], before[n])
					}
				}
				r.notices.Complete(time.Now())
				time.Sleep(20 * time.Millisecond)
			}
		})
	}

	for n := range sessions {
		running.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(rand.N(400 * time.Millisecond))
				version := db.of[n].Add(1)
				for _, r := range replicas {
					running.Go(func() {
						lost := r.lost.Load() // a change during a loss is told by nobody
						time.Sleep(rand.N(30 * time.Millisecond))
						if lost {
							return
						}
						r.notices.Changed(time.Time{}, store.UserTag(fmt.Sprint("user ", n)))
						raise(&r.known[n], version)
					})
				}
			}
		})
	}
	var asked atomic.Int64
	for range 12 {
		running.Go(func() {
			for ctx.Err() == nil {
				r, n := replicas[rand.IntN(len(replicas))], rand.IntN(sessions)
				known := r.known[n].Load()
				p, err := r.resolver.Resolve(ctx, gate.Proven(gate.ByCookie, strconv.Itoa(n)))
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				asked.Add(1)
				if got, _ := strconv.ParseInt(p.User.Name, 10, 64); got < known {
					t.Errorf("session %d: version %d from a replica that had heard of version %d", n, got, known)
					cancel()
				}
				time.Sleep(rand.N(500 * time.Microsecond))
			}
		})
	}
	select {
	case <-ctx.Done():
	case <-time.After(3 * time.Second):
	}
	cancel()
	running.Wait()
	var hits, stale, dropped uint64
	for _, r := range replicas {
		s := r.shared.Stats()
		hits, stale, dropped = hits+s.Hits, stale+s.Stale, dropped+s.Dropped
		if s.Errors+s.Unreadable != 0 {
			t.Errorf("stats: %+v", s)
		}
	}
	t.Logf("%d questions, %d of the store; from Redis %d, refused %d, not written %d", asked.Load(), db.asked.Load(), hits, stale, dropped)
	if hits == 0 || stale == 0 || dropped == 0 {
		t.Error("too little happened to prove anything")
	}
}

func raise(mark *atomic.Int64, to int64) {
	for have := mark.Load(); have < to && !mark.CompareAndSwap(have, to); have = mark.Load() {
	}
}
