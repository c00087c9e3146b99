package provisioned

import (
	"maps"
	"slices"
	"strings"
)

// table is one of the three, with its statements.
type table struct {
	name   string   // as it is configured
	model  string   // what it holds rows of: user, organization, member
	id     string   // column of the key; a membership has none
	keys   []string // columns of the unique index
	fields []string // of Better Auth's row, for the columns in follow
	follow []string // columns that hold fields
	fixed  []string // columns that hold constants
	values []string // these
	owner  string   // column; empty: none
	update bool

	insert, change string // statements
}

// newTable makes a table of one of the sections of the configuration.
func newTable(d *database, t table, columns, values map[string]string) *table {
	t.follow, t.fixed = slices.Sorted(maps.Keys(columns)), slices.Sorted(maps.Keys(values))
	for _, column := range t.follow {
		t.fields = append(t.fields, columns[column])
	}
	for _, column := range t.fixed {
		t.values = append(t.values, values[column])
	}
	t.insert = t.insertion(d)
	if t.update = t.update && len(t.follow) > 0; t.update {
		t.change = t.changing(d)
	}
	return &t
}

// filled are the columns of a new row, in the order of insert's parameters.
func (t *table) filled() []string {
	columns := slices.Concat(t.keys, t.follow, t.fixed)
	if t.owner != "" {
		columns = append(columns, t.owner)
	}
	return columns
}

// insertion makes a row unless there is one, and answers with its key.
func (t *table) insertion(d *database) string {
	columns := t.filled()
	names, parameters := make([]string, len(columns)), make([]string, len(columns))
	for i, column := range columns {
		names[i], parameters[i] = quoted(column), d.parameter(i+1)
	}
	made := t.id
	if made == "" {
		made = t.keys[0]
	}
	return "insert into " + quotedTable(t.name) + " (" + strings.Join(names, ", ") + ") values (" + strings.Join(parameters, ", ") +
		") on conflict (" + list(t.keys) + ") do nothing returning " + d.text(quoted(made))
}

// changing makes a row follow its source, and writes nothing where it does. Its parameters are the keys, then the columns.
func (t *table) changing(d *database) string {
	var set, differs, where []string
	for i, key := range t.keys {
		where = append(where, quoted(key)+" = "+d.parameter(i+1))
	}
	for i, column := range t.follow {
		parameter := d.parameter(len(t.keys) + i + 1)
		set = append(set, quoted(column)+" = "+parameter)
		differs = append(differs, d.differs(quoted(column), parameter))
	}
	return "update " + quotedTable(t.name) + " set " + strings.Join(set, ", ") + " where " + strings.Join(where, " and ") +
		" and (" + strings.Join(differs, " or ") + ") returning " + d.text(quoted(t.keys[0]))
}

// list is columns with commas.
func list(columns []string) string {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = quoted(column)
	}
	return strings.Join(names, ", ")
}

// quotedAll are columns of a table's alias.
func quotedAll(alias string, columns []string) []string {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = alias + "." + quoted(column)
	}
	return names
}
