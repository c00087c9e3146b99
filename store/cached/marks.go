package cached

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/usherauth/usher/store"
)

// marks know when something last changed, without knowing who depends on it: every notice has a number, and leaves it at
// the places of its tags. What was looked up while the last number was n counts as long as no place of its tags holds
// more than n. Tags that share a place cost a lookup too many now and then, and nothing else.
type marks struct {
	last atomic.Uint64 // number of the latest notice
	all  atomic.Uint64 // number of the latest one about everything

	// Each place holds the highest number of sixteen of fine's, which are looked at when it is too high: a processor keeps
	// these near, and those not.
	coarse [places >> fewer]atomic.Uint64
	fine   [places]atomic.Uint64
}

const (
	// places are so many that a hundred notices a second about others end an answer in half an hour, and a thousand in
	// minutes. They are 8 MB of address space, of which a page is memory once a notice has fallen into it.
	places = 1 << 20
	fewer  = 4 // bits
)

// place is where a tag leaves its mark.
type place uint32

func placeOf(t store.Tag) place { return place(binary.BigEndian.Uint32(t[:]) % places) }

func placesOf(tags []store.Tag) []place {
	at := make([]place, len(tags))
	for i, t := range tags {
		at[i] = placeOf(t)
	}
	return at
}

// set marks tags as changed. A lookup that begins before the number is taken is overtaken; one that begins later reads
// a storage in which the change has happened.
func (m *marks) set(tags ...store.Tag) {
	n := m.last.Add(1)
	for _, t := range tags {
		p := placeOf(t)
		raise(&m.fine[p], n)
		raise(&m.coarse[p>>fewer], n)
	}
}

// setAll marks everything as changed.
func (m *marks) setAll() { raise(&m.all, m.last.Add(1)) }

// raise never lowers: notices that come at the same time may get here in any order.
func raise(mark *atomic.Uint64, n uint64) {
	for {
		have := mark.Load()
		if have >= n || mark.CompareAndSwap(have, n) {
			return
		}
	}
}

// changed reports whether any of the places was marked after number n.
func (m *marks) changed(n uint64, at []place) bool {
	if m.all.Load() > n {
		return true
	}
	for _, p := range at {
		if m.changedAt(p, n) {
			return true
		}
	}
	return false
}

func (m *marks) changedAt(p place, n uint64) bool {
	return m.coarse[p>>fewer].Load() > n && m.fine[p].Load() > n
}
