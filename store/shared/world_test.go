package shared

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/redisconn"
)

var testKey = bytes.Repeat([]byte{7}, 32)

// database is the storage of all replicas, without any memory. A lookup can be held after it has read.
type database struct {
	asked atomic.Int64

	mu   sync.Mutex
	rows map[string]*gate.Principal
	hold chan chan struct{} // nil: nobody is held; else a lookup that has read sends what it waits for
}

func (d *database) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	d.asked.Add(1)
	d.mu.Lock()
	p, hold := d.rows[c.Token()], d.hold
	d.mu.Unlock()
	if hold != nil {
		release := make(chan struct{})
		hold <- release
		<-release
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, gate.ErrNoSession
	}
	return p, nil
}

// set changes what is there; name stands for all that can change.
func (d *database) set(token, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows[token] = somebody(token, name)
}

// holding makes lookups stop after they have read, until stop.
func (d *database) holding() (held <-chan chan struct{}, stop func()) {
	ch := make(chan chan struct{})
	d.mu.Lock()
	d.hold = ch
	d.mu.Unlock()
	return ch, func() {
		d.mu.Lock()
		d.hold = nil
		d.mu.Unlock()
	}
}

func somebody(token, name string) *gate.Principal {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return &gate.Principal{
		Session:     gate.Session{ID: "session of " + token, CreatedAt: now, ExpiresAt: now.Add(time.Hour), ActiveOrganization: "org"},
		User:        gate.User{ID: "user of " + token, Name: name, Email: "somebody@example.com", Roles: "user"},
		Memberships: []gate.Membership{{OrganizationID: "org", Slug: "acme", Name: "Acme", Roles: "owner"}},
	}
}

// heard is the end of the line of notices: it knows what came through.
type heard struct{ n atomic.Int64 }

func (h *heard) Changed(time.Time, ...store.Tag) { h.n.Add(1) }
func (h *heard) ChangedAll()                     { h.n.Add(1) }
func (h *heard) Complete(time.Time)              { h.n.Add(1) }
func (h *heard) Incomplete(error)                { h.n.Add(1) }

// replica is one gate's cache, with its own connections, running.
type replica struct {
	*Cache
	notices store.Notices
	client  redis.UniversalClient
	mute    atomic.Bool // Complete is not said
}

// newReplica starts a replica whose notices are complete until mute is set, and waits until Redis is in use.
func newReplica(t *testing.T, url string, d gate.Resolver, change func(*Config)) *replica {
	t.Helper()
	r := startReplica(t, url, d, change)
	await(t, "Redis is in use", func() bool { return !r.breaker.Open() })
	return r
}

// startReplica does not wait.
func startReplica(t *testing.T, url string, d gate.Resolver, change func(*Config)) *replica {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Client: client, Key: testKey, TTL: time.Minute, Timeout: time.Second}
	if change != nil {
		change(&config)
	}
	cache, err := New(d, config)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{Cache: cache, client: client, notices: cache.Notices(new(heard))}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { cache.Run(ctx) })
	r.notices.Complete(time.Now())
	running.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				if !r.mute.Load() {
					r.notices.Complete(now)
				}
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = client.Close()
	})
	return r
}

// name asks who holds a token; empty: nobody.
func (r *replica) name(t *testing.T, token string) string {
	t.Helper()
	p, err := r.Resolve(t.Context(), gate.Proven(gate.ByCookie, token))
	switch {
	case err == gate.ErrNoSession: //nolint:errorlint // as it is
		return ""
	case err != nil:
		t.Fatal(err)
	}
	return p.User.Name
}

// written waits until everything that was offered has been written or dropped.
func (r *replica) written(t *testing.T, n uint64) {
	t.Helper()
	await(t, fmt.Sprintf("%d answers are written", n), func() bool { return r.Stats().Writes >= n })
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// newWorld is a Redis and a database with one session, named "old".
func newWorld(t *testing.T) (*testenv.RedisServer, *database) {
	t.Helper()
	d := &database{rows: make(map[string]*gate.Principal)}
	d.set("token", "old")
	return testenv.StartRedis(t), d
}

// aged waits until an entry that is looked up from now on is taken by who has heard a notice.
func aged() { time.Sleep(slack + 50*time.Millisecond) }

// unused is a client that nobody may use.
type unused struct{ redis.UniversalClient }
