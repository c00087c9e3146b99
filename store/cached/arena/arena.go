package arena

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
)

// Key names a record. Its bytes must be as good as random, as those of a hash are: they are used as they are to spread
// the records, which is why whoever can choose keys could make them slow to find.
type Key [16]byte

func (k *Key) bucket() uint32 { return binary.LittleEndian.Uint32(k[0:4]) }
func (k *Key) shard() uint32  { return uint32(k[4]) }
func (k *Key) place() uint32  { return binary.LittleEndian.Uint32(k[8:12]) }  // among the ghosts
func (k *Key) print() uint32  { return binary.LittleEndian.Uint32(k[12:16]) } // of a ghost

const (
	mostShards = 64      // a power of two
	leastShare = 1 << 10 // of the size, for each shard: of fewer records, chance would give one shard far too many
)

// Arena is a bounded store of records. It is safe for concurrent use.
type Arena struct {
	shards []shard // a power of two
	size   int64   // bound of weight

	weight  atomic.Int64 // of all records
	evicted atomic.Uint64
}

// New makes an arena for records that count for size at most, altogether. It takes room as it fills.
func New(size int) *Arena {
	shards := 1
	for shards < mostShards && size/(2*shards) >= leastShare {
		shards *= 2
	}
	return sharded(size, shards)
}

func sharded(size, shards int) *Arena {
	a := &Arena{shards: make([]shard, shards), size: int64(size)}
	// Rounded down: while everything is above the size, some shard is above its share.
	share := int64(size / shards)
	for i := range a.shards {
		a.shards[i].share = share
		a.shards[i].limit = min(share+share/16, a.size)
	}
	return a
}

// Weight is as how much a record of so many bytes counts.
func Weight(bytes int) int { return 1 + bytes/unit }

const unit = 1 << 10

func (a *Arena) shard(k *Key) uint32 { return k.shard() & a.last() }

// last is the number of the last shard.
func (a *Arena) last() uint32 { return uint32(len(a.shards) - 1) } //nolint:gosec // mostShards

// AppendTo appends the record with this key to b, if there is one, and counts that as a use of it. What it appends is the
// caller's own.
func (a *Arena) AppendTo(b []byte, k Key) ([]byte, bool) {
	return a.shards[a.shard(&k)].appendTo(b, &k)
}

// Put keeps a copy of the record, instead of the one that had this key. One that is more than a shard may keep, which is at
// least a megabyte where there are several, is not kept, and counts as evicted.
func (a *Arena) Put(k Key, record []byte) {
	own := a.shard(&k)
	grown, left := a.shards[own].put(&k, record)
	a.evicted.Add(left)
	for a.weight.Add(grown) > a.size {
		freed := a.makeRoom(own)
		if freed == 0 { // somebody else has, and is about to say so
			runtime.Gosched()
		}
		grown = -freed
	}
}

// Remove forgets the record with this key.
func (a *Arena) Remove(k Key) {
	a.weight.Add(-a.shards[a.shard(&k)].remove(&k))
}

// makeRoom lets one record leave, and returns its weight: from the own shard, or from another if that has only its share.
func (a *Arena) makeRoom(own uint32) int64 {
	for i := range a.last() + 1 {
		s := &a.shards[(own+i)&a.last()]
		if s.weight.Load() <= s.share {
			continue
		}
		if freed := s.evict(); freed > 0 {
			a.evicted.Add(1)
			return freed
		}
	}
	return 0
}

// Len is how many records there are.
func (a *Arena) Len() int {
	n := 0
	for i := range a.shards {
		n += a.shards[i].len()
	}
	return n
}

// Evicted is how many records were forgotten for lack of room, since the start.
func (a *Arena) Evicted() uint64 { return a.evicted.Load() }
