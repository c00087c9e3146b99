package accounts_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/storetest"
)

// database is one empty database, and another program's connection to it.
type database struct {
	dialect betterauth.Dialect
	url     string
	path    string // SQLite's file
	db      *sql.DB
}

// kinds are the databases of these tests; each call makes a new one.
func kinds() map[string]func(t *testing.T) *database {
	return map[string]func(t *testing.T) *database{
		"sqlite":     func(t *testing.T) *database { return newSQLite(t, "delete") },
		"sqlite-wal": func(t *testing.T) *database { return newSQLite(t, "wal") },
		"postgres":   newPostgres,
	}
}

func newSQLite(t *testing.T, journal string) *database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.db")
	escaped := (&url.URL{Path: path}).EscapedPath()
	db, err := sql.Open("sqlite", "file:"+escaped+"?_pragma=busy_timeout(10000)&_pragma=synchronous(off)&_pragma=journal_mode("+journal+")&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d := &database{dialect: betterauth.SQLite, url: "sqlite://" + escaped, path: path, db: db}
	d.exec(t, "create table made (x); drop table made")
	return d
}

func newPostgres(t *testing.T) *database {
	t.Helper()
	url := testenv.Postgres(t).NewDatabase(t)
	db, err := sql.Open("pgx", url+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &database{dialect: betterauth.Postgres, url: url, db: db}
}

// each runs a test on every kind of database, with a recorded schema of Better Auth's.
func each(t *testing.T, schema string, test func(t *testing.T, d *database)) {
	for name, empty := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := empty(t)
			d.apply(t, schema)
			test(t, d)
		})
	}
}

func (d *database) apply(t testing.TB, schema string) {
	t.Helper()
	d.exec(t, storetest.Harness{Dialect: d.dialect}.Schema(t, schema))
}

func (d *database) exec(t testing.TB, statements string) {
	t.Helper()
	if _, err := d.db.ExecContext(context.WithoutCancel(t.Context()), statements); err != nil {
		t.Fatalf("%v\n%s", err, statements)
	}
}

// ask returns rows as text: columns parted by |, rows by lines; NULL is ∅.
func (d *database) ask(t testing.TB, query string) string {
	t.Helper()
	rows, err := d.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		words := make([]string, len(columns))
		for i, v := range values {
			switch v := v.(type) {
			case nil:
				words[i] = "∅"
			case []byte:
				words[i] = string(v)
			case time.Time:
				words[i] = v.UTC().Format("2006-01-02T15:04:05.999999Z")
			default:
				words[i] = fmt.Sprint(v)
			}
		}
		lines = append(lines, strings.Join(words, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// open opens a store that must work.
func (d *database) open(t testing.TB, change ...func(*accounts.Config)) *accounts.Store {
	t.Helper()
	c := accounts.Config{URL: d.url, Now: func() time.Time { return start() }}
	for _, f := range change {
		f(&c)
	}
	s, err := accounts.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// start is when everything in these tests happens.
func start() time.Time { return time.Date(2026, time.November, 21, 20, 42, 23, 514e6, time.UTC) }

func ptr[V any](v V) *V { return &v }

func ada() *record.User {
	return &record.User{Name: "Ada Lovelace ☃", Email: "Ada@Example.com", EmailVerified: true, Image: ptr("https://x.test/a?b=1"), CreatedAt: start(), UpdatedAt: start()}
}

func sessionOf(u *record.User, token string) *record.Session {
	return &record.Session{
		Token: token, UserID: u.ID, ExpiresAt: start().Add(7 * 24 * time.Hour), CreatedAt: start(), UpdatedAt: start(),
		IPAddress: ptr(""), UserAgent: ptr("rig/1.0"),
	}
}

func accountOf(u *record.User, provider, id string) *record.Account {
	return &record.Account{
		AccountID: id, ProviderID: provider, UserID: u.ID, AccessToken: ptr("at"), IDToken: ptr("it"), Scope: ptr("openid,email"),
		AccessTokenExpiresAt: ptr(start().Add(time.Hour)), CreatedAt: start(), UpdatedAt: start(),
	}
}

// signUp makes a user with an account.
func signUp(t testing.TB, s *accounts.Store, u *record.User, provider, id string) *record.Account {
	t.Helper()
	var a *record.Account
	err := s.Identify(t.Context(), provider, id, u.Email, func(tx accounts.Tx) error {
		u.ID = ""
		if err := tx.InsertUser(t.Context(), u); err != nil {
			return err
		}
		a = accountOf(u, provider, id)
		return tx.InsertAccount(t.Context(), a)
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// together runs n at once, as far as the machine can.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		all.Go(func() { <-gate; do(i) })
	}
	close(gate)
	all.Wait()
}

type atomicCount struct{ n atomic.Int32 }

func (c *atomicCount) add() { c.n.Add(1) }
