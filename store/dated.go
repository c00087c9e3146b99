package store

import (
	"context"
	"time"

	"github.com/usherauth/usher/gate"
)

// Dated is a resolver whose answers may come from a memory of its own, and that says so: what stands before it counts
// their age from there, and not from when it asked.
type Dated interface {
	gate.Resolver

	// ResolveDated answers as Resolve does. With a principal comes a time, by this machine's clock and its monotonic
	// reading, at or before which the storage was read; it is never later than the call.
	ResolveDated(ctx context.Context, c gate.Credential) (*gate.Principal, time.Time, error)
}
