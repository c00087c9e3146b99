package cached

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Config bounds what is remembered.
type Config struct {
	Size int           // sessions; 0: nothing is remembered, and lookups of one token are still made once
	TTL  time.Duration // how long, from the beginning of the lookup, never beyond the session's end; 0: as Size 0

	// TTLUnnotified is the same while notices are not complete: how long a revoked session may still pass then.
	TTLUnnotified time.Duration

	// LookupTimeout ends a lookup, which nobody's own deadline does: others may wait for it. 0: 1.5 s.
	LookupTimeout time.Duration

	Now func() time.Time // nil: time.Now

	// Changed, if set, hears when a channel's notices are no longer complete, with the reason, and when they are again,
	// with nil. It is called once for each, by the watcher's goroutine.
	Changed func(channel string, why error)

	// Late, if set, hears how late each notice was that says when its change happened.
	Late func(time.Duration)
}

const (
	// unknownTTL is how long it is remembered that nobody has a token.
	unknownTTL = time.Second

	// mostLookups bounds the lookups under way. Each ends by its timeout; a store that hangs must not gather more of them.
	mostLookups = 4096
)

// Cache is a gate.Resolver. It is safe for concurrent use.
type Cache struct {
	next   gate.Resolver
	config Config
	base   time.Time // instants are kept as the time since, which no change of the clock moves

	known   *otter.Cache[store.Tag, entry] // nil: nothing is remembered
	unknown *unknown
	marks   marks
	flights flights

	channels []*Channel
	counts   counts
}

// New makes a Cache in front of next.
func New(next gate.Resolver, c Config) (*Cache, error) {
	if next == nil {
		return nil, errors.New("cached: there is nothing to ask")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.LookupTimeout <= 0 {
		c.LookupTimeout = 1500 * time.Millisecond
	}
	cache := &Cache{next: next, config: c, base: c.Now(), unknown: newUnknown()}
	cache.flights.free.Store(mostLookups)
	if c.Size > 0 && c.TTL > 0 {
		known, err := otter.New(&otter.Options[store.Tag, entry]{MaximumSize: c.Size, StatsRecorder: &cache.counts.evicted})
		if err != nil {
			return nil, fmt.Errorf("cached: %w", err)
		}
		cache.known = known
	}
	return cache, nil
}

// Close ends what the memory does in the background. Lookups under way end by themselves.
func (c *Cache) Close() {
	if c.known != nil {
		c.known.StopAllGoroutines()
	}
}

// now is the time since the cache was made.
func (c *Cache) now() time.Duration { return c.config.Now().Sub(c.base) }

// Resolve implements gate.Resolver. The answer is from memory if what is there counts, else from one lookup that is made
// for everybody who waits for it.
func (c *Cache) Resolve(ctx context.Context, credential gate.Credential) (*gate.Principal, error) {
	token := credential.Token()
	if !store.Askable(token) {
		return nil, gate.ErrNoSession
	}
	key := store.SessionTag(token)
	if c.known == nil {
		return c.look(ctx, credential, key)
	}
	now := c.now()
	if e, found := c.known.GetIfPresent(key); found && c.valid(&e, now) {
		if p, err := store.Unpack(e.principal()); err == nil {
			c.counts.hits.add(key)
			return p, nil
		}
	}
	if e, found := c.unknown.get(key); found && c.valid(&e, now) {
		c.counts.unknown.add(key)
		if e.nobody() {
			return nil, gate.ErrNoSession
		}
		if p, err := store.Unpack(e.principal()); err == nil {
			return p, nil
		}
	}
	c.counts.misses.add(key)
	return c.look(ctx, credential, key)
}

// remember keeps an answer if it may be kept, and reports whether a notice about it overlapped the lookup.
func (c *Cache) remember(key store.Tag, token string, began lookup, p *gate.Principal, err error) (overlapped bool) {
	var e entry
	switch {
	case err == nil && p != nil:
		e = newEntry(began, token, p)
	case errors.Is(err, gate.ErrNoSession):
		e = newEntry(began, token, nil)
	default:
		return false // it says nothing about the session
	}
	if !c.marks.current(&e) {
		c.counts.overlapped.Add(1)
		return true
	}
	if c.known == nil {
		return false
	}
	now := c.now()
	left := time.Duration(0) // of the session
	if !e.nobody() && p.User.ID != "" {
		left = p.Session.ExpiresAt.Sub(c.config.Now())
	}
	if left <= 0 {
		e.until = began.at + unknownTTL
		c.unknown.put(key, e, now)
		return false
	}
	e.until = min(began.at+c.config.TTL, now+left)
	c.known.Set(key, e)
	return false
}

// valid reports whether an entry may answer now. While notices are not complete, age alone tells.
func (c *Cache) valid(e *entry, now time.Duration) bool {
	return now < e.until && c.marks.current(e) && (now-e.loaded < c.config.TTLUnnotified || c.notified(now))
}

// Stats are counts since the start, and what is there now.
type Stats struct {
	Hits       uint64 // answered from memory
	Unknown    uint64 // answered from memory: nobody has the token, or what was found is worth nothing any more
	Misses     uint64 // asked for, because memory had no answer
	Joined     uint64 // of those: waited for another's lookup
	Overlapped uint64 // answers that were not kept, because a notice about them came meanwhile
	Evicted    uint64 // entries that made room for others
	Notices    uint64
	Flushes    uint64 // times when everything was forgotten
	Entries    int    // also those that do not count any more, until they are replaced
}

// Stats counts.
func (c *Cache) Stats() Stats {
	s := Stats{
		Hits: c.counts.hits.sum(), Unknown: c.counts.unknown.sum(), Misses: c.counts.misses.sum(), Joined: c.counts.joined.Load(),
		Overlapped: c.counts.overlapped.Load(), Evicted: c.counts.evicted.count.Load(),
		Notices: c.counts.notices.Load(), Flushes: c.counts.flushes.Load(),
	}
	if c.known != nil {
		s.Entries = c.known.EstimatedSize()
	}
	return s
}

type counts struct {
	hits, unknown, misses                striped
	joined, overlapped, notices, flushes atomic.Uint64
	evicted                              evictions
}
