package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// Store is a gate.Resolver on a PostgreSQL database. It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	maxConns int
	tables   betterauth.Tables
	query    atomic.Pointer[string]

	lanes lanes

	looking chan struct{} // full while somebody looks at the schema again
	vain    time.Time     // when that last changed nothing
}

// Open connects and looks at the schema once. It fails at once where the server cannot be reached or sessions cannot be
// read, and says what to do; a server that goes away later is waited for by itself. The schema is looked at again by
// every Ping, and when a lookup meets a table that has changed.
func Open(ctx context.Context, c Config) (*Store, error) {
	config, err := c.pool()
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	s := &Store{tables: c.Tables, maxConns: int(config.MaxConns), looking: make(chan struct{}, 1)}
	s.lanes.free = min(s.maxConns, mostLanes)
	s.pool, err = connect(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := s.look(ctx); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("postgres: %w", explain(err))
	}
	return s, nil
}

// connect makes the pool and its first connection.
func connect(ctx context.Context, config *pgxpool.Config) (*pgxpool.Pool, error) {
	for {
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return nil, err
		}
		conn, err := pool.Acquire(ctx)
		if err == nil {
			conn.Release()
			return pool, nil
		}
		pool.Close()
		if config.ConnConfig.RuntimeParams[readOnly] == "" || !refusesParameter(err) {
			return nil, fmt.Errorf("%w; %s", err, remedy(err))
		}
		// PgBouncer knows only the parameters it is told to ignore. Setting it with SET instead would reach whoever
		// gets that server connection next, Better Auth itself among them.
		delete(config.ConnConfig.RuntimeParams, readOnly)
	}
}

func refusesParameter(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && strings.Contains(refused.Message, readOnly)
}

// look reads the schema, writes the query for it and tries the query, so that a missing grant is found here.
func (s *Store) look(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release(conn)
	catalog, err := readCatalog(ctx, conn, s.tables)
	if err != nil {
		return err
	}
	names, err := s.tables.Match(catalog.Catalog)
	if err != nil {
		return &store.UnusableError{Err: err}
	}
	if err := missing(names); err != nil {
		return err
	}
	query, err := newQuery(catalog, names)
	if err != nil {
		return &store.UnusableError{Err: err}
	}
	if err := try(ctx, conn.Conn(), query); err != nil {
		return err
	}
	if old := s.query.Load(); old == nil || *old != query {
		s.query.Store(&query)
	}
	return nil
}

// try asks for a token that nobody has.
func try(ctx context.Context, conn *pgx.Conn, query string) error {
	if _, err := ask(ctx, conn, query, ""); err != nil && !errors.Is(err, errNone) {
		return fmt.Errorf("try the lookup: %w", err)
	}
	return nil
}

// lookAgain follows a lookup that failed with this query. Of many that fail together one looks, and while that does not
// help, one a second.
func (s *Store) lookAgain(ctx context.Context, failed *string) error {
	select {
	case s.looking <- struct{}{}:
		defer func() { <-s.looking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.query.Load() != failed || time.Since(s.vain) < time.Second {
		return nil
	}
	err := s.look(ctx)
	if s.query.Load() == failed {
		s.vain = time.Now()
	}
	return err
}

// Ping reports whether sessions can be resolved now. It reads the schema, so it also finds what a migration has broken,
// and what one has added is used from then on.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return fmt.Errorf("postgres: %w", explain(err))
	}
	return nil
}

// Close closes every connection, after those in use have answered.
func (s *Store) Close() { s.pool.Close() }

// Stats counts the connections, and the lookups that waited until they were sent with others.
func (s *Store) Stats() store.PoolStats {
	p := s.pool.Stat()
	s.lanes.mu.Lock()
	defer s.lanes.mu.Unlock()
	return store.PoolStats{
		Max:    int(p.MaxConns()),
		Open:   int(p.TotalConns()),
		InUse:  int(p.AcquiredConns()),
		Waits:  s.lanes.waits,
		Waited: s.lanes.waited,
	}
}

// release gives a connection back. A broken one is taken out of the pool instead: pgx spends up to 15 seconds on saying
// goodbye to a server that does not answer, and the pool would count it all that time.
func release(conn *pgxpool.Conn) {
	if conn.Conn().IsClosed() {
		conn.Hijack()
		return
	}
	conn.Release()
}

// missing is everything that keeps sessions from being read, as one error.
func missing(n *betterauth.Names) error {
	var all []error
	for _, absent := range n.Absent() {
		found := store.MissingError(absent)
		all = append(all, &found)
	}
	return errors.Join(all...)
}
