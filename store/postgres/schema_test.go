package postgres_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
)

func check(t *testing.T, c postgres.Config) store.SchemaReport {
	t.Helper()
	report, err := postgres.CheckSchema(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func apply(t *testing.T, c postgres.Config, p betterauth.Plugins, dry bool) []string {
	t.Helper()
	done, err := postgres.Apply(t.Context(), c, p, dry)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func columns(findings []store.Finding) (names []string) {
	for _, f := range findings {
		names = append(names, f.Table+"."+f.Column)
	}
	return names
}

func TestSchemaIsMadeFromNothing(t *testing.T) {
	t.Parallel()
	for name, tables := range map[string]betterauth.Tables{
		"own names": {}, "snake_case and plural in a schema": {Preset: betterauth.SnakeCase, UsePlural: true, Schema: `a"uth`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t), Tables: tables}
			if tables.Schema != "" {
				execute(t, c.URL, `create schema "a""uth"`)
			}
			if report := check(t, c); report.OK() || len(report.Missing) != 2 {
				t.Errorf("an empty database: %+v", report)
			}
			all := betterauth.Plugins{Organization: true, Teams: true, Admin: true}
			planned := apply(t, c, all, true)
			if again := apply(t, c, all, true); !slices.Equal(planned, again) {
				t.Errorf("a dry run changed something: %v", again)
			}
			if done := apply(t, c, all, false); !slices.Equal(planned, done) || len(done) < 15 {
				t.Errorf("planned %v\ndone %v", planned, done)
			}
			if again := apply(t, c, all, false); len(again) > 0 {
				t.Errorf("done twice: %v", again)
			}
			report := check(t, c)
			if !report.OK() || len(report.Unexpected)+len(report.Indexes) > 0 || !report.Organizations || !report.Teams || !report.Bans {
				t.Errorf("our own schema: %+v", report)
			}
			s, err := postgres.Open(t.Context(), c)
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
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	apply(t, c, betterauth.Plugins{}, false)
	execute(t, c.URL, `drop index "account_providerId_accountId_uidx"; alter table "session" drop constraint "session_token_key";
		alter table "user" add column "plan" text; alter table "account" add column "issuer" text not null;
		insert into "user" ("id", "name", "email", "emailVerified", "plan") values ('u1', 'U', 'u@example.com', true, 'gold');`)
	report := check(t, c)
	if !report.OK() || report.Organizations || strings.Join(columns(report.Unexpected), " ") != "user.plan account.issuer" ||
		!strings.Contains(report.Unexpected[1].Note, "cannot make rows") || len(report.Indexes) != 2 {
		t.Errorf("%+v", report)
	}
	done := apply(t, c, betterauth.Plugins{Organization: true, Admin: true}, false)
	for _, want := range []string{
		`alter table "user" add column "role" text`, `alter table "session" add column "activeOrganizationId" text`,
		`create unique index "session_token_uidx" on "session" ("token")`,
		`create unique index "account_providerId_accountId_uidx" on "account" ("providerId", "accountId")`,
	} {
		if !slices.Contains(done, want) {
			t.Errorf("not done: %s", want)
		}
	}
	if report := check(t, c); len(report.Indexes) > 0 || !report.Organizations || !report.Bans || len(report.Unexpected) != 2 {
		t.Errorf("after: %+v", report)
	}
}

// TestSchemaChangesAllOrNothing: account rows that contradict the unique index undo the rest, too.
func TestSchemaChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	apply(t, c, betterauth.Plugins{}, false)
	execute(t, c.URL, `drop index "account_providerId_accountId_uidx";
		insert into "user" ("id", "name", "email", "emailVerified") values ('u1', 'U', 'u@example.com', true);
		insert into "account" ("id", "accountId", "providerId", "userId", "updatedAt") values ('a', '1', 'github', 'u1', now()), ('b', '1', 'github', 'u1', now())`)
	_, err := postgres.Apply(t.Context(), c, betterauth.Plugins{Organization: true}, false)
	for _, want := range []string{
		"nothing was changed", `"account_providerId_accountId_uidx"`, "2 rows", "having count(*) > 1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "github") {
			t.Errorf("no %s, or a value, in: %v", want, err)
		}
	}
	if _, err := postgres.Apply(t.Context(), c, betterauth.Plugins{Organization: true}, true); err == nil || !strings.Contains(err.Error(), "2 rows") {
		t.Errorf("dry: %v", err)
	}
	if check(t, c).Organizations {
		t.Error("half of it was done")
	}
	execute(t, c.URL, `delete from "account" where "id" = 'b'; alter table "session" drop column "token"`)
	if _, err := postgres.Apply(t.Context(), c, betterauth.Plugins{}, false); err == nil || !strings.Contains(err.Error(), `"token"`) {
		t.Errorf("a session table without token: %v", err)
	}
}

func TestSchemaApplyDoesNotWaitForLocksForever(t *testing.T) {
	t.Parallel()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	apply(t, c, betterauth.Plugins{}, false)
	other := connect(t, c.URL)
	if _, err := other.Exec(t.Context(), `begin; lock table "user" in access exclusive mode`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context())
	before := time.Now()
	if _, err := postgres.Apply(t.Context(), c, betterauth.Plugins{Admin: true}, false); err == nil {
		t.Error("no error")
	}
	if took := time.Since(before); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestSchemaAppliedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			_, err := postgres.Apply(t.Context(), c, betterauth.Plugins{Organization: true}, false)
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestSchemaOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	apply(t, c, betterauth.Plugins{}, false)
	execute(t, c.URL, `alter table "session" alter column "expiresAt" type text`)
	if report := check(t, c); report.OK() || !strings.Contains(report.Refused[0].Note, "of type text") {
		t.Errorf("%+v", report)
	}
}

// TestSchemaIsNotMadeBesideAnother: empty tables beside the real ones would refuse everybody.
func TestSchemaIsNotMadeBesideAnother(t *testing.T) {
	t.Parallel()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	plural, snaky := c, c
	plural.Tables.UsePlural = true
	snaky.Tables = betterauth.Tables{UsePlural: true, Preset: betterauth.SnakeCase}
	apply(t, snaky, betterauth.Plugins{}, false)
	report := check(t, c)
	if report.OK() || !strings.Contains(report.Missing[0].Note, "use_plural?") || !strings.Contains(report.Instead, "use_plural?") {
		t.Errorf("check: %+v", report)
	}
	for _, dry := range []bool{true, false} {
		_, err := postgres.Apply(t.Context(), c, betterauth.Plugins{}, dry)
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
	execute(t, c.URL, `drop table "users", "sessions", "accounts", "verifications"`)
	if _, err := postgres.Apply(t.Context(), plural, betterauth.Plugins{}, false); err == nil || !strings.Contains(err.Error(), `there is "user": is better_auth.tables.use_plural wrong?`) {
		t.Errorf("plural beside singular: %v", err)
	}
}

// TestSchemaSaysWhatApplyWouldNotMake: columns that every row needs, and tables of other plugins.
func TestSchemaSaysWhatApplyWouldNotMake(t *testing.T) {
	t.Parallel()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	if report := check(t, c); report.OK() || report.Instead != "" {
		t.Errorf("an empty database: %+v", report)
	}
	apply(t, c, betterauth.Plugins{}, false)
	named := c
	named.Tables.Models = map[string]betterauth.Rename{"apikey": {ModelName: "keys"}}
	if report := check(t, named); report.OK() || !strings.Contains(report.Instead, `table "keys" belongs to a plugin`) {
		t.Errorf("another plugin's: %+v", report)
	}
	execute(t, c.URL, `alter table "session" rename column "expiresAt" to "ends"`)
	if report := check(t, c); report.OK() || !strings.Contains(report.Instead, `no column "expiresAt", which every row needs`) {
		t.Errorf("a needed column: %+v", report)
	}
}

func TestSchemaIsNotMadeBesideAnotherSchemas(t *testing.T) {
	t.Parallel()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	execute(t, c.URL, `create schema auth; create table auth."session" ("id" text); create table auth."user" ("id" text)`)
	if report := check(t, c); report.OK() || !strings.Contains(report.Instead, "tables.schema?") {
		t.Errorf("check: %+v", report)
	}
	if _, err := postgres.Apply(t.Context(), c, betterauth.Plugins{}, false); err == nil || !strings.Contains(err.Error(), `schema "auth": is it better_auth.tables.schema?`) {
		t.Errorf("apply: %v", err)
	}
	c.Tables.Schema = "public" // meant
	apply(t, c, betterauth.Plugins{}, false)
	if report := check(t, c); !report.OK() {
		t.Errorf("%+v", report)
	}
}

// TestSchemaCheckTriesTheLookup: a role that may not read is told so, by the check as by Open.
func TestSchemaCheckTriesTheLookup(t *testing.T) {
	t.Parallel()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	apply(t, c, betterauth.Plugins{}, false)
	execute(t, c.URL, `create role schema_blind login; grant select on "user" to schema_blind`)
	t.Cleanup(func() { execute(t, c.URL, `drop owned by schema_blind; drop role schema_blind`) })
	blind := postgres.Config{URL: strings.Replace(c.URL, "postgres@", "schema_blind@", 1)}
	report := check(t, blind)
	if report.OK() || len(report.Missing) > 0 || !strings.Contains(report.Refused[0].Note, "grant SELECT on the tables") {
		t.Errorf("check: %+v", report)
	}
	_, err := postgres.Open(t.Context(), blind)
	if err == nil || strings.Count(err.Error(), "grant SELECT on the tables") != 1 || store.Permanent(err) {
		t.Errorf("open: %v", err)
	}
	execute(t, c.URL, `grant select on "session" to schema_blind`)
	if report := check(t, blind); !report.OK() {
		t.Errorf("after the grant: %+v", report)
	}
}

// TestSchemaCheckIsPatient: a server that takes longer than a lookup may is waited for.
func TestSchemaCheckIsPatient(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t).NewDatabase(t)
	server := strings.TrimSuffix(strings.TrimPrefix(url, "postgres://postgres@"), url[strings.LastIndexByte(url, '/'):])
	c := postgres.Config{URL: strings.Replace(url, server, slow(t, server, 2*time.Second), 1)}
	apply(t, c, betterauth.Plugins{}, false)
	if report := check(t, c); !report.OK() {
		t.Errorf("%+v", report)
	}
}

// slow passes connections on after a while.
func slow(t *testing.T, server string, wait time.Duration) string {
	return accept(t, func(client net.Conn) {
		time.Sleep(wait)
		forward(client, server)
	})
}
