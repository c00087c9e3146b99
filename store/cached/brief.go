package cached

import (
	"sync"
	"time"

	"github.com/usherauth/usher/store"
)

// brief remembers answers that are worth little: nobody's tokens, ended sessions, users that are gone. It keeps the last
// ones it was given, whoever asks for them, so that each is remembered for as long as the room lasts: a flood of tokens
// has to bring more than mostBrief new ones within briefTTL to make one of its own be asked again.
type brief struct{ shards [briefShards]briefShard }

const (
	briefTTL    = time.Second
	mostBrief   = 1 << 16 // more than a store answers within a second
	briefShards = 16
)

// briefShard is a ring of keys, over which the oldest is replaced, beside what is known about them.
type briefShard struct {
	mu    sync.Mutex
	known map[store.Tag]record
	ring  []store.Tag
	next  int // of the ring, once it is full
}

func newBrief() *brief {
	b := new(brief)
	for i := range b.shards {
		b.shards[i].known = make(map[store.Tag]record)
	}
	return b
}

func (b *brief) shard(key store.Tag) *briefShard { return &b.shards[key[15]%briefShards] }

func (b *brief) find(key store.Tag) (record, bool) {
	s := b.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.known[key]
	return r, ok
}

func (b *brief) put(key store.Tag, r record) {
	s := b.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[key]; !ok {
		if len(s.ring) < mostBrief/briefShards {
			s.ring = append(s.ring, key)
		} else {
			delete(s.known, s.ring[s.next])
			s.ring[s.next] = key
			s.next = (s.next + 1) % len(s.ring)
		}
	}
	s.known[key] = r
}

func (b *brief) len() int {
	n := 0
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		n += len(s.known)
		s.mu.Unlock()
	}
	return n
}
