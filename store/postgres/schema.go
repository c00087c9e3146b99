package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// CheckSchema reports what is missing, unexpected or advisable, also of a database that Open refuses. It tries the
// lookup as Open does.
func CheckSchema(ctx context.Context, c Config) (store.SchemaReport, error) {
	var report store.SchemaReport
	conn, err := c.connect(ctx)
	if err != nil {
		return report, err
	}
	defer conn.Close(ctx)
	catalog, err := readCatalog(ctx, conn, c.Tables)
	if err == nil {
		err = catalog.readIndexes(ctx, conn, c.Tables)
	}
	if err != nil {
		return report, fmt.Errorf("postgres: %w", err)
	}
	names, err := c.Tables.Match(catalog.Catalog)
	if err != nil {
		return report, fmt.Errorf("postgres: %w", err)
	}
	for _, absent := range c.absent(names) {
		report.Missing = append(report.Missing, store.Finding{Table: absent.Table, Column: absent.Column, Note: absent.Hint})
	}
	if report.OK() {
		queries, err := newQueries(catalog, names, c.WithoutSessions)
		if err == nil {
			err = try(ctx, conn, queries)
		}
		if err != nil && (ctx.Err() != nil || conn.IsClosed()) {
			return report, fmt.Errorf("postgres: %w", err) // says nothing about the schema
		}
		if err != nil {
			report.Refused = append(report.Refused, store.Finding{Note: explain(err).Error()})
		}
	} else if err := betterauth.Unmade(betterauth.Postgres, betterauth.GatePlugins(), names, catalog.Catalog); err != nil {
		report.Instead = err.Error()
	}
	for _, stranger := range names.Strangers(catalog.Catalog) {
		report.Unexpected = append(report.Unexpected, store.Finding{Table: stranger.Table, Column: stranger.Column, Note: stranger.Hint})
	}
	for _, index := range betterauth.Advised(betterauth.Postgres, names, catalog.Catalog) {
		report.Indexes = append(report.Indexes, store.Finding{Table: index.Table, Note: index.Why, SQL: index.SQL})
	}
	r := revocation{names: names, catalog: catalog}
	in, err := readInstalled(ctx, conn, r)
	if err != nil {
		return report, fmt.Errorf("postgres: %w", err)
	}
	report.Untold, _ = in.compare(r)
	report.Told = len(report.Untold) == 0
	report.Organizations, report.Teams, report.Bans = names.Organizations, names.Teams, names.Has("user", "banned")
	return report, nil
}

// Apply makes what is missing of Better Auth's tables for these plugins, and the indexes that CheckSchema advises, in one
// transaction. It returns the statements; with dry it only does that. Nothing is ever dropped or changed. The role needs
// the right to create tables.
func Apply(ctx context.Context, c Config, plugins betterauth.Plugins, dry bool) ([]string, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var done []string
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := alone(ctx, tx); err != nil {
			return err
		}
		catalog, err := readCatalog(ctx, tx, c.Tables)
		if err == nil {
			err = catalog.readIndexes(ctx, tx, c.Tables)
		}
		if err != nil {
			return err
		}
		names, err := c.Tables.Match(catalog.Catalog)
		if err != nil {
			return err
		}
		todo, err := betterauth.Migration(betterauth.Postgres, plugins, names, catalog.Catalog)
		if err != nil {
			return err
		}
		for _, s := range todo {
			done = append(done, s.SQL)
			if count := s.Count(catalog.Catalog); count != "" {
				var rows int64
				if err := tx.QueryRow(ctx, count).Scan(&rows); err != nil {
					return err
				}
				if rows > 0 {
					return s.Contradicted(rows)
				}
			}
			if dry {
				continue
			}
			if _, err := tx.Exec(ctx, s.SQL); err != nil {
				return fmt.Errorf("%s: %w%s", s.SQL, err, detail(err))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: schema apply, nothing was changed: %w", err)
	}
	return done, nil
}

// connect opens a connection of its own that may write.
func (c Config) connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := c.pool()
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	delete(config.ConnConfig.RuntimeParams, readOnly)
	config.ConnConfig.ConnectTimeout = operatorTimeout
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w; %s", err, remedy(err))
	}
	return conn, nil
}
