package shared

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

const (
	mostOffers = 256 // that wait to be written; beyond, they are dropped
	mostBatch  = 64  // that are sent together
)

// offer is an answer of the store that others may need.
type offer struct {
	credential gate.Credential
	name       name
	principal  *gate.Principal
	began      int64 // before the clock was read
	clock      clock // Redis' before the store was asked
}

// offer hands an answer to whoever writes, and never waits.
func (c *Cache) offer(o offer) {
	if !worthKeeping(o.credential, o.principal) {
		return
	}
	select {
	case c.offers <- o:
	default:
		c.counts.dropped.Add(1)
	}
}

// write writes what is offered until ctx ends: all that waits, in one go.
func (c *Cache) write(ctx context.Context) {
	batch := make([]offer, 0, mostBatch)
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-c.offers:
			batch = append(batch[:0], o)
		}
		for len(batch) < mostBatch && len(c.offers) > 0 {
			batch = append(batch, <-c.offers)
		}
		c.writeAll(ctx, batch)
		clear(batch)
	}
}

func (c *Cache) writeAll(ctx context.Context, batch []offer) {
	var refused error
	written := 0
	err := c.breaker.Do(ctx, func(ctx context.Context) error {
		_, err := c.config.Client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, o := range batch {
				if c.set(ctx, pipe, o) {
					written++
				}
			}
			return nil
		})
		var reply redis.Error
		if errors.As(err, &reply) {
			refused = err // by a full or read-only server, which still answers who reads
			return nil
		}
		return err
	})
	if err != nil {
		c.counts.dropped.Add(uint64(len(batch)))
		return
	}
	if refused != nil {
		c.counts.dropped.Add(uint64(len(batch)))
		c.counts.refused.Store(&refused)
		return
	}
	c.counts.refused.Store(nil)
	c.counts.writes.Add(uint64(written))
	c.counts.dropped.Add(uint64(len(batch) - written))
}

// set sends an offer if it still counts. Its time in Redis is for Redis' memory only: readers judge by themselves.
func (c *Cache) set(ctx context.Context, pipe redis.Pipeliner, o offer) bool {
	now := c.now()
	if !c.complete(now) || c.marks.changed(o.began, store.TagsOf(o.credential, o.principal)) {
		return false // nobody who heard of it would take it
	}
	left := c.config.TTL - time.Duration(now-o.began)
	if o.credential.Method() != gate.ByInternal {
		left = min(left, time.Until(o.principal.Session.ExpiresAt))
	}
	if left = left.Truncate(time.Millisecond); left <= 0 {
		return false
	}
	sealed, err := o.name.seal(entry{o.clock, o.principal})
	if err != nil {
		return false
	}
	pipe.Set(ctx, o.name.redis, sealed, left)
	return true
}
