package shared

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/redisconn"
)

// Config says where the memory is and how it is used. Client, Key and TTL are required.
type Config struct {
	Client redis.UniversalClient // of redisconn.Open; whoever opened it closes it, after Run
	Key    []byte                // secret of this cache alone, 32 bytes or more; the same in all replicas
	TTL    time.Duration         // for how long an answer counts at most; of no use below a second

	Timeout time.Duration // longest time that a request waits for Redis; 0: 50 ms

	// Changed is told the error when Redis stops answering, and nil when it answers again. It must be quick. Nil: nobody
	// is told.
	Changed func(error)
}

// Rights are what the user of a Redis' URL has to be allowed, as ACL SETUSER takes it; RightsInCluster what is asked of a
// Cluster besides.
const (
	Rights          = "~" + prefix + "* +eval +evalsha +get +set +time +client|setname"
	RightsInCluster = "+cluster|slots +command"
)

const (
	// slack is how far the clock of a Redis server may be set back, or differ from that of a server that takes its place
	// within a second, without harm. An answer is taken for that much older than it is: an entry that was looked up less
	// than slack after a notice is refused, too.
	slack = 500 * time.Millisecond

	// leastKey is what sealing needs.
	leastKey = 32
)

// Cache is a memory in Redis in front of a resolver. It is safe for concurrent use. Run has to run, and its Notices have
// to be told what changes, for it to remember anything.
type Cache struct {
	next    gate.Resolver
	config  Config
	slack   time.Duration
	start   time.Time // since which time is counted, without jumps of the clock
	marks   *marks
	breaker *redisconn.Breaker
	names   names
	script  *redis.Script
	failed  suspect
	offers  chan offer
	counts  counts
	channels
}

var _ store.Dated = (*Cache)(nil)

// New makes a cache in front of next.
func New(next gate.Resolver, c Config) (*Cache, error) {
	switch {
	case c.Client == nil:
		return nil, errors.New("shared: Client is required")
	case len(c.Key) < leastKey:
		return nil, errors.New("shared: Key is shorter than 32 bytes")
	case c.TTL <= 0:
		return nil, errors.New("shared: TTL is required")
	}
	cache := &Cache{
		next: next, config: c, slack: slack, start: time.Now(), marks: new(marks),
		names: newNames(c.Key), script: redis.NewScript(script), offers: make(chan offer, mostOffers),
	}
	cache.until.Store(never)
	cache.breaker = redisconn.NewBreaker(redisconn.BreakerConfig{
		Probe: cache.probe, Timeout: c.Timeout, Changed: c.Changed,
		// What answers after an outage may be another server, whose clock is behind that of the one before it.
		Regained: cache.flush,
	})
	return cache, nil
}

// Run probes Redis and writes to it until ctx ends.
func (c *Cache) Run(ctx context.Context) {
	var probing sync.WaitGroup
	defer probing.Wait()
	probing.Go(func() { c.breaker.Run(ctx) })
	c.write(ctx)
}

// Resolve implements gate.Resolver. What Redis does or fails to do is never an error.
func (c *Cache) Resolve(ctx context.Context, credential gate.Credential) (*gate.Principal, error) {
	p, _, err := c.ResolveDated(ctx, credential)
	return p, err
}

// ResolveDated implements store.Dated.
func (c *Cache) ResolveDated(ctx context.Context, credential gate.Credential) (*gate.Principal, time.Time, error) {
	began := c.now()
	if !c.complete(began) || !store.Askable(credential.Token()) {
		c.counts.bypassed.Add(1)
		return c.ask(ctx, credential)
	}
	n := c.names.of(credential)
	found, err := c.read(ctx, n)
	switch {
	case errors.Is(err, redisconn.ErrOpen):
		c.counts.bypassed.Add(1)
		return c.ask(ctx, credential)
	case err != nil:
		if ctx.Err() == nil { // else it was the caller who left
			c.counts.errors.Add(1)
		}
		return c.ask(ctx, credential)
	}
	if p, loaded := c.accept(credential, n, found, began); p != nil {
		c.counts.hits.Add(1)
		return p, c.start.Add(time.Duration(loaded)), nil
	}
	p, asked, err := c.ask(ctx, credential)
	if err == nil {
		c.offer(offer{credential: credential, name: n, principal: p, began: began, clock: found.clock})
	}
	return p, asked, err
}

// ask asks the store.
func (c *Cache) ask(ctx context.Context, credential gate.Credential) (*gate.Principal, time.Time, error) {
	asked := time.Now()
	p, err := c.next.Resolve(ctx, credential)
	return p, asked, err
}

// accept is the principal of what was read since began, and when its lookup began; nil if there is none that counts.
func (c *Cache) accept(credential gate.Credential, n name, found found, began int64) (*gate.Principal, int64) {
	if found.sealed == "" {
		c.counts.misses.Add(1)
		return nil, 0
	}
	e, err := n.open(found.sealed)
	if err != nil {
		c.counts.unreadable.Add(1)
		return nil, 0
	}
	age := found.clock.since(e.clock)
	loaded := began - int64(age+c.slack)
	if age < 0 || age+c.slack >= c.config.TTL ||
		c.marks.changed(loaded, store.TagsOf(credential, e.principal)) || !c.complete(c.now()) ||
		!worthKeeping(credential, e.principal) || endedBan(e.principal, c.start.Add(time.Duration(loaded))) {
		c.counts.stale.Add(1)
		return nil, 0
	}
	return e.principal, loaded
}

// worthKeeping reports whether a principal is somebody who is there, by a session that has not ended, or named, and whole.
func worthKeeping(credential gate.Credential, p *gate.Principal) bool {
	return p != nil && !p.Partial && p.User.ID != "" && (credential.Method() == gate.ByInternal || p.Session.ExpiresAt.After(time.Now()))
}

// endedBan reports whether the user was still banned when he was looked up, and is not any more: what was found of somebody
// who could not pass may be less than what he needs to.
func endedBan(p *gate.Principal, loaded time.Time) bool {
	return p.User.Banned && p.User.BanExpires.After(loaded) && !p.User.BanExpires.After(time.Now())
}

// Drop forgets the session with this token, here, as a notice would. It is for changes that were made by this process;
// call it before that of the memory above.
func (c *Cache) Drop(token string) { c.marks.set(c.now(), store.SessionTag(token)) }

// flush refuses everything that was looked up until now.
func (c *Cache) flush() { c.marks.setAll(c.now()) }

// now is the time as it is kept: nanoseconds since the start, which is in the past.
func (c *Cache) now() int64 { return int64(time.Since(c.start)) + 1 }
