package betterauth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Catalog is what a database holds, as a store found it.
type Catalog struct {
	Tables map[string]CatalogTable // by name
	Fold   bool                    // names are compared without case, as SQLite does

	// Elsewhere says in which schema there are tables of these names that the store does not look into.
	Elsewhere map[string]string
}

// CatalogTable is one table.
type CatalogTable struct {
	Columns map[string]CatalogColumn // by name
	Indexes []CatalogIndex
}

// CatalogColumn is one column.
type CatalogColumn struct {
	Type    string // the database's own name of it
	NotNull bool
	Default bool // it has one, so that a writer who does not know the column may leave it out
}

// CatalogIndex is one index on all rows.
type CatalogIndex struct {
	Unique  bool
	Columns []string
}

// Names are the physical names of Better Auth's tables and columns in one database: made by Tables.Match.
type Names struct {
	Schema        string // PostgreSQL: qualifies every table; may be empty
	TimeZone      string // never empty
	Organizations bool   // memberships can be looked up
	Teams         bool   // teams can be looked up

	tables map[string]*tableName // by logical name
	absent []Absent
}

type tableName struct {
	name    string
	found   bool
	alike   string                // of one that is not there: which table it may be instead, as a hint
	columns map[string]columnName // by logical name
}

type columnName struct {
	name  string
	found bool
}

// Absent is something a store cannot do without: a whole table where Column is empty. Hint says what to do about it.
type Absent struct{ Table, Column, Hint string }

// Match finds t's names in a database. What is written down must be there; the rest is looked for by the preset's name,
// then in camelCase, then in snake_case. A zero Catalog gives the names as DDL would make them.
func (t Tables) Match(c Catalog) (*Names, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	n := &Names{Schema: t.Schema, TimeZone: t.TimeZone, tables: make(map[string]*tableName)}
	if n.TimeZone == "" {
		n.TimeZone = "UTC"
	}
	known := models()
	for i := range known {
		n.tables[known[i].name] = t.match(&known[i], c)
	}
	n.judge(t, c, known)
	return n, nil
}

// match finds one table, and its columns or those it ought to have.
func (t Tables) match(m *model, c Catalog) *tableName {
	wanted := t.tableNames(m.name)
	here := &tableName{name: wanted[0], columns: make(map[string]columnName)}
	var table CatalogTable
	for _, name := range wanted {
		if real, ok := lookUp(c.Tables, name, c.Fold); ok {
			here.name, here.found, table = real, true, c.Tables[real]
			break
		}
	}
	if !here.found {
		here.alike = t.lookAlike(m.name, c)
	}
	for _, f := range m.fields {
		names, _ := t.columnNames(m, f.name)
		column := columnName{name: names[0]}
		for _, name := range names {
			if real, ok := lookUp(table.Columns, name, c.Fold); ok {
				column = columnName{real, true}
				break
			}
		}
		here.columns[f.name] = column
	}
	return here
}

// lookUp finds a key as the database would.
func lookUp[V any](in map[string]V, name string, fold bool) (string, bool) {
	if _, ok := in[name]; ok || !fold {
		return name, ok
	}
	for key := range in {
		if strings.EqualFold(key, name) {
			return key, true
		}
	}
	return "", false
}

// judge decides which plugins can be read, and collects what is absent.
func (n *Names) judge(t Tables, c Catalog, known []model) {
	for i := range known {
		m := &known[i]
		rename, here := t.rename(m.name), n.tables[m.name]
		if !here.found {
			if rename.ModelName != "" || len(rename.Fields) > 0 || m.name == "user" || m.name == "session" {
				n.lack(m.name, "", t.tableHint(m.name, c))
			}
			continue
		}
		for _, f := range m.fields {
			_, written := t.columnNames(m, f.name)
			core := f.needed && m.plugin == ofCore
			if !here.columns[f.name].found && (written || core) {
				n.lack(m.name, f.name, t.columnHint(m, f.name, written))
			}
		}
	}
	n.Organizations = n.readable(t, known, "activeOrganizationId", "organization", "member")
	n.Teams = n.Organizations && n.readable(t, known, "activeTeamId", "team", "teamMember")
}

// readable reports whether the plugin's tables are there. Tables of the same names that are not Better Auth's are passed
// over, unless the session or the configuration speaks of the plugin: then what they lack is an error.
func (n *Names) readable(t Tables, known []model, preference string, tables ...string) bool {
	spoken := n.Has("session", preference)
	whole := true
	for _, name := range tables {
		if !n.Has(name, "") {
			return false
		}
		if r := t.rename(name); r.ModelName != "" || len(r.Fields) > 0 {
			spoken = true
		}
		for _, f := range modelNamed(known, name).fields {
			if f.needed && !n.Has(name, f.name) {
				whole = false
			}
		}
	}
	if whole || !spoken {
		return whole
	}
	for _, name := range tables {
		m := modelNamed(known, name)
		for _, f := range m.fields {
			if _, written := t.columnNames(m, f.name); f.needed && !written && !n.Has(name, f.name) {
				n.lack(name, f.name, t.columnHint(m, f.name, false))
			}
		}
	}
	return false
}

func (n *Names) lack(model, field, hint string) {
	a := Absent{Table: n.tables[model].name, Hint: hint}
	if field != "" {
		a.Column = n.tables[model].columns[field].name
	}
	n.absent = append(n.absent, a)
}

// lookAlike finds the table that is probably the missing one under another name or in another schema, and says which key
// names it. What is written down is not guessed about.
func (t Tables) lookAlike(logical string, c Catalog) string {
	if t.Schema == "" {
		if hint := t.elsewhere(logical, c); hint != "" {
			return hint
		}
	}
	if t.rename(logical).ModelName != "" {
		return ""
	}
	if t.UsePlural {
		for _, other := range []string{logical, Snake(logical)} {
			if real, ok := lookUp(c.Tables, other, c.Fold); ok {
				return fmt.Sprintf("there is %q: is better_auth.tables.use_plural wrong?", real)
			}
		}
		return ""
	}
	for _, other := range []string{logical + "s", Snake(logical) + "s"} {
		if real, ok := lookUp(c.Tables, other, c.Fold); ok {
			return fmt.Sprintf("there is %q: is it better_auth.tables.use_plural?", real)
		}
	}
	return ""
}

func (t Tables) elsewhere(logical string, c Catalog) string {
	for _, name := range t.tableNames(logical) {
		if schema, ok := c.Elsewhere[name]; ok {
			return fmt.Sprintf("there is one in schema %q: is it better_auth.tables.schema?", schema)
		}
	}
	return ""
}

func (t Tables) tableHint(logical string, c Catalog) string {
	if hint := t.elsewhere(logical, c); hint != "" {
		return hint
	}
	if hint := t.lookAlike(logical, c); hint != "" {
		return hint
	}
	if t.rename(logical).ModelName != "" {
		return fmt.Sprintf("the name comes from better_auth.tables.%s", Snake(logical))
	}
	return fmt.Sprintf("run Better Auth's migration or `usher schema apply`, or name the table in better_auth.tables.%s", Snake(logical))
}

func (t Tables) columnHint(m *model, logical string, written bool) string {
	at := fmt.Sprintf("better_auth.tables.%s.fields.%s", Snake(m.name), Snake(logical))
	if written {
		return "the name comes from " + at
	}
	names := t.preferred(logical)
	if names[0] == names[1] {
		return "if it is called differently, name it in " + at
	}
	return fmt.Sprintf("%q is not there either; if it is called differently, name it in %s", names[1], at)
}

// Absent lists what keeps a store from reading sessions, all of it.
func (n *Names) Absent() []Absent { return n.absent }

// Has reports whether the database has the table, or its column where field is not empty.
func (n *Names) Has(model, field string) bool {
	t := n.table(model)
	return t.found && (field == "" || n.column(model, field).found)
}

// Table is the table's name; it exists if Has says so.
func (n *Names) Table(model string) string { return n.table(model).name }

// Column is the column's name; it exists if Has says so.
func (n *Names) Column(model, field string) string { return n.column(model, field).name }

func (n *Names) table(model string) *tableName {
	t, ok := n.tables[model]
	if !ok {
		panic("betterauth: no model " + model) // a misspelling of ours, never a user's
	}
	return t
}

func (n *Names) column(model, field string) columnName {
	c, ok := n.table(model).columns[field]
	if !ok {
		panic("betterauth: no field " + model + "." + field)
	}
	return c
}

// Strangers are the columns of Better Auth's tables that Better Auth does not know: additional fields, or another
// version's. Those that are NOT NULL without a default keep Usher from making rows.
func (n *Names) Strangers(c Catalog) []Absent {
	var found []Absent
	for _, m := range models() {
		t := n.tables[m.name]
		if !t.found {
			continue
		}
		ours := make(map[string]bool)
		for _, column := range t.columns {
			ours[column.name] = column.found
		}
		columns := c.Tables[t.name].Columns
		for _, name := range slices.Sorted(maps.Keys(columns)) {
			if ours[name] {
				continue
			}
			hint := "not a column of Better Auth: an additional field?"
			if columns[name].NotNull && !columns[name].Default {
				hint += " It must not be null and has no default, so Usher cannot make rows"
			}
			found = append(found, Absent{t.name, name, hint})
		}
	}
	return found
}
