package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
)

func install(t *testing.T, c postgres.Config, dry bool) []string {
	t.Helper()
	done, err := postgres.InstallRevocation(t.Context(), c, dry)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func remove(t *testing.T, c postgres.Config, dry bool) []string {
	t.Helper()
	done, err := postgres.RemoveRevocation(t.Context(), c, dry)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// notes are what a check says of the triggers.
func notes(t *testing.T, c postgres.Config) string {
	t.Helper()
	report := check(t, c)
	if !report.OK() {
		t.Errorf("sessions cannot be read: %+v", report)
	}
	if report.Told != (len(report.Untold) == 0) {
		t.Errorf("told: %v, %+v", report.Told, report.Untold)
	}
	var all []string
	for _, f := range report.Untold {
		all = append(all, strings.TrimPrefix(f.Table+": "+f.Note, ": "))
	}
	return strings.Join(all, "; ")
}

// made is a database with Better Auth's tables.
func made(t testing.TB, tables betterauth.Tables) postgres.Config {
	t.Helper()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t), Tables: tables}
	if _, err := postgres.Apply(t.Context(), c, allPlugins(), false); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTriggersAreInstalledOnceAndRemoved(t *testing.T) {
	t.Parallel()
	c := made(t, betterauth.Tables{})
	if got := notes(t, c); got != "the revocation triggers are not installed" {
		t.Errorf("before: %s", got)
	}
	planned := install(t, c, true)
	if got := notes(t, c); got == "" {
		t.Error("a dry run installed something")
	}
	if done := install(t, c, false); !slices.Equal(done, planned) || len(done) != 25 {
		t.Errorf("planned %d, done %d", len(planned), len(done))
	}
	if got := notes(t, c); got != "" {
		t.Errorf("after: %s", got)
	}
	if again := install(t, c, false); len(again) > 0 {
		t.Errorf("installed twice: %q", again)
	}
	planned = remove(t, c, true)
	if got := notes(t, c); got != "" {
		t.Errorf("a dry run removed something: %s", got)
	}
	if done := remove(t, c, false); !slices.Equal(done, planned) {
		t.Errorf("planned %d, done %d", len(planned), len(done))
	}
	if again := remove(t, c, false); len(again) > 0 {
		t.Errorf("removed twice: %q", again)
	}
	if got := notes(t, c); got != "the revocation triggers are not installed" {
		t.Errorf("at the end: %s", got)
	}
	var left int
	query(t, c, `select (select count(*) from pg_trigger where tgname like 'usher%') + (select count(*) from pg_proc where proname like 'usher%')`, &left)
	if left > 0 {
		t.Errorf("%d things are left", left)
	}
}

// TestPrintedTriggersAreTheInstalledOnes: whoever runs them in migrations of his own is not told that they are wrong.
func TestPrintedTriggersAreTheInstalledOnes(t *testing.T) {
	t.Parallel()
	for name, tables := range map[string]betterauth.Tables{
		"own names": {}, "renamed": {Preset: betterauth.SnakeCase, UsePlural: true, Schema: `a"uth`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t), Tables: tables}
			if tables.Schema != "" {
				execute(t, c.URL, `create schema "a""uth"`)
			}
			apply(t, c, allPlugins(), false)
			printed, err := postgres.PrintRevocation(tables)
			if err != nil {
				t.Fatal(err)
			}
			execute(t, c.URL, strings.Join(printed, ";\n"))
			if got := notes(t, c); got != "" {
				t.Errorf("check: %s", got)
			}
			if more := install(t, c, true); len(more) > 0 {
				t.Errorf("more to do: %q", more)
			}
		})
	}
}

func TestTriggersAreMended(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ damage, note string }{
		"dropped":          {`drop trigger usher_revocation on "session"`, "session: trigger usher_revocation is missing"},
		"disabled":         {`alter table "user" disable trigger usher_revocation`, "user: trigger usher_revocation is disabled"},
		"all disabled":     {`alter table "team" disable trigger all`, "team: trigger usher_revocation_truncate is disabled"},
		"for replicas":     {`alter table "user" enable replica trigger usher_revocation`, "user: trigger usher_revocation is disabled"},
		"fewer events":     {`create or replace trigger usher_revocation after update on "member" for each row execute function usher_revocation_session('member')`, "member: trigger usher_revocation is another version's"},
		"a condition":      {`create or replace trigger usher_revocation after insert or update or delete on "member" for each row when (false) execute function usher_revocation_session('member')`, "member: trigger usher_revocation is another version's"},
		"some columns":     {`create or replace trigger usher_revocation after insert or update of role or delete on "member" for each row execute function usher_revocation_session('member')`, "member: trigger usher_revocation is another version's"},
		"another argument": {`create or replace trigger usher_revocation after insert or update or delete on "member" for each row execute function usher_revocation_session('session')`, "member: trigger usher_revocation is another version's"},
		"older function":   {`create or replace function usher_revocation_session() returns trigger language plpgsql as 'begin return null; end'`, `function "public"."usher_revocation_session" is missing, or another version's`},
		"definer":          {`alter function usher_revocation_session() security definer`, "another version's"},
		"settings":         {`alter function usher_revocation_session() set search_path = public`, "another version's"},
		"another function": {`create function usher_revocation_old() returns trigger language plpgsql as 'begin return null; end'; create or replace trigger usher_revocation after insert or update or delete on "member" for each row execute function usher_revocation_old('member')`, "another version's"},
		"table made anew":  {`alter table "teamMember" rename to "was"; create table "teamMember" (like "was")`, "teamMember: trigger usher_revocation is missing"},
		"renamed column":   {`alter table "member" rename column "userId" to "user_id"`, "another version's"},
		"new column":       {`drop function usher_revocation_session() cascade; alter table "user" drop column "banned"`, "not installed"},
		"renamed table":    {`alter table "session" rename to "sessions"; alter table "user" rename to "users"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := made(t, betterauth.Tables{})
			install(t, config, false)
			execute(t, config.URL, c.damage)
			if name == "new column" {
				install(t, config, false)
				execute(t, config.URL, `alter table "user" add column "banned" boolean`)
				c.note = "is missing, or another version's"
			}
			if name == "renamed table" {
				config.Tables.Models = map[string]betterauth.Rename{"session": {ModelName: "sessions"}, "user": {ModelName: "users"}}
				c.note = `function "public"."usher_revocation_sessions" is missing`
			}
			if got := notes(t, config); !strings.Contains(got, c.note) {
				t.Errorf("check: %s", got)
			}
			if done := install(t, config, false); len(done) == 0 {
				t.Error("nothing was done")
			}
			if got := notes(t, config); got != "" {
				t.Errorf("after: %s", got)
			}
			if again := install(t, config, false); len(again) > 0 {
				t.Errorf("once more: %q", again)
			}
			var functions, never int
			query(t, config, `select (select count(*) from pg_proc where proname like 'usher%'), (select count(*) from pg_trigger where tgname like 'usher%' and tgenabled <> 'A' and tgrelid <> coalesce(to_regclass('was'), 0))`, &functions, &never)
			if functions != 1 || never != 0 {
				t.Errorf("%d functions, %d triggers that do not always fire", functions, never)
			}
			if remove(t, config, false); name != "table made anew" {
				query(t, config, `select count(*) from pg_trigger where tgname like 'usher%'`, &never)
				if never != 0 {
					t.Errorf("%d triggers are left", never)
				}
			}
		})
	}
}

// query scans one row of integers.
func query(t testing.TB, c postgres.Config, sql string, into ...*int) {
	t.Helper()
	conn := connect(t, c.URL)
	defer conn.Close(t.Context())
	results, err := conn.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i := range into {
		if _, err := fmt.Sscan(string(results[0].Rows[0][i]), into[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTwoApplicationsInOneSchema have functions of their own: one's must not be called for the other's columns.
func TestTwoApplicationsInOneSchema(t *testing.T) {
	t.Parallel()
	one := made(t, betterauth.Tables{})
	other := postgres.Config{URL: one.URL, Tables: betterauth.Tables{Preset: betterauth.SnakeCase, Models: make(map[string]betterauth.Rename)}}
	for _, model := range []string{"user", "session", "account", "verification", "organization", "member", "invitation", "team", "teamMember"} {
		other.Tables.Models[model] = betterauth.Rename{ModelName: "b_" + model}
	}
	apply(t, other, allPlugins(), false)
	install(t, one, false)
	install(t, other, false)
	for _, c := range []postgres.Config{one, other} {
		if got := notes(t, c); got != "" {
			t.Errorf("check: %s", got)
		}
	}
	remove(t, one, false)
	if got := notes(t, other); got != "" {
		t.Errorf("after the removal of the other's: %s", got)
	}
}

func TestTriggersAndRights(t *testing.T) {
	t.Parallel()
	c := made(t, betterauth.Tables{})
	execute(t, c.URL, `create role install_stranger login; grant select on all tables in schema public to install_stranger`)
	t.Cleanup(func() { execute(t, c.URL, `drop owned by install_stranger cascade; drop role install_stranger`) })
	stranger := postgres.Config{URL: strings.Replace(c.URL, "postgres@", "install_stranger@", 1)}
	_, err := postgres.InstallRevocation(t.Context(), stranger, false)
	if err == nil || !strings.Contains(err.Error(), "nothing was changed") || !strings.Contains(err.Error(), "must own the tables") {
		t.Errorf("got %v", err)
	}
	// With TRIGGER but not as the owner: they fire, though not for logical replication.
	execute(t, c.URL, `grant create on schema public to install_stranger; grant trigger on all tables in schema public to install_stranger`)
	done := install(t, stranger, false)
	if text := strings.Join(done, ";"); strings.Contains(text, "enable always") {
		t.Errorf("done: %s", text)
	}
	if got := notes(t, stranger); got != "" {
		t.Errorf("check: %s", got)
	}
	if again := install(t, stranger, false); len(again) > 0 {
		t.Errorf("once more: %q", again)
	}
	if done := install(t, c, false); len(done) == 0 || !strings.Contains(done[0], "enable always") {
		t.Errorf("the owner makes them fire always: %q", done)
	}
}

func TestViewsCannotTell(t *testing.T) {
	t.Parallel()
	c := made(t, betterauth.Tables{})
	install(t, c, false)
	execute(t, c.URL, `alter table "member" rename to "members"; create view "member" as select * from "members"`)
	if got := notes(t, c); !strings.Contains(got, "member: it is no table") {
		t.Errorf("check: %s", got)
	}
	if _, err := postgres.InstallRevocation(t.Context(), c, false); err == nil || !strings.Contains(err.Error(), "no table") {
		t.Errorf("got %v", err)
	}
	remove(t, c, false)
}

func TestTriggersNeedTables(t *testing.T) {
	t.Parallel()
	c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t)}
	if _, err := postgres.InstallRevocation(t.Context(), c, false); err == nil || !strings.Contains(err.Error(), `no table "session"`) {
		t.Errorf("got %v", err)
	}
	report := check(t, c)
	if report.OK() || report.Told {
		t.Errorf("%+v", report)
	}
}

// TestTriggersThatBreakDoNotKeepAnybodyFromWriting: they say that everything has changed.
func TestTriggersThatBreakDoNotKeepAnybodyFromWriting(t *testing.T) {
	t.Parallel()
	c := made(t, betterauth.Tables{})
	_, e := watch(t, c)
	conn := connect(t, c.URL)
	defer conn.Close(t.Context())
	run := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	run(`insert into "user" ("id", "name", "email", "emailVerified") values ('u1', 'A', 'a@x', true)`)
	e.demand(t, conn, "insert", "user:u1")
	// The listener sees that the table is another one, and says so by itself, within a pulse. What comes after that is of
	// the triggers.
	run(`alter table "user" rename column "id" to "key"`)
	e.awaitIncomplete(t, slack, "")
	e.forget()
	run(`update "user" set "name" = 'B'`)
	e.demand(t, conn, "with a column that has another name", "*")
	run(`alter table "user" rename column "key" to "id"`)
	e.awaitComplete(t)
	e.forget()
	run(`set usher.told = 'nonsense'`)
	run(`update "user" set "name" = 'C'`)
	e.demand(t, conn, "with a setting of ours that somebody broke", "*")
	run(`reset usher.told; create schema evil; create function evil.concat(text, text) returns text language sql as $$ select 'evil' $$;
		create function evil.sha256(bytea) returns bytea language sql as $$ select 'evil'::bytea $$; set search_path = evil, pg_catalog, public`)
	run(`update "user" set "name" = 'D'`)
	run(`reset search_path`)
	e.demand(t, conn, "with a search path of others", "user:u1")
	run(`set session_replication_role = replica; update "user" set "name" = 'E'; reset session_replication_role`)
	e.demand(t, conn, "by logical replication", "user:u1")
}

// TestOddTokens: what SQL and Go make of a token is the same, and it is never sent itself.
func TestOddTokens(t *testing.T) {
	t.Parallel()
	c := made(t, betterauth.Tables{})
	_, e := watch(t, c)
	conn := connect(t, c.URL)
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `insert into "user" ("id", "name", "email", "emailVerified") values ('u1', 'A', 'a@x', true)`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	e.demand(t, conn, "insert", "user:u1")
	tokens := []string{
		"CfGKi167y3hW3FhSqs998axwsNhZgpBx", " ", "a b ", "\t\n\r\x01", `\x41\\`, `'"$1%s`, "\u00e9", "e\u0301", "☃", "𝒳🏳️‍🌈", "session:x", "\ufeff", "\u202e",
		strings.Repeat("x", store.MaxToken), strings.Repeat("☃", 100),
	}
	for i, token := range tokens {
		result := conn.ExecParams(t.Context(), `insert into "session" ("id", "token", "userId", "expiresAt", "updatedAt") values ($1, $2, 'u1', now() + interval '1 day', now())`,
			[][]byte{fmt.Append(nil, i), []byte(token)}, nil, nil, nil).Read()
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		e.demand(t, conn, fmt.Sprintf("insert %q", token), "session:"+token)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lag > slack || e.lag < 0 {
		t.Errorf("a lag of %v", e.lag)
	}
}

// TestManyChangesAtOnce are told as one: everything.
func TestManyChangesAtOnce(t *testing.T) {
	t.Parallel()
	c := made(t, betterauth.Tables{})
	install(t, c, false)
	const many = 100_000
	execute(t, c.URL, fmt.Sprintf(`insert into "user" ("id", "name", "email", "emailVerified") values ('u1', 'A', 'a@x', true);
		insert into "session" ("id", "token", "userId", "expiresAt", "updatedAt") select i, i, 'u1', now() + interval '1 day', now() from generate_series(1, %d) i`, many))
	_, e := watch(t, c)
	conn := connect(t, c.URL)
	defer conn.Close(t.Context())
	before := time.Now()
	if _, err := conn.Exec(t.Context(), `delete from "session" where "id"::int > 900`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows in %v", many, time.Since(before))
	tags, all := e.heard(t, conn)
	if all != 1 || len(tags) != 1000 {
		t.Errorf("everything %d times, and %d one by one", all, len(tags))
	}
	e.forget()
	if _, err := conn.Exec(t.Context(), `delete from "session"`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	tags, all = e.heard(t, conn)
	if all != 0 || len(tags) != 900 {
		t.Errorf("900: everything %d times, and %d one by one", all, len(tags))
	}
}
