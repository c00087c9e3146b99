package cached

import (
	"testing"

	"github.com/usherauth/usher/store"
)

// TestMarksAreNeverLowered: notices that come at the same time may leave their numbers in any order.
func TestMarksAreNeverLowered(t *testing.T) {
	m := new(marks)
	raise(&m.all, 7)
	raise(&m.all, 5)
	if got := m.all.Load(); got != 7 {
		t.Errorf("%d", got)
	}
}

// TestPlacesAreSpread: whatever the kind of a tag, it may lie anywhere.
func TestPlacesAreSpread(t *testing.T) {
	seen := make(map[place]bool)
	for i := range 1000 {
		name := string(rune('a'+i%26)) + string(rune('a'+i/26))
		for _, tag := range []store.Tag{store.SessionTag(name), store.UserTag(name), store.OrganizationTag(name)} {
			seen[placeOf(tag)] = true
		}
	}
	if len(seen) < 2850 { // 3000 draws of 65536 places meet about 67 times
		t.Errorf("3000 tags share %d places", len(seen))
	}
}
