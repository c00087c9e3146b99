package accounts_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store/accounts"
)

func TestPeople(t *testing.T) {
	for _, schema := range []string{"core", "organization-no-teams", "all-plugins", "uuid-ids", "serial-ids"} {
		t.Run(schema, func(t *testing.T) {
			each(t, schema, func(t *testing.T, d *database) {
				s := d.open(t)
				u := ada()
				a := signUp(t, s, u, "google", "g-1")
				if u.Email != "ada@example.com" || u.ID == "" || a.ID == "" {
					t.Fatalf("the records are not completed: %+v %+v", u, a)
				}
				got, err := s.User(t.Context(), u.ID)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(u, got); diff != "" {
					t.Errorf("user (-written +read):\n%s", diff)
				}
				if s.Shape().Admin != (got.Role != nil && *got.Role == "user" && got.Banned != nil && !*got.Banned) {
					t.Errorf("what the admin plugin writes: %+v", got)
				}
				all, err := s.AccountsOf(t.Context(), u.ID)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]record.Account{*a}, all); diff != "" {
					t.Errorf("accounts (-written +read):\n%s", diff)
				}

				later := start().Add(time.Minute + 999*time.Microsecond) // is cut to milliseconds
				got, err = s.UpdateUser(t.Context(), u.ID, accounts.UserChange{Name: ptr("Ada"), Image: ptr((*string)(nil)), Email: ptr("NEW@example.com")}, later)
				if err != nil {
					t.Fatal(err)
				}
				u.Name, u.Image, u.Email, u.UpdatedAt = "Ada", nil, "new@example.com", start().Add(time.Minute)
				if diff := cmp.Diff(u, got); diff != "" {
					t.Errorf("user after a change (-want +got):\n%s", diff)
				}
				if err := s.UpdateAccount(t.Context(), a.ID, accounts.AccountChange{AccessToken: ptr("at2"), RefreshToken: ptr("rt")}, later); err != nil {
					t.Fatal(err)
				}
				a.AccessToken, a.RefreshToken, a.UpdatedAt = ptr("at2"), ptr("rt"), start().Add(time.Minute)
				if all, err = s.AccountsOf(t.Context(), u.ID); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]record.Account{*a}, all); diff != "" {
					t.Errorf("account after a change (-want +got):\n%s", diff)
				}
				if err := s.DeleteAccount(t.Context(), a.ID); err != nil {
					t.Fatal(err)
				}
				if all, err = s.AccountsOf(t.Context(), u.ID); err != nil || len(all) > 0 {
					t.Errorf("after the deletion: %v, %v", all, err)
				}

				for _, nobody := range []string{"", "0", "-1", "1'--", "a\x00b", "\xff", "99999999999999999999", "0b1e9bd0-6b1c-4b5e-9d0c-5a7c6b1f3a2d", "01"} {
					if got, err := s.User(t.Context(), nobody); got != nil || err != nil {
						t.Errorf("user %q: %v, %v", nobody, got, err)
					}
					if got, err := s.UpdateUser(t.Context(), nobody, accounts.UserChange{}, later); got != nil || err != nil {
						t.Errorf("update of user %q: %v, %v", nobody, got, err)
					}
				}
			})
		})
	}
}

func TestAnAddressIsTaken(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		u, bob := ada(), &record.User{Name: "Bob", Email: "bob@example.com", CreatedAt: start(), UpdatedAt: start()}
		signUp(t, s, u, "google", "g-1")
		signUp(t, s, bob, "google", "g-2")
		if _, err := s.UpdateUser(t.Context(), bob.ID, accounts.UserChange{Email: ptr("ADA@example.com")}, start()); !errors.Is(err, accounts.ErrTaken) {
			t.Errorf("update: %v", err)
		}
		runs := 0
		err := s.Identify(t.Context(), "github", "h-1", "", func(tx accounts.Tx) error {
			runs++
			return tx.UpdateUser(t.Context(), bob.ID, accounts.UserChange{Email: ptr("ada@example.com")}, start())
		})
		if !errors.Is(err, accounts.ErrTaken) || runs < 2 {
			t.Errorf("within a transaction: %v after %d runs", err, runs)
		}
		if err := s.Identify(t.Context(), "github", "h-1", "", func(tx accounts.Tx) error {
			_ = tx.UpdateUser(t.Context(), bob.ID, accounts.UserChange{Email: ptr("ada@example.com")}, start())
			return nil // an error that is passed over must not commit the rest
		}); !errors.Is(err, accounts.ErrTaken) {
			t.Errorf("passed over: %v", err)
		}
	})
}

func TestBansAreLifted(t *testing.T) {
	each(t, "all-plugins", func(t *testing.T, d *database) {
		s := d.open(t)
		u := ada()
		u.Role, u.Banned, u.BanReason, u.BanExpires = ptr("admin,user"), ptr(true), ptr("spam"), ptr(start())
		signUp(t, s, u, "google", "g-1")
		got, err := s.UpdateUser(t.Context(), u.ID, accounts.UserChange{LiftBan: true}, start())
		if err != nil || *got.Banned || got.BanReason != nil || got.BanExpires != nil || *got.Role != "admin,user" {
			t.Errorf("got %+v, %v", got, err)
		}
		if flag := d.ask(t, `select "twoFactorEnabled" from "user"`); flag != "0" && flag != "false" {
			t.Errorf("twoFactorEnabled is %s; Better Auth writes false", flag)
		}
	})
}

func TestAddressesInLowerCase(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		u := &record.User{Name: "x", Email: "ADMİN.ΟΔΟΣ@ΟΔΟΣ.example", CreatedAt: start(), UpdatedAt: start()}
		signUp(t, s, u, "google", "g-1")
		const want = "admi\u0307n.οδος@οδοσ.example" // what JavaScript makes of it
		if got := d.ask(t, `select email from "user"`); got != want {
			t.Errorf("written: %q, want %q", got, want)
		}
		for email, found := range map[string]bool{"ADMİN.ΟΔΟΣ@ΟΔΟΣ.example": true, "admin.οδος@οδοσ.example": false} {
			if err := s.Identify(t.Context(), "google", "g-1", email, func(tx accounts.Tx) error {
				got, err := tx.UserByEmail(t.Context(), email)
				if (got != nil) != found {
					t.Errorf("%q: %v", email, got)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		}
	})
}
