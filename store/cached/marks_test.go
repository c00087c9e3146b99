package cached

import (
	"fmt"
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
	if len(seen) < 2980 { // 3000 draws of a million places meet about 4 times
		t.Errorf("3000 tags share %d places", len(seen))
	}
}

// TestNoticesAboutOthersEndLittle: where a hundred people a second sign in or out, somebody else's answer lives for minutes.
func TestNoticesAboutOthersEndLittle(t *testing.T) {
	const people, perSecond, seconds = 2000, 100, 300
	m := new(marks)
	for n := range perSecond * seconds {
		m.set(store.SessionTag(fmt.Sprint("other ", n)))
	}
	gone := 0
	for n := range people {
		tags := []store.Tag{store.SessionTag(fmt.Sprint(n)), store.UserTag(fmt.Sprint(n)), store.OrganizationTag(fmt.Sprint(n / 10))}
		if m.changed(0, placesOf(tags)) {
			gone++
		}
	}
	if gone > people/8 { // one of twelve
		t.Errorf("%d of %d answers ended in five minutes", gone, people)
	}
	t.Logf("%d of %d answers ended", gone, people)
}
