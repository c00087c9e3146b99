package accounts

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// Store is safe for concurrent use. It has connections of its own: those of a gate may only read.
//
// Every call ends with its context. Errors name tables and columns and quote no value. A schema that has changed is looked
// at again by every Ping, and by the call that meets it.
type Store struct {
	config  Config
	dialect betterauth.Dialect
	now     func() time.Time
	schema  atomic.Pointer[schema]
	cache   *secondary // nil: there is no secondary storage

	using  sync.RWMutex // held for reading by statements, for writing to exchange what follows
	reader *sql.DB
	writer *sql.DB // the same as reader on PostgreSQL
	pools  sqlite.Pools
}

// Open connects, looks at the schema and at what the role may do. It fails with a store.MissingError or
// store.UnusableError, which stay until somebody changes the schema or the configuration, or says which grant the role
// lacks.
func Open(ctx context.Context, c Config) (*Store, error) {
	s, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, c Config) (s *Store, err error) {
	s = &Store{config: c, now: c.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if s.dialect, err = c.dialect(); err != nil {
		return nil, err
	}
	if c.Redis != nil {
		if err := c.Redis.check(); err != nil {
			return nil, err
		}
	}
	switch s.dialect {
	case betterauth.Postgres:
		s.reader, err = postgres.OpenWriter(ctx, postgres.Config{URL: c.URL, Tables: c.Tables, MaxConns: c.MaxConns})
		s.writer = s.reader
	default:
		err = s.openFile(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := s.look(ctx); err != nil {
		s.Close()
		return nil, err
	}
	if c.Redis != nil {
		if s.cache, err = openSecondary(ctx, s); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// within is a call's own time.
func (s *Store) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.config.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.config.Timeout)
}

// openFile opens the file that SQLite's path names now.
func (s *Store) openFile(ctx context.Context) error {
	c := &s.config
	pools, err := sqlite.OpenPools(ctx, sqlite.Config{URL: c.URL, Tables: c.Tables, MaxConns: c.MaxConns})
	if err == nil {
		s.pools, s.reader, s.writer = pools, pools.Read, pools.Write
	}
	return err
}

// use runs statements on the connections that there are. Where another file has replaced SQLite's, as when a copy is
// brought back, that one is opened first: what would be written into the old one would be lost.
func (s *Store) use(ctx context.Context, statements func() error) error {
	if s.dialect == betterauth.SQLite {
		s.using.RLock()
		replaced := s.pools.Replaced()
		s.using.RUnlock()
		if replaced {
			if err := s.exchange(ctx); err != nil {
				return err
			}
		}
	}
	s.using.RLock()
	defer s.using.RUnlock()
	return statements()
}

func (s *Store) exchange(ctx context.Context) error {
	s.using.Lock()
	defer s.using.Unlock()
	if !s.pools.Replaced() {
		return nil // somebody else was faster
	}
	old := s.pools
	if err := s.openFile(ctx); err != nil {
		return err
	}
	old.Close()
	return s.look(ctx)
}

// Shape says which plugins' keys Better Auth's own answers have, by the columns that are there.
func (s *Store) Shape() record.Shape { return s.schema.Load().shape() }

// Ping reports whether everything can be read and written now. It looks at the schema again.
func (s *Store) Ping(ctx context.Context) error {
	err := s.use(ctx, func() error { return s.look(ctx) })
	if err == nil && s.cache != nil {
		err = s.cache.try(ctx)
	}
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	return nil
}

// Close closes every connection, after those in use have answered.
func (s *Store) Close() {
	s.using.Lock()
	defer s.using.Unlock()
	_ = s.reader.Close()
	if s.writer != s.reader {
		_ = s.writer.Close()
	}
	if s.cache != nil {
		_ = s.cache.client.Close()
	}
}

// look reads the schema and what keeps rows from being made: two statements on PostgreSQL, for it is done all the time.
func (s *Store) look(ctx context.Context) error {
	sc, err := s.read(ctx)
	if err != nil {
		return s.remedy(err)
	}
	if err := sc.guard(&s.config); err != nil {
		return err
	}
	if err := s.probe(ctx, sc); err != nil {
		return err
	}
	s.schema.Store(sc)
	return nil
}

func (s *Store) read(ctx context.Context) (*schema, error) {
	sc := &schema{dialect: s.dialect, forms: make(map[string]any)}
	err := s.patiently(ctx, func() (err error) {
		if s.dialect == betterauth.Postgres {
			sc.catalog, sc.schemas, err = postgres.ReadCatalog(ctx, s.reader, s.config.Tables)
			return err
		}
		sc.catalog, err = sqlite.ReadCatalog(ctx, s.reader, s.config.Tables)
		return err
	})
	if err != nil {
		return nil, err
	}
	if sc.names, err = s.config.Tables.Match(sc.catalog); err != nil {
		return nil, &store.UnusableError{Err: err}
	}
	return sc, s.patiently(ctx, func() error { return sc.sample(ctx, s.reader, &s.config) })
}

// sample looks at what rows hold where the columns' types do not say what to write.
func (sc *schema) sample(ctx context.Context, db querier, c *Config) error {
	one := func(model, field string) (value any, err error) {
		if !sc.names.Has(model, field) {
			return nil, nil
		}
		column := sc.column(model, field)
		rows, err := db.QueryContext(ctx, "select +"+column+" from "+sc.table(model)+" where "+column+" is not null limit 1")
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(&value); err != nil {
				return nil, err
			}
		}
		return value, rows.Err()
	}
	if sc.dialect != betterauth.SQLite {
		return nil
	}
	for _, model := range c.written() {
		for _, x := range cellsOf(model) {
			if _, ok := x.to.(*time.Time); !ok {
				if _, ok := x.to.(**time.Time); !ok {
					continue
				}
			}
			value, err := one(model, x.field)
			if err != nil {
				return err
			}
			if at, err := sqlite.Instant(value); err == nil && !at.IsZero() {
				sc.forms[model+"."+x.field] = value
			}
		}
	}
	id, err := one("user", "id")
	if text, ok := id.(string); ok {
		sc.uuids = postgres.CanonicalUUID(text)
	}
	return err
}
