package accounts

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
)

// PutVerification keeps a value under an identifier until expiresAt. The identifier is written as it is given: whether it
// is hashed is the caller's business.
func (s *Store) PutVerification(ctx context.Context, identifier, value string, expiresAt, now time.Time) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	v := &verification{identifier: identifier, value: value, expiresAt: expiresAt, createdAt: now, updatedAt: now}
	if s.config.verificationRows() {
		err := s.do(ctx, "put verification", func(sc *schema) error {
			return sc.insert(ctx, s.writer, "verification", &v.id, verificationCells(v))
		})
		if err != nil {
			return err
		}
	}
	if s.cache == nil {
		return nil
	}
	return s.cache.putVerification(ctx, v)
}

// FindVerification finds the youngest value of an identifier that has not expired, and leaves it there.
func (s *Store) FindVerification(ctx context.Context, identifier string) (value string, found bool, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if s.cache != nil {
		v, err := s.cache.findVerification(ctx, identifier)
		if err != nil || v != nil || !s.config.verificationRows() {
			return s.valid(v, err)
		}
	}
	var v *verification
	err = s.do(ctx, "find verification", func(sc *schema) (err error) {
		v, err = first(find(ctx, sc, s.reader, "verification", verificationCells, []condition{{"identifier", identifier}},
			" order by t."+sc.column("verification", "createdAt")+" desc", 1, nil))
		return err
	})
	return s.valid(v, err)
}

// TakeVerification takes the youngest value of an identifier away, with all others of it: of all who ask at the same time
// exactly one is told. One that has expired is taken away as well, and not found.
func (s *Store) TakeVerification(ctx context.Context, identifier string) (value string, found bool, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if !s.config.verificationRows() {
		return s.valid(s.cache.takeVerification(ctx, identifier))
	}
	var v *verification
	err = s.do(ctx, "take verification", func(sc *schema) (err error) {
		v, err = sc.take(ctx, s.writer, identifier)
		return err
	})
	if err == nil && v != nil && s.cache != nil {
		err = s.cache.dropVerification(ctx, identifier)
	}
	return s.valid(v, err)
}

func (s *Store) valid(v *verification, err error) (string, bool, error) {
	if err != nil || v == nil || v.expiresAt.Before(s.now()) {
		return "", false, err
	}
	return v.value, true, nil
}

// take deletes and reads in one statement. Whoever else deletes the same rows waits, and then finds none.
func (sc *schema) take(ctx context.Context, db querier, identifier string) (*verification, error) {
	conditions := []condition{{"identifier", identifier}}
	if !sc.possible("verification", conditions) {
		return nil, nil
	}
	row := new(verification)
	expressions, into := sc.columns("", "verification", verificationCells(row))
	where, args := sc.where("", "verification", conditions, 1)
	rows, err := db.QueryContext(ctx, "delete from "+sc.table("verification")+where+" returning "+strings.Join(expressions, ", "), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var youngest *verification
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		if youngest == nil || youngest.createdAt.Before(row.createdAt) {
			taken := *row
			youngest = &taken
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return youngest, nil
}

// SweepVerifications deletes the rows that expired before. A secondary storage forgets by itself.
func (s *Store) SweepVerifications(ctx context.Context, before time.Time) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if !s.config.verificationRows() {
		return nil
	}
	return s.do(ctx, "sweep verifications", func(sc *schema) error {
		_, err := s.writer.ExecContext(ctx, "delete from "+sc.table("verification")+" where "+sc.earlier("verification", "expiresAt", 1, before),
			sc.value("verification", "expiresAt", before))
		return err
	})
}

// earlier compares a time column with a parameter. SQLite compares what has another form by its type, and every number is
// less than every text: such a row is left alone.
func (sc *schema) earlier(model, field string, n int, at time.Time) string {
	column, parameter := sc.column(model, field), sc.parameter(model, field, at, n)
	if sc.dialect == betterauth.SQLite {
		return column + " < " + parameter + " and typeof(" + column + ") = typeof(" + parameter + ")"
	}
	return column + " < " + parameter
}

// later is whether a time column is after the nth parameter, which is such a time.
func (sc *schema) later(model, field string, n int) string {
	column := sc.column(model, field)
	if sc.dialect == betterauth.SQLite {
		return column + " > $" + strconv.Itoa(n)
	}
	return column + " > " + sc.parameter(model, field, time.Time{}, n)
}
