package shared

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/store"
)

// silence is how old the word of a channel may be that it told everything. The memory above has the same.
const silence = time.Second

const never = math.MinInt64

// channels are the ways in which changes are told.
type channels struct {
	until atomic.Int64 // until when every channel told everything, as Cache.now; never: one is incomplete, or there is none

	mu  sync.Mutex // guards the rest, and what is in every channel
	all []*channel
}

// channel notes what it is told, and passes it on afterwards.
type channel struct {
	cache    *Cache
	next     store.Notices
	complete bool
	until    int64
}

// Notices is what a watcher is to be given instead of next, which is that of the memory above: every notice is noted
// here before it is passed on. There may be several watchers, each with a channel of its own, and all have to be
// complete for anything to be read here.
func (c *Cache) Notices(next store.Notices) store.Notices {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := &channel{cache: c, next: next, until: never}
	c.all = append(c.all, ch)
	c.until.Store(never)
	return ch
}

// Changed implements store.Notices.
func (ch *channel) Changed(at time.Time, tags ...store.Tag) {
	ch.cache.marks.set(ch.cache.now(), tags...)
	ch.next.Changed(at, tags...)
}

// ChangedAll implements store.Notices.
func (ch *channel) ChangedAll() {
	ch.cache.flush()
	ch.next.ChangedAll()
}

// Complete implements store.Notices.
func (ch *channel) Complete(until time.Time) {
	c := ch.cache
	c.mu.Lock()
	if !ch.complete {
		c.flush() // before anything is read again
		ch.complete = true
	}
	ch.until = max(ch.until, min(int64(until.Sub(c.start)), c.now()))
	c.summarize()
	c.mu.Unlock()
	ch.next.Complete(until)
}

// Incomplete implements store.Notices.
func (ch *channel) Incomplete(why error) {
	c := ch.cache
	c.mu.Lock()
	ch.complete, ch.until = false, never
	c.summarize()
	c.mu.Unlock()
	ch.next.Incomplete(why)
}

// summarize finds until when everything was told. The channels are locked.
func (c *Cache) summarize() {
	until := int64(math.MaxInt64)
	for _, ch := range c.all {
		until = min(until, ch.until)
	}
	c.until.Store(until)
}

// complete reports whether every channel told everything until a second ago. Until may be as far back as never, so
// nothing is subtracted from it.
func (c *Cache) complete(now int64) bool { return c.until.Load() >= now-int64(silence) }
