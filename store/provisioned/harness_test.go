package provisioned_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/provisioned"
	"github.com/usherauth/usher/store/storetest"
)

// database is one empty database, and another program's connection to it.
type database struct {
	dialect betterauth.Dialect
	url     string
	path    string // SQLite's file
	db      *sql.DB
}

func kinds() map[string]func(t testing.TB) *database {
	return map[string]func(t testing.TB) *database{
		"sqlite":     func(t testing.TB) *database { return newSQLite(t, "delete") },
		"sqlite-wal": func(t testing.TB) *database { return newSQLite(t, "wal") },
		"postgres":   newPostgres,
	}
}

func newSQLite(t testing.TB, journal string) *database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "business #1.db")
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

func newPostgres(t testing.TB) *database {
	t.Helper()
	return connectPostgres(t, testenv.Postgres(t).NewDatabase(t))
}

func connectPostgres(t testing.TB, url string) *database {
	t.Helper()
	db, err := sql.Open("pgx", url+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &database{dialect: betterauth.Postgres, url: url, db: db}
}

// each runs a test on every kind of database.
func each(t *testing.T, test func(t *testing.T, d *database)) {
	for name, empty := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, empty(t))
		})
	}
}

// exec runs statements. <uuid>, <now>, <serial> and <instant> are written in the database's own words.
func (d *database) exec(t testing.TB, statements string) {
	t.Helper()
	words := []string{
		"<uuid>", "text primary key default (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))",
		"<uuid-of>", "text", "<instant>", "text", "<now>", "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))", "<serial>", "integer primary key", "<number>", "integer", "<flag>", "boolean",
	}
	if d.dialect == betterauth.Postgres {
		words = []string{
			"<uuid>", "uuid primary key default gen_random_uuid()", "<uuid-of>", "uuid", "<instant>", "timestamptz", "<now>", "now()",
			"<serial>", "bigint generated always as identity primary key", "<number>", "bigint", "<flag>", "boolean",
		}
	}
	statements = strings.NewReplacer(words...).Replace(statements)
	if _, err := d.db.ExecContext(context.WithoutCancel(t.Context()), statements); err != nil {
		t.Fatalf("%v\n%s", err, statements)
	}
}

// ask returns rows as text: columns parted by |, rows by lines; NULL is ∅.
func (d *database) ask(t testing.TB, query string) string {
	t.Helper()
	rows, err := d.db.QueryContext(context.WithoutCancel(t.Context()), query)
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
		values, into := make([]any, len(columns)), make([]any, len(columns))
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
				words[i] = v.UTC().Format("2006-01-02T15:04:05.000Z")
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

// is demands what a query answers.
func (d *database) is(t testing.TB, query, want string) {
	t.Helper()
	if got := d.ask(t, query); got != want {
		t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
	}
}

// betterAuth makes Better Auth's tables.
func (d *database) betterAuth(t testing.TB) {
	t.Helper()
	d.exec(t, storetest.Harness{Dialect: d.dialect}.Schema(t, "all-plugins"))
}

// shape is system A's own.
const shape = `
create table users (id <uuid>, auth_id text unique, email text, name text, created_at <instant> default <now>);
create table organizations (id <uuid>, auth_org_id text unique, name text, slug text, owner_user_id <uuid-of> references users (id));
create table memberships (user_id <uuid-of> not null references users (id) on delete cascade,
  organization_id <uuid-of> not null references organizations (id) on delete cascade, role text, primary key (user_id, organization_id));`

// mapped is the mapping for it, without anything that needs a source.
func mapped() provisioned.Config {
	return provisioned.Config{
		Users: provisioned.Users{Table: "users", ID: "id", AuthID: "auth_id", Columns: map[string]string{"email": "email", "name": "name"}},
		Organizations: provisioned.Organizations{
			Table: "organizations", ID: "id", AuthID: "auth_org_id", Columns: map[string]string{"name": "name", "slug": "slug"},
		},
		Members: provisioned.Members{Table: "memberships", User: "user_id", Organization: "organization_id", Columns: map[string]string{"role": "role"}},
	}
}

// open opens rows that must work.
func (d *database) open(t testing.TB, c provisioned.Config) *provisioned.Rows {
	t.Helper()
	c.URL = d.url
	r, err := provisioned.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func ada() *gate.Principal {
	return &gate.Principal{
		Session: gate.Session{ID: "s1", ExpiresAt: time.Now().Add(time.Hour)},
		User:    gate.User{ID: "u1", Name: "Ada Lovelace ☃", Email: "ada@example.com", EmailVerified: true, Roles: "admin"},
		Memberships: []gate.Membership{
			{OrganizationID: "o2", Slug: "beta", Name: "Beta", Roles: "owner"},
			{OrganizationID: "o1", Slug: "alpha", Name: "Alpha", Roles: "member,editor"},
		},
	}
}

// provision makes rows, which must work.
func provision(t testing.TB, r *provisioned.Rows, p *gate.Principal) *gate.Principal {
	t.Helper()
	if err := r.Provision(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// events collects what is observed.
type events struct {
	mu  sync.Mutex
	all []provisioned.Event
}

func (e *events) observe(v provisioned.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, v)
}

func (e *events) take() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var words []string
	for _, v := range e.all {
		words = append(words, fmt.Sprint(v.Table, " ", v.Kind, " ", v.Rows))
	}
	e.all = nil
	return strings.Join(words, ", ")
}

func (e *events) errors() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []error
	for _, v := range e.all {
		all = append(all, v.Err)
	}
	return errors.Join(all...)
}

// says demands words in an error, and that it shows none of the values of these tests.
func says(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	for _, value := range []string{"ada@example.com", "Lovelace", "u1", "Alpha", "sesame"} {
		if strings.Contains(err.Error(), value) {
			t.Errorf("%q shows %q", err, value)
		}
	}
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

// replaceFile moves a database to where another is.
func replaceFile(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// reopen is another program that comes to the file that is there now.
func reopen(t testing.TB, d *database) *database {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: d.path}).EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &database{dialect: d.dialect, url: d.url, path: d.path, db: db}
}
