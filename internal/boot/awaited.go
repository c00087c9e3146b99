package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/usherauth/usher/store"
)

// errNotReached is what the gate hears while no connection was ever made: 503, not 401.
var errNotReached = errors.New("the database was not reached yet")

// awaited is something behind a network that may not be there yet: Usher starts while its database restarts, answers 503,
// and serves when it comes, without a restart of its own. A wrong schema is no such case: it ends the service with its reason.
type awaited[T interface {
	comparable
	Close()
}] struct {
	what  string // for the log: the store
	open  func(context.Context) (T, error)
	log   *slog.Logger
	mu    sync.RWMutex
	found T // zero: not yet
	last  error
	there chan struct{} // closed once it is found
}

// try opens it once. An error is one that waiting does not mend.
func (a *awaited[T]) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	opened, err := a.open(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.found, a.last = opened, nil
		close(a.there)
		return nil
	}
	if store.Permanent(err) {
		return err
	}
	if a.last == nil || a.last.Error() != err.Error() {
		a.log.Warn(a.what+" cannot be used; answering 503 until it can", "error", err)
	}
	a.last = err
	return nil
}

// run tries again each second until it is there or ctx ends.
func (a *awaited[T]) run(ctx context.Context) error {
	for {
		if _, reached := a.now(); reached {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		if err := a.try(ctx); err != nil {
			return err
		}
		if _, reached := a.now(); reached {
			a.log.Info(a.what + " is reached")
		}
	}
}

// wait waits for it; false when ctx ends before.
func (a *awaited[T]) wait(ctx context.Context) (T, bool) {
	select {
	case <-a.there:
	case <-ctx.Done():
	}
	return a.now()
}

// now is what was found, if it was.
func (a *awaited[T]) now() (T, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var none T
	return a.found, a.found != none
}

// notReached is why it is not there yet.
func (a *awaited[T]) notReached() error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.last == nil {
		return errNotReached
	}
	return fmt.Errorf("%w: %w", errNotReached, a.last)
}

func (a *awaited[T]) close() {
	if found, ok := a.now(); ok {
		found.Close()
	}
}
