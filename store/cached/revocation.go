package cached

import (
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/store"
)

// silence is how old the word of a channel may be that it told everything. So much later, at most, what it did not get
// to tell is noticed.
const silence = time.Second

const never = math.MinInt64

// Revocation says how soon a change in the storage shows.
type Revocation struct {
	// Notified says that every channel has told everything until a second ago. If not, changes may show as late as
	// Config.TTLUnnotified.
	Notified bool
	Since    time.Time // when that came about
	Channels []ChannelState
}

// ChannelState is one channel at one moment.
type ChannelState struct {
	Name     string
	Complete bool
	Since    time.Time // when that came about
	Why      error     // why it is not complete; nil if it is
}

func (r Revocation) String() string {
	if r.Notified {
		return "notified"
	}
	if len(r.Channels) == 0 {
		return "ttl-bound: this kind of store cannot tell what changes in it"
	}
	var b strings.Builder
	b.WriteString("ttl-bound")
	separator := ": "
	for _, channel := range r.Channels {
		if !channel.Complete {
			b.WriteString(separator + channel.Name + ": " + channel.Why.Error())
			separator = "; "
		}
	}
	return b.String()
}

var (
	errNotYet = errors.New("it has said nothing yet")
	errSilent = errors.New("it has said nothing for more than a second")
)

// revocation is what the channels say.
type revocation struct {
	until atomic.Int64 // until when every channel told everything, as Cache.since; never: one is incomplete, or there is none
	told  atomic.Int32 // what ObserveRevocation heard last

	channels struct {
		sync.Mutex
		all     []*channel
		since   time.Time // of what was told last
		queue   []Revocation
		telling bool // somebody works on the queue
	}
}

// What ObserveRevocation heard: nothing at first.
const (
	saidBound = iota + 1
	saidNotified
)

func said(notified bool) int32 {
	if notified {
		return saidNotified
	}
	return saidBound
}

// channel is one watcher's way to tell. Everything in it is guarded by revocation.channels.
type channel struct {
	cache    *Cache
	name     string
	complete bool
	until    int64 // what it told everything until, or when it was made
	why      error // why it is incomplete; nil before the first word
	since    time.Time
}

// Channel makes a way to tell what changes, for one watcher. Notices count as complete only while every channel says
// so, so make them all before the first lookup. The name is for people.
func (c *Cache) Channel(name string) store.Notices {
	c.channels.Lock()
	defer c.channels.Unlock()
	now := c.config.Now()
	ch := &channel{cache: c, name: name, until: c.since(now), since: now}
	c.channels.all = append(c.channels.all, ch)
	c.until.Store(never)
	return ch
}

// Changed implements store.Notices.
func (ch *channel) Changed(at time.Time, tags ...store.Tag) {
	c := ch.cache
	c.marks.set(tags...)
	c.counts.notices.Add(1)
	if at.IsZero() {
		return
	}
	lag := max(0, c.config.Now().Sub(at)) // the storage's clock may be ahead of ours
	c.counts.lag.Store(int64(lag))
	if c.config.ObserveLag != nil {
		c.config.ObserveLag(lag)
	}
}

// ChangedAll implements store.Notices.
func (ch *channel) ChangedAll() { ch.cache.flush() }

func (c *Cache) flush() {
	c.marks.setAll()
	c.counts.flushes.Add(1)
}

// Complete implements store.Notices. It counts for a second after until.
func (ch *channel) Complete(until time.Time) {
	c := ch.cache
	c.channels.Lock()
	now := c.config.Now()
	if !ch.complete {
		c.flush() // before anything that was kept meanwhile can count for longer again
		ch.complete, ch.why, ch.since, ch.until = true, nil, now, never
	}
	ch.until = max(ch.until, min(c.since(until), c.since(now)))
	c.summarize()
	c.channels.Unlock()
	c.tell()
}

// Incomplete implements store.Notices.
func (ch *channel) Incomplete(why error) {
	c := ch.cache
	c.channels.Lock()
	if ch.complete || ch.why == nil {
		ch.since = c.config.Now()
	}
	if why == nil {
		why = errNotYet
	}
	ch.complete, ch.why = false, why
	c.summarize()
	c.channels.Unlock()
	c.tell()
}

// summarize finds until when everything was told. The channels are locked.
func (c *Cache) summarize() {
	until := int64(math.MaxInt64)
	for _, ch := range c.channels.all {
		if !ch.complete {
			until = never
		}
		until = min(until, ch.until)
	}
	c.until.Store(until)
}

// complete reports whether everything was told until a second ago.
func (c *Cache) complete(since int64) bool { return !silent(c.until.Load(), since) }

// silent reports whether the word of a channel, that it told everything until then, is too old. Until may be as far back
// as never, so nothing is subtracted from it.
func silent(until, since int64) bool { return until < since-int64(silence) }

// Revocation says how soon a change in the storage shows, and why not sooner.
func (c *Cache) Revocation() Revocation {
	c.tell() // silence is noticed by whoever looks
	c.channels.Lock()
	defer c.channels.Unlock()
	return c.state(c.config.Now())
}

// state is what the channels say at this time. They are locked.
func (c *Cache) state(now time.Time) Revocation {
	since := c.since(now)
	r := Revocation{Notified: c.complete(since), Since: c.channels.since}
	for _, ch := range c.channels.all {
		s := ChannelState{Name: ch.name, Complete: ch.complete, Since: ch.since, Why: ch.why}
		switch {
		case !ch.complete && ch.why == nil:
			s.Why = errNotYet
		case ch.complete && silent(ch.until, since):
			s.Complete, s.Why, s.Since = false, errSilent, c.start.Add(time.Duration(ch.until)+silence)
		}
		r.Channels = append(r.Channels, s)
	}
	return r
}

// tell lets ObserveRevocation hear what has come about since it heard something. Whoever finds another at it leaves it
// to him, so that everything is heard in order.
func (c *Cache) tell() {
	c.channels.Lock()
	defer c.channels.Unlock()
	now := c.config.Now()
	notified := c.complete(c.since(now))
	if c.told.Load() != said(notified) && (notified || c.bound(now)) {
		c.told.Store(said(notified))
		c.channels.since = now
		if c.config.ObserveRevocation != nil {
			c.channels.queue = append(c.channels.queue, c.state(now))
		}
	}
	if c.channels.telling {
		return
	}
	c.channels.telling = true
	defer func() { c.channels.telling = false }()
	for len(c.channels.queue) > 0 {
		next := c.channels.queue[0]
		c.channels.queue = c.channels.queue[1:]
		c.observe(next)
	}
}

// observe calls back, with the channels unlocked meanwhile.
func (c *Cache) observe(r Revocation) {
	c.channels.Unlock()
	defer c.channels.Lock()
	c.config.ObserveRevocation(r)
}

// bound reports whether what is not complete is worth telling: a channel that was made just now has a second to say
// its first word. The channels are locked.
func (c *Cache) bound(now time.Time) bool {
	since := c.since(now)
	for _, ch := range c.channels.all {
		if ch.why != nil || silent(ch.until, since) {
			return true
		}
	}
	return len(c.channels.all) == 0
}
