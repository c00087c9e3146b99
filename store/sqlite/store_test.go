package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/sqlite"
	"github.com/usherauth/usher/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"delete", "wal"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) storetest.Harness {
				path := filepath.Join(t.TempDir(), "better auth #1 %41?.db")
				execute(t, path, "pragma journal_mode = "+mode)
				return harness(path)
			})
		})
	}
}

func harness(path string) storetest.Harness {
	return storetest.Harness{
		Dialect: betterauth.SQLite,
		Exec:    func(t testing.TB, sql string) { t.Helper(); execute(t, path, sql) },
		Open: func(t testing.TB, tables betterauth.Tables) (gate.Resolver, error) {
			s, err := sqlite.Open(t.Context(), sqlite.Config{URL: address(path), Tables: tables})
			if err != nil {
				return nil, err
			}
			t.Cleanup(s.Close)
			return s, nil
		},
	}
}

// execute runs SQL as another program would.
func execute(t testing.TB, path, statements string) {
	t.Helper()
	db := other(t, path)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatalf("%v\n%s", err, statements)
	}
}

func other(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+escape(path)+"?_pragma=busy_timeout(10000)&_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}
