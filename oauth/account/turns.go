package account

import (
	"context"
	"sync"
)

// turns lets one at a time renew the tokens of an account: many providers take a refresh token once, and end the whole
// grant when it comes again. The zero value is ready.
type turns struct {
	mu   sync.Mutex
	held map[string]*turn // only of those who have one or wait
}

type turn struct {
	free    chan struct{} // holds one token while nobody has the turn
	holders int           // who has it or waits
}

// take waits for the turn, or for the end of ctx. Whoever has it gives it back.
func (t *turns) take(ctx context.Context, id string) (giveBack func(), err error) {
	t.mu.Lock()
	if t.held == nil {
		t.held = map[string]*turn{}
	}
	own := t.held[id]
	if own == nil {
		own = &turn{free: make(chan struct{}, 1)}
		own.free <- struct{}{}
		t.held[id] = own
	}
	own.holders++
	t.mu.Unlock()

	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.holders--; own.holders == 0 {
			delete(t.held, id)
		}
	}
	select {
	case <-own.free:
		return func() { own.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
