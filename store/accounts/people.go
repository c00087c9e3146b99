package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/usherauth/usher/betterauth/record"
)

// many is how many rows a list has at most: Better Auth's defaultFindManyLimit.
const many = 100

// insertUser writes what Better Auth's plugins write into a new row where their columns are: role "user" unless another is
// given, not banned, no second factor.
func insertUser(ctx context.Context, sc *schema, db querier, u *record.User) error {
	u.Email = record.Lower(u.Email)
	if u.Role == nil && sc.names.Has("user", "role") {
		role := "user"
		u.Role = &role
	}
	if u.Banned == nil && sc.names.Has("user", "banned") {
		u.Banned = new(bool)
	}
	return sc.insert(ctx, db, "user", &u.ID, userCells(u), condition{"twoFactorEnabled", false})
}

func (c *UserChange) conditions(now time.Time) []condition {
	var all []condition
	if c.Name != nil {
		all = append(all, condition{"name", *c.Name})
	}
	if c.Email != nil {
		all = append(all, condition{"email", record.Lower(*c.Email)})
	}
	if c.Image != nil {
		all = append(all, condition{"image", *c.Image})
	}
	if c.EmailVerified != nil {
		all = append(all, condition{"emailVerified", *c.EmailVerified})
	}
	if c.LiftBan {
		all = append(all, condition{"banned", false}, condition{"banReason", (*string)(nil)}, condition{"banExpires", (*time.Time)(nil)})
	}
	return append(all, condition{"updatedAt", now})
}

func (c *AccountChange) conditions(now time.Time) []condition {
	var all []condition
	text := func(field string, value *string) {
		if value != nil {
			all = append(all, condition{field, *value})
		}
	}
	at := func(field string, value *time.Time) {
		if value != nil {
			all = append(all, condition{field, *value})
		}
	}
	text("accessToken", c.AccessToken)
	text("refreshToken", c.RefreshToken)
	text("idToken", c.IDToken)
	at("accessTokenExpiresAt", c.AccessTokenExpiresAt)
	at("refreshTokenExpiresAt", c.RefreshTokenExpiresAt)
	text("scope", c.Scope)
	return append(all, condition{"updatedAt", now})
}

// User finds a user by id; nil: there is none.
func (s *Store) User(ctx context.Context, id string) (u *record.User, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err = s.do(ctx, "find user", func(sc *schema) (err error) {
		u, err = first(find(ctx, sc, s.reader, "user", userCells, []condition{{"id", id}}, "", 1, nil))
		return err
	})
	return u, err
}

// UpdateUser changes a user, also where his sessions carry him in the secondary storage, and returns him as he is then;
// nil: there is none. An e-mail address that somebody else has is ErrTaken.
func (s *Store) UpdateUser(ctx context.Context, id string, change UserChange, now time.Time) (*record.User, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	var found int64
	err := s.do(ctx, "update user", func(sc *schema) (err error) {
		found, err = sc.update(ctx, s.writer, "user", change.conditions(now), []condition{{"id", id}})
		if s.taken(err) {
			err = fmt.Errorf("%w (%w)", ErrTaken, err)
		}
		return err
	})
	if err != nil || found == 0 {
		return nil, err
	}
	u, err := s.User(ctx, id)
	if err != nil || u == nil || s.cache == nil {
		return u, err
	}
	return u, s.cache.copyUser(ctx, u)
}

// copyUsers brings users that were changed into the values of their sessions.
func (s *Store) copyUsers(ctx context.Context, ids []string) error {
	if s.cache == nil {
		return nil
	}
	for _, id := range ids {
		u, err := s.User(ctx, id)
		if err != nil {
			return err
		}
		if u == nil {
			continue
		}
		if err := s.cache.copyUser(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

func accountsOf(ctx context.Context, sc *schema, db querier, userID string) ([]record.Account, error) {
	return find(ctx, sc, db, "account", accountCells, []condition{{"userId", userID}}, "", many, nil)
}

// AccountsOf lists a user's accounts, at most 100, in the database's own order, as Better Auth does.
func (s *Store) AccountsOf(ctx context.Context, userID string) (all []record.Account, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err = s.do(ctx, "list accounts", func(sc *schema) (err error) {
		all, err = accountsOf(ctx, sc, s.reader, userID)
		return err
	})
	return all, err
}

// UpdateAccount changes an account by its own id.
func (s *Store) UpdateAccount(ctx context.Context, id string, change AccountChange, now time.Time) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	return s.do(ctx, "update account", func(sc *schema) error {
		_, err := sc.update(ctx, s.writer, "account", change.conditions(now), []condition{{"id", id}})
		return err
	})
}

// DeleteAccount deletes an account by its own id.
func (s *Store) DeleteAccount(ctx context.Context, id string) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	return s.do(ctx, "delete account", func(sc *schema) error {
		return sc.remove(ctx, s.writer, "account", []condition{{"id", id}})
	})
}
