package provisioned

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// refusedError says that the database, or this package for it, refuses one row. It wraps nothing: what the database says may
// hold values.
type refusedError struct {
	text string
	why  Why

	// What PostgreSQL leaves out: see name.
	unnamed    bool   // some column cannot hold a value
	constraint string // that is broken; its columns are not known
}

func (e *refusedError) Error() string { return e.text }

// Is tells the gate what it is: no database that is away, but a row that is not to be had.
func (e *refusedError) Is(target error) bool { return target == gate.ErrNotProvisioned }

func refusal(err error) (*refusedError, bool) {
	var refused *refusedError
	return refused, errors.As(err, &refused)
}

func refuse(format string, args ...any) error {
	return &refusedError{text: fmt.Sprintf(format, args...), why: ForOther}
}

// explain gives an error of a statement for rows of this table its words.
func (l *layout) explain(what string, d *database, err error) error {
	return explain(fmt.Sprintf("%s in table %q", what, l.configured), l.name, d, err)
}

// explain does the same for a statement that reads all tables.
func (s *shape) explain(what string, d *database, err error) error {
	var names []string
	for _, l := range s.layouts() {
		names = append(names, strconv.Quote(l.configured))
	}
	return explain(what+" in table "+strings.Join(names, ", "), "", d, err)
}

func explain(what, own string, d *database, err error) error {
	if _, refused := refusal(err); refused || err == nil {
		return err
	}
	var why, table, column, constraint string
	var ok bool
	if d.dialect == betterauth.Postgres {
		why, table, column, constraint, ok = postgres.Refused(err)
	} else {
		why, column, constraint, ok = sqlite.Refused(err)
	}
	if !ok {
		return fmt.Errorf("%s: %w", what, d.remedy(err))
	}
	text := what + ": "
	for _, part := range []struct{ word, name string }{{"table", table}, {"column", column}, {"constraint", constraint}} {
		const longest = 200 // SQLite names a nameless condition by all its text
		if part.name != "" && (part.word != "table" || part.name != own) {
			text += fmt.Sprintf("%s %q: ", part.word, part.name[:min(len(part.name), longest)])
		}
	}
	found := &refusedError{text: text + why, why: ForOther}
	switch {
	case strings.Contains(why, unreadable):
		found.why = ForValue
	case strings.Contains(why, "SQLSTATE 42501"):
		found.why = ForGrant
	case column+constraint != "":
		found.why = ForConstraint
	}
	if own != "" && column == "" && d.dialect == betterauth.Postgres {
		found.unnamed, found.constraint = constraint == "" && strings.Contains(why, unreadable), constraint
	}
	return found
}

// doomed remembers rows that were refused a moment ago, so that the database is not asked with the same for each request.
// The zero value is empty.
type doomed struct {
	mu   sync.Mutex
	rows map[doom]refusedAt
}

type doom struct{ section, id, organization string }

type refusedAt struct {
	err error
	end time.Time
}

const (
	doomedFor  = time.Second
	doomedRows = 1024
)

func (d *doomed) find(row doom, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.rows[row]; ok && now.Before(at.end) {
		return at.err
	}
	return nil
}

func (d *doomed) add(row doom, err error, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rows == nil {
		d.rows = make(map[doom]refusedAt)
	}
	if len(d.rows) >= doomedRows {
		for key, at := range d.rows {
			if !now.Before(at.end) {
				delete(d.rows, key)
			}
		}
	}
	for key := range d.rows { // any: what is forgotten is only asked again
		if len(d.rows) < doomedRows {
			break
		}
		delete(d.rows, key)
	}
	d.rows[row] = refusedAt{err, now.Add(doomedFor)}
}
