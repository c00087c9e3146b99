package sqlite_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/sqlite"
)

func check(t *testing.T, c sqlite.Config) store.SchemaReport {
	t.Helper()
	report, err := sqlite.CheckSchema(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func apply(t *testing.T, c sqlite.Config, p betterauth.Plugins, dry bool) []string {
	t.Helper()
	done, err := sqlite.Apply(t.Context(), c, p, dry)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestSchemaIsMadeFromNothing(t *testing.T) {
	t.Parallel()
	for name, tables := range map[string]betterauth.Tables{
		"own names": {}, "snake_case and plural": {Preset: betterauth.SnakeCase, UsePlural: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "new.db")
			c := sqlite.Config{URL: address(path), Tables: tables}
			if _, err := sqlite.CheckSchema(t.Context(), c); err == nil {
				t.Error("checked a file that is not there")
			}
			all := betterauth.Plugins{Organization: true, Teams: true, Admin: true}
			planned := apply(t, c, all, true)
			if _, err := os.Stat(path); err == nil {
				t.Error("a dry run made the file")
			}
			if done := apply(t, c, all, false); !slices.Equal(planned, done) || len(done) < 15 {
				t.Errorf("planned %v\ndone %v", planned, done)
			}
			if again := apply(t, c, all, false); len(again) > 0 {
				t.Errorf("done twice: %v", again)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("others may read the sessions: %v %v", info.Mode(), err)
			}
			report := check(t, c)
			if !report.OK() || len(report.Unexpected)+len(report.Indexes) > 0 || !report.Organizations || !report.Teams || !report.Bans {
				t.Errorf("our own schema: %+v", report)
			}
			s, err := sqlite.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		})
	}
}

// TestSchemaIsCompleted: a Better Auth database gets what plugins need, and keeps what it has.
func TestSchemaIsCompleted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	c := sqlite.Config{URL: address(path)}
	execute(t, path, `create table "user" ("id" text not null primary key, "name" text not null, "email" text not null unique, "emailVerified" integer not null, "image" text, "createdAt" date not null, "updatedAt" date not null, "plan" text not null);
		create table "SESSION" ("id" text not null primary key, "expiresAt" date not null, "token" text not null, "createdAt" date not null, "updatedAt" date not null, "ipAddress" text, "userAgent" text, "userId" text not null);
		create view "member" as select * from "nowhere";
		create index "lower" on "user" (lower("email"));`)
	if _, err := sqlite.CheckSchema(t.Context(), c); err == nil {
		t.Error("a broken view of a name of ours: no error")
	}
	execute(t, path, `drop view "member"; create view "other" as select * from "nowhere"`)
	report := check(t, c)
	if !report.OK() || report.Organizations || len(report.Unexpected) != 1 || report.Unexpected[0].Column != "plan" ||
		!strings.Contains(report.Unexpected[0].Note, "cannot make rows") || len(report.Indexes) != 2 {
		t.Errorf("%+v", report)
	}
	done := apply(t, c, betterauth.Plugins{Organization: true, Admin: true}, false)
	for _, want := range []string{
		`alter table "user" add column "role" text`, `alter table "SESSION" add column "activeOrganizationId" text`,
		`create unique index "SESSION_token_uidx" on "SESSION" ("token")`,
		`create unique index "account_providerId_accountId_uidx" on "account" ("providerId", "accountId")`,
	} {
		if !slices.Contains(done, want) {
			t.Errorf("not done: %s\n%s", want, strings.Join(done, "\n"))
		}
	}
	if report := check(t, c); len(report.Indexes) > 0 || !report.Organizations || !report.Bans || len(report.Unexpected) != 1 {
		t.Errorf("after: %+v", report)
	}
	if again := apply(t, c, betterauth.Plugins{Organization: true, Admin: true}, false); len(again) > 0 {
		t.Errorf("done twice: %v", again)
	}
}

func TestSchemaChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
	c := sqlite.Config{URL: address(path)}
	execute(t, path, `drop index "account_providerId_accountId_uidx"; drop table "teamMember"; drop table "team";
		insert into "account" ("id", "accountId", "providerId", "userId", "createdAt", "updatedAt") values ('a', '1', 'github', 'u1', '', ''), ('b', '1', 'github', 'u1', '', '')`)
	_, err := sqlite.Apply(t.Context(), c, betterauth.Plugins{Organization: true, Teams: true}, false)
	for _, want := range []string{
		"nothing was changed", `"account_providerId_accountId_uidx"`, "2 rows", "having count(*) > 1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "github") {
			t.Errorf("no %s, or a value, in: %v", want, err)
		}
	}
	if _, err := sqlite.Apply(t.Context(), c, betterauth.Plugins{Organization: true, Teams: true}, true); err == nil || !strings.Contains(err.Error(), "2 rows") {
		t.Errorf("dry: %v", err)
	}
	if check(t, c).Teams {
		t.Error("half of it was done")
	}
}

func TestWritableDatabase(t *testing.T) {
	t.Parallel()
	path := database(t, filepath.Join(t.TempDir(), "a.db"), "token")
	db, err := sqlite.OpenWritable(t.Context(), sqlite.Config{URL: address(path)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var mode string
	if err := db.QueryRowContext(t.Context(), "pragma journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %s, %v", mode, err)
	}
	if _, err := db.ExecContext(t.Context(), `delete from "user"`); err != nil {
		t.Fatal(err)
	}
	var sessions int
	if err := db.QueryRowContext(t.Context(), `select count(*) from "session"`).Scan(&sessions); err != nil || sessions != 0 {
		t.Errorf("%d sessions are left of a deleted user, %v", sessions, err)
	}
	if _, err := sqlite.OpenWritable(t.Context(), sqlite.Config{URL: "sqlite:/no/such/folder/a.db"}); err == nil {
		t.Error("no error")
	}
}

// TestSchemaIsNotMadeBesideAnother: empty tables beside the real ones would refuse everybody.
func TestSchemaIsNotMadeBesideAnother(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	c := sqlite.Config{URL: address(path)}
	execute(t, path, "pragma journal_mode = wal")
	plural, snaky := c, c
	plural.Tables.UsePlural = true
	snaky.Tables = betterauth.Tables{UsePlural: true, Preset: betterauth.SnakeCase}
	apply(t, snaky, betterauth.Plugins{}, false)
	report := check(t, c)
	if report.OK() || !strings.Contains(report.Missing[0].Note, "use_plural?") || !strings.Contains(report.Instead, "use_plural?") {
		t.Errorf("check: %+v", report)
	}
	for _, dry := range []bool{true, false} {
		_, err := sqlite.Apply(t.Context(), c, betterauth.Plugins{}, dry)
		if err == nil || !strings.Contains(err.Error(), "nothing was changed") || !strings.Contains(err.Error(), `no table "user", but there is "users": is it better_auth.tables.use_plural?`) {
			t.Errorf("apply: %v", err)
		}
	}
	if again := check(t, c); len(again.Missing) != len(report.Missing) {
		t.Errorf("something was made: %+v", again)
	}
	if report := check(t, plural); !report.OK() || report.Instead != "" {
		t.Errorf("with the key: %+v", report)
	}
	c.Tables.Models = map[string]betterauth.Rename{
		"user": {ModelName: "user"}, "session": {ModelName: "session"}, "account": {ModelName: "account"}, "verification": {ModelName: "verification"},
	}
	if report := check(t, c); report.OK() || report.Instead != "" {
		t.Errorf("what is written down is meant: %+v", report)
	}
	apply(t, c, betterauth.Plugins{}, false)
	plural.Tables.Models, plural.Tables.Schema = nil, ""
	execute(t, path, `drop table "sessions"; drop table "accounts"; drop table "verifications"; drop table "users"`)
	if _, err := sqlite.Apply(t.Context(), plural, betterauth.Plugins{}, false); err == nil || !strings.Contains(err.Error(), `there is "user": is better_auth.tables.use_plural wrong?`) {
		t.Errorf("plural beside singular: %v", err)
	}
}

// TestSchemaSaysWhatApplyWouldNotMake: columns that every row needs, and tables of other plugins.
func TestSchemaSaysWhatApplyWouldNotMake(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	c := sqlite.Config{URL: address(path)}
	execute(t, path, "pragma journal_mode = wal")
	if report := check(t, c); report.OK() || report.Instead != "" {
		t.Errorf("an empty database: %+v", report)
	}
	apply(t, c, betterauth.Plugins{}, false)
	named := c
	named.Tables.Models = map[string]betterauth.Rename{"apikey": {ModelName: "keys"}}
	if report := check(t, named); report.OK() || !strings.Contains(report.Instead, `table "keys" belongs to a plugin`) {
		t.Errorf("another plugin's: %+v", report)
	}
	execute(t, path, `alter table "session" rename column "expiresAt" to "ends"`)
	if report := check(t, c); report.OK() || !strings.Contains(report.Instead, `no column "expiresAt", which every row needs`) {
		t.Errorf("a needed column: %+v", report)
	}
}

// TestSchemaCheckTriesTheLookup: all columns are there, and one compares in a way that only its program knows.
func TestSchemaCheckTriesTheLookup(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	c := sqlite.Config{URL: address(path)}
	apply(t, c, betterauth.Plugins{}, false)
	execute(t, path, `drop table "session";
		create table "session" ("id" text, "token" text, "userId" text, "createdAt" date, "expiresAt" date);
		pragma writable_schema = on;
		update sqlite_schema set sql = replace(sql, '"token" text', '"token" text collate nonsense') where name = 'session'`)
	report := check(t, c)
	if report.OK() || len(report.Refused) != 1 || !strings.Contains(report.Refused[0].Note, "try the lookup") {
		t.Errorf("%+v", report)
	}
	if _, err := sqlite.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "try the lookup") {
		t.Errorf("open: %v", err)
	}
}
