package arena

import "fmt"

// Sharded is New with that many shards, however small they are.
func Sharded(size, shards int) *Arena { return sharded(size, shards) }

// Problem says what does not fit together, and is empty when everything does. Nobody may change anything meanwhile.
func (a *Arena) Problem() string {
	total := int64(0)
	for i := range a.shards {
		s := &a.shards[i]
		if problem := s.problem(); problem != "" {
			return fmt.Sprintf("shard %d of %d: %s", i, len(a.shards), problem)
		}
		if total += s.weight.Load(); s.weight.Load() > s.limit {
			return fmt.Sprintf("shard %d weighs %d, and may %d", i, s.weight.Load(), s.limit)
		}
	}
	if total != a.weight.Load() || total > max(a.size, 0) {
		return fmt.Sprintf("the shards weigh %d, it says %d, and may be %d", total, a.weight.Load(), a.size)
	}
	return ""
}

func (s *shard) problem() string {
	queued, blocks := uint32(0), uint32(0)
	for _, q := range []*queue{&s.fresh, &s.known} {
		weight, newer := int64(0), uint32(0)
		for n := q.newest; n != 0; {
			e := s.entries.at(n)
			if e.newer != newer || e.known != (q == &s.known) || s.entries.find(&e.key) != n {
				return fmt.Sprintf("entry %d is not where it should be", n)
			}
			queued++
			weight += e.weight()
			for b, size := e.first, int(e.size); b != 0 || size > 0; size -= payload {
				if b == 0 || size <= 0 {
					return fmt.Sprintf("entry %d has not the blocks for %d bytes", n, e.size)
				}
				blocks++
				b = s.blocks.at(b).next
			}
			newer, n = n, e.older
		}
		if q.oldest != newer || q.weight != weight {
			return fmt.Sprintf("a queue weighs %d, and says %d", weight, q.weight)
		}
	}
	unused := 0
	for n := s.entries.unused; n != 0; n = s.entries.at(n).next {
		unused++
	}
	for b := s.blocks.unused; b != 0; b = s.blocks.at(b).next {
		blocks++
	}
	switch {
	case queued != s.entries.count || s.entries.made != queued+uint32(unused): //nolint:gosec // few
		return fmt.Sprintf("%d entries of %d, %d queued, %d unused", s.entries.count, s.entries.made, queued, unused)
	case blocks != s.blocks.made:
		return fmt.Sprintf("%d blocks of %d are somewhere", blocks, s.blocks.made)
	case s.weight.Load() != s.fresh.weight+s.known.weight:
		return fmt.Sprintf("it weighs %d, and says %d", s.fresh.weight+s.known.weight, s.weight.Load())
	}
	return ""
}
