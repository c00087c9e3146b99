package cached

import (
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/store"
)

// Stats are counted since the start, except where they say otherwise.
type Stats struct {
	Hits      uint64 // answered from memory
	BriefHits uint64 // the same, of nobody's tokens, ended sessions and users that are gone
	Misses    uint64 // lookups that were begun
	Collapsed uint64 // requests that waited for the lookup of another
	Discarded uint64 // answers that were not kept, because a notice overtook them
	Evictions uint64 // answers that made room for others
	Notices   uint64 // changes that were told
	Flushes   uint64 // times that everything was forgotten

	Entries int           // now, those that no longer count included
	Brief   int           // now, of nobody's tokens and the like
	Lookups int           // now under way
	LastLag time.Duration // how late the latest notice was
}

// Stats counts.
func (c *Cache) Stats() Stats {
	s := Stats{
		Misses: c.counts.misses.Load(), Collapsed: c.counts.collapsed.Load(), Discarded: c.counts.discarded.Load(),
		Notices: c.counts.notices.Load(), Flushes: c.counts.flushes.Load(),
		Lookups: len(c.slots), LastLag: time.Duration(c.counts.lag.Load()),
	}
	for i := range c.counts.striped {
		s.Hits += c.counts.striped[i].hits.Load()
		s.BriefHits += c.counts.striped[i].briefHits.Load()
	}
	if c.known != nil {
		s.Entries, s.Brief, s.Evictions = c.known.Len(), c.brief.len(), c.known.Evicted()
	}
	return s
}

// counts are the counters, those of hits apart from each other: processors that write to one place wait for each other.
type counts struct {
	striped [16]struct {
		hits, briefHits atomic.Uint64
		_               [48]byte // to the end of the cache line
	}
	misses, collapsed, discarded, notices, flushes atomic.Uint64
	lag                                            atomic.Int64
}

func (c *counts) hit(key store.Tag)      { c.striped[key[15]%16].hits.Add(1) }
func (c *counts) briefHit(key store.Tag) { c.striped[key[15]%16].briefHits.Add(1) }
