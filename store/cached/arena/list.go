package arena

// list is an array that grows without being copied, in pieces.
type list[T any] struct{ pieces []*[piece]T }

const piece = 256

// at is the i-th, which is there.
func (l *list[T]) at(i uint32) *T { return &l.pieces[i/piece][i%piece] }

// reach makes sure that the i-th is there.
func (l *list[T]) reach(i uint32) {
	for i/piece >= uint32(len(l.pieces)) { //nolint:gosec // i is not less
		l.pieces = append(l.pieces, new([piece]T))
	}
}
