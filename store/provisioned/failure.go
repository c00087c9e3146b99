package provisioned

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

func isNone(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// refusal is a statement that the database would not run, now or in a second: a constraint, a missing column or grant, a
// value that a column cannot hold. It is gate.ErrNotProvisioned.
type refusal struct {
	table string
	text  string // names constraint and column, and quotes no value
}

func (r *refusal) Error() string { return "table " + r.table + ": " + r.text }

// Is makes a refusal gate.ErrNotProvisioned.
func (r *refusal) Is(target error) bool { return target == gate.ErrNotProvisioned }

// refused explains why a statement about a table failed: a refusal, or an error of a database that does not answer.
func (d *database) refused(table string, err error) error {
	text, ours := postgres.Refusal(err)
	if !ours {
		text, ours = sqlite.Refusal(err)
	}
	if ours {
		return &refusal{table, text}
	}
	return fmt.Errorf("table %s: %w", table, err)
}

// failures remembers for a second what was refused, so that requests in a row do not ask for the same again and again. It
// is safe for concurrent use.
type failures struct {
	mu    sync.Mutex
	known map[string]failure
}

type failure struct {
	err   error
	until time.Time
}

const (
	failureTTL   = time.Second
	mostFailures = 1000 // beyond, all are forgotten
)

// lately is the failure of a second ago, nil if there was none.
func (f *failures) lately(key string, now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.known[key]; ok && now.Before(known.until) {
		return known.err
	}
	return nil
}

// keep remembers an error if it is a refusal.
func (f *failures) keep(key string, err error, now time.Time) {
	if !errors.Is(err, gate.ErrNotProvisioned) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= mostFailures {
		f.known = make(map[string]failure)
	}
	f.known[strings.Clone(key)] = failure{err, now.Add(failureTTL)}
}
