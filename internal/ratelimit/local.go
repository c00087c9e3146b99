package ratelimit

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// maxKeys is how many clients are counted at once, as in the library. Whoever is forgotten begins anew.
const maxKeys = 100_000

// Local counts in this process, in bounded memory. It is safe for concurrent use.
type Local struct {
	now func() time.Time

	mu    sync.Mutex
	keys  map[sum]*count
	swept time.Time
}

// sum stands for a key, so that a key's length costs nothing.
type sum [16]byte

type count struct {
	n     int
	last  time.Time     // when one was admitted last
	until time.Duration // for how long after that it is remembered
}

// NewLocal counts by the clock now; nil: time.Now.
func NewLocal(now func() time.Time) *Local {
	if now == nil {
		now = time.Now
	}
	return &Local{now: now, keys: map[sum]*count{}}
}

// Take counts one more request under key and answers whether it is admitted. After most of them, each less than window
// after the one before, none is until window has passed since the last; retry is how much of it is left.
func (l *Local) Take(_ context.Context, key string, window time.Duration, most int) (ok bool, retry time.Duration) {
	whole := sha256.Sum256([]byte(key))
	id := sum(whole[:])
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.keys[id]
	switch {
	case c == nil:
		l.makeRoom(now)
		c = &count{}
		l.keys[id] = c
	case now.Sub(c.last) >= window:
		c.n = 0
	case c.n >= most:
		return false, c.last.Add(window).Sub(now)
	}
	c.n, c.last, c.until = c.n+1, now, window
	return true, 0
}

// makeRoom forgets whoever may begin anew anyway, now and then, and anybody where that is not enough.
func (l *Local) makeRoom(now time.Time) {
	if len(l.keys) < maxKeys && now.Sub(l.swept) < time.Minute {
		return
	}
	if len(l.keys) >= maxKeys && now.Sub(l.swept) < time.Second {
		for id := range l.keys {
			delete(l.keys, id)
			return
		}
	}
	l.swept = now
	for id, c := range l.keys {
		if now.Sub(c.last) >= c.until {
			delete(l.keys, id)
		}
	}
	for id := range l.keys {
		if len(l.keys) < maxKeys {
			return
		}
		delete(l.keys, id)
	}
}
