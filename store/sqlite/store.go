package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	driver "modernc.org/sqlite" // registers itself as "sqlite"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// Store is a gate.Resolver on an SQLite database. It is safe for concurrent use.
type Store struct {
	path     string
	tables   betterauth.Tables
	maxConns int

	using sync.RWMutex // held for reading by lookups, for writing to exchange what follows
	db    *sql.DB
	file  os.FileInfo // which file db has open
	query string
	stmt  *sql.Stmt

	looking chan struct{} // full while somebody looks at the schema or the file again
	vain    time.Time     // when a failed lookup last made somebody do so and nothing changed
}

// Open looks at the file's schema once. It fails where there is no file or sessions cannot be read, and says what to do.
// The schema is looked at again by every Ping, and when a lookup meets a table that has changed; a file that replaces
// this one is opened in its place.
func Open(ctx context.Context, c Config) (*Store, error) {
	path, err := c.path()
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	s := &Store{path: path, tables: c.Tables, maxConns: c.MaxConns, looking: make(chan struct{}, 1)}
	if s.maxConns <= 0 {
		s.maxConns = 4
	}
	if err := s.look(ctx); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return s, nil
}

// look opens the file if it is another than before, reads its schema and prepares the lookup.
func (s *Store) look(ctx context.Context) error {
	info, err := file(s.path)
	if err != nil {
		return err
	}
	db := s.db
	if s.file == nil || !os.SameFile(s.file, info) {
		if db, err = openReadOnly(s.path); err != nil {
			return err
		}
		db.SetMaxOpenConns(s.maxConns)
		db.SetMaxIdleConns(s.maxConns)
	}
	query, stmt, err := s.prepare(ctx, db)
	if err != nil {
		if db != s.db {
			_ = db.Close()
		}
		return err
	}

	s.using.Lock()
	oldDB, oldStmt := s.db, s.stmt
	s.db, s.file, s.query, s.stmt = db, info, query, stmt
	s.using.Unlock()
	if oldStmt != nil && oldStmt != stmt {
		_ = oldStmt.Close()
	}
	if oldDB != nil && oldDB != db {
		_ = oldDB.Close()
	}
	return nil
}

// prepare returns the statement in use where nothing has changed.
func (s *Store) prepare(ctx context.Context, db *sql.DB) (string, *sql.Stmt, error) {
	var query string
	err := patiently(ctx, func() error {
		catalog, err := readCatalog(ctx, db, s.tables)
		if err != nil {
			return err
		}
		names, err := s.tables.Match(catalog)
		if err != nil {
			return &store.UnusableError{Err: err}
		}
		if err := missing(names); err != nil {
			return err
		}
		query = newQuery(names)
		return nil
	})
	if err != nil {
		return "", nil, remedy(err)
	}
	if db == s.db && query == s.query {
		return query, s.stmt, nil
	}
	stmt, err := try(ctx, db, query)
	if err != nil {
		return "", nil, remedy(err)
	}
	return query, stmt, nil
}

// try prepares the lookup, which fails where it could not be answered.
func try(ctx context.Context, db *sql.DB, query string) (stmt *sql.Stmt, err error) {
	err = patiently(ctx, func() (err error) { stmt, err = db.PrepareContext(ctx, query); return err })
	if err != nil {
		return nil, fmt.Errorf("try the lookup: %w", err)
	}
	return stmt, nil
}

// lookAgain follows a lookup that failed with this statement. Of many that fail together one looks, and while that does
// not help, one a second.
func (s *Store) lookAgain(ctx context.Context, failed *sql.Stmt) error {
	return s.alone(ctx, func() error {
		if s.stmt != failed || time.Since(s.vain) < time.Second {
			return nil
		}
		err := s.look(ctx)
		if s.stmt == failed {
			s.vain = time.Now()
		}
		return err
	})
}

// alone keeps others from looking at the same time, so that do may read what only look changes.
func (s *Store) alone(ctx context.Context, do func() error) error {
	select {
	case s.looking <- struct{}{}:
		defer func() { <-s.looking }()
		return do()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ping reports whether sessions can be resolved now. It reads the schema, so it also finds what a migration has broken,
// and what one has added is used from then on.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.alone(ctx, func() error { return s.look(ctx) }); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	return nil
}

// Close closes every connection, after those in use have answered.
func (s *Store) Close() {
	s.using.Lock()
	defer s.using.Unlock()
	_ = s.stmt.Close()
	_ = s.db.Close()
}

// Stats counts the connections.
func (s *Store) Stats() store.PoolStats {
	s.using.RLock()
	defer s.using.RUnlock()
	p := s.db.Stats()
	return store.PoolStats{Max: p.MaxOpenConnections, Open: p.OpenConnections, InUse: p.InUse, Waits: p.WaitCount, Waited: p.WaitDuration}
}

// Result codes that are acted upon; the higher bytes of a code only say more.
const (
	codeError    = 1 // also: no such table, no such column
	codePerm     = 3
	codeBusy     = 5
	codeReadOnly = 8
	codeCantOpen = 14
	codeSchema   = 17
	codeNotADB   = 26
)

// code is SQLite's result code of an error, or 0.
func code(err error) int {
	var sent *driver.Error
	if errors.As(err, &sent) {
		return sent.Code() & 0xff
	}
	return 0
}

// patience is how long a lookup waits for a writer. Only one that holds the file without WAL keeps readers waiting.
const patience = time.Second

// patiently repeats what is kept waiting by a writer. SQLite's own wait cannot be interrupted, so it is kept short.
func patiently(ctx context.Context, do func() error) error {
	end := time.Now().Add(patience)
	for {
		err := do()
		if code(err) != codeBusy || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
	}
}

// remedy adds what to do to an error, where that is known.
func remedy(err error) error {
	switch code(err) {
	case codeCantOpen, codePerm, codeReadOnly:
		return fmt.Errorf("%w; let Usher's user read the file, and write in its folder: readers of a WAL share a file there", err)
	case codeNotADB:
		return &store.UnusableError{Err: fmt.Errorf("%w; store.url must name Better Auth's SQLite file", err)}
	case codeBusy:
		return fmt.Errorf("%w; a writer holds the whole file: WAL mode lets Better Auth write while others read (pragma journal_mode = wal)", err)
	}
	return err
}
