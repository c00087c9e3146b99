package shared

import (
	"sync/atomic"

	"github.com/usherauth/usher/store/redisconn"
)

// Stats are counted since the start, except for the breaker's state.
type Stats struct {
	Hits       uint64 // answered from Redis
	Misses     uint64 // there was nothing
	Stale      uint64 // what was there was refused: too old, or older than a notice
	Unreadable uint64 // what was there was not an entry of this cache: of another version or secret, or tampered with
	Errors     uint64 // Redis failed to answer
	Bypassed   uint64 // Redis was not asked: notices are not complete, or the breaker is open

	Writes  uint64 // answers that were written
	Dropped uint64 // answers that were not: overtaken by a notice, too many at a time, or not taken by Redis

	// Refused is why Redis took none of the answers that were written last, though it answers: it is full, or a replica.
	// Nil: it took them. redisconn.Remedy says what to do.
	Refused error

	Breaker redisconn.BreakerStats
}

type counts struct {
	hits, misses, stale, unreadable, errors, bypassed, writes, dropped atomic.Uint64
	refused                                                            atomic.Pointer[error]
}

// Stats counts.
func (c *Cache) Stats() Stats {
	s := Stats{
		Hits: c.counts.hits.Load(), Misses: c.counts.misses.Load(), Stale: c.counts.stale.Load(),
		Unreadable: c.counts.unreadable.Load(), Errors: c.counts.errors.Load(), Bypassed: c.counts.bypassed.Load(),
		Writes: c.counts.writes.Load(), Dropped: c.counts.dropped.Load(), Breaker: c.breaker.Stats(),
	}
	if refused := c.counts.refused.Load(); refused != nil {
		s.Refused = *refused
	}
	return s
}
