package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/store"
)

const (
	// pulse is how often the connection proves that it still hears everything.
	pulse = 250 * time.Millisecond

	// pulseTimeout is how long one proof may take. With pulse it is less than the second within which a revocation has to
	// be known or known to be unknown.
	pulseTimeout = 700 * time.Millisecond

	// compareEvery is how often the triggers are compared although nothing seems to have changed.
	compareEvery = time.Minute

	// A lost connection is made again after shortestPause, then longer and longer.
	shortestPause = 50 * time.Millisecond
	longestPause  = 500 * time.Millisecond

	// hopelessPause is for what only a person mends, and so without a hurry: a pooler, a URL.
	hopelessPause = 5 * time.Second
)

// hopelessError wraps what trying again at once does not mend.
type hopelessError struct{ error }

func (e hopelessError) Unwrap() error { return e.error }

// Watch implements store.Watcher, on a connection of its own: it listens to the triggers of InstallRevocation, and proves
// four times a second that it does. Where they are not installed, and where notifications cannot arrive, it says what to
// do as the reason of Incomplete, and notices when that is done.
//
// What it says to be complete is every change whose transaction had been acknowledged to whoever made it.
func (s *Store) Watch(ctx context.Context, n store.Notices) {
	pause := shortestPause
	for ctx.Err() == nil {
		l := listener{store: s, notices: n}
		err := l.run(ctx)
		if ctx.Err() != nil {
			return
		}
		n.Incomplete(fmt.Errorf("postgres: %w", err))
		if l.heard {
			pause = shortestPause
			s.pool.Reset() // the name may lead to another server from now on, and lookups must go where notices come from
		}
		wait := pause
		if hopeless := (hopelessError{}); errors.As(err, &hopeless) {
			wait = hopelessPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		pause = min(2*pause, longestPause)
	}
}
