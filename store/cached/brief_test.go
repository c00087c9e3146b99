package cached

import (
	"encoding/binary"
	"testing"

	"github.com/usherauth/usher/store"
)

// tagOf is a tag of one shard.
func tagOf(i int) (t store.Tag) {
	binary.BigEndian.PutUint32(t[:], uint32(i)) //nolint:gosec // small
	return t
}

func TestTheLastOnesAreRemembered(t *testing.T) {
	const room = mostBrief / briefShards
	b := newBrief()
	for i := range 3*room + 7 {
		b.put(tagOf(i), record("old"))
		b.put(tagOf(i), record("new")) // a second time takes no more room
		if r, ok := b.find(tagOf(i)); !ok || string(r) != "new" {
			t.Fatalf("%d is forgotten at once: %q", i, r)
		}
		if _, ok := b.find(tagOf(i - room)); ok {
			t.Fatalf("%d is still remembered after %d newer ones", i-room, room)
		}
		if oldest := max(0, i-room+1); i%100 == 0 {
			if _, ok := b.find(tagOf(oldest)); !ok {
				t.Fatalf("%d is forgotten after %d newer ones, there is room for %d", oldest, i-oldest, room)
			}
		}
	}
	if got := b.len(); got != room {
		t.Errorf("%d are remembered, want %d", got, room)
	}
}
