package arena_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/usherauth/usher/store/cached/arena"
)

// key is the i-th of a fixed row that looks like hashes.
func key(i int) (k arena.Key) {
	r := rand.New(rand.NewPCG(uint64(i), 1)) //nolint:gosec // nothing secret
	binary.LittleEndian.PutUint64(k[:], r.Uint64())
	binary.LittleEndian.PutUint64(k[8:], r.Uint64())
	return k
}

// record is what is kept of the i-th, told apart from every other.
func record(i, version, length int) []byte {
	head := fmt.Appendf(nil, "%d/%d/", i, version)
	return bytes.Repeat(head, 1+length/len(head))[:max(length, len(head))]
}

func get(a *arena.Arena, k arena.Key) (string, bool) {
	b, ok := a.AppendTo([]byte("before"), k)
	return strings.TrimPrefix(string(b), "before"), ok
}

// TestModel compares an arena with a map. What is not there must have been removed or made room; what is there is what was put
// there last, whole; nothing comes back; and as long as everything fits, nothing leaves.
func TestModel(t *testing.T) {
	for it, keys := range map[string]func(i int) arena.Key{
		"random":            key,
		"of one bucket":     func(i int) (k arena.Key) { k[15] = byte(i); return k },
		"and of one ghost":  func(i int) (k arena.Key) { k[5] = byte(i); return k },
		"of a few buckets":  func(i int) (k arena.Key) { k[0], k[6] = byte(i%3), byte(i); return k },
		"of a few shards":   func(i int) (k arena.Key) { k = key(i); k[4] &= 1; return k },
		"in a row, like it": func(i int) (k arena.Key) { k[0] = byte(i); return k },
	} {
		t.Run(it, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				size := rapid.SampledFrom([]int{1, 3, 20, 700}).Draw(t, "size")
				people := rapid.SampledFrom([]int{4, 40, 200}).Draw(t, "people")
				lengths := rapid.OneOf(rapid.IntRange(0, 300), rapid.SampledFrom([]int{1, 123, 124, 125, 248, 249, 1023, 1024, 5000, 30000}))
				shards := rapid.SampledFrom([]int{1, 4}).Draw(t, "shards")
				a := arena.Sharded(size, shards)
				kept := make(map[int]string)
				weight, version := 0, 0
				evicted := false // somebody may have left
				forget := func(i int) {
					if r, ok := kept[i]; ok {
						weight -= arena.Weight(len(r))
						delete(kept, i)
					}
				}
				for range rapid.IntRange(1, 300).Draw(t, "steps") {
					i := rapid.IntRange(0, people-1).Draw(t, "who")
					switch rapid.IntRange(0, 9).Draw(t, "what") {
					case 0:
						a.Remove(keys(i))
						forget(i)
					case 1, 2, 3, 4, 5:
						version++
						r := record(i, version, lengths.Draw(t, "length"))
						a.Put(keys(i), r)
						forget(i)
						kept[i] = string(r)
						weight += arena.Weight(len(r))
						clear(r) // it is the caller's
					}
					evicted = evicted || weight > size
					got, ok := get(a, keys(i))
					switch want, known := kept[i]; {
					case ok && (!known || got != want):
						t.Fatalf("%d is %.40q, want %.40q", i, got, want)
					case !ok && known:
						if shards == 1 && !evicted {
							t.Fatalf("%d left, and there was room: %d of %d", i, weight, size)
						}
						forget(i)
					}
					if problem := a.Problem(); problem != "" {
						t.Fatal(problem)
					}
				}
				n := 0
				for i := range people {
					if got, ok := get(a, keys(i)); ok {
						n++
						if got != kept[i] {
							t.Errorf("%d is %.40q, want %.40q", i, got, kept[i])
						}
					}
				}
				if a.Len() != n {
					t.Errorf("%d records, and it says %d", n, a.Len())
				}
				if shards == 1 && evicted == (a.Evicted() == 0) {
					t.Errorf("%d evicted, want some: %v", a.Evicted(), evicted)
				}
			})
		})
	}
}

// TestWhatIsUsedStays: five times as many as there is room for, each put in and never asked for, drive out none of those who are asked for now and then.
func TestWhatIsUsedStays(t *testing.T) {
	const size, used = 20_000, 16_000
	a := arena.New(size)
	for i := range used {
		a.Put(key(i), record(i, 0, 200))
	}
	for i := range used {
		get(a, key(i))
	}
	for i := range 5 * size {
		a.Put(key(used+i), record(i, 0, 200))
		get(a, key(i%used))
	}
	left := 0
	for i := range used {
		if _, ok := get(a, key(i)); !ok {
			left++
		}
	}
	if left > 0 || a.Len() < size*98/100 {
		t.Errorf("%d of %d have left, %d are there", left, used, a.Len())
	}
}

// TestAFloodAtOnce: not even if they are not asked for while the others come, as long as they were before.
func TestAFloodAtOnce(t *testing.T) {
	const size, used = 20_000, 16_000
	a := arena.New(size)
	for range 3 {
		for i := range used {
			if _, ok := get(a, key(i)); !ok {
				a.Put(key(i), record(i, 0, 200))
			}
		}
	}
	for i := range 5 * size {
		a.Put(key(used+i), record(i, 0, 200))
	}
	left := 0
	for i := range used {
		if _, ok := get(a, key(i)); !ok {
			left++
		}
	}
	if left > 0 {
		t.Errorf("%d of %d have left", left, used)
	}
}

// TestWhoComesBackStays: who left before anybody asked for him a second time, and comes again, is not driven out by the next
// flood. Only the ghosts know that he was there.
func TestWhoComesBackStays(t *testing.T) {
	const size, flood, returning = 2000, 300, 100
	a := arena.Sharded(size, 1)
	next := returning
	more := func(n int) {
		for range n {
			a.Put(key(next), record(next, 0, 200))
			next++
		}
	}
	more(2 * size) // no room is left
	there := func() (n int) {
		for i := range returning {
			if _, ok := get(a, key(i)); ok {
				n++
			}
		}
		return n
	}
	for i := range returning {
		a.Put(key(i), record(i, 0, 200))
	}
	more(flood)
	if n := there(); n > 0 {
		t.Fatalf("%d of %d stayed, so nobody can come back", n, returning)
	}
	for i := range returning {
		a.Put(key(i), record(i, 1, 200))
	}
	more(flood)
	if n := there(); n < returning*3/4 { // some lost their places among the ghosts to somebody of the flood
		t.Errorf("%d of %d who came back are there", n, returning)
	}
}

// TestOthersTakeOver: who is asked for no more makes room for who is, however often he was.
func TestOthersTakeOver(t *testing.T) {
	const size = 2_000
	a := arena.New(size)
	ask := func(i int) bool {
		if _, ok := get(a, key(i)); ok {
			return true
		}
		a.Put(key(i), record(i, 0, 200))
		return false
	}
	for round := range 10 {
		missed := 0
		for range 12 {
			missed = 0
			for i := range size * 8 / 10 {
				if !ask(round*size + i) {
					missed++
				}
			}
		}
		if missed > 0 {
			t.Errorf("round %d: %d of %d are not kept though they fit and nobody else comes", round, missed, size*8/10)
		}
	}
}

// TestZipf: what is kept answers about as many as the best of what could be kept.
func TestZipf(t *testing.T) {
	const people, size, asked = 50_000, 5_000, 300_000
	a := arena.New(size)
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, people-1) //nolint:gosec // nothing secret
	hits, best := 0, 0
	for n := range asked {
		i := int(z.Uint64()) //nolint:gosec // below people
		_, ok := get(a, key(i))
		if !ok {
			a.Put(key(i), record(i, 0, 200))
		}
		if n >= asked/2 {
			if ok {
				hits++
			}
			if i < size {
				best++
			}
		}
	}
	if hits < best*95/100 {
		t.Errorf("%d answers, %d were possible", hits, best)
	}
	t.Logf("%d answers, %d were possible", hits, best)
}

// TestMemoryIsBounded: whatever comes and goes, for as long as it likes and of whatever length, takes no more than the size.
func TestMemoryIsBounded(t *testing.T) {
	const size = 20_000
	before := inUse()
	a := arena.New(size)
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // nothing secret
	full := record(0, 0, 1<<20)
	for _, round := range []struct{ length, times int }{
		{200, 6 * size}, {1023, 4 * size}, {5000, 2 * size}, {1, 4 * size}, {1 << 20, size / 50}, {900, 4 * size},
	} {
		for range round.times {
			a.Put(key(r.IntN(5*size)), full[:1+r.IntN(round.length)])
			if r.IntN(4) == 0 {
				a.Remove(key(r.IntN(5 * size)))
			}
		}
		if problem := a.Problem(); problem != "" {
			t.Fatal(problem)
		}
	}
	// A kilobyte each, the rest of a block, what finds it, and a sixteenth by which shards differ.
	if used := inUse() - before; used > size*(1<<10)*4/3 {
		t.Errorf("%d bytes are in use for a size of %d: %d each", used, size, used/size)
	} else {
		t.Logf("%d bytes each", used/size)
	}
	runtime.KeepAlive(a)
}

func inUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) //nolint:gosec // it fits
}

// TestAtOnce: whatever many do at the same time, what is found is whole, of the right key, and not from before a later Put or
// Remove that had ended; and the bound holds.
func TestAtOnce(t *testing.T) {
	const size, people, writers = 1000, 3000, 4
	a := arena.New(size)
	var work sync.WaitGroup
	for w := range writers { // each has keys of its own, and knows what is true of them
		work.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 5)) //nolint:gosec // nothing secret
			kept := make(map[int]string)
			for version := range 10_000 {
				i := r.IntN(people/writers)*writers + w
				switch r.IntN(4) {
				case 0:
					a.Remove(key(i))
					delete(kept, i)
				case 1, 2:
					b := record(i, version, r.IntN(400))
					a.Put(key(i), b)
					kept[i] = string(b)
				}
				if got, ok := get(a, key(i)); ok && got != kept[i] {
					t.Errorf("%d is %.40q, want %.40q", i, got, kept[i])
					return
				}
				other := r.IntN(people)
				if got, ok := get(a, key(other)); ok && !strings.HasPrefix(got, fmt.Sprintf("%d/", other)) {
					t.Errorf("%d is %.40q", other, got)
					return
				}
			}
		})
	}
	work.Wait()
	if problem := a.Problem(); problem != "" {
		t.Error(problem)
	}
	if a.Len() == 0 || a.Evicted() == 0 {
		t.Errorf("nothing happened: %d, %d", a.Len(), a.Evicted())
	}
}

// TestTooLong: what alone is more than the size is not kept, and not what was there before it either.
func TestTooLong(t *testing.T) {
	a := arena.New(4)
	a.Put(key(1), record(1, 0, 10))
	a.Put(key(2), record(2, 0, 10))
	a.Put(key(1), record(1, 1, 4<<10))
	if _, ok := get(a, key(1)); ok {
		t.Error("it is there")
	}
	if _, ok := get(a, key(2)); !ok {
		t.Error("another had to leave for it")
	}
	a = arena.New(0)
	a.Put(key(1), nil)
	if a.Len() != 0 {
		t.Error("an arena without room keeps something")
	}
}
