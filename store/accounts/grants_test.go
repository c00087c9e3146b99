package accounts_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/accounts"
)

// TestNothingIsRefused: whoever looks at the database every two seconds does not fill its log, while grants are missing or
// while it is a role that may only read; and a look is few statements.
func TestNothingIsRefused(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	url := server.NewDatabase(t)
	db, err := sql.Open("pgx", url+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d := &database{dialect: betterauth.Postgres, url: url, db: db}
	d.apply(t, "all-plugins")
	d.exec(t, `create role mouse login; alter role mouse set log_statement = 'all'`)
	as := strings.Replace(url, "postgres://postgres@", "postgres://mouse@", 1)

	refused := func() int { return strings.Count(server.Output(), "ERROR:") }
	tries := 0
	lacks := func(when string, ping func() error, wants ...string) {
		t.Helper()
		tries++
		err := ping()
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in: %v", when, want, err)
			}
		}
		if store.Permanent(err) {
			t.Errorf("%s: a grant may come: %v", when, err)
		}
	}
	open := func() error {
		s, err := accounts.Open(t.Context(), accounts.Config{URL: as})
		if err == nil {
			s.Close()
		}
		return err
	}
	d.exec(t, `revoke usage on schema public from public`)
	lacks("a schema that is closed", func() error {
		s, err := accounts.Open(t.Context(), accounts.Config{URL: as, Tables: betterauth.Tables{Schema: "public"}})
		if err == nil {
			s.Close()
		}
		return err
	}, `grant usage on schema "public" to the role of store.url`, `the role "mouse"`)
	d.exec(t, `grant usage on schema public to mouse`)
	lacks("nothing granted", open, `grant select, insert, update on "public"."user" to the role of store.url`,
		`grant select, insert, update, delete on "public"."verification"`, `grant select on "public"."organization"`, `grant select on "public"."invitation"`)
	d.exec(t, `grant select on all tables in schema public to mouse; grant update ("updatedAt") on "user" to mouse;
		grant insert ("name", "email") on "user" to mouse`)
	lacks("some columns", open, `grant insert on "public"."user"`, `grant insert, update, delete on "public"."session"`)
	d.exec(t, `grant insert on "user" to mouse; grant insert, update, delete on "account", "session", "verification" to mouse;
		alter role mouse set default_transaction_read_only = on`)
	lacks("read-only", open, "replica or a read-only role")
	d.exec(t, `alter role mouse reset default_transaction_read_only`)

	s, err := accounts.Open(t.Context(), accounts.Config{URL: as})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ping := func() error { return s.Ping(context.WithoutCancel(t.Context())) }
	if err := ping(); err != nil {
		t.Fatal(err)
	}
	before := statements(t, server, d)
	if err := ping(); err != nil {
		t.Fatal(err)
	}
	if took := statements(t, server, d) - before; took < 1 || took > 2 {
		t.Errorf("a look took %d statements", took)
	}
	d.exec(t, `revoke insert on account from mouse; revoke select on member from mouse`)
	lacks("taken away", ping, `grant insert on "public"."account"`, `grant select on "public"."member"`)
	d.exec(t, `grant insert on account to mouse; grant select on member to mouse`)
	if err := ping(); err != nil {
		t.Error(err)
	}
	if n := refused(); n != 0 {
		t.Errorf("the server refused %d statements in %d looks:\n%s", n, tries, server.Output())
	}
	signUp(t, s, ada(), "google", "g-1")

	// That a refusal would have been seen: one, by hand.
	d.exec(t, `revoke delete on session from mouse`)
	mouse, err := sql.Open("pgx", as)
	if err != nil {
		t.Fatal(err)
	}
	defer mouse.Close()
	if _, err := mouse.ExecContext(t.Context(), `delete from session where 1 = 0`); err == nil {
		t.Error("it was not refused")
	}
	for end := time.Now().Add(5 * time.Second); refused() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the log does not show a refusal")
		}
	}
}

// statements counts those of the role whose statements are logged, up to now: what was logged before a mark of another
// connection's is in the log before it.
func statements(t *testing.T, server *testenv.PostgresServer, d *database) int {
	t.Helper()
	before := strings.Count(server.Output(), "a mark of the test")
	d.exec(t, `do $$ begin raise log 'a mark of the test'; end $$`)
	for end := time.Now().Add(5 * time.Second); strings.Count(server.Output(), "a mark of the test") == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the log does not show the mark")
		}
	}
	out := server.Output()
	return strings.Count(out, "LOG:  statement: ") + strings.Count(out, "LOG:  execute ")
}

// TestViews: a view in a table's place is as good as what can be done to it.
func TestViews(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	d.apply(t, "core")
	d.exec(t, `alter table "account" rename to "accounts_of_people"; create view "account" as select * from "accounts_of_people"`)
	s := d.open(t)
	signUp(t, s, ada(), "google", "g-1")
	d.exec(t, `drop view "account"; create view "account" as select distinct * from "accounts_of_people"`)
	if err := s.Ping(t.Context()); !store.Permanent(err) || !strings.Contains(err.Error(), `"public"."account" is a view`) {
		t.Errorf("a view that takes nothing: %v", err)
	}
}
