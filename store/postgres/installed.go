package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/store"
)

// installed is what a database has of the revocation triggers.
type installed struct {
	relations map[string]relation // by logical name
	triggers  []haveTrigger
	functions []haveFunction
}

// relation is one table that may bear triggers.
type relation struct {
	schema, name string
	kind         string // of pg_class: r, p; v, m and f bear none that would tell anything
	owned        bool   // by the role that asks, or one it belongs to
}

type haveTrigger struct {
	schema, table, name string
	enabled             string // of pg_trigger: O, A; D and R do not fire
	kind                int16  // pg_trigger.tgtype
	plain               bool   // no condition, no list of columns, not deferrable
	arguments           []byte // each ends in a zero
	functionSchema      string
	function            string
}

type haveFunction struct {
	schema, name string
	body         string
	language     string
	definer      bool // it runs with its owner's rights; ours does not
	settings     string
	elsewhere    bool // triggers of other tables call it
}

const selectRelations = `
select wanted.model, n.nspname::text, c.relname::text, c.relkind::text, pg_catalog.pg_has_role(c.relowner, 'USAGE')
from unnest($1::text[], $2::text[], $3::text[]) as wanted (model, schema, name)
join pg_catalog.pg_namespace n on n.nspname = wanted.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = wanted.name`

const selectTriggers = `
select n.nspname::text, c.relname::text, t.tgname::text, t.tgenabled::text, t.tgtype, t.tgqual is null and t.tgattr::text = '' and not t.tgdeferrable, t.tgargs, fn.nspname::text, f.proname::text
from unnest($1::text[], $2::text[]) as wanted (schema, name)
join pg_catalog.pg_namespace n on n.nspname = wanted.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = wanted.name
join pg_catalog.pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal and pg_catalog.starts_with(t.tgname::text, '` + triggerPrefix + `')
join pg_catalog.pg_proc f on f.oid = t.tgfoid
join pg_catalog.pg_namespace fn on fn.oid = f.pronamespace
order by 2, 3`

const selectFunctions = `
select n.nspname::text, f.proname::text, f.prosrc, l.lanname::text, f.prosecdef, coalesce(pg_catalog.array_to_string(f.proconfig, ' '), ''),
       exists (select from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid join pg_catalog.pg_namespace cn on cn.oid = c.relnamespace
               where t.tgfoid = f.oid and not exists (select from unnest($1::text[], $2::text[]) as ours (schema, name) where ours.schema = cn.nspname and ours.name = c.relname))
from unnest($3::text[], $4::text[]) as wanted (schema, name)
join pg_catalog.pg_namespace n on n.nspname = wanted.schema
join pg_catalog.pg_proc f on f.pronamespace = n.oid and f.proname = wanted.name and f.pronargs = 0
join pg_catalog.pg_language l on l.oid = f.prolang`

// readInstalled looks at the tables that r is for.
func readInstalled(ctx context.Context, db querier, r revocation) (*installed, error) {
	in := &installed{relations: make(map[string]relation)}
	var models, schemas, tables []string
	for _, w := range watchedTables() { // also those that are not read any more: removing reaches them
		if r.names.Has(w.model, "") {
			models, schemas, tables = append(models, w.model), append(schemas, r.schema(w.model)), append(tables, r.names.Table(w.model))
		}
	}
	fail := func(err error) (*installed, error) { return nil, fmt.Errorf("look at the triggers: %w", err) }

	rows, err := db.Query(ctx, selectRelations, models, schemas, tables)
	if err != nil {
		return fail(err)
	}
	var model string
	var rel relation
	if _, err = pgx.ForEachRow(rows, []any{&model, &rel.schema, &rel.name, &rel.kind, &rel.owned}, func() error {
		in.relations[model] = rel
		return nil
	}); err != nil {
		return fail(err)
	}

	if rows, err = db.Query(ctx, selectTriggers, schemas, tables); err != nil {
		return fail(err)
	}
	var t haveTrigger
	functionSchemas, functions := []string{r.functionSchema()}, []string{r.functionName()}
	if _, err = pgx.ForEachRow(rows, []any{&t.schema, &t.table, &t.name, &t.enabled, &t.kind, &t.plain, &t.arguments, &t.functionSchema, &t.function}, func() error {
		t.arguments = bytes.Clone(t.arguments)
		in.triggers = append(in.triggers, t)
		if strings.HasPrefix(t.function, triggerPrefix) && !slices.Contains(functions, t.function) {
			functionSchemas, functions = append(functionSchemas, t.functionSchema), append(functions, t.function)
		}
		return nil
	}); err != nil {
		return fail(err)
	}

	if rows, err = db.Query(ctx, selectFunctions, schemas, tables, functionSchemas, functions); err != nil {
		return fail(err)
	}
	var f haveFunction
	if _, err = pgx.ForEachRow(rows, []any{&f.schema, &f.name, &f.body, &f.language, &f.definer, &f.settings, &f.elsewhere}, func() error {
		in.functions = append(in.functions, f)
		return nil
	}); err != nil {
		return fail(err)
	}
	return in, nil
}

// trigger finds one by table and name.
func (in *installed) trigger(rel relation, name string) (haveTrigger, bool) {
	i := slices.IndexFunc(in.triggers, func(t haveTrigger) bool { return t.schema == rel.schema && t.table == rel.name && t.name == name })
	if i < 0 {
		return haveTrigger{}, false
	}
	return in.triggers[i], true
}

// functionIs reports whether the function is there, as it has to be.
func (in *installed) functionIs(r revocation) bool {
	return slices.ContainsFunc(in.functions, func(f haveFunction) bool {
		return f.schema == r.functionSchema() && f.name == r.functionName() && f.body == r.body() &&
			f.language == "plpgsql" && !f.definer && f.settings == ""
	})
}

// is reports whether a trigger is the wanted one, whether it is enabled or not.
func (have haveTrigger) is(r revocation, t trigger) bool {
	return have.kind == t.kind && have.plain && string(have.arguments) == t.model+"\x00" && have.functionSchema == r.functionSchema() && have.function == r.functionName()
}

// fires reports whether it does when somebody changes a row.
func (have haveTrigger) fires() bool { return have.enabled == "O" || have.enabled == "A" }

// compare lists what keeps changes from being told, and the statements that mend it.
func (in *installed) compare(r revocation) (wrong []store.Finding, todo []string) {
	if len(in.triggers) == 0 {
		wrong = append(wrong, store.Finding{Note: "the revocation triggers are not installed"})
	} else if !in.functionIs(r) {
		wrong = append(wrong, store.Finding{Note: "function " + r.function() + " is missing, or another version's"})
	}
	if !in.functionIs(r) {
		todo = append(todo, r.createFunction())
	}
	wanted := make(map[string]bool)
	for _, w := range r.tables() {
		rel := in.relations[w.model]
		if !rel.bears() {
			wrong = append(wrong, store.Finding{Table: rel.name, Note: "it is no table, so it cannot have triggers; changes in it go untold"})
			continue
		}
		for _, t := range r.triggers(w) {
			wanted[rel.schema+"\x00"+rel.name+"\x00"+t.name] = true
			have, found := in.trigger(rel, t.name)
			complain := func(note string) {
				if len(in.triggers) > 0 { // otherwise one line has said it
					wrong = append(wrong, store.Finding{Table: rel.name, Note: "trigger " + t.name + " " + note})
				}
			}
			switch {
			case !found:
				complain("is missing")
				todo = append(todo, r.create(t))
				have.enabled = "O"
			case !have.is(r, t):
				complain("is another version's")
				todo = append(todo, r.drop(t), r.create(t))
				have.enabled = "O"
			case !have.fires():
				complain("is disabled")
			}
			if have.enabled != "A" && (rel.owned || !have.fires()) { // only the owner may
				todo = append(todo, r.always(t))
			}
		}
	}
	for _, t := range in.triggers { // of columns or an earlier version that are gone
		if !wanted[t.schema+"\x00"+t.table+"\x00"+t.name] {
			todo = append(todo, dropTrigger(qualified(t.schema, t.table), t.name))
		}
	}
	for _, f := range in.functions {
		if !f.elsewhere && (f.schema != r.functionSchema() || f.name != r.functionName()) {
			todo = append(todo, "drop function "+qualified(f.schema, f.name)+"()")
		}
	}
	return wrong, todo
}

// bears reports whether the relation can have triggers that tell what changes in it.
func (rel relation) bears() bool { return rel.kind == "r" || rel.kind == "p" }

// remove lists the statements that take everything away.
func (in *installed) remove() (todo []string) {
	for _, t := range in.triggers {
		todo = append(todo, dropTrigger(qualified(t.schema, t.table), t.name))
	}
	for _, f := range in.functions {
		if !f.elsewhere {
			todo = append(todo, "drop function "+qualified(f.schema, f.name)+"()")
		}
	}
	return todo
}
