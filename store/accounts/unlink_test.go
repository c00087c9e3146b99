package accounts_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store/accounts"
)

// link gives a user one more account.
func link(t testing.TB, s *accounts.Store, u *record.User, provider, id string) *record.Account {
	t.Helper()
	a := accountOf(u, provider, id)
	if err := s.Identify(t.Context(), provider, id, "", func(tx accounts.Tx) error { a.ID = ""; return tx.InsertAccount(t.Context(), a) }); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestUnlink(t *testing.T) {
	for _, schema := range []string{"core", "all-plugins", "uuid-ids", "serial-ids"} {
		t.Run(schema, func(t *testing.T) {
			each(t, schema, func(t *testing.T, d *database) {
				s := d.open(t)
				u, eve := ada(), &record.User{Name: "Eve", Email: "eve@example.com", CreatedAt: start(), UpdatedAt: start()}
				first, foreign := signUp(t, s, u, "google", "g-1"), signUp(t, s, eve, "google", "g-2")
				second := link(t, s, u, "github", "h-1")

				for _, id := range []string{foreign.ID, "", "0", "1'--", "a\x00b", "\xff"} {
					if gone, err := s.Unlink(t.Context(), u.ID, id, false); !errors.Is(err, accounts.ErrNoAccount) || gone != nil {
						t.Errorf("account %q: %v, %v", id, gone, err)
					}
				}
				for _, nobody := range []string{"", "1'--", "a\x00b"} {
					if _, err := s.Unlink(t.Context(), nobody, first.ID, true); !errors.Is(err, accounts.ErrNoAccount) {
						t.Errorf("user %q: %v", nobody, err)
					}
				}
				gone, err := s.Unlink(t.Context(), u.ID, second.ID, false)
				if err != nil || gone == nil || gone.ID != second.ID || gone.ProviderID != "github" {
					t.Fatalf("%+v, %v", gone, err)
				}
				for _, id := range []string{first.ID, "nope"} {
					if _, err := s.Unlink(t.Context(), u.ID, id, false); !errors.Is(err, accounts.ErrLastAccount) {
						t.Errorf("the last, by %q: %v", id, err)
					}
				}
				if _, err := s.Unlink(t.Context(), u.ID, first.ID, true); err != nil {
					t.Error(err)
				}
				if left := d.ask(t, `select "providerId", "accountId" from account`); left != "google|g-2" {
					t.Errorf("left: %s", left)
				}
			})
		})
	}
}

// Whoever unlinks both of two accounts at once keeps one, however often they try.
func TestUnlinkAtOnceLeavesOne(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		u := ada()
		signUp(t, s, u, "google", "g-0")
		for range 15 {
			all, err := s.AccountsOf(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			ids := []string{all[0].ID}
			for _, id := range []string{"h-1", "h-2", "h-3"} {
				ids = append(ids, link(t, s, u, "github", id).ID)
			}
			var ended, last atomicCount
			together(len(ids), func(i int) {
				switch _, err := s.Unlink(t.Context(), u.ID, ids[i], false); {
				case err == nil:
					ended.add()
				case errors.Is(err, accounts.ErrLastAccount):
					last.add()
				default:
					t.Error(err)
				}
			})
			if ended.n.Load() != 3 || last.n.Load() != 1 {
				t.Fatalf("%d unlinked, %d refused", ended.n.Load(), last.n.Load())
			}
			if n := d.ask(t, `select count(*) from account`); n != "1" {
				t.Fatalf("%s accounts are left", n)
			}
		}
	})
}

// Better Auth deletes without a lock of ours. What it is just deleting does not count as one that stays.
func TestUnlinkWaitsForBetterAuth(t *testing.T) {
	d := newPostgres(t)
	d.apply(t, "core")
	s := d.open(t)
	u := ada()
	first := signUp(t, s, u, "google", "g-1")
	second := link(t, s, u, "github", "h-1")
	tx, err := d.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `delete from account where id = '`+second.ID+`'`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Unlink(context.WithoutCancel(t.Context()), u.ID, first.ID, false)
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, accounts.ErrLastAccount) {
		t.Errorf("got %v", err)
	}
}
