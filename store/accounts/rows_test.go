package accounts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store/accounts"
)

// TestRowsAsBetterAuthWritesThem compares with what the real 1.7.25 left in such tables (storetest's seed-*.json): ” where
// it writes that and NULL where that, milliseconds, ISO text and 0 and 1 in SQLite.
func TestRowsAsBetterAuthWritesThem(t *testing.T) {
	each(t, "all-plugins", func(t *testing.T, d *database) {
		s := d.open(t)
		u := ada()
		u.Image = nil
		a := signUp(t, s, u, "google", "g-1")
		sess := sessionOf(u, "token")
		if err := s.CreateSession(t.Context(), sess, u); err != nil {
			t.Fatal(err)
		}
		if err := s.PutVerification(t.Context(), "state", `{"a":"<&>☃"}`, start().Add(10*time.Minute), start()); err != nil {
			t.Fatal(err)
		}
		yes, no := "true", "false"
		if d.dialect == betterauth.SQLite {
			yes, no = "1", "0"
		}
		const now, week, hour = "2026-11-21T20:42:23.514Z", "2026-11-28T20:42:23.514Z", "2026-11-21T21:42:23.514Z"
		for query, want := range map[string]string{
			`select * from "user"`:    u.ID + "|Ada Lovelace ☃|ada@example.com|" + yes + "|∅|" + now + "|" + now + "|user|" + no + "|∅|∅|" + no,
			`select * from "account"`: a.ID + "|g-1|google|" + u.ID + "|at|∅|it|" + hour + "|∅|openid,email|∅|" + now + "|" + now,
			`select * from "session"`: sess.ID + "|" + week + "|token|" + now + "|" + now + "||rig/1.0|" + u.ID + "|∅|∅|∅",
			`select "identifier", "value", "expiresAt", "createdAt", "updatedAt" from "verification"`: `state|{"a":"<&>☃"}|2026-11-21T20:52:23.514Z|` + now + "|" + now,
			`select length("id") from "verification"`:                                                 "32",
		} {
			if got := d.ask(t, query); got != want {
				t.Errorf("%s\n got %s\nwant %s", query, got, want)
			}
		}
		if d.dialect == betterauth.SQLite {
			if got := d.ask(t, `select typeof("expiresAt") from "session"`); got != "text" {
				t.Errorf("expiresAt is stored as %s", got)
			}
		}
	})
}

// TestIDs: who makes ids follows the schema.
func TestIDs(t *testing.T) {
	each(t, "serial-ids", func(t *testing.T, d *database) {
		s := d.open(t)
		u := ada()
		a := signUp(t, s, u, "google", "g-1")
		sess := sessionOf(u, "token")
		if err := s.CreateSession(t.Context(), sess, u); err != nil {
			t.Fatal(err)
		}
		if u.ID != "1" || a.ID != "1" || sess.ID != "1" || a.UserID != "1" {
			t.Errorf("serial: user %q, account %q, session %q", u.ID, a.ID, sess.ID)
		}
		got, owner, err := s.FindSession(t.Context(), "token")
		if err != nil || got == nil || owner.ID != "1" || got.UserID != "1" {
			t.Errorf("got %+v, %+v, %v", got, owner, err)
		}
	})
	each(t, "uuid-ids", func(t *testing.T, d *database) {
		d.exec(t, `insert into "user" ("id", "name", "email", "emailVerified", "createdAt", "updatedAt")
			values ('0b1e9bd0-6b1c-4b5e-9d0c-5a7c6b1f3a2d', 'Bob', 'bob@example.com', '1', '2026-11-21T20:42:23.514Z', '2026-11-21T20:42:23.514Z')`)
		s := d.open(t) // SQLite's columns are text: only a row tells
		u := ada()
		a := signUp(t, s, u, "google", "g-1")
		for _, id := range []string{u.ID, a.ID} {
			if len(id) != 36 || strings.Count(id, "-") != 4 {
				t.Errorf("uuid: %q", id)
			}
		}
	})
}

// TestForms: SQLite columns of other toolchains are written as they are found.
func TestForms(t *testing.T) {
	d := newSQLite(t, "wal")
	d.exec(t, `
		create table user (id text primary key, name text not null, email text not null unique, email_verified integer not null, image text,
			created_at integer not null, updated_at integer not null);
		create table session (id text primary key, expires_at integer not null, token text not null unique, created_at integer not null,
			updated_at integer not null, ip_address text, user_agent text, user_id text not null);
		create table account (id text primary key, account_id text not null, provider_id text not null, user_id text not null, access_token text,
			refresh_token text, id_token text, access_token_expires_at integer, refresh_token_expires_at integer, scope text, password text,
			created_at integer not null, updated_at integer not null);
		create table verification (id text primary key, identifier text not null, value text not null, expires_at integer not null,
			created_at integer not null, updated_at integer not null);
		insert into verification values ('v', 'x', 'y', 1795293743, 1795293743, 1795293743);`)
	s := d.open(t)
	u := ada()
	signUp(t, s, u, "google", "g-1")
	if err := s.CreateSession(t.Context(), sessionOf(u, "token"), u); err != nil {
		t.Fatal(err)
	}
	if err := s.PutVerification(t.Context(), "state", "value", start().Add(time.Hour), start()); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`select created_at, typeof(created_at) from user`:                                             "1795293743514|integer", // drizzle: milliseconds
		`select s.expires_at - s.created_at, typeof(access_token_expires_at) from session s, account`: "604800000|integer",
		`select created_at, expires_at - created_at from verification where value='value'`:            "1795293743|3600", // seconds, as the row before
	} {
		if got := d.ask(t, query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	if got, found, err := s.TakeVerification(t.Context(), "state"); got != "value" || !found || err != nil {
		t.Errorf("take: %q, %v, %v", got, found, err)
	}
	if err := s.SweepVerifications(t.Context(), start().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if got := d.ask(t, "select count(*) from verification"); got != "0" {
		t.Errorf("after the sweep: %s rows", got)
	}
}

// TestTimestampWithoutZone is what drizzle makes in PostgreSQL: UTC, whatever the connection's zone is.
func TestTimestampWithoutZone(t *testing.T) {
	d := newPostgres(t)
	d.apply(t, "core")
	for _, table := range []string{"user", "session", "account", "verification"} {
		for _, column := range []string{"createdAt", "updatedAt", "expiresAt", "accessTokenExpiresAt"} {
			if n := d.ask(t, `select count(*) from information_schema.columns where table_name = '`+table+`' and column_name = '`+column+`'`); n == "1" {
				d.exec(t, `alter table "`+table+`" alter "`+column+`" type timestamp`)
			}
		}
	}
	s := d.open(t, func(c *accounts.Config) { c.URL += "&timezone=Asia/Tokyo"; c.Tables.TimeZone = "America/New_York" })
	u := ada()
	signUp(t, s, u, "google", "g-1")
	if got := d.ask(t, `select "createdAt"::text from "user"`); got != "2026-11-21 15:42:23.514" {
		t.Errorf("written: %s", got)
	}
	got, err := s.User(t.Context(), u.ID)
	if err != nil || !got.CreatedAt.Equal(start()) {
		t.Errorf("read: %+v, %v", got, err)
	}
}

// TestRenamed is Better Auth's own renaming.
func TestRenamed(t *testing.T) {
	each(t, "snake-case-renamed", func(t *testing.T, d *database) {
		s := d.open(t, func(c *accounts.Config) {
			c.Tables = betterauth.Tables{Models: map[string]betterauth.Rename{
				"user": {ModelName: "users"}, "session": {ModelName: "user_sessions"}, "organization": {ModelName: "organizations"},
				"member": {ModelName: "organization_members"},
			}}
		})
		u := ada()
		signUp(t, s, u, "google", "g-1")
		if err := s.CreateSession(t.Context(), sessionOf(u, "token"), u); err != nil {
			t.Fatal(err)
		}
		d.exec(t, `insert into "organizations" ("id", "name", "slug", "createdAt") values ('o1', 'Acme', 'acme', '2026-11-21T20:42:23.514Z');
			insert into "organization_members" ("id", "organization_id", "user_id", "role", "created_at")
			values ('m1', 'o1', '`+u.ID+`', 'owner', '2026-11-21T20:42:23.514Z')`)
		all, err := s.OrganizationsOf(t.Context(), u.ID)
		if err != nil || len(all) != 1 || all[0].Slug != "acme" {
			t.Errorf("got %+v, %v", all, err)
		}
		if got := d.ask(t, `select "token", "active_organization_id" from "user_sessions"`); got != "token|∅" {
			t.Errorf("session row: %s", got)
		}
	})
}
