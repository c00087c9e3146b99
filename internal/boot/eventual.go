package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// errNotReached is what the gate hears while no connection was ever made: 503, not 401.
var errNotReached = errors.New("the database was not reached yet")

// eventual is a store that may not be there yet: Usher starts while its database restarts, answers 503, and serves
// when it comes, without a restart of its own. A wrong schema is no such case: it ends the service with its reason.
type eventual struct {
	open  func(context.Context) (Store, error)
	log   *slog.Logger
	mu    sync.RWMutex
	store Store
	last  error
	there chan struct{} // closed once there is a store
}

func newEventual(log *slog.Logger, open func(context.Context) (Store, error)) *eventual {
	return &eventual{open: open, log: log, there: make(chan struct{})}
}

// try opens the store once. An error is one that waiting does not mend.
func (e *eventual) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	opened, err := e.open(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.store, e.last = opened, nil
		close(e.there)
		return nil
	}
	if store.Permanent(err) {
		return err
	}
	if e.last == nil || e.last.Error() != err.Error() {
		e.log.Warn("the store cannot be used; answering 503 until it can", "error", err)
	}
	e.last = err
	return nil
}

// run tries again each second until the store is there or ctx ends.
func (e *eventual) run(ctx context.Context) error {
	for {
		e.mu.RLock()
		reached := e.store != nil
		e.mu.RUnlock()
		if reached {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		if err := e.try(ctx); err != nil {
			return err
		}
		if e.now() != nil {
			e.log.Info("the store is reached")
		}
	}
}

// wait waits for the store; nil when ctx ends before.
func (e *eventual) wait(ctx context.Context) Store {
	select {
	case <-e.there:
		return e.now()
	case <-ctx.Done():
		return nil
	}
}

func (e *eventual) now() Store {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.store
}

// Resolve implements gate.Resolver.
func (e *eventual) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	if s := e.now(); s != nil {
		return s.Resolve(ctx, c)
	}
	return nil, e.notReached()
}

// notReached is why there is no store yet.
func (e *eventual) notReached() error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.last == nil {
		return errNotReached
	}
	return fmt.Errorf("%w: %w", errNotReached, e.last)
}

// Ping says whether the store answers now.
func (e *eventual) Ping(ctx context.Context) error {
	if s := e.now(); s != nil {
		return s.Ping(ctx)
	}
	return e.notReached()
}

// stats are the connections now; none before the store was reached.
func (e *eventual) stats() store.PoolStats {
	if s := e.now(); s != nil {
		return s.Stats()
	}
	return store.PoolStats{}
}

func (e *eventual) close() {
	if s := e.now(); s != nil {
		s.Close()
	}
}
