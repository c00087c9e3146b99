package postgres

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Refresher moves the ends of sessions: the one write of a gate. It implements gate.Refresher, has a few connections of
// its own, for a Store's are read-only, and is safe for concurrent use.
type Refresher struct {
	c      Config
	pool   *pgxpool.Pool
	update atomic.Pointer[string]
}

// mostWriters is connections. A refresh is one round trip, of which a session needs one a day.
const mostWriters = 2

// readOnlyServer is the SQLSTATE of a write where none is possible.
const readOnlyServer = "25006"

// OpenRefresher connects, looks at the schema and tries the write on no row. Its error says what to do: which grant the
// role lacks, or that the server cannot be written to.
func OpenRefresher(ctx context.Context, c Config) (*Refresher, error) {
	config, err := c.pool()
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	delete(config.ConnConfig.RuntimeParams, readOnly)
	config.MaxConns, config.MinConns, config.MinIdleConns = mostWriters, 0, 0
	r := &Refresher{c: c}
	if r.pool, err = connect(ctx, config); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := r.look(ctx); err != nil {
		r.pool.Close()
		return nil, fmt.Errorf("postgres: refresh sessions: %w", err)
	}
	return r, nil
}

// look reads the schema, writes the update for it and tries that.
func (r *Refresher) look(ctx context.Context) error {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release(conn)
	catalog, err := readCatalog(ctx, conn, r.c.Tables)
	if err != nil {
		return err
	}
	names, err := r.c.Tables.Match(catalog.Catalog)
	if err != nil {
		return &store.UnusableError{Err: err}
	}
	if err := r.c.missing(names); err != nil {
		return err
	}
	q := &query{catalog: catalog, names: names}
	update := q.refresh()
	if q.err != nil {
		return &store.UnusableError{Err: q.err}
	}
	epoch := time.Unix(0, 0)
	if _, err := conn.Exec(ctx, update, "", "", epoch, epoch, epoch); err != nil {
		return q.explainWrite(err)
	}
	r.update.Store(&update)
	return nil
}

// refresh writes the UPDATE: Better Auth's own, and a comparison with what the gate has read, in milliseconds, for more
// may be lost on the way through a cache.
func (q *query) refresh() string {
	end := q.instant("s", "session", "expiresAt")
	set := q.name("expiresAt") + " = " + q.moment("expiresAt", "$4")
	if q.names.Has("session", "updatedAt") {
		set += ", " + q.name("updatedAt") + " = " + q.moment("updatedAt", "$5")
	}
	return "update " + q.table("session") + " s set " + set +
		"\nwhere " + q.column("s", "session", "token") + " = $1 and " + q.column("s", "session", "id") + "::text = $2" +
		"\n  and date_trunc('milliseconds', " + end + ") = date_trunc('milliseconds', $3::timestamptz)"
}

// name is a column of the session table, as SET wants it.
func (q *query) name(field string) string {
	return pgx.Identifier{q.names.Column("session", field)}.Sanitize()
}

// moment is a parameter as the column holds times; instant reads it back.
func (q *query) moment(field, parameter string) string {
	parameter += "::timestamptz"
	if q.kind("session", field) == "timestamp" {
		return "(" + parameter + " at time zone '" + q.names.TimeZone + "')"
	}
	return parameter
}

// explainWrite says what the role lacks.
func (q *query) explainWrite(err error) error {
	switch state(err) {
	case insufficientPrivilege:
		return fmt.Errorf("%w; grant update (%s, %s) on %s to the role of store.url",
			err, q.name("expiresAt"), q.name("updatedAt"), q.table("session"))
	case readOnlyServer:
		return fmt.Errorf("%w; store.url leads to a replica or a read-only role, which cannot refresh sessions", err)
	}
	return err
}

// Refresh implements gate.Refresher with one UPDATE.
func (r *Refresher) Refresh(ctx context.Context, c gate.Credential, s *gate.Session, now, until time.Time) (bool, error) {
	for attempt := 0; ; attempt++ {
		update := r.update.Load()
		renewed, lost, err := r.attempt(ctx, *update, c.Token(), s, now, until)
		switch {
		case err == nil:
			return renewed, nil
		case ctx.Err() != nil:
			return false, fmt.Errorf("postgres: refresh session: %w (%w)", ctx.Err(), err)
		case lost && attempt <= mostWriters, stalePlan(err) && attempt == 0:
			continue // it may have been done all the same; then the row ends elsewhere now, and this is no renewal
		case schemaChanged(err) && attempt == 0:
			if err := r.look(ctx); err != nil {
				return false, fmt.Errorf("postgres: refresh session: %w", err)
			}
			continue
		}
		return false, fmt.Errorf("postgres: refresh session: %w", err)
	}
}

// attempt asks on one connection, and reports whether it was lost over it.
func (r *Refresher) attempt(ctx context.Context, update, token string, s *gate.Session, now, until time.Time) (renewed, lost bool, err error) {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return false, false, err
	}
	defer release(conn)
	tag, err := conn.Exec(ctx, update, token, s.ID, s.ExpiresAt, until, now)
	return tag.RowsAffected() == 1, err != nil && conn.Conn().IsClosed(), err
}

// Ping reports whether sessions can be refreshed now.
func (r *Refresher) Ping(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return fmt.Errorf("postgres: refresh sessions: %w", err)
	}
	return nil
}

// Close closes every connection, after those in use have answered.
func (r *Refresher) Close() { r.pool.Close() }
