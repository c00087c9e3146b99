package provisioned

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/betterauth"
)

// layout is a mapping in the database as it was looked at, and the statements for it. It does not change.
type layout struct {
	*mapping
	dialect betterauth.Dialect
	table   string            // qualified and quoted
	kinds   map[string]column // by configured name
	folded  bool              // the key's text may be written in another case: a uuid
}

func newLayout(d *database, t *mapping, f *facts) *layout {
	l := &layout{mapping: t, dialect: d.dialect, table: quote(t.name), kinds: make(map[string]column)}
	switch {
	case f.schema != "":
		l.table = quote(f.schema) + "." + l.table // so that a pooler's search path cannot change it
	case t.schema != "":
		l.table = quote(t.schema) + "." + l.table
	}
	for _, n := range t.named() {
		name, _ := d.actual(f, n.column)
		l.kinds[n.column] = f.columns[name]
	}
	l.folded = l.kinds[t.keys[0]].kind == "uuid"
	return l
}

func (l *layout) postgres() bool { return l.dialect == betterauth.Postgres }

// text is a column as text.
func (l *layout) text(column string) string { return "cast(t." + quote(column) + " as text)" }

// as gives an expression that is a text the type of a column, as it is compared or, with exact, as it is stored.
func (l *layout) as(expression, column string, exact bool) string {
	if !l.postgres() {
		return expression
	}
	kind := l.kinds[column].kind
	if exact {
		kind = l.kinds[column].exact
	}
	return expression + "::text::" + kind
}

// among is a condition: a key is one of the nth parameter's.
func (l *layout) among(key string, n int) string {
	if l.postgres() {
		return fmt.Sprintf("t.%s = any($%d::text[]::%s[])", quote(key), n, l.kinds[key].kind)
	}
	return fmt.Sprintf("t.%s in (select value from json_each($%d))", quote(key), n)
}

// equals is a condition: a key is the nth parameter.
func (l *layout) equals(key string, n int) string {
	return "t." + quote(key) + " = " + l.as("$"+strconv.Itoa(n), key, false)
}

// compared are the columns that follow Better Auth's as one JSON array of texts, or null.
func (l *layout) compared() string {
	if !l.update {
		return "cast(null as text)"
	}
	var all []string
	for _, c := range l.columns {
		all = append(all, l.text(c.column))
	}
	if l.postgres() {
		return "to_json(array[" + strings.Join(all, ", ") + "])::text"
	}
	return "json_array(" + strings.Join(all, ", ") + ")"
}

// find selects what is known of the rows that meet a condition.
func (l *layout) find(where string) string {
	key := l.id
	if key == "" {
		key = l.keys[0]
	}
	return "select '" + l.section + "', " + l.text(key) + ", " + l.text(l.keys[len(l.keys)-1]) + ", " + l.compared() + " from " + l.table + " t where " + where
}

// findAll selects rows whose Better Auth ids are in parameter 1.
func (l *layout) findAll() string { return l.find(l.among(l.keys[0], 1)) }

// findOne selects the one whose Better Auth id is parameter 1.
func (l *layout) findOne() string { return l.find(l.equals(l.keys[0], 1)) }

// steady selects the row of the user of parameter 1, those of the organizations of parameter 2, and the user's memberships in
// these. It is written so that PostgreSQL does not plan it anew each time.
func (s *shape) steady() string {
	all := s.users.findOne()
	o, m := s.organizations, s.members
	if o == nil {
		return all
	}
	all += " union all " + o.find(o.among(o.keys[0], 2))
	if m == nil {
		return all
	}
	id := func(of *layout, key, where string) string {
		id := "t." + quote(of.id)
		if m.postgres() && of.kinds[of.id].kind != m.kinds[key].kind {
			id += "::text::" + m.kinds[key].kind
		}
		return "(select " + id + " from " + of.table + " t where " + where + ")"
	}
	user, organizations := m.keys[0], id(o, m.keys[1], o.among(o.keys[0], 2))
	in := " in " + organizations
	if m.postgres() {
		in = " = any(array" + organizations + ")"
	}
	return all + " union all " + m.find("t."+quote(user)+" = "+id(s.users, user, s.users.equals(s.users.keys[0], 1))+" and t."+quote(m.keys[1])+in)
}

// returning are the first key or the id, and the last key.
func (l *layout) returning() string {
	first := l.id
	if first == "" {
		first = l.keys[0]
	}
	return " returning cast(" + quote(first) + " as text), cast(" + quote(l.keys[len(l.keys)-1]) + " as text)"
}

func (l *layout) conflict() string {
	var keys []string
	for _, key := range l.keys {
		keys = append(keys, quote(key))
	}
	return " on conflict (" + strings.Join(keys, ", ") + ") do nothing" + l.returning()
}

// insert makes rows, those columns of which are left to their defaults that are in without. PostgreSQL takes one array a
// column, so that it is one statement however many rows there are; SQLite takes the values of one row.
func (l *layout) insert(without []bool) string {
	var names, values, arrays, columns []string
	for i, name := range l.written() {
		if without[i] {
			continue
		}
		n := strconv.Itoa(len(names) + 1)
		names = append(names, quote(name))
		if l.postgres() {
			arrays = append(arrays, "$"+n+"::text[]")
			columns = append(columns, "c"+n)
			values = append(values, l.as("x.c"+n, name, false))
		} else {
			values = append(values, "$"+n)
		}
	}
	head := "insert into " + l.table + " (" + strings.Join(names, ", ") + ") "
	if l.postgres() {
		return head + "select " + strings.Join(values, ", ") + " from unnest(" + strings.Join(arrays, ", ") + ") as x(" + strings.Join(columns, ", ") + ")" + l.conflict()
	}
	return head + "values (" + strings.Join(values, ", ") + ")" + l.conflict()
}

// change updates those columns of one row that differ and can be null where they have to be. The parameters are its keys, and
// the columns.
func (l *layout) change(without []bool) string {
	var set, differs, where []string
	for i, key := range l.keys {
		where = append(where, quote(key)+" = "+l.as("$"+strconv.Itoa(i+1), key, false))
	}
	n := len(l.keys)
	for i, c := range l.columns {
		if without[i] {
			continue
		}
		n++
		name, parameter := quote(c.column), "$"+strconv.Itoa(n)
		set = append(set, name+" = "+l.as(parameter, c.column, false))
		if l.postgres() { // as text, for some types (json) cannot be compared
			differs = append(differs, name+"::text is distinct from ("+l.as(parameter, c.column, true)+")::text")
		} else {
			differs = append(differs, name+" is not "+parameter)
		}
	}
	return "update " + l.table + " set " + strings.Join(set, ", ") + " where " + strings.Join(where, " and ") + " and (" + strings.Join(differs, " or ") + ")"
}

// nothing makes no row, and needs all that making one does.
func (l *layout) nothing() (statement string, args []any) {
	columns := l.written()
	if l.postgres() {
		for range columns {
			args = append(args, []string{})
		}
		return l.insert(make([]bool, len(columns))), args
	}
	var names, nulls []string
	for _, name := range columns {
		names, nulls = append(names, quote(name)), append(nulls, "null")
	}
	return "insert into " + l.table + " (" + strings.Join(names, ", ") + ") select " + strings.Join(nulls, ", ") + " where 0" + l.conflict(), nil
}

// unchanged updates no row.
func (l *layout) unchanged() string {
	var set []string
	for _, c := range l.columns {
		set = append(set, quote(c.column)+" = "+quote(c.column))
	}
	return "update " + l.table + " set " + strings.Join(set, ", ") + " where 1 = 0"
}

// left says which cells an insertion leaves to the column's default: a null that the column cannot hold.
func (l *layout) left(columns []string, cells []*string) []bool {
	without := make([]bool, len(cells))
	for i, cell := range cells {
		without[i] = cell == nil && l.kinds[columns[i]].notNull
	}
	return without
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
