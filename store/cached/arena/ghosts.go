package arena

import "math/bits"

// ghosts remember who left before anybody asked for them a second time: whoever comes back is wanted after all. Each has
// a place of its own, which the next one there takes over, so that they are forgotten after about as many others. Two
// that look alike let one stay a little too long, and nothing else. The zero value remembers nobody.
type ghosts []uint32

func (g *ghosts) add(k *Key, room int64) {
	if *g == nil {
		*g = make(ghosts, 1<<bits.Len64(uint64(max(room-1, 0)))) //nolint:gosec // not negative
	}
	*g.at(k) = k.print()
}

// take reports whether k was remembered, and forgets it.
func (g *ghosts) take(k *Key) bool {
	if *g == nil || *g.at(k) != k.print() {
		return false
	}
	*g.at(k) = ^k.print()
	return true
}

func (g *ghosts) at(k *Key) *uint32 { return &(*g)[k.place()&uint32(len(*g)-1)] } //nolint:gosec // see add
