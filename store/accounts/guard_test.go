package accounts_test

import (
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/accounts"
)

// TestGuard: what a database must not have, or must, before anybody is signed in there.
func TestGuard(t *testing.T) {
	for _, c := range []struct {
		name, change, says string
		missing            bool
		fine               bool
	}{
		{name: "as Better Auth makes it", change: "select 1", fine: true},
		{name: "issuer of 1.7.1", change: `alter table "account" add column "issuer" text not null default ''`, fine: true},
		{name: "issuer without default", change: `drop table "account"; ` + accountTable(`"issuer" text not null`), says: "1.7.25"},
		{name: "additional field", change: `alter table "user" add column "phone" text`, fine: true},
		{name: "additional field with default", change: `alter table "user" add column "plan" text not null default 'free'`, fine: true},
		{name: "field nobody knows", change: `drop table "account"; ` + accountTable(`"tenant" text not null`), says: `"tenant"`},
		{name: "no account table", change: `drop table "account"`, says: `"account"`, missing: true},
		{name: "no verification table", change: `drop table "verification"`, says: `"verification"`, missing: true},
		{name: "no session table", change: `drop table "session"`, says: `"session"`, missing: true},
		{name: "no token column", change: `alter table "account" drop column "idToken"`, says: `"idToken"`, missing: true},
		{name: "no image", change: `alter table "user" drop column "image"`, says: `"image"`, missing: true},
		{name: "other tables are not ours", change: `create table "jwks" ("n" integer not null); create table "invitation" ("n" integer not null)`, fine: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, "core", func(t *testing.T, d *database) {
				d.exec(t, c.change)
				s, err := accounts.Open(t.Context(), accounts.Config{URL: d.url})
				if c.fine {
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					signUp(t, s, ada(), "google", "g-1")
					return
				}
				var missing *store.MissingError
				if err == nil || !store.Permanent(err) || errors.As(err, &missing) != c.missing || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v", err)
				}
				if err != nil && strings.Contains(err.Error(), "sqlite://") {
					t.Errorf("it quotes the URL: %v", err)
				}
			})
		})
	}
}

// accountTable is Better Auth's with one column more.
func accountTable(column string) string {
	return `create table "account" ("id" text not null primary key, "accountId" text not null, "providerId" text not null, "userId" text not null,
		"accessToken" text, "refreshToken" text, "idToken" text, "accessTokenExpiresAt" timestamp, "refreshTokenExpiresAt" timestamp, "scope" text,
		"password" text, "createdAt" timestamp not null, "updatedAt" timestamp not null, ` + column + `)`
}

func TestWrongURL(t *testing.T) {
	for url, says := range map[string]string{
		"mysql://root:geheim@db/x":           "store.url",
		"postgres://u:ge@heim@h/db":          "percent-encoded",
		"sqlite::memory:":                    "store.url",
		"sqlite:///nonexistent/auth.db":      "no file",
		"":                                   "store.url",
		"postgres://u:geheim@127.0.0.1:1/db": "nothing listens",
	} {
		_, err := accounts.Open(t.Context(), accounts.Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "heim") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestGrants: a role that may not write is told what it lacks.
func TestGrants(t *testing.T) {
	d := newPostgres(t)
	d.apply(t, "all-plugins")
	role := "reader_" + strings.ToLower(strings.NewReplacer("/", "_").Replace(t.Name()))
	d.exec(t, `create role "`+role+`" login; grant select on all tables in schema public to "`+role+`"`)
	t.Cleanup(func() { d.exec(t, `drop owned by "`+role+`"; drop role "`+role+`"`) })
	as := strings.Replace(d.url, "postgres://postgres@", "postgres://"+role+"@", 1)
	if as == d.url {
		t.Fatalf("the URL's user is another: %s", d.url)
	}
	_, err := accounts.Open(t.Context(), accounts.Config{URL: as})
	for _, want := range []string{
		`grant insert, update on "public"."user"`, `grant insert, update, delete on "public"."account"`,
		`grant insert, update, delete on "public"."session"`, `grant insert, update, delete on "public"."verification"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if err != nil && (store.Permanent(err) || strings.Contains(err.Error(), "organization")) {
		t.Errorf("a grant may come, and reading is granted: %v", err)
	}
	d.exec(t, `grant insert, update on "user" to "`+role+`"; grant insert, update, delete on "account", "session", "verification" to "`+role+`"`)
	s, err := accounts.Open(t.Context(), accounts.Config{URL: as})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	signUp(t, s, ada(), "google", "g-1")

	d.exec(t, `alter role "`+role+`" set default_transaction_read_only = on`)
	if _, err := accounts.Open(t.Context(), accounts.Config{URL: as}); err == nil || !strings.Contains(err.Error(), "replica or a read-only role") {
		t.Errorf("read-only: %v", err)
	}
}

// TestMigrations: a schema that changes under the store is looked at again.
func TestMigrations(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		u := ada()
		signUp(t, s, u, "google", "g-1")
		d.exec(t, `alter table "user" rename column "emailVerified" to "email_verified"`)
		got, err := s.User(t.Context(), u.ID)
		if err != nil || !got.EmailVerified {
			t.Errorf("got %+v, %v", got, err)
		}
		d.exec(t, `alter table "account" rename column "providerId" to "provider_id"`)
		if _, err := signIn(t.Context(), s, "google", "g-1", "ada@example.com", func() {}); err != nil {
			t.Error(err)
		}
		d.exec(t, `alter table "user" add column "role" text; alter table "user" add column "banned" `+map[betterauth.Dialect]string{betterauth.SQLite: "integer", betterauth.Postgres: "boolean"}[d.dialect])
		if err := s.Ping(t.Context()); err != nil || !s.Shape().Admin {
			t.Errorf("shape %+v, %v", s.Shape(), err)
		}
		d.exec(t, `alter table "user" drop column "image"`)
		if err := s.Ping(t.Context()); !store.Permanent(err) {
			t.Errorf("ping: %v", err)
		}
	})
}

// TestReplacedFile: a copy that is brought back is used at once.
func TestReplacedFile(t *testing.T) {
	old, fresh := newSQLite(t, "delete"), newSQLite(t, "delete")
	old.apply(t, "core")
	fresh.apply(t, "core")
	s := old.open(t)
	signUp(t, s, ada(), "google", "g-1")
	if err := os.Rename(fresh.path, old.path); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn(t.Context(), s, "google", "g-1", "ada@example.com", func() {}); err != nil {
		t.Fatal(err)
	}
	fresh.db, _ = sql.Open("sqlite", "file:"+strings.TrimPrefix(old.url, "sqlite://"))
	t.Cleanup(func() { _ = fresh.db.Close() })
	if got := fresh.ask(t, `select count(*) from "account"`); got != "1" {
		t.Errorf("the file that is there has %s accounts", got)
	}
}
