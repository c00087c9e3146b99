package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	config   Config
	pool     *pgxpool.Pool
	maxConns int
	queries  atomic.Pointer[queries]

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
	s := &Store{config: c, maxConns: int(config.MaxConns), looking: make(chan struct{}, 1)}
	s.lanes.free = min(s.maxConns, mostLanes)
	s.pool, err = connect(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := s.look(ctx, true); err != nil {
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

// look reads the schema, writes the queries for it and tries them, so that a missing grant is found here. The first time
// is in a hurry; the others keep the statement, which costs the server less from the second time on.
func (s *Store) look(ctx context.Context, first bool) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release(conn)
	var db querier = conn
	if first {
		db = once{conn.Conn()}
	}
	catalog, err := readCatalog(ctx, db, s.config.Tables)
	if err != nil {
		return err
	}
	names, err := s.config.Tables.Match(catalog.Catalog)
	if err != nil {
		return &store.UnusableError{Err: err}
	}
	if err := s.config.missing(names); err != nil {
		return err
	}
	made, err := newQueries(catalog, names, s.config.WithoutSessions)
	if err != nil {
		return &store.UnusableError{Err: err}
	}
	if err := try(ctx, conn.Conn(), made); err != nil {
		return err
	}
	if old := s.queries.Load(); old == nil || *old != made {
		s.queries.Store(&made)
	}
	return nil
}

// try asks for what is not there. One query shows that the other would work, too: it reads less.
func try(ctx context.Context, conn *pgx.Conn, made queries) error {
	q := question{sessionOf, ""}
	if made.session == "" {
		q = question{personOf, made.nobody()}
	}
	if _, err := ask(ctx, conn, &made, q); err != nil && !errors.Is(err, errNone) {
		return fmt.Errorf("try the lookup: %w", err)
	}
	return nil
}

// lookAgain follows a lookup that failed with these queries. Of many that fail together one looks, and while that does not
// help, one a second.
func (s *Store) lookAgain(ctx context.Context, failed *queries) error {
	select {
	case s.looking <- struct{}{}:
		defer func() { <-s.looking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.queries.Load() != failed || time.Since(s.vain) < time.Second {
		return nil
	}
	err := s.look(ctx, false)
	if s.queries.Load() == failed {
		s.vain = time.Now()
	}
	return err
}

// Ping reports whether sessions can be resolved now. It reads the schema, so it also finds what a migration has broken,
// and what one has added is used from then on.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.look(ctx, false); err != nil {
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

// absent is what lookups need and is not there.
func (c Config) absent(n *betterauth.Names) []betterauth.Absent {
	all := n.Absent()
	if c.WithoutSessions {
		all = slices.DeleteFunc(slices.Clone(all), func(a betterauth.Absent) bool { return a.Table == n.Table("session") })
	}
	return all
}

// missing is the same as one error.
func (c Config) missing(n *betterauth.Names) error {
	var all []error
	for _, absent := range c.absent(n) {
		found := store.MissingError(absent)
		all = append(all, &found)
	}
	return errors.Join(all...)
}
