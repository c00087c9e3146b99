package arena

import "slices"

// block is a part of a record. All have the same length, so whatever leaves makes room for whatever comes, and nothing
// has to be moved. Two lines of a processor's memory are fetched together.
type block struct {
	next  uint32 // number of the next part, or of the next unused block; 0: there is none
	bytes [payload]byte
}

const (
	blockSize = 128
	payload   = blockSize - 4
)

// blocks holds records. The zero value is ready to use.
type blocks struct {
	list[block]
	made   uint32 // number of the last one
	unused uint32 // number of the first one
}

// keep copies a record into blocks and returns the number of the first; 0 for an empty one.
func (b *blocks) keep(record []byte) uint32 {
	var first uint32
	link := &first
	for len(record) > 0 {
		*link = b.take()
		at := b.at(*link)
		record = record[copy(at.bytes[:], record):]
		link = &at.next
	}
	*link = 0
	return first
}

func (b *blocks) take() uint32 {
	if n := b.unused; n != 0 {
		b.unused = b.at(n).next
		return n
	}
	b.made++
	b.reach(b.made)
	return b.made
}

// appendTo appends the record of so many bytes that begins there.
func (b *blocks) appendTo(to []byte, first uint32, size int) []byte {
	to = slices.Grow(to, size)
	for n := first; size > 0; {
		at := b.at(n)
		part := at.bytes[:min(size, payload)]
		to = append(to, part...)
		size -= len(part)
		n = at.next
	}
	return to
}

// release gives the blocks of a record back. They stay in a row, so that the next record finds them beside each other.
func (b *blocks) release(first uint32) {
	if first == 0 {
		return
	}
	last := b.at(first)
	for last.next != 0 {
		last = b.at(last.next)
	}
	last.next, b.unused = b.unused, first
}
