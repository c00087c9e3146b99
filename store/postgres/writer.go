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

// ReadCatalog looks at the tables that may be Better Auth's, without their indexes. The second result says in which schema
// each table is.
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
