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
	model  string // the table's logical name, which is the function's argument
	name   string
	events string // as CREATE TRIGGER has them
	kind   int16  // the same as the bits of pg_trigger.tgtype
}

// The bits of pg_trigger.tgtype.
const (
	eachRow    = 1
	onInsert   = 4
	onDelete   = 8
	onUpdate   = 16
	onTruncate = 32
)

// watched is a table whose rows answers depend on.
type watched struct {
	model  string
	tag    string   // of what kind it changes: session, user, organization
	key    string   // the field whose value the tag is made of
	fields []string // what a lookup reads
	late   bool     // a new row changes no answer before somebody belongs to it, which is another row
}

func watchedTables() []watched {
	return []watched{
		{"session", "session", "token", []string{"id", "token", "userId", "createdAt", "activeOrganizationId", "activeTeamId", "impersonatedBy"}, false},
		{"user", "user", "id", []string{"id", "name", "email", "emailVerified", "role", "banned", "banExpires"}, false},
		{"member", "user", "userId", []string{"id", "userId", "organizationId", "role", "createdAt"}, false},
		{"organization", "organization", "id", []string{"id", "name", "slug"}, true},
		{"team", "organization", "organizationId", []string{"id", "organizationId"}, true},
		{"teamMember", "user", "userId", []string{"teamId", "userId"}, false},
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

// tables are those that lookups read.
func (r revocation) tables() []watched {
	return slices.DeleteFunc(watchedTables(), func(w watched) bool { return !r.reads(w) })
}

// reads reports whether the table is there and lookups read it.
func (r revocation) reads(w watched) bool {
	switch {
	case r.catalog == nil:
		return true
	case !r.has(w.model, "") || !r.has(w.model, w.key):
		return false
	case w.model == "member" || w.model == "organization":
		return r.names.Organizations
	case w.model == "team" || w.model == "teamMember":
		return r.names.Teams
	}
	return true
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

// body is the function's.
//
// What matters of a row is decided in it and not in a WHEN clause of the triggers, though that were cheaper by some
// microseconds: PostgreSQL refuses to drop a column, or to change its type, that a trigger's WHEN clause speaks of, and
// migrations of Better Auth's tables must not fail because of us. Whatever goes wrong in it ends in "everything", for the
// same reason. Every name is qualified, for the writer's search path is not ours.
//
// The notifications are sent outside the inner block, which is a subtransaction: merging its notifications into those of
// the outer one doubles their price. Where the transaction has told too much already, nothing else is looked at.
func (r revocation) body() string {
	var b strings.Builder
	b.WriteString(`
declare
  told pg_catalog.text := pg_catalog.current_setting('usher.told', true);
  kind pg_catalog.text;
  was pg_catalog.text;
  becomes pg_catalog.text;
  at pg_catalog.text;
begin
  if TG_OP operator(pg_catalog.=) 'TRUNCATE' then
    perform pg_catalog.pg_notify('` + channel + `', '` + everything + `');
    return null;
  end if;
  begin
`)
	for i, w := range watchedTables() {
		fmt.Fprintf(&b, "    %s TG_ARGV[0] operator(pg_catalog.=) '%s' then\n", []string{"if", "elsif"}[min(i, 1)], w.model)
		if r.reads(w) {
			r.branch(&b, w)
		}
	}
	tag := func(of string) string {
		return of + ` := pg_catalog.concat(pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(` +
			`pg_catalog.concat(kind, ` + of + `), 'UTF8')), 'hex'), 1, 32), at);`
	}
	fmt.Fprintf(&b, `    end if;
    if told operator(pg_catalog.=) 'all' then
      was := '%[1]s';
      becomes := null;
    else
      at := pg_catalog.concat(' ', pg_catalog.floor(extract(epoch from pg_catalog.now()) operator(pg_catalog.*) 1000)::pg_catalog.int8);
      if was is not null then
        %[2]s
      end if;
      if becomes is not null then
        %[3]s
      end if;
      if told is null or told operator(pg_catalog.=) '' then
        told := '0';
      end if;
      told := (told::pg_catalog.int4 operator(pg_catalog.+) 1)::pg_catalog.text;
      if told::pg_catalog.int4 operator(pg_catalog.>=) %[4]d then
        told := 'all';
      end if;
      perform pg_catalog.set_config('usher.told', told, true);
    end if;
  exception when others then
    was := '%[1]s';
    becomes := null;
  end;
  if was is not null then
    perform pg_catalog.pg_notify('%[5]s', was);
  end if;
  if becomes is not null then
    perform pg_catalog.pg_notify('%[5]s', becomes);
  end if;
  return null;
end
`, everything, tag("was"), tag("becomes"), mostTold, channel)
	return b.String()
}

// branch is the part of the body that is for one table: leave where a row does not matter, else say what it is about.
func (r revocation) branch(b *strings.Builder, w watched) {
	fmt.Fprintf(b, "      if TG_OP operator(pg_catalog.=) 'UPDATE' and not (%s) then\n        return null;\n      end if;\n", r.changed(w))
	if w.model == "session" && r.has("session", "expiresAt") {
		fmt.Fprintf(b, "      if TG_OP operator(pg_catalog.=) 'DELETE' and %s then\n        return null;\n      end if;\n", r.endedLongAgo())
	}
	column := r.column(w.model, w.key)
	fmt.Fprintf(b, "      kind := '%s:';\n      was := OLD.%s::pg_catalog.text;\n      becomes := NEW.%[2]s::pg_catalog.text;\n", w.tag, column)
}

// changed is when an update of a row changes answers. Texts are compared byte by byte, for collations may hold different
// ones for equal, and null is as good as empty, as it is for lookups. A session that lives longer changes nothing: it is
// looked up again at its older end, and Better Auth writes a new one all the time.
func (r revocation) changed(w watched) string {
	var any []string
	for _, field := range w.fields {
		if r.has(w.model, field) {
			any = append(any, fmt.Sprintf(`coalesce(OLD.%s::pg_catalog.text, '') collate pg_catalog."C" operator(pg_catalog.<>) coalesce(NEW.%[1]s::pg_catalog.text, '')`,
				r.column(w.model, field)))
		}
	}
	if w.model == "session" && r.has("session", "expiresAt") {
		any = append(any, fmt.Sprintf(`(NEW.%s operator(pg_catalog.>=) OLD.%[1]s) is not true`, r.column("session", "expiresAt")))
	}
	return strings.Join(any, " or ")
}

// endedLongAgo is when the deletion of a session changes nothing, for nobody is admitted with it any more: somebody sweeps.
// The hour is for clocks that disagree.
func (r revocation) endedLongAgo() string {
	ends := "OLD." + r.column("session", "expiresAt")
	if r.catalog != nil && r.catalog.Tables[r.names.Table("session")].Columns[r.names.Column("session", "expiresAt")].Type == "timestamp" {
		ends = "pg_catalog.timezone('" + r.names.TimeZone + "', " + ends + ")"
	}
	return ends + " operator(pg_catalog.<) (pg_catalog.now() operator(pg_catalog.-) '1 hour'::pg_catalog.interval)"
}

func (r revocation) column(model, field string) string {
	return pgx.Identifier{r.names.Column(model, field)}.Sanitize()
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
	rows := trigger{w.model, triggerPrefix, "insert or update or delete", eachRow | onInsert | onUpdate | onDelete}
	if w.late {
		rows.events, rows.kind = "update or delete", eachRow|onUpdate|onDelete
	}
	return []trigger{rows, {w.model, triggerPrefix + "_truncate", "truncate", onTruncate}}
}

func (r revocation) create(t trigger) string {
	each := "row"
	if t.kind&eachRow == 0 {
		each = "statement"
	}
	return fmt.Sprintf("create trigger %s after %s on %s for each %s execute function %s('%s')",
		pgx.Identifier{t.name}.Sanitize(), t.events, r.table(t.model), each, r.function(), t.model)
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
