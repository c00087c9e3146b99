package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// InstallRevocation makes the triggers that tell what changes, in one transaction, and replaces those that are older or
// altered. It returns the statements, none where everything is there; with dry it only does that. The role has to own the
// tables, or to hold TRIGGER on them, and needs CREATE on their schema. Writers of the tables wait meanwhile.
func InstallRevocation(ctx context.Context, c Config, dry bool) ([]string, error) {
	return c.change(ctx, "install the revocation triggers", dry, func(r revocation, in *installed) ([]string, error) {
		wrong, todo := in.compare(r)
		for _, finding := range wrong {
			if rel := finding.Table; rel != "" && !in.bears(rel) {
				return nil, fmt.Errorf("%s: %s", rel, finding.Note)
			}
		}
		return todo, nil
	})
}

// RemoveRevocation takes the triggers and their function away, also those of other versions. It returns the statements;
// with dry it only does that.
func RemoveRevocation(ctx context.Context, c Config, dry bool) ([]string, error) {
	return c.change(ctx, "remove the revocation triggers", dry, func(_ revocation, in *installed) ([]string, error) {
		return in.remove(), nil
	})
}

// bears reports whether the table of this name can have triggers.
func (in *installed) bears(table string) bool {
	for _, rel := range in.relations {
		if rel.name == table && !rel.bears() {
			return false
		}
	}
	return true
}

// change runs what plan wants done.
func (c Config) change(ctx context.Context, what string, dry bool, plan func(revocation, *installed) ([]string, error)) ([]string, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var todo []string
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := alone(ctx, tx); err != nil {
			return err
		}
		r, in, err := c.lookAtRevocation(ctx, tx)
		if err != nil {
			return err
		}
		todo, err = plan(r, in)
		if err != nil || dry {
			return err
		}
		for _, statement := range todo {
			if _, err := tx.Exec(ctx, statement); err != nil {
				if state(err) == insufficientPrivilege {
					err = fmt.Errorf("%w; the role must own the tables, and needs CREATE on their schema: run it as the role that migrates Better Auth's tables", err)
				}
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: %s, nothing was changed: %w", what, err)
	}
	return todo, nil
}

// alone keeps others from changing the schema at the same time. A statement that waits for a lock would keep everybody
// else waiting behind it, so it does not wait long.
func alone(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "set local lock_timeout = '5s'"); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtext('usher schema apply'))")
	return err
}

// lookAtRevocation reads what is there and what would have to be.
func (c Config) lookAtRevocation(ctx context.Context, db querier) (revocation, *installed, error) {
	catalog, err := readCatalog(ctx, db, c.Tables)
	if err != nil {
		return revocation{}, nil, err
	}
	names, err := c.Tables.Match(catalog.Catalog)
	if err != nil {
		return revocation{}, nil, err
	}
	if err := c.missing(names); err != nil {
		return revocation{}, nil, err
	}
	r := revocation{names: names, catalog: catalog}
	in, err := readInstalled(ctx, db, r)
	return r, in, err
}

// untold is why not every change is told, in one error; nil where all is well.
func (in *installed) untold(r revocation) error {
	wrong, _ := in.compare(r)
	if len(wrong) == 0 {
		return nil
	}
	text := ""
	for i, finding := range wrong {
		if i == 3 {
			text += fmt.Sprintf(" and %d more", len(wrong)-i)
			break
		}
		if i > 0 {
			text += ", "
		}
		if finding.Table != "" {
			text += "table " + finding.Table + ": "
		}
		text += finding.Note
	}
	return errors.New(text + "; run `usher schema apply -revocation`")
}
