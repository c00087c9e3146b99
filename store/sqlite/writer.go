package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"time"

	driver "modernc.org/sqlite"

	"github.com/usherauth/usher/betterauth"
)

// What the companion's store (store/accounts) needs of this one: its way to open a file, to read a schema, and to read and
// write what columns hold.

// Pools are the connections of one who reads and writes.
type Pools struct {
	Read  *sql.DB
	Write *sql.DB // one connection, whose transactions take the write lock at their beginning

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
	write, err := sql.Open("sqlite", dsn(path, "rw", "busy_timeout(20)", "foreign_keys(1)")+"&_txlock=immediate")
	if err != nil {
		_ = read.Close()
		return Pools{}, err
	}
	write.SetMaxOpenConns(1)
	p := Pools{Read: read, Write: write, path: path, file: info}
	if err := write.PingContext(ctx); err != nil {
		p.Close()
		return Pools{}, explainWrite(err)
	}
	return p, nil
}

// Close closes every connection.
func (p Pools) Close() {
	_ = p.Read.Close()
	_ = p.Write.Close()
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

// Changed reports whether the tables are no longer as they were looked at.
func Changed(err error) bool { return code(err) == codeError || code(err) == codeSchema }

// Remedy adds what to do to an error of a writer, where that is known.
func Remedy(err error) error { return explainWrite(err) }

// Refusal says why SQLite would not run a statement, now or in a second: a constraint, a missing column, a file that cannot
// be written. It names constraint and column, and quotes no value.
func Refusal(err error) (why string, ok bool) {
	const readOnly, constraint, mismatch, tooBig = 8, 19, 20, 18 // result codes
	var sent *driver.Error
	if !errors.As(err, &sent) {
		return "", false
	}
	switch sent.Code() & 0xff {
	case codeError, readOnly, constraint, mismatch, tooBig:
		return sent.Error(), true
	}
	return "", false
}
