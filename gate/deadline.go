package gate

import (
	"context"
	"sync"
	"time"
)

// deadline is context.WithDeadline whose timer starts when somebody first waits for it: an answer from memory never
// does, and a timer costs as much as the rest of such a decision.
type deadline struct {
	context.Context // the caller's
	at              time.Time

	mu    sync.Mutex
	timed context.Context // nil until somebody waits
	stop  context.CancelFunc
}

func within(ctx context.Context, timeout time.Duration) *deadline {
	return &deadline{Context: ctx, at: time.Now().Add(timeout)}
}

// wait starts the timer. After end it answers a context that is over.
func (d *deadline) wait() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.stop = context.WithDeadline(d.Context, d.at)
	}
	return d.timed
}

// end releases the timer, and tells whoever still waits.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.stop = over, func() {}
	}
	d.stop()
}

// over has ended.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} { return d.wait().Done() }

// Err implements context.Context.
func (d *deadline) Err() error {
	d.mu.Lock()
	timed := d.timed
	d.mu.Unlock()
	if timed != nil {
		return timed.Err()
	}
	if err := d.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(d.at) {
		return context.DeadlineExceeded
	}
	return nil
}

// AfterFunc lets package context attach a child without a goroutine.
func (d *deadline) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(d.wait(), f) }
