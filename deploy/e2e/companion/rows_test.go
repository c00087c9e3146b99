package companion

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// execute runs statements as the owner of the tables.
func execute(t *testing.T, database string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func number(t *testing.T, database, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// whole fails the test where rows are half written, or somebody is there twice.
func whole(t *testing.T, database string) {
	t.Helper()
	for what, query := range map[string]string{
		"users without an account":    `select count(*) from "user" u where not exists (select from account a where a."userId" = u.id)`,
		"accounts without a user":     `select count(*) from account a where not exists (select from "user" u where u.id = a."userId")`,
		"sessions without a user":     `select count(*) from session s where not exists (select from "user" u where u.id = s."userId")`,
		"addresses of several people": `select count(*) from (select email from "user" group by email having count(*) > 1) x`,
		"identities twice":            `select count(*) from (select 1 from account group by "providerId", "accountId" having count(*) > 1) x`,
	} {
		if n := number(t, database, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
}

// executeFile runs a statement in SQLite's file.
func executeFile(t *testing.T, database, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(database, "sqlite://")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}
