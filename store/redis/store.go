package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/redisconn"
)

// Store is a gate.Resolver on Better Auth's secondary storage, and a store.Watcher. It is safe for concurrent use.
type Store struct {
	client   redis.UniversalClient
	prefix   string
	people   People             // nil: no database
	fallback gate.Resolver      // nil: a session that is not in Redis is none
	breaker  *redisconn.Breaker // before the fallback; nil without one
}

// Open connects and tries a lookup. It fails where the server cannot be reached or does not let the user read, and says
// what to do; a server that goes away later is waited for by itself. With a Fallback, Run has to run.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	client, err := redisconn.Open(c.URL, redisconn.Options{Conns: c.Conns})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	s := &Store{client: client, prefix: c.Prefix, people: c.People}
	if c.falls() {
		s.fallback = c.Fallback
		s.breaker = redisconn.NewBreaker(redisconn.BreakerConfig{Probe: s.try})
	}
	if err := s.try(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("redis: %w", explain(err))
	}
	return s, nil
}

// Run keeps a Redis that does not answer from costing lookups time, where a database can answer instead, until ctx ends.
// Before it runs, the database answers everything.
func (s *Store) Run(ctx context.Context) {
	if s.breaker == nil {
		<-ctx.Done()
		return
	}
	s.breaker.Run(ctx)
}

// Degraded reports whether the database answers in Redis' place at the moment, and since when it does or does not. Without
// a Fallback it never does.
func (s *Store) Degraded() (degraded bool, since time.Time) {
	if s.breaker == nil {
		return false, time.Time{}
	}
	state := s.breaker.Stats()
	return state.Open, state.Since
}

// try reads keys that nobody has. They are several because each belongs to another server of a Cluster, which tells so
// if it was taken for a single server.
func (s *Store) try(ctx context.Context) error {
	tries := s.client.Pipeline()
	for _, name := range strings.Fields("a b c d e f g h") {
		tries.GetRange(ctx, s.prefix+revokedBefore+"usher-"+name, 0, 0)
	}
	_, err := tries.Exec(ctx)
	return err
}

// Ping reports whether sessions can be resolved now, as far as Redis is concerned.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.try(ctx); err != nil {
		return fmt.Errorf("redis: %w", explain(err))
	}
	return nil
}

// Close closes every connection. People and Fallback stay open: they are the caller's.
func (s *Store) Close() { _ = s.client.Close() }

// Stats counts the connections to all servers together.
func (s *Store) Stats() store.PoolStats {
	p := s.client.PoolStats()
	return store.PoolStats{
		Max:    s.maxConns(),
		Open:   int(p.TotalConns),
		InUse:  int(p.TotalConns) - int(p.IdleConns),
		Waits:  int64(p.WaitCount),
		Waited: time.Duration(p.WaitDurationNs),
	}
}

// maxConns is that of one server: how many a Cluster has changes.
func (s *Store) maxConns() int {
	switch client := s.client.(type) {
	case *redis.Client:
		return client.Options().PoolSize
	case *redis.ClusterClient:
		return client.Options().PoolSize
	}
	return 0
}

// explain adds what to do to an error, where that is known.
func explain(err error) error {
	if text := redisconn.Remedy(err); text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}
