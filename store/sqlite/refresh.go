package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Refresher moves the ends of sessions: the one write of a gate. It implements gate.Refresher, has a connection of its
// own, for a Store's are read-only, and is safe for concurrent use.
type Refresher struct {
	c    Config
	path string

	turn   chan struct{} // full while somebody uses what follows; one at a time can write anyway
	db     *sql.DB       // nil: not open
	file   os.FileInfo   // which file db has open
	sql    statements
	closed bool
}

// statements are written for what the schema is.
type statements struct{ read, write string }

// OpenRefresher opens the file for writing and tries the write on no row. Its error says what to do.
func OpenRefresher(ctx context.Context, c Config) (*Refresher, error) {
	path, err := c.path()
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	r := &Refresher{c: c, path: path, turn: make(chan struct{}, 1)}
	if err := r.Ping(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Ping reports whether sessions can be refreshed now.
func (r *Refresher) Ping(ctx context.Context) error {
	err := r.alone(ctx, func() error {
		if err := r.open(ctx); err != nil {
			return err
		}
		return r.look(ctx)
	})
	if err != nil {
		return fmt.Errorf("sqlite: refresh sessions: %w", err)
	}
	return nil
}

// alone keeps others from using the connection at the same time.
func (r *Refresher) alone(ctx context.Context, do func() error) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.closed {
		return sql.ErrConnDone
	}
	return do()
}

// open opens the file that the path names now.
func (r *Refresher) open(ctx context.Context) error {
	info, err := file(r.path)
	if err != nil {
		return err
	}
	if r.db != nil && os.SameFile(info, r.file) {
		return nil
	}
	db, err := sql.Open("sqlite", dsn(r.path, "rw", "busy_timeout(20)")) // repeated by patiently
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	r.shut()
	r.db, r.file = db, info
	if err := r.look(ctx); err != nil {
		r.shut()
		return err
	}
	return nil
}

// look reads the schema, writes the statements for it and tries them.
func (r *Refresher) look(ctx context.Context) error {
	err := patiently(ctx, func() error {
		catalog, err := readCatalog(ctx, r.db, r.c.Tables)
		if err != nil {
			return err
		}
		names, err := r.c.Tables.Match(catalog)
		if err != nil {
			return &store.UnusableError{Err: err}
		}
		if err := r.c.missing(names); err != nil {
			return err
		}
		r.sql = query{names}.refresh()
		_, err = r.db.ExecContext(ctx, r.sql.write, "", "", nil, nil, nil)
		return err
	})
	return explainWrite(err)
}

// refresh writes the statements: one reads what the columns hold, for every toolchain puts in something else; the other
// is Better Auth's UPDATE, and a comparison with what was read.
func (q query) refresh() statements {
	end, updated := q.column("s", "session", "expiresAt"), "null"
	set := quote(q.names.Column("session", "expiresAt")) + " = ?4"
	if q.names.Has("session", "updatedAt") {
		updated = "+" + q.column("s", "session", "updatedAt")
		set += ", " + quote(q.names.Column("session", "updatedAt")) + " = ?5"
	}
	where := "\nwhere " + q.column("s", "session", "token") + " = ?1 and cast(" + q.column("s", "session", "id") + " as text) = ?2"
	return statements{
		read:  "select +" + end + ", " + updated + " from " + q.table("session") + " s" + where,
		write: "update " + q.table("session") + " as s set " + set + where + " and +" + end + " is ?3",
	}
}

// explainWrite says what Usher's user lacks.
func explainWrite(err error) error {
	switch code(err) {
	case codeCantOpen, codePerm, codeReadOnly:
		return fmt.Errorf("%w; let Usher's user write the file, and in its folder", err)
	}
	return remedy(err)
}

// Refresh implements gate.Refresher. It keeps the form in which the columns hold times.
func (r *Refresher) Refresh(ctx context.Context, c gate.Credential, s *gate.Session, now, until time.Time) (renewed bool, err error) {
	err = r.alone(ctx, func() error {
		if err := r.open(ctx); err != nil {
			return err
		}
		renewed, err = r.move(ctx, c.Token(), s, now, until)
		if code(err) == codeError || code(err) == codeSchema { // a migration?
			if err := r.look(ctx); err != nil {
				return err
			}
			renewed, err = r.move(ctx, c.Token(), s, now, until)
		}
		return err
	})
	switch {
	case err == nil:
		return renewed, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("sqlite: refresh session: %w (%w)", ctx.Err(), err)
	default:
		return false, fmt.Errorf("sqlite: refresh session: %w", explainWrite(err))
	}
}

func (r *Refresher) move(ctx context.Context, token string, s *gate.Session, now, until time.Time) (renewed bool, err error) {
	err = patiently(ctx, func() error {
		var end, updated any
		err := r.db.QueryRowContext(ctx, r.sql.read, token, s.ID).Scan(&end, &updated)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // gone, or another session has the token now
		}
		if err != nil {
			return err
		}
		at, err := instant(end)
		if err != nil {
			return fmt.Errorf("column session.expiresAt holds %w", err)
		}
		if !sameMillisecond(at, s.ExpiresAt) {
			return nil
		}
		newEnd, newUpdated := alike(end, until), alike(updated, now)
		if newUpdated == nil {
			newUpdated = alike(end, now)
		}
		done, err := r.db.ExecContext(ctx, r.sql.write, token, s.ID, end, newEnd, newUpdated)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		renewed = n == 1
		return err
	})
	return renewed, err
}

// sameMillisecond reports whether two instants are the same as far as Better Auth writes them. A real may be off by less.
func sameMillisecond(a, b time.Time) bool {
	return a.Round(time.Millisecond).Equal(b.Round(time.Millisecond)) || a.Truncate(time.Millisecond).Equal(b.Truncate(time.Millisecond))
}

// alike is an instant in the form of a value that instant could read; nil where that is null or empty.
func alike(value any, at time.Time) any {
	at = at.UTC()
	switch v := value.(type) {
	case int64:
		if v > -secondsBelow && v < secondsBelow {
			return at.Unix()
		}
		return at.UnixMilli()
	case float64:
		if v > -secondsBelow && v < secondsBelow {
			return float64(at.UnixMilli()) / 1e3
		}
		return float64(at.UnixMilli())
	case []byte:
		return alike(string(v), at)
	case string:
		v = strings.TrimSpace(v)
		if number, err := strconv.ParseFloat(v, 64); err == nil {
			if strings.Contains(v, ".") {
				return strconv.FormatFloat(alike(number, at).(float64), 'f', -1, 64)
			}
			return strconv.FormatInt(alike(int64(number), at).(int64), 10)
		}
		switch {
		case v == "":
			return nil
		case strings.Contains(v, "T"):
			return at.Format("2006-01-02T15:04:05.000Z")
		case strings.Contains(v, "."):
			return at.Format("2006-01-02 15:04:05.000")
		default:
			return at.Format("2006-01-02 15:04:05")
		}
	}
	return nil
}

// shut closes the connection.
func (r *Refresher) shut() {
	if r.db != nil {
		_ = r.db.Close()
	}
	r.db, r.file = nil, nil
}

// Close closes the connection, after the refresh under way.
func (r *Refresher) Close() {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.shut()
	r.closed = true
}
