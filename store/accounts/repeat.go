package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// patiently repeats what another writer of SQLite keeps waiting, until ctx ends or for as long as Better Auth's own
// drivers wait. Nothing has been done by what failed so.
func (s *Store) patiently(ctx context.Context, do func() error) error {
	const patience = 5 * time.Second
	end := time.Now().Add(patience)
	for {
		err := do()
		if !sqlite.Busy(err) || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
	}
}

// do runs statements that may be repeated as a whole, and gives their error words: once more when the schema has changed
// or a statement was lost.
func (s *Store) do(ctx context.Context, what string, statements func(sc *schema) error) error {
	return s.use(ctx, func() error { return s.repeat(ctx, what, statements) })
}

func (s *Store) repeat(ctx context.Context, what string, statements func(sc *schema) error) error {
	for attempt := 0; ; attempt++ {
		err := s.patiently(ctx, func() error { return statements(s.schema.Load()) })
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
		case attempt == 0 && s.changed(err):
			if looked := s.look(ctx); looked != nil {
				err = looked
				break
			}
			continue
		case attempt < 3 && postgres.Again(err):
			continue
		}
		return s.explain(ctx, what, err)
	}
}

func (s *Store) changed(err error) bool {
	if s.dialect == betterauth.Postgres {
		return postgres.Changed(err)
	}
	return sqlite.Changed(err)
}

// explain gives an error that leaves the package its words.
func (s *Store) explain(ctx context.Context, what string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("accounts: %s: %w (%w)", what, ended, postgres.Plain(err))
	}
	return fmt.Errorf("accounts: %s: %w", what, s.remedy(err))
}

func (s *Store) remedy(err error) error {
	if s.dialect == betterauth.Postgres {
		return postgres.Plain(err)
	}
	return sqlite.Remedy(err)
}

// taken reports whether a row was refused because of a unique key.
func (s *Store) taken(err error) bool { return postgres.Taken(err) || sqlite.Taken(err) }
