package cached

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

var (
	errClosed  = errors.New("cached: closed; the gate is shutting down")
	errNothing = errors.New("cached: the store answered with neither a principal nor an error")
	errEnded   = errors.New("cached: the lookup ended without an answer")
)

// lookup is one question to the store, for everybody who waits for its answer.
type lookup struct {
	began  uint64 // number of the latest notice then
	loaded int64  // when that was, as Cache.since

	done   chan struct{} // closed when the rest is there
	answer               // may be an error that is not gate.ErrNoSession
	places []place       // of what the answer depends on
	ends   int64         // when that is over by itself: see endOf

	next *lookup // after this one failed, of those who had joined it; guarded by Cache.mu
}

// ask waits for the answer to a lookup, its own or one under way, for as long as ctx lasts. One under way may have read
// what a notice was about that came before the caller did; then the next one has the answer, for it began later. One that
// fails, of old age for instance, has failed for him who began it. The others wait for the next one, together, and no more.
func (c *Cache) ask(ctx context.Context, credential gate.Credential, key store.Tag) (*gate.Principal, error) {
	arrived := c.marks.last.Load()
	for after := (*lookup)(nil); ; {
		l, begun, err := c.lookUp(ctx, credential, key, after)
		if err != nil {
			return nil, err
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch failed := l.err != nil && !errors.Is(l.err, gate.ErrNoSession); {
		case failed && (begun || after != nil):
			return nil, l.err
		case failed:
			after = l
		case l.began >= arrived || !c.marks.changed(l.began, l.places):
			return l.principal, l.err
		default:
			after = nil
		}
	}
}

// lookUp finds the lookup that is under way, or begins one as soon as there is room for it. After one that failed it finds
// the next one, also if that has ended.
func (c *Cache) lookUp(ctx context.Context, credential gate.Credential, key store.Tag, after *lookup) (l *lookup, begun bool, err error) {
	if l := c.underWay(key, after); l != nil {
		return l, false, nil
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, fmt.Errorf("cached: %d lookups are under way already: %w", cap(c.slots), ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l, begun = c.begin(key, after)
	if !begun {
		<-c.slots
	}
	switch {
	case l == nil:
		return nil, false, errClosed
	case begun:
		c.running.Add(1)
		go c.run(context.WithoutCancel(ctx), l, credential, key)
	}
	return l, begun, nil
}

// underWay joins a lookup.
func (c *Cache) underWay(key store.Tag, after *lookup) *lookup {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.join(key, after)
}

// join is underWay with the lock held.
func (c *Cache) join(key store.Tag, after *lookup) *lookup {
	l := c.lookups[key]
	if after != nil {
		if after.next == nil {
			after.next = l
		}
		l = after.next
	}
	if l != nil {
		c.counts.collapsed.Add(1)
	}
	return l
}

// begin registers a lookup, unless another one was faster: one that is under way, or one that has ended since memory was
// looked into, and left its answer there. It is nil after Close.
func (c *Cache) begin(key store.Tag, after *lookup) (l *lookup, begun bool) {
	if l := c.join(key, after); l != nil {
		return l, false
	}
	if c.closed {
		return nil, false
	}
	now := c.config.Now()
	l = &lookup{began: c.marks.last.Load(), loaded: c.since(now), done: make(chan struct{}), answer: answer{err: errEnded}}
	if a, ok := c.remembered(key, now); ok {
		l.answer = a
		close(l.done)
		return l, false
	}
	c.lookups[key] = l
	if after != nil {
		after.next = l
	}
	c.counts.misses.Add(1)
	return l, true
}

// run makes a lookup. It belongs to nobody who waits for it: whoever leaves harms no other.
func (c *Cache) run(ctx context.Context, l *lookup, credential gate.Credential, key store.Tag) {
	defer c.running.Done()
	defer func() {
		c.mu.Lock()
		delete(c.lookups, key)
		c.mu.Unlock()
		close(l.done)
		<-c.slots
	}()
	ctx, cancel := context.WithTimeout(ctx, c.config.LookupTimeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	c.resolve(ctx, l, credential, key)
}

// resolve fills in what the store says, and remembers it.
func (c *Cache) resolve(ctx context.Context, l *lookup, credential gate.Credential, key store.Tag) {
	defer func() {
		if v := recover(); v != nil {
			l.answer = answer{err: fmt.Errorf("cached: panic while looking up a session: %v", v)}
		}
	}()
	p, err := c.askNext(ctx, l, credential)
	switch {
	case err == nil && p == nil:
		l.err = errNothing
	case err == nil:
		l.answer = answer{principal: p}
		l.places, l.ends = placesOf(store.TagsOf(credential, p)), endOf(credential, p, c.start.Add(time.Duration(l.loaded)))
		if !p.Partial {
			c.remember(key, l)
		}
	case errors.Is(err, gate.ErrNoSession):
		l.err = err
		l.places, l.ends = []place{placeOf(key)}, math.MaxInt64
		if credential.Method() == gate.ByInternal { // who is not there may be made
			l.places = append(l.places, placeOf(store.UserTag(credential.Token())))
		}
		c.remember(key, l)
	default:
		l.err = err
	}
}

// askNext asks what is behind. What comes from a memory there is as old as it says, and not as the lookup.
func (c *Cache) askNext(ctx context.Context, l *lookup, credential gate.Credential) (*gate.Principal, error) {
	dated, ok := c.next.(store.Dated)
	if !ok {
		return c.next.Resolve(ctx, credential)
	}
	p, asOf, err := dated.ResolveDated(ctx, credential)
	if err == nil {
		l.loaded = min(l.loaded, c.since(asOf))
	}
	return p, err
}
