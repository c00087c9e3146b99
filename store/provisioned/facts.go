package provisioned

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/usherauth/usher/betterauth"
)

// facts are what a database says about a table.
type facts struct {
	found  bool
	kind   string // "" of a table; else what it is instead
	schema string // PostgreSQL: where it is
	hint   string // of one that was not found

	usage   bool // the role may name what is in its schema
	columns map[string]column
	unique  [][]string // sorted columns of what an ON CONFLICT may name
	folds   map[string]bool
}

type column struct {
	kind     string // PostgreSQL: the type for casts; SQLite: as declared
	exact    string // PostgreSQL: the same with its length or precision
	longest  int    // PostgreSQL: characters that a text may have; 0: any number
	notNull  bool
	fills    bool // a default, an identity or a row id makes the value
	computed bool // GENERATED ALWAYS: it cannot be written

	sel, ins, upd bool // grants
	sequence      string
}

// look reads the facts of a table.
func (d *database) look(ctx context.Context, t *mapping) (*facts, error) {
	f := &facts{columns: make(map[string]column), folds: make(map[string]bool), usage: true}
	if d.dialect == betterauth.Postgres {
		return f, d.lookPostgres(ctx, t, f)
	}
	return f, d.lookSQLite(ctx, t, f)
}

// actual is a column's name as the database has it: SQLite compares without case.
func (d *database) actual(f *facts, name string) (string, bool) {
	if _, ok := f.columns[name]; ok || d.dialect == betterauth.Postgres {
		return name, ok
	}
	for real := range f.columns {
		if strings.EqualFold(real, name) {
			return real, true
		}
	}
	return name, false
}

// A text is cast to the type without its length (the modifier -1; null would make "character" of char(8), which is one
// letter), and to what a domain is made of: either cast would cut the text, where an assignment refuses it.
//
// pg_catalog and not information_schema, which hides what the role may not read. A column that folds compares texts that
// differ as the same: citext, and collations that are not deterministic.
const postgresColumns = `
select c.relkind::text, n.nspname::text, pg_catalog.has_schema_privilege(n.oid, 'usage'), a.attname::text,
       pg_catalog.format_type(b.oid, -1),
       pg_catalog.format_type(b.oid, case when b.typname in ('varchar', 'bpchar') then -1 else m.mod end),
       case when b.typname in ('varchar', 'bpchar') and m.mod > 4 then m.mod - 4 else 0 end,
       a.attnotnull or y.typnotnull, a.atthasdef or a.attidentity <> '' or y.typdefault is not null,
       a.attgenerated <> '' or a.attidentity = 'a',
       pg_catalog.has_column_privilege(c.oid, a.attnum, 'select'), pg_catalog.has_column_privilege(c.oid, a.attnum, 'insert'),
       pg_catalog.has_column_privilege(c.oid, a.attnum, 'update'),
       case when a.atthasdef and a.attidentity = '' and not pg_catalog.has_sequence_privilege(s.oid, 'usage') then s.oid::pg_catalog.regclass::text else '' end,
       b.typname = 'citext' or not coalesce(l.collisdeterministic, true)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type y on y.oid = a.atttypid
join pg_catalog.pg_type b on b.oid = case y.typtype when 'd' then y.typbasetype else y.oid end
cross join lateral (select case y.typtype when 'd' then y.typtypmod else a.atttypmod end as mod) m
left join pg_catalog.pg_collation l on l.oid = a.attcollation
left join lateral (select d.objid as oid from pg_catalog.pg_depend d join pg_catalog.pg_class q on q.oid = d.objid and q.relkind = 'S'
                   where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum limit 1) s on true
where c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and case when $1 = '' then pg_catalog.pg_table_is_visible(c.oid) else n.nspname = $1 end`

// An index that is checked at the end of a transaction cannot be the target of ON CONFLICT.
const postgresUnique = `
select pg_catalog.to_json(array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality as key (number, place)
             join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = key.number
             where key.place <= i.indnkeyatts order by a.attname))::text
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relname = $2 and n.nspname = $1 and i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null`

const postgresElsewhere = `
select n.nspname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relname = $1 and c.relkind in ('r', 'p') and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' order by 1 limit 1`

func (d *database) lookPostgres(ctx context.Context, t *mapping, f *facts) error {
	var name, kind string
	var c column
	var folds bool
	err := d.each(ctx, d.read, postgresColumns, []any{t.schema, t.name}, func() error {
		f.found = true
		f.kind = map[string]string{"v": "a view", "m": "a materialized view", "f": "a foreign table"}[kind]
		f.columns[name], f.folds[name] = c, folds
		return nil
	}, &kind, &f.schema, &f.usage, &name, &c.kind, &c.exact, &c.longest, &c.notNull, &c.fills, &c.computed, &c.sel, &c.ins, &c.upd, &c.sequence, &folds)
	if err != nil {
		return err
	}
	if !f.found {
		return d.each(ctx, d.read, postgresElsewhere, []any{t.name}, func() error {
			f.hint = "there is one in schema " + quote(f.schema) + ": write " + f.schema + "." + t.name
			return nil
		}, &f.schema)
	}
	return d.uniques(ctx, postgresUnique, []any{f.schema, t.name}, f)
}

func (d *database) uniques(ctx context.Context, query string, args []any, f *facts) error {
	var columns string
	return d.each(ctx, d.read, query, args, func() error {
		var names []string
		if json.Unmarshal([]byte(columns), &names) != nil {
			return nil // not on columns
		}
		slices.Sort(names)
		f.unique = append(f.unique, names)
		return nil
	}, &columns)
}

// pk is 0 outside the primary key. A lone INTEGER PRIMARY KEY is the row's number, which SQLite makes; any other column of
// a primary key may be null.
const sqliteColumns = `
select m.type, p.name, p.type, p."notnull", p.dflt_value is not null, p.hidden in (2, 3), p.pk,
       (select count(*) from pragma_table_xinfo(m.name) where pk > 0), coalesce(w.wr, 0)
from sqlite_schema m join pragma_table_xinfo(m.name) p
left join pragma_table_list(m.name) w on w.schema = 'main'
where m.type in ('table', 'view') and p.hidden <> 1 and lower(m.name) = lower(?1)`

const sqliteUnique = `
select (select json_group_array(i.name) from pragma_index_xinfo(l.name) i where i.key)
from sqlite_schema m join pragma_index_list(m.name) l
where m.type = 'table' and l."unique" and not l.partial and lower(m.name) = lower(?1)
  and not exists (select 1 from pragma_index_xinfo(l.name) i where i.key and upper(i.coll) <> 'BINARY')`

// sqliteFolding are columns of unique indexes that take texts for the same which differ.
const sqliteFolding = `
select i.name from sqlite_schema m join pragma_index_list(m.name) l join pragma_index_xinfo(l.name) i
where m.type = 'table' and l."unique" and i.key and i.name is not null and upper(i.coll) <> 'BINARY' and lower(m.name) = lower(?1)`

func (d *database) lookSQLite(ctx context.Context, t *mapping, f *facts) error {
	if t.schema != "" && !strings.EqualFold(t.schema, "main") {
		f.hint = "SQLite has no schemas: write the name alone"
		return nil
	}
	var name, kind string
	var c column
	var key, keys int
	var withoutRowID bool
	err := d.each(ctx, d.read, sqliteColumns, []any{t.name}, func() error {
		f.found = true
		if kind == "view" {
			f.kind = "a view"
		}
		c := c
		if key > 0 && keys == 1 {
			c.fills = c.fills || strings.EqualFold(c.kind, "integer") && !withoutRowID
			if strings.EqualFold(c.kind, "integer") && !withoutRowID {
				f.unique = append(f.unique, []string{name}) // there is no index
			}
		}
		c.sel, c.ins, c.upd = true, true, true
		f.columns[name] = c
		return nil
	}, &kind, &name, &c.kind, &c.notNull, &c.fills, &c.computed, &key, &keys, &withoutRowID)
	if err != nil || !f.found {
		return err
	}
	err = d.each(ctx, d.read, sqliteFolding, []any{t.name}, func() error { f.folds[name] = true; return nil }, &name)
	if err != nil {
		return err
	}
	return d.uniques(ctx, sqliteUnique, []any{t.name}, f)
}
