package cached

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/usherauth/usher/store"
)

// marks are the newest notices. Its zero value is ready.
type marks struct {
	sequence atomic.Uint64 // the number of the newest one
	flushed  atomic.Uint64 // of the newest that was about everything
	any      atomic.Uint64 // of the newest about anything
	table    [1 << 16]atomic.Uint64
}

// placeOf is where the notices of a tag leave their marks.
func placeOf(t store.Tag) uint16 { return binary.BigEndian.Uint16(t[:]) }

// now is the number that a lookup which begins now has: what is noticed from here on is newer.
func (m *marks) now() uint64 { return m.sequence.Load() }

// changed marks tags.
func (m *marks) changed(tags []store.Tag) {
	n := m.sequence.Add(1)
	raise(&m.any, n)
	for _, tag := range tags {
		raise(&m.table[placeOf(tag)], n)
	}
}

// changedAll marks everything.
func (m *marks) changedAll() {
	n := m.sequence.Add(1)
	raise(&m.any, n)
	raise(&m.flushed, n)
}

// raise is what it takes for notices of several channels at once.
func raise(mark *atomic.Uint64, n uint64) {
	for {
		old := mark.Load()
		if old >= n || mark.CompareAndSwap(old, n) {
			return
		}
	}
}

// current reports whether nothing was noticed about an entry since its lookup began.
func (m *marks) current(e *entry) bool {
	if m.any.Load() <= e.number { // nothing at all
		return true
	}
	if m.flushed.Load() > e.number || e.places == 0 {
		return false
	}
	for i := range int(e.places) {
		place := uint16(e.data[2*i])<<8 | uint16(e.data[2*i+1])
		if m.table[place].Load() > e.number {
			return false
		}
	}
	return true
}
