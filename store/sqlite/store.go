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

	"github.com/usherauth/usher/store"
)

// Store is a gate.Resolver on an SQLite database. It is safe for concurrent use.
type Store struct {
	path     string
	config   Config
	maxConns int

	using    sync.RWMutex // held for reading by lookups, for writing to exchange what follows
	db       *sql.DB
	file     os.FileInfo // which file db has open
	prepared *prepared

	looking chan struct{} // full while somebody looks at the schema or the file again
	vain    time.Time     // when a failed lookup last made somebody do so and nothing changed
}

// prepared are the lookups as statements.
type prepared struct {
	queries
	session, person *sql.Stmt // session is nil where there are no sessions
}

func (p *prepared) close() {
	if p.session != nil {
		_ = p.session.Close()
	}
	if p.person != nil {
		_ = p.person.Close()
	}
}

// Open looks at the file's schema once. It fails where there is no file or sessions cannot be read, and says what to do.
// The schema is looked at again by every Ping, and when a lookup meets a table that has changed; a file that replaces
// this one is opened in its place.
func Open(ctx context.Context, c Config) (*Store, error) {
	path, err := c.path()
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	s := &Store{path: path, config: c, maxConns: c.MaxConns, looking: make(chan struct{}, 1)}
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
	made, err := s.prepare(ctx, db)
	if err != nil {
		if db != s.db {
			_ = db.Close()
		}
		return err
	}

	s.using.Lock()
	oldDB, old := s.db, s.prepared
	s.db, s.file, s.prepared = db, info, made
	s.using.Unlock()
	if old != nil && old != made {
		old.close()
	}
	if oldDB != nil && oldDB != db {
		_ = oldDB.Close()
	}
	return nil
}

// prepare returns the statements in use where nothing has changed.
func (s *Store) prepare(ctx context.Context, db *sql.DB) (*prepared, error) {
	var all queries
	err := patiently(ctx, func() error {
		catalog, err := readCatalog(ctx, db, s.config.Tables)
		if err != nil {
			return err
		}
		names, err := s.config.Tables.Match(catalog)
		if err != nil {
			return &store.UnusableError{Err: err}
		}
		if err := s.config.missing(names); err != nil {
			return err
		}
		all = newQueries(names, s.config.WithoutSessions)
		return nil
	})
	if err != nil {
		return nil, remedy(err)
	}
	if s.prepared != nil && db == s.db && all == s.prepared.queries {
		return s.prepared, nil
	}
	made, err := all.prepare(ctx, db)
	if err != nil {
		return nil, remedy(err)
	}
	return made, nil
}

// prepare fails where a lookup could not be answered.
func (all queries) prepare(ctx context.Context, db *sql.DB) (*prepared, error) {
	made := &prepared{queries: all}
	err := patiently(ctx, func() (err error) {
		if all.session != "" && made.session == nil {
			if made.session, err = db.PrepareContext(ctx, all.session); err != nil {
				return err
			}
		}
		made.person, err = db.PrepareContext(ctx, all.person)
		return err
	})
	if err != nil {
		made.close()
		return nil, fmt.Errorf("try the lookup: %w", err)
	}
	return made, nil
}

// lookAgain follows a lookup that failed with these statements. Of many that fail together one looks, and while that does
// not help, one a second.
func (s *Store) lookAgain(ctx context.Context, failed *prepared) error {
	return s.alone(ctx, func() error {
		if s.prepared != failed || time.Since(s.vain) < time.Second {
			return nil
		}
		err := s.look(ctx)
		if s.prepared == failed {
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
	s.prepared.close()
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
