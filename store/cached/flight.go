package cached

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// errBusy is the answer to who comes when too many lookups are under way already.
var errBusy = errors.New("cached: too many lookups are under way; the store does not keep up")

// lookup says when one began.
type lookup struct {
	number uint64        // of the sequence of notices
	at     time.Duration // since the cache was made
}

// flights are the lookups under way.
type flights struct {
	free   atomic.Int64 // how many more there may be
	shards [16]struct {
		mu   sync.Mutex
		open map[store.Tag]*flight
	}
}

// flight is one lookup, and what it found once done is closed.
type flight struct {
	began      lookup
	done       chan struct{}
	principal  *gate.Principal
	err        error
	overlapped bool // a notice about what it found came meanwhile
}

// look waits for a lookup of the token, its own or one that is under way.
func (c *Cache) look(ctx context.Context, credential gate.Credential, key store.Tag) (*gate.Principal, error) {
	arrived := c.marks.now()
	for {
		f, err := c.join(ctx, credential, key)
		if err != nil {
			return nil, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// A lookup that began before we came may have read what was changed and noticed before we came. The next one we
		// join has begun later: this one was there until now.
		if f.overlapped && f.began.number < arrived {
			continue
		}
		return f.principal, f.err
	}
}

// join finds the lookup of this token that is under way, or begins one.
func (c *Cache) join(ctx context.Context, credential gate.Credential, key store.Tag) (*flight, error) {
	s := &c.flights.shards[key[2]&15]
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, found := s.open[key]; found {
		c.counts.joined.Add(1)
		return f, nil
	}
	if c.flights.free.Add(-1) < 0 {
		c.flights.free.Add(1)
		return nil, errBusy
	}
	if s.open == nil {
		s.open = make(map[store.Tag]*flight)
	}
	f := &flight{began: lookup{c.marks.now(), c.now()}, done: make(chan struct{})}
	s.open[key] = f
	// The token may lie in the memory of a request that is gone before the lookup is.
	own := gate.Proven(credential.Method(), strings.Clone(credential.Token()))
	go c.fly(context.WithoutCancel(ctx), f, own, key)
	return f, nil
}

// fly makes the lookup. Whoever began it may be gone: others wait.
func (c *Cache) fly(ctx context.Context, f *flight, credential gate.Credential, key store.Tag) {
	ctx, cancel := context.WithTimeout(ctx, c.config.LookupTimeout)
	defer cancel()
	f.principal, f.err = c.ask(ctx, credential)
	f.overlapped = c.remember(key, credential.Token(), f.began, f.principal, f.err)
	s := &c.flights.shards[key[2]&15]
	s.mu.Lock()
	delete(s.open, key)
	s.mu.Unlock()
	c.flights.free.Add(1)
	close(f.done)
}

// ask asks the store. A panic in it is an error for all who wait: this goroutine is nobody's who would catch it.
func (c *Cache) ask(ctx context.Context, credential gate.Credential) (p *gate.Principal, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = nil, fmt.Errorf("cached: panic in a lookup: %v", v)
		}
	}()
	p, err = c.next.Resolve(ctx, credential)
	if p == nil && err == nil {
		err = errors.New("cached: the store answered nothing")
	}
	return p, err
}

var _ gate.Resolver = (*Cache)(nil)

// freshness is how old the last proof of a channel may be: as long as a revocation may take to be heard of.
const freshness = time.Second
