package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/usherauth/usher/betterauth"
)

// What the companion's store (store/accounts) needs of this one: its way to connect and to read a schema, and what the
// server's errors mean.

// OpenWriter makes a pool of connections that may write, and its first connection. Its error says what to do.
func OpenWriter(ctx context.Context, c Config) (*sql.DB, error) {
	config, err := c.pool()
	if err != nil {
		return nil, err
	}
	delete(config.ConnConfig.RuntimeParams, readOnly)
	db := stdlib.OpenDB(*config.ConnConfig)
	db.SetMaxOpenConns(int(config.MaxConns))
	db.SetMaxIdleConns(int(config.MaxConns))
	db.SetConnMaxIdleTime(idleTimeout)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("%w; %s", err, remedy(err))
	}
	return db, nil
}

// ReadCatalog looks at the tables that may be Better Auth's, and at their indexes. The second result says in which
// schema each table is.
func ReadCatalog(ctx context.Context, db *sql.DB, tables betterauth.Tables) (found betterauth.Catalog, schemas map[string]string, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return found, nil, err
	}
	defer conn.Close()
	err = conn.Raw(func(driver any) error {
		raw, ok := driver.(*stdlib.Conn)
		if !ok {
			return errors.New("not a pool of OpenWriter")
		}
		c, err := readCatalog(ctx, raw.Conn(), tables)
		if err != nil {
			return err
		}
		if err := c.readIndexes(ctx, raw.Conn(), tables); err != nil {
			return err
		}
		found, schemas = c.Catalog, c.schemas
		return nil
	})
	return found, schemas, err
}

// Taken reports whether a row was refused because of a unique key.
func Taken(err error) bool { return state(err) == "23505" }

// Again reports whether a transaction failed only because of others at the same time, or of a migration, and may succeed
// when it is run once more.
func Again(err error) bool {
	switch state(err) {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	}
	return stalePlan(err)
}

// Denied reports whether the role lacks a grant.
func Denied(err error) bool { return state(err) == insufficientPrivilege }

// Unwritable reports whether nothing can be written on that server.
func Unwritable(err error) bool { return state(err) == readOnlyTransaction }

// Changed reports whether the tables are no longer as they were looked at.
func Changed(err error) bool { return schemaChanged(err) }

// Plain is an error that quotes no value. What the server says about a value it cannot read (class 22) repeats it.
func Plain(err error) error {
	var sent *pgconn.PgError
	if errors.As(err, &sent) && strings.HasPrefix(sent.Code, "22") {
		return &plainError{"the database cannot hold a value (SQLSTATE " + sent.Code + ")", err}
	}
	return err
}

// plainError has another text than what it wraps.
type plainError struct {
	text string
	err  error
}

func (e *plainError) Error() string { return e.text }

func (e *plainError) Unwrap() error { return e.err }

// Refusal says why a server would not run a statement, now or in a second: a constraint, a missing column or grant, a value
// that a column cannot hold. It names constraint and column, and quotes no value.
func Refusal(err error) (why string, ok bool) {
	var sent *pgconn.PgError
	if !errors.As(err, &sent) || len(sent.Code) != 5 {
		return "", false
	}
	switch sent.Code[:2] {
	case "22", "P0", "44": // a value that cannot be read, a trigger's own error, a view's check: their messages may repeat values
		why = "the database refuses a value"
	case "23", "42", "0A", "25":
		why = sent.Message
	default:
		return "", false
	}
	for _, named := range [...]struct{ what, name string }{{"column", sent.ColumnName}, {"constraint", sent.ConstraintName}} {
		if named.name != "" && !strings.Contains(why, `"`+named.name+`"`) {
			why += ", " + named.what + ` "` + named.name + `"`
		}
	}
	return why + " (SQLSTATE " + sent.Code + ")", true
}
