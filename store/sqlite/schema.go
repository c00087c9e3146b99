package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// CheckSchema reports what is missing, unexpected or advisable, also of a database that Open refuses. It tries the
// lookup as Open does.
func CheckSchema(ctx context.Context, c Config) (store.SchemaReport, error) {
	report, err := c.check(ctx)
	if err != nil {
		return report, fmt.Errorf("sqlite: %w", remedy(err))
	}
	return report, nil
}

func (c Config) check(ctx context.Context) (report store.SchemaReport, err error) {
	path, err := c.path()
	if err != nil {
		return report, err
	}
	if _, err := file(path); err != nil {
		return report, err
	}
	db, err := openReadOnly(path)
	if err != nil {
		return report, err
	}
	defer db.Close()
	var catalog betterauth.Catalog
	err = patiently(ctx, func() (err error) { catalog, err = readCatalog(ctx, db, c.Tables); return err })
	if err != nil {
		return report, err
	}
	names, err := c.Tables.Match(catalog)
	if err != nil {
		return report, err
	}
	for _, absent := range c.absent(names) {
		report.Missing = append(report.Missing, store.Finding{Table: absent.Table, Column: absent.Column, Note: absent.Hint})
	}
	if report.OK() {
		made, err := newQueries(names, c.WithoutSessions).prepare(ctx, db)
		switch {
		case err == nil:
			defer made.close()
		case ctx.Err() != nil || code(err) == codeBusy:
			return report, err // says nothing about the schema
		default:
			report.Refused = append(report.Refused, store.Finding{Note: remedy(err).Error()})
		}
	} else if err := betterauth.Unmade(betterauth.SQLite, betterauth.GatePlugins(), names, catalog); err != nil {
		report.Instead = err.Error()
	}
	for _, stranger := range names.Strangers(catalog) {
		report.Unexpected = append(report.Unexpected, store.Finding{Table: stranger.Table, Column: stranger.Column, Note: stranger.Hint})
	}
	for _, index := range betterauth.Advised(betterauth.SQLite, names, catalog) {
		report.Indexes = append(report.Indexes, store.Finding{Table: index.Table, Note: index.Why, SQL: index.SQL})
	}
	report.Organizations, report.Teams, report.Bans = names.Organizations, names.Teams, names.Has("user", "banned")
	return report, nil
}

// Apply makes what is missing of Better Auth's tables for these plugins, and the indexes that CheckSchema advises, in one
// transaction, and the file if there is none. It returns the statements; with dry it only does that. Nothing is ever
// dropped or changed.
func Apply(ctx context.Context, c Config, plugins betterauth.Plugins, dry bool) ([]string, error) {
	todo, err := c.apply(ctx, plugins, dry)
	if err != nil {
		return nil, fmt.Errorf("sqlite: schema apply, nothing was changed: %w", remedy(err))
	}
	return todo, nil
}

func (c Config) apply(ctx context.Context, plugins betterauth.Plugins, dry bool) ([]string, error) {
	path, err := c.path()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); dry && errors.Is(err, fs.ErrNotExist) {
		todo, err := c.pending(betterauth.Catalog{Fold: true}, plugins)
		return texts(todo), err
	}
	db, err := OpenWritable(ctx, c)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	catalog, err := readCatalog(ctx, tx, c.Tables)
	if err != nil {
		return nil, err
	}
	todo, err := c.pending(catalog, plugins)
	if err != nil {
		return nil, err
	}
	for i := range todo {
		if count := todo[i].Count(catalog); count != "" {
			var rows int64
			if err := tx.QueryRowContext(ctx, count).Scan(&rows); err != nil {
				return nil, err
			}
			if rows > 0 {
				return nil, todo[i].Contradicted(rows)
			}
		}
		if dry {
			continue
		}
		if _, err := tx.ExecContext(ctx, todo[i].SQL); err != nil {
			return nil, fmt.Errorf("%s: %w", todo[i].SQL, err)
		}
	}
	if dry {
		return texts(todo), nil
	}
	return texts(todo), tx.Commit()
}

func (c Config) pending(catalog betterauth.Catalog, plugins betterauth.Plugins) ([]betterauth.Statement, error) {
	names, err := c.Tables.Match(catalog)
	if err != nil {
		return nil, err
	}
	return betterauth.Migration(betterauth.SQLite, plugins, names, catalog)
}

func texts(statements []betterauth.Statement) []string {
	all := make([]string, len(statements))
	for i := range statements {
		all[i] = statements[i].SQL
	}
	return all
}

// OpenWritable opens the file for those who write: transactions take the write lock at their beginning, foreign keys
// hold, and a writer waits five seconds for another. A file that is not there is made, readable by its owner only, in
// WAL mode.
func OpenWritable(ctx context.Context, c Config) (*sql.DB, error) {
	path, err := c.path()
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	pragmas := []string{"busy_timeout(5000)", "foreign_keys(1)"}
	made, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case err == nil:
		if err := made.Close(); err != nil {
			return nil, fmt.Errorf("sqlite: %w", err)
		}
		pragmas = append(pragmas, "journal_mode(wal)")
	case !errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	db, err := sql.Open("sqlite", dsn(path, "rw", pragmas...)+"&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("sqlite: %w", remedy(err))
	}
	return db, nil
}

func openReadOnly(path string) (*sql.DB, error) {
	// SQLite's own wait for a writer cannot be interrupted, so it is short, and repeated by patiently.
	return sql.Open("sqlite", dsn(path, "ro", "busy_timeout(50)", "query_only(1)"))
}
