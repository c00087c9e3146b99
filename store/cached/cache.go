package cached

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached/arena"
)

// Config says how much is remembered, and for how long.
type Config struct {
	Size int           // sessions, of which a long one counts as several; zero: nothing is remembered
	TTL  time.Duration // for how long an answer counts at most; zero: nothing is remembered

	// TTLUnnotified is the same while changes may go untold: without a channel, or while one is not complete. Zero:
	// nothing is answered from memory then. It is never longer than TTL.
	TTLUnnotified time.Duration

	LookupTimeout time.Duration // for one question to the store; zero: 1.5 s
	Lookups       int           // under way at the same time, whoever still waits for them; zero: 4096

	// ObserveRevocation hears when revocation begins or ceases to be bound to TTLUnnotified, once each, in order, and
	// how it is at first. It may call the cache, and must not block. Nil: nobody listens.
	ObserveRevocation func(Revocation)

	// ObserveLag hears how late every notice was that says when its change happened. It must not block. Nil: nobody
	// listens.
	ObserveLag func(time.Duration)

	Now func() time.Time // nil: time.Now
}

const (
	lookupTimeout = 1500 * time.Millisecond
	mostLookups   = 4096
)

// Cache is memory in front of a resolver. It is safe for concurrent use.
type Cache struct {
	next   gate.Resolver
	config Config
	start  time.Time // since which time is counted, without jumps of the clock

	marks  *marks       // beside the cache: the garbage collector has nothing to look for in it
	known  *arena.Arena // of records; nil: nothing is remembered
	brief  *brief
	counts counts
	revocation

	slots   chan struct{} // one for every lookup under way
	life    context.Context
	end     context.CancelFunc
	mu      sync.Mutex
	lookups map[store.Tag]*lookup
	closed  bool
	running sync.WaitGroup
}

// New makes a cache in front of next. Close it before what is behind it.
func New(next gate.Resolver, c Config) *Cache {
	if c.LookupTimeout <= 0 {
		c.LookupTimeout = lookupTimeout
	}
	if c.Lookups <= 0 {
		c.Lookups = mostLookups
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.TTLUnnotified = min(c.TTLUnnotified, c.TTL)
	cache := &Cache{
		next: next, config: c, start: c.Now(), marks: new(marks),
		slots: make(chan struct{}, c.Lookups), lookups: make(map[store.Tag]*lookup),
	}
	cache.until.Store(never)
	cache.channels.since = cache.start
	cache.life, cache.end = context.WithCancel(context.Background())
	if c.Size > 0 && c.TTL > 0 {
		// It has no clock: how old an answer may be changes while it is kept, so that is judged when it is read.
		cache.known = arena.New(c.Size)
		cache.brief = newBrief()
	}
	return cache
}

// Close ends the lookups under way and waits for them. Nothing is looked up afterwards.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.running.Wait()
}

// Resolve implements gate.Resolver. A principal from memory is the caller's own; its texts are parts of one string, so
// keeping one of them keeps all of them.
func (c *Cache) Resolve(ctx context.Context, credential gate.Credential) (*gate.Principal, error) {
	if !store.Askable(credential.Token()) {
		return nil, gate.ErrNoSession
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := store.KeyOf(credential)
	now := c.config.Now()
	if c.told.Load() != said(c.complete(c.since(now))) {
		c.tell()
	}
	if a, ok := c.remembered(key, now); ok {
		return a.principal, a.err
	}
	return c.ask(ctx, credential, key)
}

// Drop forgets the session with this token, here, as a notice would: a lookup under way that may have read what was
// there before is not kept either. It is for changes that were made by this process.
func (c *Cache) Drop(token string) { c.marks.set(store.SessionTag(token)) }

// answer is what is said about a token: a principal, or gate.ErrNoSession, or why it could not be found out.
type answer struct {
	principal *gate.Principal
	err       error
}

// remembered is the answer from memory, if there is one that still counts.
func (c *Cache) remembered(key store.Tag, now time.Time) (answer, bool) {
	if c.known == nil {
		return answer{}, false
	}
	since, limit := c.since(now), c.config.TTLUnnotified
	if c.complete(since) {
		limit = c.config.TTL
	}
	if p := c.recall(key, now, since, limit); p != nil {
		return answer{principal: p}, true
	}
	if r, ok := c.brief.find(key); ok && r.counts(c.marks, since, min(limit, briefTTL)) {
		if len(r.packed()) == 0 {
			c.counts.briefHit(key)
			return answer{err: gate.ErrNoSession}, true
		}
		p, err := store.Unpack(string(r.packed()))
		if err == nil {
			c.counts.briefHit(key)
		}
		return answer{p, err}, err == nil
	}
	return answer{}, false
}

// Recall implements gate.Recaller: somebody who is remembered, without a lookup.
func (c *Cache) Recall(credential gate.Credential) *gate.Principal {
	if c.known == nil || !store.Askable(credential.Token()) {
		return nil
	}
	now, limit := c.config.Now(), c.config.TTLUnnotified
	since := c.since(now)
	if c.complete(since) {
		limit = c.config.TTL
	}
	return c.recall(store.KeyOf(credential), now, since, limit)
}

// recall is somebody who is remembered and counts.
func (c *Cache) recall(key store.Tag, now time.Time, since int64, limit time.Duration) *gate.Principal {
	var room [ordinary / 2]byte // for most; more is allocated for the others
	b, ok := c.known.AppendTo(room[:0], arena.Key(key))
	r := record(b)
	if !ok || !r.counts(c.marks, since, limit) || now.UnixNano() >= r.ends() {
		return nil
	}
	p, err := store.Unpack(string(r.packed()))
	if err != nil {
		return nil
	}
	c.counts.hit(key)
	return p
}

// since is a time as it is kept: nanoseconds since the start.
func (c *Cache) since(now time.Time) int64 { return int64(now.Sub(c.start)) }

// remember keeps what a lookup found, unless it was overtaken by a notice.
func (c *Cache) remember(key store.Tag, l *lookup) {
	switch {
	case c.known == nil:
		return
	case c.marks.changed(l.began, l.places):
		c.counts.discarded.Add(1)
		return
	case len(l.places) > mostPlaces:
		return
	}
	p := l.principal
	r := newRecord(l.began, l.loaded, l.ends, l.places, p)
	if p == nil || p.User.ID == "" || c.config.Now().UnixNano() >= l.ends {
		c.known.Remove(arena.Key(key)) // what was known before takes no room any more
		if len(r) < ordinary {
			c.brief.put(key, slices.Clone(r)) // it had more room than it takes
		}
	} else {
		c.known.Put(arena.Key(key), r)
	}
}
