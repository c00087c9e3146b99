package provisioned

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/usherauth/usher/store/postgres"
)

// unreadable is in the words of PostgreSQL's errors about values, which name no column.
const unreadable = "SQLSTATE 22"

// name says which columns keep a row from being written, where the database did not: those of the constraint, or those that
// cannot hold their value, each of which is tried alone.
func (r *Rows) name(ctx context.Context, l *layout, row *row, err error) error {
	refused, ok := refusal(err)
	if !ok || !refused.unnamed && refused.constraint == "" {
		return err
	}
	names := r.constrained(ctx, l, refused.constraint)
	cells := l.cells(row)
	for i, column := range l.written() {
		if refused.unnamed && cells[i] != nil && r.misfits(ctx, l, column, *cells[i]) {
			names = append(names, column)
		}
	}
	if names == nil {
		return err
	}
	for i := range names {
		names[i] = strconv.Quote(names[i])
	}
	return &refusedError{text: refused.text + ": column " + strings.Join(names, ", "), why: refused.why}
}

const constrainedColumns = `
select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = pg_catalog.to_regclass($1::text) and (
  exists (select from pg_catalog.pg_constraint c where c.conrelid = a.attrelid and c.conname = $2::text and a.attnum = any(c.conkey))
  or exists (select from pg_catalog.pg_index i join pg_catalog.pg_class n on n.oid = i.indexrelid
             where i.indrelid = a.attrelid and n.relname = $2::text and a.attnum = any(i.indkey::int2[]))) order by a.attnum`

// constrained are the columns of a constraint, or of a unique index that is none. It is for a log line, which is written
// without them where they cannot be read.
func (r *Rows) constrained(ctx context.Context, l *layout, constraint string) []string {
	if constraint == "" {
		return nil
	}
	var names []string
	var name string
	_ = r.db.use(ctx, func() error {
		return once(ctx, r.db.read, constrainedColumns, []any{l.table, constraint}, func() error { names = append(names, name); return nil }, &name)
	})
	return names
}

// misfits reports whether a column cannot hold a text: it is too long, or the type does not read it.
func (r *Rows) misfits(ctx context.Context, l *layout, column, text string) bool {
	c := l.kinds[column]
	if c.longest > 0 && utf8.RuneCountInString(text) > c.longest {
		return true
	}
	err := r.db.use(ctx, func() error {
		return once(ctx, r.db.read, "select ("+l.as("$1", column, true)+") is null", []any{text}, func() error { return nil }, new(bool))
	})
	_, _, _, _, refused := postgres.Refused(err)
	return refused
}
