package cached

import (
	"sync"
	"time"

	"github.com/usherauth/usher/store"
)

// unknown remembers tokens that are worth nothing, apart from those that are, so that a flood of random ones takes no
// room from anybody. It is bounded: two generations of entries, the older one forgotten when the younger is full or a
// second old.
type unknown struct {
	shards [16]struct {
		mu         sync.Mutex
		young, old map[store.Tag]entry
		since      time.Duration // when young began
	}
}

// mostUnknown bounds one generation of one shard: 131 072 tokens in all, some 16 MB.
const mostUnknown = 4096

func newUnknown() *unknown { return new(unknown) }

func (u *unknown) get(key store.Tag) (entry, bool) {
	s := &u.shards[key[2]&15]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, found := s.young[key]; found {
		return e, true
	}
	e, found := s.old[key]
	return e, found
}

func (u *unknown) put(key store.Tag, e entry, now time.Duration) {
	s := &u.shards[key[2]&15]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || len(s.young) >= mostUnknown || now-s.since > unknownTTL {
		s.young, s.old, s.since = make(map[store.Tag]entry), s.young, now
	}
	s.young[key] = e
}
