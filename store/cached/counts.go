package cached

import (
	"sync/atomic"

	"github.com/maypok86/otter/v2/stats"

	"github.com/usherauth/usher/store"
)

// striped is a counter that processors do not fight over: the key spreads them.
type striped [8]struct {
	n atomic.Uint64
	_ [56]byte // a cache line each
}

func (s *striped) add(key store.Tag) { s[key[len(key)-1]&7].n.Add(1) }

func (s *striped) sum() (n uint64) {
	for i := range s {
		n += s[i].n.Load()
	}
	return n
}

// evictions counts what the library evicts, and nothing else of what it could tell.
type evictions struct {
	stats.NoopRecorder
	count atomic.Uint64
}

// RecordEviction implements stats.Recorder.
func (e *evictions) RecordEviction(uint32) { e.count.Add(1) }
