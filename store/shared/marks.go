package shared

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/usherauth/usher/store"
)

// marks are when this replica last heard a notice about something, in Cache.now's time. What was looked up at or before
// that is refused. Tags that share a place cost a lookup too many now and then, and nothing else.
//
// # Why nothing stale passes
//
// Let a change be committed at c, and let this replica hear its notice at h, after c. An entry is refused from h on if it
// was looked up before c, for this replica takes it for older than it is, and h for the time of the change:
//
//   - The entry holds Redis' clock as it was read before the lookup began, at b. Reading the entry reads Redis' clock
//     again, after this replica began to ask at r. The difference is the entry's age: by one clock, and never too small.
//     So loaded = r - age - slack is at or before b.
//   - The notice is marked with h, taken when it was heard. So b < c implies loaded < h, and the entry is refused.
//
// It does not matter who wrote the entry, how long the lookup took, when the write arrived (a stopped Redis carries it
// out much later), how often it is written again, or whether its writer has heard of the change. Deleting entries
// instead, or having Redis count their age from the write, would depend on all of these.
//
// Before h the entry is as good as one in the memory above, which does not know of the change either. That memory hears
// every notice after this one does (channel.Changed), so
//
//   - a lookup that it begins after it has heard of the change finds the mark here, and
//   - one that it began before is overtaken by the notice there, and not kept.
//
// Notices that were lost are made up for by the first Complete after Incomplete: everything that was looked up before is
// refused, as it is by a replica that has just begun to listen. And while notices may be lost, nothing is read here.
//
// What the age rests on is that Redis' clock is not set back by more than slack between two readings. A server that takes
// the place of another has another clock; the time it needs for that is an outage, and everything that was looked up
// before its end is refused (BreakerConfig.Regained).
type marks struct {
	all atomic.Int64
	of  [places]atomic.Int64
}

const places = 1 << 20 // as in store/cached

func placeOf(t store.Tag) uint32 { return binary.BigEndian.Uint32(t[:]) % places }

// set marks tags as changed at a time.
func (m *marks) set(at int64, tags ...store.Tag) {
	for _, t := range tags {
		raise(&m.of[placeOf(t)], at)
	}
}

// setAll marks everything as changed at a time.
func (m *marks) setAll(at int64) { raise(&m.all, at) }

// raise never lowers: what happens at the same time may get here in any order.
func raise(mark *atomic.Int64, at int64) {
	for {
		have := mark.Load()
		if have >= at || mark.CompareAndSwap(have, at) {
			return
		}
	}
}

// changed reports whether one of the tags changed at that time or later.
func (m *marks) changed(since int64, tags []store.Tag) bool {
	if m.all.Load() >= since {
		return true
	}
	for _, t := range tags {
		if m.of[placeOf(t)].Load() >= since {
			return true
		}
	}
	return false
}
