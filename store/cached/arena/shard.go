package arena

import (
	"sync"
	"sync/atomic"
)

// shard is a part of the arena, by key.
type shard struct {
	mu      sync.Mutex
	entries entries
	blocks  blocks
	fresh   queue // who came lately
	known   queue // who was asked for again, or came while there was room for everybody
	ghosts  ghosts
	weight  atomic.Int64 // of all its records; it changes only while it is locked
	share   int64        // of the arena's size
	limit   int64        // of weight: chance gives some shards more than their share, and what was taken once is not given back
	_       [64]byte     // the neighbour's lock is on another line of the processor's memory
}

const (
	mostUses  = 3  // that count
	mostSpare = 32 // who are spared before somebody leaves all the same, so that nobody waits for a walk over everybody
)

// waiting is how much of the room is for who came lately.
func (s *shard) waiting() int64 { return max(s.share/10, 1) }

func (s *shard) appendTo(b []byte, k *Key) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.entries.find(k)
	if n == 0 {
		return b, false
	}
	e := s.entries.at(n)
	e.uses = min(e.uses+1, mostUses)
	return s.blocks.appendTo(b, e.first, int(e.size)), true
}

// put keeps a record. It returns by how much the weight grew and how many left for it.
func (s *shard) put(k *Key, record []byte) (grown int64, left uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known, more := s.heavy(), false, int64(Weight(len(record)))
	if n := s.entries.find(k); n != 0 {
		s.forget(n)
		known = true // he has come a second time
	}
	if more > s.share {
		return s.weigh(before), 1
	}
	for s.heavy()+more > s.limit {
		s.forget(s.leaving(more))
		left++
	}
	n, e := s.entries.add(k)
	e.first, e.size = s.blocks.keep(record), uint32(len(record)) //nolint:gosec // no record is that long
	e.known = s.ghosts.take(k) || known
	s.queueOf(e).push(&s.entries, n, e)
	s.settle()
	return s.weigh(before), left
}

// settle lets those who waited long enough stay while there is room for everybody, a few at a time.
func (s *shard) settle() {
	for range mostSpare {
		if s.fresh.weight <= s.waiting() || s.heavy() > s.share {
			return
		}
		s.know(s.fresh.oldest)
	}
}

func (s *shard) remove(k *Key) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.entries.find(k)
	if n == 0 {
		return 0
	}
	before := s.heavy()
	s.forget(n)
	return -s.weigh(before)
}

// evict lets one record leave, and returns its weight; 0: there is no need any more.
func (s *shard) evict() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.heavy()
	if before <= s.share {
		return 0
	}
	s.forget(s.leaving(0))
	return -s.weigh(before)
}

// leaving is who leaves next, for somebody who is that heavy and comes. There must be somebody.
func (s *shard) leaving(coming int64) uint32 {
	for spared := 0; ; spared++ {
		n := s.known.oldest
		if fresh := s.fresh.oldest; n == 0 || fresh != 0 && s.fresh.weight+coming > s.waiting() {
			n = fresh
		}
		e := s.entries.at(n)
		switch {
		case spared < mostSpare && e.uses > 0 && e.known:
			e.uses--
			s.known.remove(&s.entries, e)
			s.known.push(&s.entries, n, e)
		case spared < mostSpare && e.uses > 0:
			s.know(n)
		case !e.known:
			s.ghosts.add(&e.key, s.share)
			return n
		default:
			return n
		}
	}
}

// know takes an entry from those who came lately to the others.
func (s *shard) know(n uint32) {
	e := s.entries.at(n)
	s.fresh.remove(&s.entries, e)
	e.known = true
	s.known.push(&s.entries, n, e)
}

func (s *shard) forget(n uint32) {
	e := s.entries.at(n)
	s.queueOf(e).remove(&s.entries, e)
	s.blocks.release(e.first)
	s.entries.drop(n)
}

func (s *shard) queueOf(e *entry) *queue {
	if e.known {
		return &s.known
	}
	return &s.fresh
}

// heavy is the weight as it is now.
func (s *shard) heavy() int64 { return s.fresh.weight + s.known.weight }

// weigh publishes the weight, and returns how it has changed.
func (s *shard) weigh(before int64) int64 {
	now := s.heavy()
	s.weight.Store(now)
	return now - before
}

func (s *shard) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.entries.count)
}
