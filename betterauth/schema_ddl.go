package betterauth

import (
	"fmt"
	"slices"
	"strings"
)

// Dialect is an SQL dialect that Better Auth's own migration speaks.
type Dialect uint8

// The dialects.
const (
	Postgres Dialect = iota + 1
	SQLite
)

// Statement makes one thing. The fields beside SQL say what, so that what is there can be left out.
type Statement struct {
	SQL     string
	Table   string
	Columns []string // of an index; the one that is added
	Unique  bool
	Index   string // its name; empty: a table or a column
	Why     string // of an advised index: what is wrong without it

	model    string      // of a table
	on       string      // of an index: its table, as SQL names it
	required bool        // an added column that existing rows cannot have
	parts    []Statement // of a table: how to add each column to one that exists
}

// DDL are the statements of Better Auth's own migration (1.7.25), in its words: what `npx auth migrate` would run for an
// application with these plugins and names.
func DDL(d Dialect, p Plugins, n *Names) []Statement {
	var tables, indexes []Statement
	w := ddl{d, n}
	for _, m := range models() {
		if !p.uses(m.plugin) {
			continue
		}
		made := Statement{Table: n.Table(m.name), model: m.name}
		var columns []string
		for _, f := range m.fields {
			if !p.uses(f.plugin) {
				continue
			}
			column := w.column(&m, f)
			columns = append(columns, column)
			made.parts = append(made.parts, w.add(&m, f)...)
			if f.index {
				indexes = append(indexes, w.index(m.name, "idx", f.name))
			}
		}
		made.SQL = "create table " + w.table(m.name) + " (" + strings.Join(columns, ", ") + ")"
		tables = append(tables, made)
	}
	return append(tables, indexes...)
}

// Advised are the indexes that are not there and that a gate is slow or a companion is unsafe without. All but the
// account's are part of DDL: tables made by hand lack them.
func Advised(d Dialect, n *Names, c Catalog) []Statement {
	w := ddl{d, n}
	because := func(s Statement, why string) Statement { s.Why = why; return s }
	all := []Statement{
		because(w.index("session", "uidx", "token"), "every lookup reads the whole table, and two sessions could have one token"),
		because(w.index("session", "idx", "userId"), "listing a user's sessions reads the whole table"),
		because(w.index("account", "uidx", "providerId", "accountId"), "two sign-ins at the same instant could make two users of one person"),
	}
	if n.Organizations {
		all = append(all, because(w.index("member", "idx", "userId"), "every lookup reads the whole table"))
	}
	if n.Teams {
		all = append(all, because(w.index("teamMember", "idx", "userId"), "every lookup reads the whole table"))
	}
	return slices.DeleteFunc(all, func(s Statement) bool {
		name, exists := lookUp(c.Tables, s.Table, c.Fold)
		return !exists || c.indexed(name, s)
	})
}

// Migration is what to run so that a database has Better Auth's tables for these plugins and the advised indexes. It
// fails where a table would be made beside one that is probably the same under another name: an empty session table
// refuses everybody.
func Migration(d Dialect, p Plugins, n *Names, c Catalog) ([]Statement, error) {
	todo, err := pending(DDL(d, p, n), c)
	if err != nil {
		return nil, err
	}
	if err := n.besides(todo); err != nil {
		return nil, err
	}
	advised := Advised(d, n, c)
	if _, exists := lookUp(c.Tables, n.Table("account"), c.Fold); !exists {
		advised = append(advised, ddl{d, n}.index("account", "uidx", "providerId", "accountId"))
	}
	for _, s := range advised {
		if !slices.ContainsFunc(todo, func(have Statement) bool { return have.Index == s.Index }) {
			todo = append(todo, s)
		}
	}
	return todo, nil
}

// besides refuses statements that make a table where another one looks like it.
func (n *Names) besides(todo []Statement) error {
	var alike []string
	model := ""
	for _, s := range todo {
		if s.model == "" || n.tables[s.model].alike == "" {
			continue
		}
		if model == "" {
			model = s.model
		}
		alike = append(alike, fmt.Sprintf("no table %q, but %s", s.Table, n.tables[s.model].alike))
	}
	if alike == nil {
		return nil
	}
	return fmt.Errorf("empty tables would be made beside those that look like Better Auth's: %s. Set that key; "+
		"if those tables are not Better Auth's, write the key down as it is meant "+
		"(better_auth.tables.schema, or for each table like better_auth.tables.%s.model_name)", strings.Join(alike, "; "), Snake(model))
}

// Unmade is why Migration would not make all that is absent, or nil where it would.
func Unmade(d Dialect, p Plugins, n *Names, c Catalog) error {
	todo, err := Migration(d, p, n, c)
	if err != nil {
		return err
	}
	for _, absent := range n.absent {
		if !slices.ContainsFunc(todo, func(s Statement) bool {
			made := s.Index == "" && s.Table == absent.Table
			return made && (s.model != "" || absent.Column != "" && slices.Contains(s.Columns, absent.Column))
		}) {
			return fmt.Errorf("table %q belongs to a plugin whose tables only Better Auth's own migration makes", absent.Table)
		}
	}
	return nil
}

// pending are the statements whose work is not done yet. A table that exists is not made again but given the columns it
// lacks; nothing is ever dropped or changed. It fails where a column is lacking that rows cannot do without.
func pending(all []Statement, c Catalog) ([]Statement, error) {
	var todo []Statement
	for _, s := range all {
		name, exists := lookUp(c.Tables, s.Table, c.Fold)
		switch {
		case !exists:
			todo = append(todo, s)
		case s.Index != "":
			if !c.indexed(name, s) {
				todo = append(todo, s)
			}
		default:
			for _, part := range s.parts { // the index of a new column comes right after it
				if _, exists := lookUp(c.Tables[name].Columns, part.Columns[0], c.Fold); exists {
					continue
				}
				if part.required {
					return nil, fmt.Errorf("table %q has no column %q, which every row needs: it is not Better Auth's, or it needs Better Auth's own migration",
						s.Table, part.Columns[0])
				}
				todo = append(todo, part)
			}
		}
	}
	return todo, nil
}

// indexed reports whether an index serves as well as s. A unique one promises no more than its columns, in any order;
// another is found by the columns it begins with.
func (c Catalog) indexed(table string, s Statement) bool {
	return slices.ContainsFunc(c.Tables[table].Indexes, func(have CatalogIndex) bool {
		if s.Unique {
			return have.Unique && len(have.Columns) == len(s.Columns) && c.contains(have.Columns, s.Columns)
		}
		return len(have.Columns) >= len(s.Columns) && c.contains(have.Columns[:len(s.Columns)], s.Columns)
	})
}

func (c Catalog) contains(all, some []string) bool {
	for _, name := range some {
		if !slices.ContainsFunc(all, func(have string) bool { return have == name || c.Fold && strings.EqualFold(have, name) }) {
			return false
		}
	}
	return true
}

type ddl struct {
	Dialect
	n *Names
}

func (w ddl) table(model string) string {
	if w.Dialect == Postgres && w.n.Schema != "" {
		return quote(w.n.Schema) + "." + quote(w.n.Table(model))
	}
	return quote(w.n.Table(model))
}

// column is one column's definition, its parts in the order in which Better Auth's query builder writes them.
func (w ddl) column(m *model, f field) string {
	var b strings.Builder
	b.WriteString(quote(w.n.Column(m.name, f.name)) + " " + w.word(f.kind))
	if f.now && w.Dialect == Postgres {
		b.WriteString(" default CURRENT_TIMESTAMP")
	}
	if f.required {
		b.WriteString(" not null")
	}
	if f.name == "id" {
		b.WriteString(" primary key")
	}
	if f.unique {
		b.WriteString(" unique")
	}
	if f.refs != "" {
		b.WriteString(" references " + w.table(f.refs) + " (" + quote(w.n.Column(f.refs, "id")) + ") on delete cascade")
	}
	return b.String()
}

// add is how the column comes into a table that exists. SQLite cannot add a unique one; an index says the same.
func (w ddl) add(m *model, f field) []Statement {
	unique := f.unique
	f.unique = false
	parts := []Statement{{
		SQL:      "alter table " + w.table(m.name) + " add column " + w.column(m, f),
		Table:    w.n.Table(m.name),
		Columns:  []string{w.n.Column(m.name, f.name)},
		required: f.required && !(f.now && w.Dialect == Postgres),
	}}
	if unique {
		parts = append(parts, w.index(m.name, "uidx", f.name))
	}
	return parts
}

func (w ddl) word(k kind) string {
	words := [...]string{asText: "text", asFlag: "boolean", asInstant: "timestamptz", asNumber: "integer"}
	if w.Dialect == SQLite {
		words[asFlag], words[asInstant] = "integer", "date"
	}
	return words[k]
}

func (w ddl) index(model, suffix string, fields ...string) Statement {
	s := Statement{Table: w.n.Table(model), Unique: suffix == "uidx", on: w.table(model)}
	quoted := make([]string, len(fields))
	for i, f := range fields {
		s.Columns = append(s.Columns, w.n.Column(model, f))
		quoted[i] = quote(s.Columns[i])
	}
	s.Index = s.Table + "_" + strings.Join(s.Columns, "_") + "_" + suffix
	create := "create index "
	if s.Unique {
		create = "create unique index "
	}
	s.SQL = create + quote(s.Index) + " on " + w.table(model) + " (" + strings.Join(quoted, ", ") + ")"
	return s
}

// quote makes an identifier of any name, in both dialects.
func quote(name string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(name, "\x00", ""), `"`, `""`) + `"`
}
