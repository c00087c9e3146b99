package cached

import (
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// entry is one remembered answer. Its one pointer leads to text, so that a million of them cost the garbage collector
// little.
type entry struct {
	data   string        // the places of its tags in the table of marks, two bytes each, and the principal, packed
	places uint16        // how many; 0: more than fit, and then any notice at all makes it worthless
	number uint64        // of the sequence, when the lookup began
	loaded time.Duration // when that was
	until  time.Duration // when it ends to count
}

// mostPlaces bounds what a check of an entry may cost. Beyond, a person is in so many organizations that the notices of
// all tables together are few in comparison.
const mostPlaces = 1 + 1 + store.MaxMemberships

// newEntry makes an entry of what a lookup found; nil is that nobody has the token.
func newEntry(began lookup, token string, p *gate.Principal) entry {
	e := entry{number: began.number, loaded: began.at}
	tags := []store.Tag{store.SessionTag(token)}
	if p != nil {
		tags = store.TagsOf(token, p)
	}
	var room [512]byte
	data := room[:0]
	if len(tags) <= mostPlaces {
		for _, tag := range tags {
			place := placeOf(tag)
			data = append(data, byte(place>>8), byte(place))
		}
		e.places = uint16(len(tags)) //nolint:gosec // mostPlaces at most
	}
	if p != nil {
		data = store.AppendPacked(data, p)
	}
	e.data = string(data)
	return e
}

// principal is what was found, packed.
func (e *entry) principal() string { return e.data[2*int(e.places):] }

// nobody reports whether nothing was found.
func (e *entry) nobody() bool { return len(e.data) == 2*int(e.places) }
