package cached

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/store"
)

// Channel is where one watcher tells what changes. It is a store.Notices.
type Channel struct {
	cache *Cache
	name  string

	complete atomic.Int64 // until when every change was told, as a time.Duration since the cache was made
	up       atomic.Bool  // that counts: the last word was Complete

	mu  sync.Mutex
	why error // nil: up. Changed hears the first of several reasons; Unnotified says the last
}

var _ store.Notices = (*Channel)(nil)

// errSilent is the state of a channel before its watcher has said anything.
var errSilent = errors.New("nothing was heard yet")

// Channel makes one. Notices are complete when those of all channels are, so make all before the first request; without
// any they never are.
func (c *Cache) Channel(name string) *Channel {
	ch := &Channel{cache: c, name: name, why: errSilent}
	c.channels = append(c.channels, ch)
	return ch
}

// Changed implements store.Notices.
func (ch *Channel) Changed(at time.Time, tags ...store.Tag) {
	c := ch.cache
	c.counts.notices.Add(1)
	c.marks.changed(tags)
	if c.config.Late != nil && !at.IsZero() {
		c.config.Late(c.config.Now().Sub(at))
	}
}

// ChangedAll implements store.Notices.
func (ch *Channel) ChangedAll() {
	ch.cache.counts.flushes.Add(1)
	ch.cache.marks.changedAll()
}

// Complete implements store.Notices.
func (ch *Channel) Complete(until time.Time) {
	ch.complete.Store(int64(until.Sub(ch.cache.base)))
	if ch.up.Load() {
		return
	}
	// What changed while nobody listened was not told.
	ch.ChangedAll()
	ch.mu.Lock()
	ch.why = nil
	ch.mu.Unlock()
	ch.up.Store(true)
	if hear := ch.cache.config.Changed; hear != nil {
		hear(ch.name, nil)
	}
}

// Incomplete implements store.Notices.
func (ch *Channel) Incomplete(why error) {
	if why == nil {
		why = errors.New("for no known reason")
	}
	was := ch.up.Swap(false)
	ch.mu.Lock()
	news := was || ch.why == errSilent //nolint:errorlint // the very one
	ch.why = why
	ch.mu.Unlock()
	if hear := ch.cache.config.Changed; hear != nil && news {
		hear(ch.name, why)
	}
}

// fresh reports whether the last proof is young enough.
func (ch *Channel) fresh(now time.Duration) bool {
	return ch.up.Load() && now-time.Duration(ch.complete.Load()) <= freshness
}

// notified reports whether a revocation would be known by now.
func (c *Cache) notified(now time.Duration) bool {
	for _, ch := range c.channels {
		if !ch.fresh(now) {
			return false
		}
	}
	return len(c.channels) > 0
}

// Unnotified is why notices are not complete now, by channel: "postgres: …". Nil: they are. For people.
func (c *Cache) Unnotified() error {
	if len(c.channels) == 0 {
		return errors.New("the store cannot tell what changes in it")
	}
	now := c.now()
	var all []error
	for _, ch := range c.channels {
		if ch.fresh(now) {
			continue
		}
		ch.mu.Lock()
		why := ch.why
		ch.mu.Unlock()
		if why == nil {
			why = errors.New(ch.name + ": no word for more than a second")
		}
		all = append(all, why)
	}
	return errors.Join(all...)
}
