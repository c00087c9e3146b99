package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, schemas(t, ""))
}

// TestPoolerModes: what a pooler that loses prepared statements is served with.
func TestPoolerModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "cache_describe", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, schemas(t, "&default_query_exec_mode="+mode))
		})
	}
}

// schemas gives each test a schema instead of a database, which would take a fifth of a second to make.
func schemas(t *testing.T, parameters string) func(*testing.T) storetest.Harness {
	database := testenv.Postgres(t).NewDatabase(t)
	var made atomic.Int32
	return func(t *testing.T) storetest.Harness {
		name := fmt.Sprint("s", made.Add(1))
		execute(t, database, "create schema "+name)
		return harness(t, database+parameters+"&search_path="+name)
	}
}

func harness(t *testing.T, url string) storetest.Harness {
	return storetest.Harness{
		Dialect: betterauth.Postgres,
		Exec:    func(t testing.TB, sql string) { t.Helper(); execute(t, url, sql) },
		Open: func(t testing.TB, tables betterauth.Tables) (gate.Resolver, error) {
			s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Tables: tables})
			if err != nil {
				return nil, err
			}
			t.Cleanup(s.Close)
			return s, nil
		},
	}
}

// execute runs SQL, several statements at once, on a connection of its own.
func execute(t testing.TB, url, sql string) {
	t.Helper()
	conn := connect(t, url)
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.WithoutCancel(t.Context()), sql).ReadAll(); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

func connect(t testing.TB, url string) *pgconn.PgConn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgconn.ConnectConfig(context.WithoutCancel(t.Context()), &config.Config)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
