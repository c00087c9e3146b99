package provisioned

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// conns bounds the connections to each database; of SQLite it is those that read, beside one that writes.
const conns = 8

// querier is a pool of connections or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// database is the connections to one, whichever it is.
type database struct {
	dialect betterauth.Dialect
	url     string
	writes  bool

	using sync.RWMutex // held for reading by statements, for writing to exchange what follows
	read  *sql.DB
	write *sql.DB // the same as read on PostgreSQL; nil where nothing is written
	pools sqlite.Pools

	preparing sync.Mutex
	prepared  map[string]*sql.Stmt // of SQLite's readers, by text; pgx has a cache of its own
}

func openDatabase(ctx context.Context, url, key string, writes bool) (*database, error) {
	dialect, err := dialectOf(url, key)
	if err != nil {
		return nil, err
	}
	d := &database{dialect: dialect, url: url, writes: writes}
	return d, d.connect(ctx)
}

func (d *database) connect(ctx context.Context) (err error) {
	switch {
	case d.dialect == betterauth.SQLite:
		c, pools := sqlite.Config{URL: d.url, MaxConns: conns - 1}, sqlite.Pools{}
		if d.writes {
			pools, err = sqlite.OpenPools(ctx, c)
		} else {
			pools, err = sqlite.OpenReader(c)
		}
		if err == nil {
			d.pools, d.read, d.write = pools, pools.Read, pools.Write
		}
	case d.writes:
		d.read, err = postgres.OpenWriter(ctx, d.config())
		d.write = d.read
	default:
		d.read, err = postgres.OpenReader(ctx, d.config())
	}
	return err
}

func (d *database) config() postgres.Config {
	c := postgres.Config{URL: d.url, MaxConns: conns}
	if _, most, found := strings.Cut(d.url, "pool_max_conns="); found && len(most) > 0 && '1' <= most[0] && most[0] < '1'+conns && (len(most) == 1 || most[1] == '&') {
		c.MaxConns = 0 // the URL's own, which is smaller
	}
	return c
}

// use runs statements on the connections that there are. Where another file has replaced SQLite's, as when a copy is
// brought back, that one is opened first.
func (d *database) use(ctx context.Context, statements func() error) error {
	if d.dialect == betterauth.SQLite {
		d.using.RLock()
		replaced := d.pools.Replaced()
		d.using.RUnlock()
		if replaced {
			if err := d.exchange(ctx); err != nil {
				return err
			}
		}
	}
	d.using.RLock()
	defer d.using.RUnlock()
	return statements()
}

func (d *database) exchange(ctx context.Context) error {
	d.using.Lock()
	defer d.using.Unlock()
	if !d.pools.Replaced() {
		return nil // somebody else was faster
	}
	old := d.pools
	if err := d.connect(ctx); err != nil {
		return err
	}
	d.forget()
	old.Close()
	return nil
}

// prepare keeps a statement that is asked for often. It is run within use.
func (d *database) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	const most = 16
	d.preparing.Lock()
	defer d.preparing.Unlock()
	if s := d.prepared[query]; s != nil {
		return s, nil
	}
	if len(d.prepared) >= most { // of tables that were altered again and again
		return nil, errTooMany
	}
	s, err := d.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if d.prepared == nil {
		d.prepared = make(map[string]*sql.Stmt)
	}
	d.prepared[query] = s
	return s, nil
}

var errTooMany = errors.New("too many statements")

// forget closes what is prepared, with nobody using it.
func (d *database) forget() {
	for _, s := range d.prepared {
		_ = s.Close()
	}
	d.prepared = nil
}

func (d *database) close() {
	d.using.Lock()
	defer d.using.Unlock()
	if d.dialect == betterauth.SQLite {
		d.forget()
		d.pools.Close()
	} else {
		_ = d.read.Close()
	}
}

// patiently repeats what another writer of SQLite keeps waiting, until ctx ends or, where it never does, for as long as Better
// Auth's own drivers wait; and what another transaction of PostgreSQL made fail. Nothing has been done by what failed so.
func (d *database) patiently(ctx context.Context, do func() error) error {
	const patience = 5 * time.Second
	end, ends := ctx.Deadline()
	if !ends {
		end = time.Now().Add(patience)
	}
	for again := 0; ; {
		err := do()
		switch {
		case err == nil, ctx.Err() != nil:
			return err
		case sqlite.Busy(err) && time.Now().Before(end):
		case again <= conns && (postgres.Again(err) || postgres.Lost(err)):
			again++
		default:
			return err
		}
	}
}

// each scans the rows of a query, patiently: do may see rows of an attempt that failed.
func (d *database) each(ctx context.Context, db querier, query string, args []any, do func() error, into ...any) error {
	return d.patiently(ctx, func() error { return once(ctx, db, query, args, do, into...) })
}

func once(ctx context.Context, db querier, query string, args []any, do func() error, into ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return scan(rows, do, into...)
}

func scan(rows *sql.Rows, do func() error, into ...any) (err error) {
	defer func() {
		if closed := rows.Close(); err == nil {
			err = closed // of SQLite: also that the statement's end was refused
		}
	}()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := do(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// often does what each does with a query that is worth keeping.
func (d *database) often(ctx context.Context, query string, args []any, do func() error, into ...any) error {
	if d.dialect == betterauth.Postgres {
		return d.each(ctx, d.read, query, args, do, into...)
	}
	return d.patiently(ctx, func() error {
		s, err := d.prepare(ctx, query)
		if errors.Is(err, errTooMany) {
			return once(ctx, d.read, query, args, do, into...)
		}
		if err != nil {
			return err
		}
		rows, err := s.QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		return scan(rows, do, into...)
	})
}

// list is many keys as one parameter.
func (d *database) list(keys []string) any {
	if d.dialect == betterauth.Postgres {
		return keys
	}
	return jsonOf(keys)
}

// remedy gives an error that says nothing about a row its words.
func (d *database) remedy(err error) error {
	if d.dialect == betterauth.Postgres {
		return postgres.Plain(err)
	}
	return sqlite.Remedy(err)
}

// changed reports whether a statement failed because tables are no longer as they were looked at.
func (d *database) changed(err error) bool {
	if d.dialect == betterauth.Postgres {
		return postgres.Changed(err)
	}
	return sqlite.Changed(err)
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
