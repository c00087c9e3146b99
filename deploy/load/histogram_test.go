package load

import (
	"math/bits"
	"testing"
	"time"
)

// histogram counts durations in buckets that are at most 1.6 percent wide, so that a percentile of a million of them is
// right within that, whatever their spread. The zero value is empty.
type histogram struct {
	counts [64 * 40]uint64
	total  uint64
}

// bucketOf puts durations below 64 ns in buckets of 1 ns, and above that 64 buckets in each power of two.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < 64 {
		return int(n)
	}
	shift := bits.Len64(n) - 7
	return min((shift+1)*64+int(n>>shift)-64, 64*40-1)
}

// lowest is the shortest duration of a bucket.
func lowest(bucket int) time.Duration {
	if bucket < 64 {
		return time.Duration(bucket)
	}
	shift := bucket/64 - 1
	return time.Duration((bucket%64 + 64) << shift)
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
}

// at is the duration that a share of all stays below or at, from 0 to 1.
func (h *histogram) at(share float64) time.Duration {
	rank := uint64(share * float64(h.total))
	for bucket, n := range h.counts {
		if rank < n {
			return lowest(bucket)
		}
		rank -= n
	}
	return 0
}

func TestHistogram(t *testing.T) {
	var h histogram
	if h.at(0.99) != 0 {
		t.Error("an empty one has a percentile")
	}
	for i := range 1_000_000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for share, want := range map[float64]time.Duration{
		0: time.Microsecond, 0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 0.999: 999 * time.Millisecond,
	} {
		if got := h.at(share); got > want || float64(got) < float64(want)*0.98 {
			t.Errorf("%v: %v, want %v", share, got, want)
		}
	}
	for _, d := range []time.Duration{0, 1, 63, 64, 65, 127, 128, 1000, time.Second, time.Hour} {
		b := bucketOf(d)
		if lowest(b) > d || d < 3*time.Minute && lowest(b+1) <= d {
			t.Errorf("%v is in bucket %d, from %v to %v", d, b, lowest(b), lowest(b+1))
		}
	}
}
