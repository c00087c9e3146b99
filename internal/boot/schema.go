package boot

import (
	"context"
	"errors"
	"fmt"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// tables are the names the configuration gives to Better Auth's tables.
func tables(c *config.Config) betterauth.Tables {
	from := c.Tables()
	t := betterauth.Tables{
		Preset: from.Preset, UsePlural: from.UsePlural, Schema: from.Schema, TimeZone: from.TimeZone,
		Models: make(map[string]betterauth.Rename),
	}
	for _, m := range from.Models() {
		if m.Table.ModelName != "" || len(m.Table.Fields) > 0 {
			t.Models[m.Name] = betterauth.Rename{ModelName: m.Table.ModelName, Fields: m.Table.Fields}
		}
	}
	return t
}

// PrintSchema lists the statements of Better Auth's own migration for a dialect, postgres or sqlite; an empty one is that
// of store.url.
func PrintSchema(c *config.Config, dialect string) ([]string, error) {
	if dialect == "" {
		dialect = c.Store.Kind()
	}
	speaks := map[string]betterauth.Dialect{"postgres": betterauth.Postgres, "sqlite": betterauth.SQLite}[dialect]
	if speaks == 0 {
		return nil, fmt.Errorf("dialect %q: write postgres or sqlite", dialect)
	}
	names, err := tables(c).Match(betterauth.Catalog{})
	if err != nil {
		return nil, err
	}
	var statements []string
	for _, s := range betterauth.DDL(speaks, betterauth.GatePlugins(), names) {
		statements = append(statements, s.SQL)
	}
	return statements, nil
}

// errNoTables is what those are told whose store has none.
var errNoTables = errors.New("store.url leads to no database with tables: Redis has none, and Better Auth looks after its own")

// CheckSchema looks at the database of the configuration.
func CheckSchema(ctx context.Context, c *config.Config) (store.SchemaReport, error) {
	switch c.Store.Kind() {
	case "postgres":
		return postgres.CheckSchema(ctx, postgresConfig(c))
	case "sqlite":
		return sqlite.CheckSchema(ctx, sqliteConfig(c))
	}
	return store.SchemaReport{}, errNoTables
}

// ApplySchema makes what is missing and returns the statements; with dry it only returns them.
func ApplySchema(ctx context.Context, c *config.Config, dry bool) ([]string, error) {
	switch c.Store.Kind() {
	case "postgres":
		return postgres.Apply(ctx, postgresConfig(c), betterauth.GatePlugins(), dry)
	case "sqlite":
		return sqlite.Apply(ctx, sqliteConfig(c), betterauth.GatePlugins(), dry)
	}
	return nil, errNoTables
}

// errNoTriggers is what those are told who want triggers where nothing needs to be installed.
var errNoTriggers = errors.New("-revocation is for PostgreSQL; in an SQLite file changes are noticed without it")

// PrintRevocation lists the statements that install the revocation triggers.
func PrintRevocation(c *config.Config, dialect string) ([]string, error) {
	if dialect == "sqlite" || dialect == "" && c.Store.Kind() == "sqlite" {
		return nil, errNoTriggers
	}
	return postgres.PrintRevocation(tables(c))
}

// ApplyRevocation installs the revocation triggers, or takes them away, and returns the statements; with dry it only
// returns them.
func ApplyRevocation(ctx context.Context, c *config.Config, install, dry bool) ([]string, error) {
	switch c.Store.Kind() {
	case "postgres":
	case "sqlite":
		return nil, errNoTriggers
	default:
		return nil, errNoTables
	}
	change := postgres.RemoveRevocation
	if install {
		change = postgres.InstallRevocation
	}
	return change(ctx, postgresConfig(c), dry)
}
