package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What is left to die before it is collected. A check leaves about a kilobyte, which Go's own target, as much again as is
// in use, lets pile up to a few megabytes of a small heap: it would then collect dozens of times a second. Four times as
// much saves a check three to ten percent of its time, and where there is one processor, the slowest checks are those that
// wait for a collection. But a million sessions in memory must not be given four times theirs, nor even a quarter: they are
// kept without pointers, so a collection costs as little with them as without.
const (
	mostGarbage   = 400      // percent of what is in use
	leastGarbage  = 10       // the same, of large heaps
	roomOfGarbage = 64 << 20 // bytes, in between
)

// garbagePercent is the target for a heap of which live bytes are in use.
func garbagePercent(live uint64) int {
	return int(min(max(100*roomOfGarbage/max(live, 1), leastGarbage), mostGarbage))
}

// allowGarbage sets the target for a small heap, which is what a start has, and reports whether it did: not where the
// operator has set one.
func allowGarbage() bool {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return false
	}
	debug.SetGCPercent(mostGarbage)
	return true
}

// tendGarbage keeps the target right until ctx ends.
func tendGarbage(ctx context.Context) {
	percent := mostGarbage
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(live)
		want := garbagePercent(live[0].Value.Uint64())
		if want < percent*9/10 || want > percent*11/10 || want != percent && want == mostGarbage { // setting it stops the world
			percent = want
			debug.SetGCPercent(percent)
		}
	}
}
