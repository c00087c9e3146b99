package boot

import (
	"context"
	"log/slog"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/server"
	"github.com/usherauth/usher/store"
)

// eventual is a store that is awaited.
type eventual struct{ awaited[Store] }

func newEventual(log *slog.Logger, open func(context.Context) (Store, error)) *eventual {
	return &eventual{awaited[Store]{what: "the store", open: open, log: log, there: make(chan struct{})}}
}

// Resolve implements gate.Resolver.
func (e *eventual) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	if s, ok := e.now(); ok {
		return s.Resolve(ctx, c)
	}
	return nil, e.notReached()
}

// Ping says whether the store answers now.
func (e *eventual) Ping(ctx context.Context) error {
	if s, ok := e.now(); ok {
		return s.Ping(ctx)
	}
	return e.notReached()
}

// secondary is what /readyz says of the Redis beside the database.
func (e *eventual) secondary() server.Note {
	return server.Note{Name: "secondary", Say: func() string {
		s, _ := e.now()
		b, ok := s.(*both)
		if !ok {
			return "not reached yet"
		}
		if degraded, since := b.Degraded(); degraded {
			return "lost since " + since.UTC().Format(time.RFC3339) + "; the database answers in its place"
		}
		return "ok"
	}}
}

// stats are the connections now; none before the store was reached.
func (e *eventual) stats() store.PoolStats {
	if s, ok := e.now(); ok {
		return s.Stats()
	}
	return store.PoolStats{}
}
