package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"time"

	driver "modernc.org/sqlite"

	"github.com/usherauth/usher/betterauth"
)

// What those who write (store/accounts, store/provisioned) need of this one: its way to open a file, to read a schema, and to
// read and write what columns hold.

// Pools are the connections of one who reads and writes.
type Pools struct {
	Read  *sql.DB
	Write *sql.DB // one connection, whose transactions take the write lock at their beginning; nil of OpenReader

	path string
	file os.FileInfo // which file they have open
}

// Replaced reports whether the path names another file now: what is written goes into one that nobody reads.
func (p Pools) Replaced() bool {
	info, err := file(p.path)
	return err == nil && !os.SameFile(info, p.file)
}

// OpenPools opens the file that is there; it makes none. SQLite's own wait for another writer cannot be interrupted, so it
// is short, and left to Patiently.
func OpenPools(ctx context.Context, c Config) (Pools, error) {
	p, err := OpenReader(c)
	if err != nil {
		return Pools{}, err
	}
	p.Write, err = sql.Open("sqlite", dsn(p.path, "rw", "busy_timeout(20)", "foreign_keys(1)")+"&_txlock=immediate")
	if err != nil {
		_ = p.Read.Close()
		return Pools{}, err
	}
	p.Write.SetMaxOpenConns(1)
	if err := p.Write.PingContext(ctx); err != nil {
		p.Close()
		return Pools{}, explainWrite(err)
	}
	return p, nil
}

// OpenReader does the same for one who only reads.
func OpenReader(c Config) (Pools, error) {
	path, err := c.path()
	if err != nil {
		return Pools{}, err
	}
	info, err := file(path)
	if err != nil {
		return Pools{}, err
	}
	read, err := openReadOnly(path)
	if err != nil {
		return Pools{}, err
	}
	most := c.MaxConns
	if most <= 0 {
		most = 4
	}
	read.SetMaxOpenConns(most)
	read.SetMaxIdleConns(most)
	return Pools{Read: read, path: path, file: info}, nil
}

// Close closes every connection.
func (p Pools) Close() {
	_ = p.Read.Close()
	if p.Write != nil {
		_ = p.Write.Close()
	}
}

// ReadCatalog looks at the tables that may be Better Auth's, and at their indexes.
func ReadCatalog(ctx context.Context, db *sql.DB, tables betterauth.Tables) (betterauth.Catalog, error) {
	return readCatalog(ctx, db, tables)
}

// Instant reads a time in any of the forms that toolchains put into SQLite. Null and empty are the zero time.
func Instant(value any) (time.Time, error) { return instant(value) }

// Alike is an instant in the form of a value that Instant could read; nil where that is null or empty.
func Alike(value any, at time.Time) any { return alike(value, at) }

// Flag reads a boolean. Null is false.
func Flag(value any) (bool, error) { return flag(value) }

// Busy reports whether another writer kept a statement from running.
func Busy(err error) bool { return code(err) == codeBusy }

// Taken reports whether a row was refused because of a unique or primary key.
func Taken(err error) bool {
	const unique, primary = 2067, 1555 // extended result codes
	var sent *driver.Error
	return errors.As(err, &sent) && (sent.Code() == unique || sent.Code() == primary)
}

// Refused says what SQLite has against a row, and against which column or constraint as far as it tells, without any value.
// It is false of what says nothing about the row: the file, the statement.
func Refused(err error) (why, column, constraint string, ok bool) {
	const (
		tooBig     = 18
		constrains = 19
		mismatch   = 20

		check, foreignKey, notNull, primary, trigger, unique, rowID = 275, 787, 1299, 1555, 1811, 2067, 2579
	)
	var sent *driver.Error
	if !errors.As(err, &sent) {
		return "", "", "", false
	}
	// "constraint failed: UNIQUE constraint failed: users.email, users.tenant (2067)"
	_, names, _ := strings.Cut(sent.Error(), " constraint failed: ")
	if i := strings.LastIndex(names, " ("); i >= 0 {
		names = names[:i]
	}
	switch sent.Code() {
	case unique, primary, rowID:
		return "another row has the same", names, "", true
	case notNull:
		return "must not be null", names, "", true
	case check:
		return "a condition does not hold", "", names, true
	case foreignKey:
		return "what it refers to is not there", "", "", true
	case trigger: // its words may hold values
		return "a trigger refuses it", "", "", true
	}
	switch sent.Code() & 0xff {
	case constrains:
		return "the database refuses it", "", "", true
	case tooBig, mismatch:
		return "cannot hold the value", "", "", true
	}
	return "", "", "", false
}

// Changed reports whether the tables are no longer as they were looked at.
func Changed(err error) bool { return code(err) == codeError || code(err) == codeSchema }

// Remedy adds what to do to an error of a writer, where that is known.
func Remedy(err error) error { return explainWrite(err) }
