package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/usherauth/usher/betterauth"
)

// What those who write (store/accounts, store/provisioned) need of this one: its way to connect and to read a schema, and
// what the server's errors mean.

// OpenWriter makes a pool of connections that may write, and its first connection. Its error says what to do.
func OpenWriter(ctx context.Context, c Config) (*sql.DB, error) { return c.openPool(ctx, true) }

// OpenReader makes one of connections that may only read.
func OpenReader(ctx context.Context, c Config) (*sql.DB, error) { return c.openPool(ctx, false) }

func (c Config) openPool(ctx context.Context, writes bool) (*sql.DB, error) {
	config, err := c.pool()
	if err != nil {
		return nil, err
	}
	if writes {
		delete(config.ConnConfig.RuntimeParams, readOnly)
	}
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
	err = conn.Raw(func(conn any) error {
		raw, ok := conn.(*stdlib.Conn)
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

// Unwritable reports whether nothing can be written on that server.
func Unwritable(err error) bool { return state(err) == readOnlyTransaction }

// Refused says what the server has against a row, and against which table, column and constraint as far as it tells, without
// any value. It is false of what says nothing about the row: the server, the connection, the statement.
func Refused(err error) (why, table, column, constraint string, ok bool) {
	var sent *pgconn.PgError
	if !errors.As(err, &sent) || len(sent.Code) != 5 {
		return "", "", "", "", false
	}
	switch sent.Code {
	case "23505", "23P01":
		why = "another row has the same"
	case "23502":
		why = "must not be null"
	case "23503":
		why = "what it refers to is not there"
	case "23514", "44000":
		why = "a condition does not hold"
	case insufficientPrivilege:
		why = "the role lacks a grant, or a policy refuses the row"
	default:
		switch sent.Code[:2] {
		case "22":
			why = "cannot hold the value"
		case "00", "01", "02", "03", "08", "0A", "25", "26", "28", "2D", "34", "3D", "3F", "40", "42", "53", "55", "57", "58", "F0", "HV", "XX":
			return "", "", "", "", false
		default: // also whatever a trigger raises, whose words may hold values
			why = "the database refuses it"
		}
	}
	return why + " (SQLSTATE " + sent.Code + ")", sent.TableName, sent.ColumnName, sent.ConstraintName, true
}

// Lost reports whether a connection ended below a statement, as when the server is restarted. Another may be there.
func Lost(err error) bool {
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		return false
	}
	switch state(err) {
	case "57P01", "57P02": // the server is told to end, or has crashed
		return true
	case "":
		var op *net.OpError
		return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
			pgconn.SafeToRetry(err) || errors.As(err, &op) && !op.Timeout()
	}
	return false
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
