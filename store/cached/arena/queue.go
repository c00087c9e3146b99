package arena

// queue orders entries by when they came. The zero value is empty.
type queue struct {
	oldest, newest uint32
	weight         int64
}

func (q *queue) push(t *entries, n uint32, e *entry) {
	e.newer, e.older = 0, q.newest
	if q.newest != 0 {
		t.at(q.newest).newer = n
	} else {
		q.oldest = n
	}
	q.newest = n
	q.weight += e.weight()
}

func (q *queue) remove(t *entries, e *entry) {
	if e.older != 0 {
		t.at(e.older).newer = e.newer
	} else {
		q.oldest = e.newer
	}
	if e.newer != 0 {
		t.at(e.newer).older = e.older
	} else {
		q.newest = e.older
	}
	q.weight -= e.weight()
}
