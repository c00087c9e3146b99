package demo

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store/sqlite"
)

// database is Better Auth's, as an application with its organization and admin plugins has it, in a SQLite file. It is
// open until the sample people are in it; gate and companion open the same file for themselves.
type database struct {
	*sql.DB
	url string // for them
}

// openDatabase makes the file, with the tables that `usher schema apply` makes.
func openDatabase(ctx context.Context, folder string) (*database, error) {
	c := sqlite.Config{URL: (&url.URL{Scheme: "sqlite", Path: filepath.ToSlash(filepath.Join(folder, "demo.db"))}).String()}
	if _, err := sqlite.Apply(ctx, c, betterauth.Plugins{Organization: true, Admin: true}, false); err != nil {
		return nil, err
	}
	db, err := sqlite.OpenWritable(ctx, c)
	if err != nil {
		return nil, err
	}
	return &database{db, c.URL}, nil
}

// seed writes the sample people and organizations, and ties each person to the provider's account of theirs: who signs in
// there is that user, with their organizations, and no new one.
func (d *database) seed(ctx context.Context, people []person, organizations []organization) error {
	tx, err := d.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing, once it is committed
	at := time.Now().Add(-time.Hour)
	for _, o := range organizations {
		_, err := tx.ExecContext(ctx, `insert into "organization" ("id", "name", "slug", "createdAt") values (?, ?, ?, ?)`,
			o.ID, o.Name, o.Slug, instant(at))
		if err != nil {
			return fmt.Errorf("organization %s: %w", o.Slug, err)
		}
	}
	for _, p := range people {
		_, err := tx.ExecContext(ctx, `insert into "user" ("id", "name", "email", "emailVerified", "createdAt", "updatedAt", "role", "banned")
			values (?, ?, ?, 1, ?, ?, 'user', 0)`, p.ID, p.Name, p.Email, instant(at), instant(at))
		if err != nil {
			return fmt.Errorf("user %s: %w", p.Name, err)
		}
		_, err = tx.ExecContext(ctx, `insert into "account" ("id", "accountId", "providerId", "userId", "createdAt", "updatedAt") values (?, ?, ?, ?, ?, ?)`,
			record.ID(), p.Key, providerID, p.ID, instant(at), instant(at))
		if err != nil {
			return fmt.Errorf("account %s: %w", p.Name, err)
		}
		for i, m := range p.Memberships {
			_, err := tx.ExecContext(ctx, `insert into "member" ("id", "organizationId", "userId", "role", "createdAt") values (?, ?, ?, ?, ?)`,
				record.ID(), m.Organization.ID, p.ID, m.Role, instant(at.Add(time.Duration(i)*time.Minute)))
			if err != nil {
				return fmt.Errorf("member %s: %w", p.Name, err)
			}
		}
	}
	return tx.Commit()
}

// instant is a time as Better Auth's own migration stores it in SQLite.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
