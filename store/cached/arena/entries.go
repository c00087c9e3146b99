package arena

import "math/bits"

// entry is a record's place. Numbers are of entries, from 1; 0 is none.
type entry struct {
	key   Key
	next  uint32 // of the same bucket, or unused
	newer uint32 // neighbours in the queue
	older uint32
	first uint32 // block of the record
	size  uint32 // of the record, in bytes
	uses  uint8  // since it came or was spared, mostUses at most
	known bool   // which of the shard's queues it is in
}

func (e *entry) weight() int64 { return int64(Weight(int(e.size))) }

// entries are found by their key. It is a hash table that grows by one bucket at a time (linear hashing, Litwin 1980), so
// that nobody ever waits for all of it to be made anew. The zero value is ready to use.
type entries struct {
	list[entry]
	made    uint32 // number of the last one
	unused  uint32
	count   uint32
	buckets list[uint32] // the first entry of each
	split   uint32       // how many buckets there are
}

// bucket is where entries with this key are, as long as there is a bucket.
func (t *entries) bucket(k *Key) *uint32 {
	mask := uint32(1)<<bits.Len32(t.split-1) - 1
	i := k.bucket() & mask
	if i >= t.split { // not made yet: its entries are still in the one it will be split from
		i &= mask >> 1
	}
	return t.buckets.at(i)
}

// find is the number of the entry with this key; 0: there is none.
func (t *entries) find(k *Key) uint32 {
	if t.split == 0 {
		return 0
	}
	for n := *t.bucket(k); n != 0; {
		e := t.at(n)
		if e.key == *k {
			return n
		}
		n = e.next
	}
	return 0
}

// add makes an entry for a key that has none.
func (t *entries) add(k *Key) (uint32, *entry) {
	if t.count >= t.split {
		t.grow()
	}
	n := t.unused
	if n != 0 {
		t.unused = t.at(n).next
	} else {
		t.made++
		t.reach(t.made)
		n = t.made
	}
	e, first := t.at(n), t.bucket(k)
	*e = entry{key: *k, next: *first}
	*first = n
	t.count++
	return n, e
}

// drop forgets an entry that is there.
func (t *entries) drop(n uint32) {
	e := t.at(n)
	link := t.bucket(&e.key)
	for *link != n {
		link = &t.at(*link).next
	}
	*link = e.next
	*e = entry{next: t.unused}
	t.unused = n
	t.count--
}

// grow makes one more bucket, of the entries of another whose keys say so.
func (t *entries) grow() {
	i := t.split
	t.buckets.reach(i)
	t.split++
	if i == 0 {
		return
	}
	parent := t.buckets.at(i &^ (1 << (bits.Len32(i) - 1)))
	n := *parent
	*parent = 0
	for n != 0 {
		e := t.at(n)
		next, to := e.next, t.bucket(&e.key)
		e.next, *to = *to, n
		n = next
	}
}
