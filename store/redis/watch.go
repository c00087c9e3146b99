package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/store"
)

const (
	// pace is how often it is proven that everything was told.
	pace = 200 * time.Millisecond

	// How long to wait before listening anew: the longest of them after what only people can mend.
	soonest, latestRetry, seldom = 20 * time.Millisecond, 500 * time.Millisecond, 10 * time.Second

	// movedPace is how often Sentinel is asked who the master is.
	movedPace = time.Second
)

// Watch implements store.Watcher: every session and every tombstone that is written, deleted, expires or is evicted, by
// client tracking or else by keyspace events. What is in the database beside it does not show here.
//
// A lookup that starts after a change was told sees the change: a server changes a key before it tells so, lookups go to
// the same server, and it does one thing after the other. A failover may undo the change itself, for Redis replicates
// later than it answers; then the connection breaks, and everything is forgotten.
func (s *Store) Watch(ctx context.Context, n store.Notices) {
	wait := soonest
	for {
		complete, err := s.listen(ctx, n)
		if ctx.Err() != nil {
			return
		}
		n.Incomplete(fmt.Errorf("redis: listen for changes: %w", explain(err)))
		switch {
		case errors.Is(err, errDeaf):
			wait = seldom
		case complete:
			wait = soonest
		default:
			wait = min(2*wait, latestRetry)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// listen hears every master until something is in doubt, and reports whether Complete was said.
func (s *Store) listen(ctx context.Context, n store.Notices) (complete bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	masters, cluster, err := s.masters(ctx)
	if err != nil {
		return false, err
	}
	ears := make([]*ear, 0, len(masters))
	var hearing sync.WaitGroup
	defer hearing.Wait()
	defer func() {
		for _, e := range ears {
			_ = e.conn.Close()
		}
	}()
	var known map[string]bool
	if cluster {
		known = make(map[string]bool)
	}
	broken := make(chan *ear, len(masters))
	for _, m := range masters {
		e, err := newEar(ctx, m, s.prefix, n)
		if err != nil {
			return false, err
		}
		e.config = s.setting
		ears = append(ears, e)
		hearing.Go(func() {
			e.hear()
			broken <- e
		})
		if err := e.begin(ctx, m, cluster); err != nil {
			return false, err
		}
		if cluster {
			known[e.node] = true
		}
	}
	asked := time.Now()
	for {
		// Before the first question: what is done later may be told later.
		until := time.Now()
		if err := beats(ctx, ears, known); err != nil {
			return complete, err
		}
		if until.Sub(asked) >= movedPace {
			asked = until
			if err := moved(ctx, masters[0], ears[0]); err != nil {
				return complete, err
			}
		}
		n.Complete(until)
		complete = true
		select {
		case <-time.After(pace):
		case e := <-broken:
			return complete, fmt.Errorf("the connection broke: %w", e.why)
		case <-ctx.Done():
			return complete, ctx.Err()
		}
	}
}

// beats asks every server, all at once, and waits for all of them.
func beats(ctx context.Context, ears []*ear, known map[string]bool) error {
	failed := make([]error, len(ears))
	var asking sync.WaitGroup
	for i, e := range ears {
		asking.Go(func() { failed[i] = e.beat(ctx, known) })
	}
	asking.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// moved reports whether Sentinel names another master than the one that is listened to. One that the Sentinels have
// lost sight of still calls itself a master, and is right about everything but that nobody writes to it any more. The
// library takes its own connections away from it, too, when it is made to look.
func moved(ctx context.Context, o *redis.Options, e *ear) error {
	if o.Addr != "FailoverClient" { // what the library calls a client of Sentinel
		return nil
	}
	conn, err := o.Dialer(ctx, o.Network, o.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if conn.RemoteAddr().String() != e.conn.RemoteAddr().String() {
		return errors.New("by now Sentinel names another master")
	}
	return nil
}

// setting reads a setting of the server.
func (s *Store) setting(ctx context.Context, name string) (string, error) {
	settings, err := s.client.ConfigGet(ctx, name).Result()
	return settings[name], err
}
