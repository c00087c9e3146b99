package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/betterauth"
)

// What changes is told by triggers: each row that matters calls one function, which sends a notification with the
// store.Tag of what changed. This file writes them; installed.go compares them with what a database has.

// channel is where the triggers notify. Channels belong to a database, so applications in one share it, which costs a
// cache nothing but tags it does not hold.
const channel = "usher_revocation"

// The payloads beside "<tag> <milliseconds since 1970>".
const (
	everything = "*"      // nothing is known any more
	probing    = "probe " // a number follows: somebody tries whether notifications arrive, see probe.go
)

// mostTold is how many changes one transaction tells one by one. From then on it says "everything": a hundred thousand
// notifications would be dearer for those who write and those who listen than a cache that is filled anew.
const mostTold = 1000

// triggerPrefix begins the name of each of our triggers, and that of the function.
const triggerPrefix = "usher_revocation"

// trigger is one of ours as it has to be.
type trigger struct {
	model string // the table's logical name
	name  string
	event string // insert, update, delete, truncate
	when  string // empty: each row
}

// watched is a table whose rows answers depend on.
type watched struct {
	model  string
	tag    string   // of what kind it changes: session, user, organization
	key    string   // the field whose value the tag is made of
	texts  []string // fields that a lookup reads, compared byte by byte: collations may hold different texts for equal
	others []string // flags and times
	events []string
}

func watchedTables() []watched {
	row := []string{"insert", "update", "delete", "truncate"}
	late := row[1:] // a new one changes no answer before somebody belongs to it, which is another row
	return []watched{
		{"session", "session", "token", []string{"id", "token", "userId", "activeOrganizationId", "activeTeamId", "impersonatedBy"}, []string{"createdAt"}, row},
		{"user", "user", "id", []string{"id", "name", "email", "role"}, []string{"emailVerified", "banned", "banExpires"}, row},
		{"member", "user", "userId", []string{"id", "userId", "organizationId", "role"}, []string{"createdAt"}, row},
		{"organization", "organization", "id", []string{"id", "name", "slug"}, nil, late},
		{"team", "organization", "organizationId", []string{"id", "organizationId"}, nil, late},
		{"teamMember", "user", "userId", []string{"teamId", "userId"}, nil, row},
	}
}

// revocation writes triggers and function for the tables of one database.
type revocation struct {
	names   *betterauth.Names
	catalog *catalog // nil: no database is looked at; everything is as Better Auth's own migration makes it
}

// has reports whether a table or column is there.
func (r revocation) has(model, field string) bool {
	return r.catalog == nil || r.names.Has(model, field)
}

// tables are those that exist and that lookups read.
func (r revocation) tables() []watched {
	return slices.DeleteFunc(watchedTables(), func(w watched) bool {
		switch {
		case r.catalog == nil:
			return false
		case !r.has(w.model, "") || !r.has(w.model, w.key):
			return true
		case w.model == "member" || w.model == "organization":
			return !r.names.Organizations
		case w.model == "team" || w.model == "teamMember":
			return !r.names.Teams
		}
		return false
	})
}

// schema is where a table is; empty where only the search path knows.
func (r revocation) schema(model string) string {
	if r.catalog == nil {
		return r.names.Schema
	}
	return r.catalog.schemas[r.names.Table(model)]
}

func (r revocation) table(model string) string {
	return qualified(r.schema(model), r.names.Table(model))
}

func qualified(schema, name string) string {
	if schema == "" {
		return pgx.Identifier{name}.Sanitize()
	}
	return pgx.Identifier{schema, name}.Sanitize()
}

// home is the table beside which the function is, and after which it is named: two applications in one schema have
// different ones.
func (r revocation) home() string {
	if r.has("session", "") {
		return "session"
	}
	return "user"
}

func (r revocation) functionSchema() string { return r.schema(r.home()) }

func (r revocation) functionName() string {
	name := triggerPrefix + "_" + r.names.Table(r.home())
	if len(name) > 63 { // PostgreSQL would cut it
		name = triggerPrefix + "_" + digest(name)
	}
	return name
}

func (r revocation) function() string { return qualified(r.functionSchema(), r.functionName()) }

// body is the function's. It depends on names only, so that what is printed without a database is what a database gets.
//
// Whatever goes wrong while a tag is made ends in "everything": a column that was renamed must not keep Better Auth from
// writing. Every name is qualified, for the writer's search path is not ours. The notifications are sent outside the
// inner block, which is a subtransaction: merging its notifications into those of the outer one doubles their price.
func (r revocation) body() string {
	var b strings.Builder
	b.WriteString(`
declare
  told pg_catalog.text := pg_catalog.current_setting('usher.told', true);
  kind pg_catalog.text;
  was pg_catalog.text;
  is_now pg_catalog.text;
  at pg_catalog.text;
begin
  if TG_OP operator(pg_catalog.=) 'TRUNCATE' or told operator(pg_catalog.=) 'all' then
    perform pg_catalog.pg_notify('` + channel + `', '` + everything + `');
    return null;
  end if;
  begin
`)
	for i, w := range watchedTables() {
		column := pgx.Identifier{r.names.Column(w.model, w.key)}.Sanitize()
		fmt.Fprintf(&b, "    %s TG_ARGV[0] operator(pg_catalog.=) '%s' then\n", []string{"if", "elsif"}[min(i, 1)], w.model)
		fmt.Fprintf(&b, "      kind := '%s:'; was := OLD.%s::pg_catalog.text; is_now := NEW.%[2]s::pg_catalog.text;\n", w.tag, column)
	}
	tag := func(of string) string {
		return of + ` := pg_catalog.concat(pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(` +
			`pg_catalog.concat(kind, ` + of + `), 'UTF8')), 'hex'), 1, 32), at);`
	}
	fmt.Fprintf(&b, `    end if;
    at := pg_catalog.concat(' ', pg_catalog.floor(extract(epoch from pg_catalog.now()) operator(pg_catalog.*) 1000)::pg_catalog.int8);
    if was is not null then
      %s
    end if;
    if is_now is not null then
      %s
    end if;
    if told is null or told operator(pg_catalog.=) '' then
      told := '0';
    end if;
    told := (told::pg_catalog.int4 operator(pg_catalog.+) 1)::pg_catalog.text;
    if told::pg_catalog.int4 operator(pg_catalog.>=) %d then
      told := 'all';
    end if;
  exception when others then
    perform pg_catalog.pg_notify('%s', '%s');
    return null;
  end;
  perform pg_catalog.set_config('usher.told', told, true);
  if was is not null then
    perform pg_catalog.pg_notify('%[4]s', was);
  end if;
  if is_now is not null then
    perform pg_catalog.pg_notify('%[4]s', is_now);
  end if;
  return null;
end
`, tag("was"), tag("is_now"), mostTold, channel, everything)
	return b.String()
}

// createFunction makes the function, or replaces it.
func (r revocation) createFunction() string {
	body, mark := r.body(), "$usher$"
	for strings.Contains(body, mark) { // a column may be called anything
		mark = strings.TrimSuffix(mark, "$") + "_$"
	}
	return "create or replace function " + r.function() + "() returns trigger language plpgsql as " + mark + body + mark
}

// triggers are those of one table.
func (r revocation) triggers(w watched) []trigger {
	var all []trigger
	for _, event := range w.events {
		t := trigger{model: w.model, name: triggerPrefix + "_" + event, event: event}
		switch {
		case event == "update":
			t.when = r.changed(w)
		case event == "delete" && w.model == "session":
			t.when = r.unexpired()
		}
		all = append(all, t)
	}
	return all
}

// changed is when an update of a row changes answers. A session that lives longer does not: its older end is only
// looked up again sooner, and Better Auth writes a new one all the time.
func (r revocation) changed(w watched) string {
	var any []string
	for _, field := range w.texts {
		if r.has(w.model, field) {
			column := pgx.Identifier{r.names.Column(w.model, field)}.Sanitize()
			any = append(any, fmt.Sprintf(`OLD.%s::text collate pg_catalog."C" is distinct from NEW.%[1]s::text collate pg_catalog."C"`, column))
		}
	}
	for _, field := range w.others {
		if r.has(w.model, field) {
			column := pgx.Identifier{r.names.Column(w.model, field)}.Sanitize()
			any = append(any, fmt.Sprintf(`OLD.%s is distinct from NEW.%[1]s`, column))
		}
	}
	if w.model == "session" && r.has("session", "expiresAt") {
		column := pgx.Identifier{r.names.Column("session", "expiresAt")}.Sanitize()
		any = append(any, fmt.Sprintf(`(NEW.%s >= OLD.%[1]s) is not true`, column))
	}
	return strings.Join(any, " or ")
}

// unexpired is when the deletion of a session changes answers: not when somebody sweeps those that ended long ago, which
// nobody is admitted with. The hour is for clocks that disagree.
func (r revocation) unexpired() string {
	if !r.has("session", "expiresAt") {
		return ""
	}
	ends := "OLD." + pgx.Identifier{r.names.Column("session", "expiresAt")}.Sanitize()
	if r.catalog != nil && r.catalog.Tables[r.names.Table("session")].Columns[r.names.Column("session", "expiresAt")].Type == "timestamp" {
		ends = "(" + ends + " at time zone '" + r.names.TimeZone + "')"
	}
	return "(" + ends + " < now() - interval '1 hour') is not true"
}

// mark is the trigger's second argument. It changes with everything that makes the trigger, so that an older one is known
// by it.
func (t trigger) mark() string {
	return digest(strings.Join([]string{t.model, t.event, t.when}, "\x00"))
}

func (r revocation) create(t trigger) string {
	sql := "create trigger " + pgx.Identifier{t.name}.Sanitize() + " after " + t.event + " on " + r.table(t.model)
	if t.event == "truncate" {
		sql += " for each statement"
	} else {
		sql += " for each row"
	}
	if t.when != "" {
		sql += " when (" + t.when + ")"
	}
	return sql + fmt.Sprintf(" execute function %s('%s', '%s')", r.function(), t.model, t.mark())
}

func (r revocation) drop(t trigger) string { return dropTrigger(r.table(t.model), t.name) }

func dropTrigger(table, name string) string {
	return "drop trigger " + pgx.Identifier{name}.Sanitize() + " on " + table
}

// always makes a trigger fire for rows that logical replication brings, too.
func (r revocation) always(t trigger) string {
	return "alter table " + r.table(t.model) + " enable always trigger " + pgx.Identifier{t.name}.Sanitize()
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

// PrintRevocation lists the statements that install the triggers where every table of the gate's plugins exists, as
// Better Auth's own migration makes it.
func PrintRevocation(tables betterauth.Tables) ([]string, error) {
	names, err := tables.Match(betterauth.Catalog{})
	if err != nil {
		return nil, err
	}
	r := revocation{names: names}
	statements := []string{r.createFunction()}
	for _, w := range r.tables() {
		for _, t := range r.triggers(w) {
			statements = append(statements, r.create(t), r.always(t))
		}
	}
	return statements, nil
}
