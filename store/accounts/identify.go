package accounts

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

var (
	// ErrTaken is the error of a write that a unique key refuses: an e-mail address, or (provider, account id) where
	// `usher schema apply` has made that index.
	ErrTaken = errors.New("a unique key is taken")

	// ErrDuplicate is the error of a lookup that finds two accounts of one identity. Better Auth refuses to choose, and so
	// does this. `usher schema apply` says how to find them.
	ErrDuplicate = errors.New("several accounts have this provider and account id")
)

// UserChange is what to change of a user; a nil pointer leaves a column as it is. The zero value changes updatedAt only,
// as Better Auth does.
type UserChange struct {
	Name, Email   *string
	Image         **string // a pointer to nil: NULL
	EmailVerified *bool
	LiftBan       bool // banned becomes false, reason and end NULL
}

// AccountChange is what to change of an account; a nil pointer leaves a column as it is.
type AccountChange struct {
	AccessToken, RefreshToken, IDToken          *string
	AccessTokenExpiresAt, RefreshTokenExpiresAt *time.Time
	Scope                                       *string
}

// Tx is one transaction, of Identify. Rows that are not there are nil without an error.
type Tx interface {
	Account(ctx context.Context, providerID, accountID string) (*record.Account, error) // ErrDuplicate where there are two
	AccountsOf(ctx context.Context, userID string) ([]record.Account, error)
	User(ctx context.Context, id string) (*record.User, error)
	UserByEmail(ctx context.Context, email string) (*record.User, error)

	// The inserts set the record's id, and the address in lower case.
	InsertUser(ctx context.Context, u *record.User) error
	InsertAccount(ctx context.Context, a *record.Account) error

	UpdateUser(ctx context.Context, id string, change UserChange, now time.Time) error
	UpdateAccount(ctx context.Context, id string, change AccountChange, now time.Time) error
}

// attempts bounds how often Identify runs what it is given. Each but the first has seen somebody else win.
const attempts = 8

// Identify runs do in one transaction, alone among all who identify the same account of a provider or the same e-mail
// address; accountID or email may be empty. do must use only its Tx, and may run again from the beginning in a new
// transaction: when a unique key was taken by somebody who does not ask for the locks (Better Auth itself), or when the
// database says that transactions got in each other's way. A key that is taken every time is ErrTaken. An error of do ends
// the transaction without effect, and is returned as it is. Users that were changed are brought into the secondary storage
// after the transaction, so an error of that storage says nothing against what was written.
func (s *Store) Identify(ctx context.Context, providerID, accountID, email string, do func(Tx) error) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	var touched []string
	err := s.use(ctx, func() (err error) {
		touched, err = s.identify(ctx, locks(providerID, accountID, record.Lower(email)), do)
		return err
	})
	if err != nil {
		return err
	}
	return s.copyUsers(ctx, touched)
}

// identify returns the users that were changed.
func (s *Store) identify(ctx context.Context, keys []int64, do func(Tx) error) (touched []string, err error) {
	for attempt := 1; ; attempt++ {
		t := &transaction{store: s, sc: s.schema.Load()}
		err := s.transact(ctx, func(tx querier) error { return t.run(ctx, tx, keys, do) })
		if err == nil {
			return t.touched, nil
		}
		if attempt < attempts && ctx.Err() == nil {
			switch {
			case t.taken:
				continue
			case postgres.Again(err) || sqlite.Busy(err):
				if wait(ctx, time.Duration(attempt)*5*time.Millisecond) == nil {
					continue
				}
			case attempt == 1 && s.changed(err):
				if s.look(ctx) == nil {
					continue
				}
			}
		}
		if t.own != nil && t.failed == nil {
			return nil, t.own
		}
		return nil, s.explain(ctx, "identify", err)
	}
}

// run is one attempt.
func (t *transaction) run(ctx context.Context, tx querier, keys []int64, do func(Tx) error) error {
	t.tx = tx
	if t.sc.dialect == betterauth.Postgres { // SQLite's transactions hold its one lock from their beginning
		for _, key := range keys {
			if _, err := tx.ExecContext(ctx, "select pg_catalog.pg_advisory_xact_lock($1)", key); err != nil {
				return err
			}
		}
	}
	if t.own = do(t); t.own != nil {
		return t.own
	}
	return t.failed // PostgreSQL would roll back, and SQLite commit a half
}

// transact runs statements in one transaction, and takes them back if they fail.
func (s *Store) transact(ctx context.Context, run func(querier) error) error {
	if s.dialect == betterauth.SQLite {
		return s.transactSQLite(ctx, run)
	}
	// At this level a statement sees what the holder of the lock before has committed.
	tx, err := s.writer.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := run(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// transactSQLite is the same without sql.Tx: its Commit cannot be repeated, and without WAL a reader can keep a COMMIT
// waiting.
func (s *Store) transactSQLite(ctx context.Context, run func(querier) error) (err error) {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	say := func(ctx context.Context, word string) error {
		return s.patiently(ctx, func() error { _, err := conn.ExecContext(ctx, word); return err })
	}
	if err := say(ctx, "begin immediate"); err != nil {
		return err
	}
	committed := false
	defer func() { // also when run panics
		if committed {
			return
		}
		if say(context.WithoutCancel(ctx), "rollback") != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // whoever gets it next must not continue this
		}
	}()
	if err := run(conn); err != nil {
		return err
	}
	err = say(ctx, "commit")
	committed = err == nil
	return err
}

// locks are the keys of the advisory locks in the order in which everybody takes them: by number, so that nobody waits for
// somebody who waits for him.
func locks(providerID, accountID, email string) []int64 {
	var keys []int64
	if accountID != "" {
		keys = append(keys, lockKey("account", providerID, accountID))
	}
	if email != "" {
		keys = append(keys, lockKey("email", email))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func lockKey(words ...string) int64 {
	sum := sha256.Sum256([]byte("usher identify\x00" + strings.Join(words, "\x00")))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // any number will do
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// transaction is a Tx.
type transaction struct {
	store   *Store
	sc      *schema
	tx      querier
	own     error    // what do returned
	failed  error    // the first error of the database
	taken   bool     // a unique key refused a row
	touched []string // users that were changed
}

// fail keeps the database's first error: after it nothing may be committed.
func (t *transaction) fail(err error) error {
	if err == nil {
		return nil
	}
	if t.store.taken(err) {
		t.taken = true
		err = fmt.Errorf("%w (%w)", ErrTaken, err)
	}
	if t.failed == nil {
		t.failed = err
	}
	return err
}

func (t *transaction) Account(ctx context.Context, providerID, accountID string) (*record.Account, error) {
	conditions := []condition{{"providerId", providerID}, {"accountId", accountID}}
	two, err := find(ctx, t.sc, t.tx, "account", accountCells, conditions, "", 2, nil)
	if err == nil && len(two) > 1 {
		return nil, ErrDuplicate
	}
	return first(two, t.fail(err))
}

func (t *transaction) AccountsOf(ctx context.Context, userID string) ([]record.Account, error) {
	all, err := accountsOf(ctx, t.sc, t.tx, userID)
	return all, t.fail(err)
}

func (t *transaction) User(ctx context.Context, id string) (*record.User, error) {
	u, err := first(find(ctx, t.sc, t.tx, "user", userCells, []condition{{"id", id}}, "", 1, nil))
	return u, t.fail(err)
}

func (t *transaction) UserByEmail(ctx context.Context, email string) (*record.User, error) {
	u, err := first(find(ctx, t.sc, t.tx, "user", userCells, []condition{{"email", record.Lower(email)}}, "", 1, nil))
	if err == nil && u != nil && !sameAddress(u.Email, email) {
		u = nil
	}
	return u, t.fail(err)
}

// sameAddress is the library's second look at whom an address found (findUserByEmail of 1.7.25), for the database decides by
// its collation: one that takes é for e finds somebody else.
func sameAddress(a, b string) bool {
	return record.Lower(norm.NFC.String(a)) == record.Lower(norm.NFC.String(b))
}

func (t *transaction) InsertUser(ctx context.Context, u *record.User) error {
	return t.fail(insertUser(ctx, t.sc, t.tx, u))
}

func (t *transaction) InsertAccount(ctx context.Context, a *record.Account) error {
	return t.fail(t.sc.insert(ctx, t.tx, "account", &a.ID, accountCells(a)))
}

func (t *transaction) UpdateUser(ctx context.Context, id string, change UserChange, now time.Time) error {
	_, err := t.sc.update(ctx, t.tx, "user", change.conditions(now), []condition{{"id", id}})
	if err == nil {
		t.touched = append(t.touched, id)
	}
	return t.fail(err)
}

func (t *transaction) UpdateAccount(ctx context.Context, id string, change AccountChange, now time.Time) error {
	_, err := t.sc.update(ctx, t.tx, "account", change.conditions(now), []condition{{"id", id}})
	return t.fail(err)
}
