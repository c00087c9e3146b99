package accounts_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store/accounts"
)

// signIn does what a callback does: the account, else the user of that address, else both are made.
func signIn(ctx context.Context, s *accounts.Store, provider, id, email string, slow func()) (userID string, err error) {
	err = s.Identify(ctx, provider, id, email, func(tx accounts.Tx) error {
		a, err := tx.Account(ctx, provider, id)
		if err != nil {
			return err
		}
		slow()
		if a != nil {
			userID = a.UserID
			return tx.UpdateAccount(ctx, a.ID, accounts.AccountChange{AccessToken: ptr("again")}, start())
		}
		u, err := tx.UserByEmail(ctx, email)
		if err != nil {
			return err
		}
		slow()
		if u == nil {
			u = &record.User{Name: "Ada", Email: email, CreatedAt: start(), UpdatedAt: start()}
			if err := tx.InsertUser(ctx, u); err != nil {
				return err
			}
		}
		userID = u.ID
		return tx.InsertAccount(ctx, &record.Account{ProviderID: provider, AccountID: id, UserID: u.ID, CreatedAt: start(), UpdatedAt: start()})
	})
	return userID, err
}

const uniqueAccount = `create unique index "account_providerId_accountId_uidx" on "account" ("providerId", "accountId")`

// TestManyAtOnce: 200 sign-ins of one identity make one user and one account, on two stores as on two replicas.
func TestManyAtOnce(t *testing.T) {
	for _, index := range []bool{true, false} {
		for _, known := range []bool{true, false} {
			name := map[bool]string{true: "index", false: "no index"}[index] + map[bool]string{true: ", user is known", false: ", nobody yet"}[known]
			t.Run(name, func(t *testing.T) {
				each(t, "core", func(t *testing.T, d *database) {
					if index {
						d.exec(t, uniqueAccount)
					}
					replicas := []*accounts.Store{d.open(t), d.open(t)}
					if known {
						d.exec(t, `insert into "user" ("id", "name", "email", "emailVerified", "createdAt", "updatedAt")
							values ('u1', 'Ada', 'ada@example.com', '1', '2026-11-21T20:42:23.514Z', '2026-11-21T20:42:23.514Z')`)
					}
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
					defer cancel()
					users := make([]string, 200)
					together(len(users), func(i int) {
						var err error
						users[i], err = signIn(ctx, replicas[i%2], "google", "g-1", "ada@example.com", func() {})
						if err != nil {
							t.Error(err)
						}
					})
					for _, id := range users {
						if id != users[0] || known && id != "u1" {
							t.Fatalf("different users: %q", users)
						}
					}
					if n := d.ask(t, `select (select count(*) from "user"), (select count(*) from "account")`); n != "1|1" {
						t.Errorf("users|accounts: %s", n)
					}
				})
			})
		}
	}
}

// TestTwoProvidersOfOneAddress meet on the e-mail only.
func TestTwoProvidersOfOneAddress(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		together(40, func(i int) {
			provider := []string{"google", "github"}[i%2]
			if _, err := signIn(ctx, s, provider, "id", "ada@example.com", func() {}); err != nil {
				t.Error(err)
			}
		})
		if n := d.ask(t, `select (select count(*) from "user"), (select count(*) from "account")`); n != "1|2" {
			t.Errorf("users|accounts: %s", n)
		}
	})
}

// TestSomebodyWithoutLocks is Better Auth itself: it makes user and account between our lookup and our insert.
func TestSomebodyWithoutLocks(t *testing.T) {
	d := newPostgres(t)
	d.apply(t, "core")
	d.exec(t, uniqueAccount)
	s := d.open(t)
	var once atomic.Int32
	userID, err := signIn(t.Context(), s, "google", "g-1", "ada@example.com", func() {
		if once.Add(1) == 2 { // we have found neither
			d.exec(t, `insert into "user" ("id", "name", "email", "emailVerified") values ('js', 'Ada', 'ada@example.com', true);
				insert into "account" ("id", "accountId", "providerId", "userId", "updatedAt") values ('a', 'g-1', 'google', 'js', now())`)
		}
	})
	if err != nil || userID != "js" {
		t.Errorf("got user %q, %v", userID, err)
	}
	if n := d.ask(t, `select (select count(*) from "user"), (select count(*) from "account"), (select "accessToken" from account)`); n != "1|1|again" {
		t.Errorf("users|accounts: %s", n)
	}
}

func TestErrorsEndTheTransaction(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		own := errors.New("the linking rules say no")
		err := s.Identify(t.Context(), "google", "g-1", "ada@example.com", func(tx accounts.Tx) error {
			if err := tx.InsertUser(t.Context(), ada()); err != nil {
				return err
			}
			return own
		})
		if err != own { //nolint:errorlint // as it is
			t.Errorf("got %v", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = s.Identify(t.Context(), "google", "g-1", "", func(tx accounts.Tx) error {
				_ = tx.InsertUser(t.Context(), ada())
				panic("a bug")
			})
		}()
		if n := d.ask(t, `select count(*) from "user"`); n != "0" {
			t.Errorf("%s users are left", n)
		}
		if _, err := signIn(t.Context(), s, "google", "g-1", "ada@example.com", func() {}); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestDuplicateAccounts(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		u := ada()
		signUp(t, s, u, "google", "g-1")
		d.exec(t, `insert into "account" ("id", "accountId", "providerId", "userId", "createdAt", "updatedAt")
			select 'other', "accountId", "providerId", "userId", "createdAt", "updatedAt" from "account"`)
		if _, err := signIn(t.Context(), s, "google", "g-1", "ada@example.com", func() {}); !errors.Is(err, accounts.ErrDuplicate) {
			t.Errorf("got %v", err)
		}
	})
}

func TestIdentifyEndsWithItsContext(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s, other := d.open(t), d.open(t)
		holding, release := make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		go func() {
			done <- s.Identify(context.WithoutCancel(t.Context()), "google", "g-1", "", func(accounts.Tx) error {
				close(holding)
				<-release
				return nil
			})
		}()
		<-holding
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := other.Identify(ctx, "google", "g-1", "", func(accounts.Tx) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
