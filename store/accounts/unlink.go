package accounts

import (
	"context"
	"errors"
	"slices"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
)

var (
	// ErrLastAccount is the error of unlinking the only account somebody has: it would lock them out.
	ErrLastAccount = errors.New("the last account of a user")

	// ErrNoAccount is the error of unlinking what is not an account of the user.
	ErrNoAccount = errors.New("the user has no such account")
)

// Unlink deletes an account of a user by its own id, and returns what it was. Unless lastToo, the only account of a user
// stays: ErrLastAccount, which comes before ErrNoAccount as in Better Auth. Counting and deleting is one step: of two who
// unlink at once one waits, and then counts what the other has left. Better Auth counts first and deletes later.
func (s *Store) Unlink(ctx context.Context, userID, id string, lastToo bool) (gone *record.Account, err error) {
	err = s.do(ctx, "unlink account", func(sc *schema) error {
		return s.transact(ctx, func(tx querier) (err error) {
			gone, err = unlink(ctx, sc, tx, userID, id, lastToo)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

func unlink(ctx context.Context, sc *schema, tx querier, userID, id string, lastToo bool) (*record.Account, error) {
	if err := sc.lockAccounts(ctx, tx, userID); err != nil {
		return nil, err
	}
	all, err := accountsOf(ctx, sc, tx, userID)
	if err != nil {
		return nil, err
	}
	if len(all) == 1 && !lastToo {
		return nil, ErrLastAccount
	}
	i := slices.IndexFunc(all, func(a record.Account) bool { return a.ID == id })
	if i < 0 {
		return nil, ErrNoAccount
	}
	return &all[i], sc.remove(ctx, tx, "account", []condition{{"id", id}, {"userId", userID}})
}

// lockAccounts keeps a user's accounts from being deleted by anybody else until the transaction ends, by Better Auth
// either. They are locked in one order, so that nobody waits for somebody who waits for him. SQLite's transactions hold
// its one lock from their beginning.
func (sc *schema) lockAccounts(ctx context.Context, tx querier, userID string) error {
	by := []condition{{"userId", userID}}
	if sc.dialect != betterauth.Postgres || !sc.possible("account", by) {
		return nil
	}
	where, args := sc.where("t", "account", by, 1)
	_, err := tx.ExecContext(ctx, "select 1 from "+sc.table("account")+" t"+where+" order by t."+sc.column("account", "id")+" for update", args...)
	return err
}
