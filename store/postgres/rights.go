package postgres

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/usherauth/usher/betterauth"
)

// Rights is what the role may do with the tables that may be Better Auth's, as the catalog says it: whoever tries instead
// has the server log every refusal.
type Rights struct {
	Role     string
	ReadOnly bool // nothing can be written: a standby, or a role whose transactions are read-only

	closed  map[string]bool                // schemas that the role may not use
	columns map[place]map[string]allowance // of each table
	fixed   map[place][]string             // what is done to no row of a view, whoever asks
}

// place is where a table is.
type place struct{ schema, table string }

// allowance is what may be done with a column, as verbs of SQL. A grant on the table is one on each of its columns.
type allowance []string

// A table is always updatable; only views, foreign and materialized ones are looked into, which takes a lock. The bits are
// those of PostgreSQL's CmdType: 2 update, 3 insert, 4 delete.
const selectRights = `
select n.nspname, c.relname, a.attname, current_user::text, pg_catalog.current_setting('transaction_read_only') = 'on',
       pg_catalog.has_schema_privilege(n.oid, 'usage'),
       pg_catalog.has_column_privilege(c.oid, a.attnum, 'select'), pg_catalog.has_column_privilege(c.oid, a.attnum, 'insert'),
       pg_catalog.has_column_privilege(c.oid, a.attnum, 'update'), pg_catalog.has_table_privilege(c.oid, 'delete'),
       case when c.relkind in ('r', 'p') then 28 else pg_catalog.pg_relation_is_updatable(c.oid, true) end
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relname = any($1::text[]::name[]) and c.relkind in ('r', 'p', 'v', 'm', 'f')`

// ReadRights asks the catalog, in one round trip.
func ReadRights(ctx context.Context, db *sql.DB, tables betterauth.Tables) (*Rights, error) {
	rows, err := db.QueryContext(ctx, selectRights, tables.Candidates())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	r := &Rights{closed: make(map[string]bool), columns: make(map[place]map[string]allowance), fixed: make(map[place][]string)}
	for rows.Next() {
		var at place
		var column string
		var usage, selects, inserts, updates, deletes sql.NullBool // NULL: it has been dropped meanwhile
		var changes int
		if err := rows.Scan(&at.schema, &at.table, &column, &r.Role, &r.ReadOnly, &usage, &selects, &inserts, &updates, &deletes, &changes); err != nil {
			return nil, err
		}
		if r.columns[at] == nil {
			r.columns[at] = make(map[string]allowance)
			r.closed[at.schema] = !usage.Bool
			for bit, verb := range map[int]string{4: "update", 8: "insert", 16: "delete"} {
				if changes&bit == 0 {
					r.fixed[at] = append(r.fixed[at], verb)
				}
			}
		}
		var may allowance
		for verb, granted := range map[string]bool{"select": selects.Bool, "insert": inserts.Bool, "update": updates.Bool, "delete": deletes.Bool} {
			if granted {
				may = append(may, verb)
			}
		}
		r.columns[at][column] = may
	}
	return r, rows.Err()
}

// Closed reports whether the role may use nothing of a schema.
func (r *Rights) Closed(schema string) bool { return r.closed[schema] }

// Granted reports whether the role may do something to every one of these columns. Nothing is granted on what is not
// there, or on no column.
func (r *Rights) Granted(schema, table, verb string, columns ...string) bool {
	for _, column := range columns {
		if !slices.Contains(r.columns[place{schema, table}][column], verb) {
			return false
		}
	}
	return len(columns) > 0
}

// Fixed reports whether something can be done to a table by nobody: it is a view that takes no rows.
func (r *Rights) Fixed(schema, table, verb string) bool {
	return slices.Contains(r.fixed[place{schema, table}], strings.ToLower(verb))
}
