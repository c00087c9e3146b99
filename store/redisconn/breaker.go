package redisconn

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrOpen is the error of an operation that was not tried, because Redis does not answer.
var ErrOpen = errors.New("redis does not answer: not asked until it does")

// BreakerConfig says how a Breaker finds out whether Redis answers, and how long anybody waits for it. Probe is
// required.
type BreakerConfig struct {
	// Probe asks something whose answer shows that operations will work. It must honour its context.
	Probe func(context.Context) error

	Timeout      time.Duration // longest time an operation may take; 0: 50 ms
	Every        time.Duration // between two probes; 0: 1 s
	ProbeTimeout time.Duration // longest time a probe may take, nobody waits for it; 0: 500 ms

	// Changed is told the error when Redis stops answering, and nil when it answers again; nil: nobody is told. It is
	// called by one goroutine at a time, in order, and must be quick.
	Changed func(error)

	// Regained is called before operations are let through again after an outage that a probe saw: what answers now may
	// be another server, with other data and another clock. It may be nil.
	Regained func()
}

// Breaker stands before the operations of a Redis that callers can do without. As soon as one fails, no other is tried
// until a probe in the background has succeeded. So an outage costs those who are waiting when it begins one Timeout,
// and nobody else anything, however long it lasts; a server that answers probes and nothing else costs one Timeout a
// probe.
//
// A new Breaker lets nothing through before the first probe of Run has succeeded: nobody waits for a server that was
// never there. It is safe for concurrent use.
type Breaker struct {
	config BreakerConfig

	// closed is the present stretch of time in which operations are let through; nil: they are not. It has an identity,
	// so that an operation which began before an outage and fails after it does not end the next stretch.
	closed atomic.Pointer[stretch]

	failures, refused atomic.Int64
	lost              atomic.Int64 // nanoseconds

	mu     sync.Mutex // held while the state changes; guards the rest
	since  time.Time
	opened int64
	failed bool // a probe failed since operations were last let through
	told   bool // of a failure that is not over
	err    error
}

type stretch struct{ _ byte } // not empty: every one has an address of its own

// NewBreaker makes a Breaker, which waits for Run.
func NewBreaker(c BreakerConfig) *Breaker {
	if c.Timeout <= 0 {
		c.Timeout = 50 * time.Millisecond
	}
	if c.Every <= 0 {
		c.Every = time.Second
	}
	if c.ProbeTimeout <= 0 {
		c.ProbeTimeout = 500 * time.Millisecond
	}
	return &Breaker{config: c, since: time.Now()}
}

// Do runs an operation with a context that ends after Timeout, or returns ErrOpen at once. Every error but redis.Nil
// is taken for an outage, unless the caller's own context has ended: that says nothing of Redis.
func (b *Breaker) Do(ctx context.Context, operation func(context.Context) error) error {
	now := b.closed.Load()
	if now == nil {
		b.refused.Add(1)
		return ErrOpen
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, b.config.Timeout)
	err := operation(limited)
	cancel()
	if err == nil || absent(err) || ctx.Err() != nil {
		return err
	}
	b.failures.Add(1)
	b.lost.Add(int64(time.Since(began)))
	b.open(now, err)
	return err
}

// Run probes until ctx ends, also while all is well: an outage that a probe finds costs no caller anything. One Run
// runs at a time.
func (b *Breaker) Run(ctx context.Context) {
	tick := time.NewTicker(b.config.Every)
	defer tick.Stop()
	for {
		b.probe(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (b *Breaker) probe(ctx context.Context) {
	before := b.closed.Load()
	limited, cancel := context.WithTimeout(ctx, b.config.ProbeTimeout)
	err := b.config.Probe(limited)
	cancel()
	switch {
	case ctx.Err() != nil:
	case err != nil && !absent(err):
		b.open(before, err)
		b.mu.Lock()
		b.failed = true
		b.mu.Unlock()
	case before == nil: // an outage that began meanwhile is for the next probe
		b.close()
	}
}

// open ends the stretch in which something failed; nil: the failure was that of a probe, outside of any.
func (b *Breaker) open(during *stretch, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() != during {
		return // known already
	}
	b.err = err
	if during != nil {
		b.closed.Store(nil)
		b.since = time.Now()
		b.opened++
	}
	if !b.told {
		b.told = true
		if b.config.Changed != nil {
			b.config.Changed(err)
		}
	}
}

func (b *Breaker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed && b.config.Regained != nil {
		b.config.Regained()
	}
	told := b.told
	b.failed, b.told, b.err = false, false, nil
	b.since = time.Now()
	b.closed.Store(new(stretch))
	if told && b.config.Changed != nil {
		b.config.Changed(nil)
	}
}

// Open reports whether operations are not tried at the moment.
func (b *Breaker) Open() bool { return b.closed.Load() == nil }

// BreakerStats are a Breaker's state and counts since the start.
type BreakerStats struct {
	Open  bool
	Since time.Time // when it became so
	Err   error     // what went wrong last; nil: nothing since it works

	Opened   int64         // outages
	Failures int64         // operations that failed
	Refused  int64         // operations that were not tried
	Lost     time.Duration // how long the failed ones took, all together
}

// Stats are the state and counts at the moment.
func (b *Breaker) Stats() BreakerStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return BreakerStats{
		Open: b.closed.Load() == nil, Since: b.since, Err: b.err,
		Opened: b.opened, Failures: b.failures.Load(), Refused: b.refused.Load(), Lost: time.Duration(b.lost.Load()),
	}
}
