package store

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxMemberships is how many memberships of one user are read, the oldest first. Better Auth itself reads 100.
const MaxMemberships = 1000

// MaxToken is the longest token, in bytes, that is looked up. Better Auth's own have 32.
const MaxToken = 512

// Askable reports whether a token can be that of a session. A client chooses its bytes: what no text column can hold
// would come back from a database as an error, and an error is a 503 instead of a 401.
func Askable(token string) bool {
	return token != "" && len(token) <= MaxToken && strings.IndexByte(token, 0) < 0 && utf8.ValidString(token)
}

// MissingError says that a database lacks what sessions cannot be read without: a whole table where Column is empty.
type MissingError struct {
	Table  string
	Column string
	Hint   string // what to do about it
}

func (e *MissingError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("the database has no table %q: %s", e.Table, e.Hint)
	}
	return fmt.Sprintf("table %q has no column %q: %s", e.Table, e.Column, e.Hint)
}

// UnusableError wraps an error that waiting does not mend: a URL that cannot be read, a file that is no database, columns
// that cannot hold what Better Auth keeps in them.
type UnusableError struct{ Err error }

func (e *UnusableError) Error() string { return e.Err.Error() }

// Unwrap is for errors.Is and errors.As.
func (e *UnusableError) Unwrap() error { return e.Err }

// Permanent reports whether an error of opening a store stays until somebody changes the configuration or the schema. A
// server that cannot be reached, a password or a grant that is refused and a file that is not there yet may all come
// right by themselves.
func Permanent(err error) bool {
	var missing *MissingError
	var unusable *UnusableError
	return errors.As(err, &missing) || errors.As(err, &unusable)
}

// SchemaReport is what a look at a database's schema found.
type SchemaReport struct {
	Missing    []Finding // sessions cannot be read without them
	Refused    []Finding // everything is there, and sessions cannot be read all the same; the note says why
	Unexpected []Finding // columns that Better Auth does not know
	Indexes    []Finding // advised and not there; SQL makes them

	// Instead says why Apply for a gate would not make all that is missing, and what to do; empty: it makes it.
	Instead string

	// Untold is what keeps the database from telling what changes in it; nothing where Told, or where nothing needs to be
	// installed for that. Sessions can be read all the same.
	Untold []Finding
	Told   bool // the triggers of `usher schema apply -revocation` are there, complete and enabled

	// What the schema has of Better Auth's plugins, as far as a gate looks at it.
	Organizations, Teams, Bans bool
}

// Finding is one line of a SchemaReport.
type Finding struct {
	Table  string // empty: the note says it all
	Column string // empty: the whole table, or an index
	Note   string // what it is about, or what to do
	SQL    string // the statement that makes an index
}

// OK reports whether sessions can be read.
func (r *SchemaReport) OK() bool { return len(r.Missing)+len(r.Refused) == 0 }

// PoolStats are the connections of a store at one moment.
type PoolStats struct {
	Max    int
	Open   int
	InUse  int
	Waits  int64         // lookups that had to wait for a connection, since the start
	Waited time.Duration // how long, all together
}
