package provisioned

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// problem is one thing that is wrong with the mapping, or with the tables that it maps to.
type problem struct {
	store.Finding
	lasts bool // until somebody changes the configuration or the schema; a grant may come while Usher waits
}

func (p problem) err() error {
	switch {
	case p.lasts && p.Table != "" && p.absent():
		return &store.MissingError{Table: p.Table, Column: p.Column, Hint: p.Note}
	case p.lasts:
		return unusable("%s", p.text())
	}
	return errors.New(p.text())
}

func (p problem) text() string {
	switch {
	case p.Table == "":
		return p.Note
	case p.Column == "":
		return fmt.Sprintf("table %q: %s", p.Table, p.Note)
	}
	return fmt.Sprintf("column %q of table %q: %s", p.Column, p.Table, p.Note)
}

const isAbsent = "is not there"

func (p problem) absent() bool { return strings.HasPrefix(p.Note, isAbsent) }

// asError is all of them as one, or nil.
func asError(all []problem) error {
	var errs []error
	for _, p := range all {
		errs = append(errs, p.err())
	}
	return errors.Join(errs...)
}

// check finds what is wrong with the configuration alone.
func (c *Config) check() []problem {
	var all []problem
	wrong := func(format string, args ...any) {
		all = append(all, problem{store.Finding{Note: fmt.Sprintf(format, args...)}, true})
	}
	if c.Users.Table == "" {
		wrong("provision.users.table: name the table, for whatever is made belongs to a user")
		return all
	}
	if c.Members.Table != "" && c.Organizations.Table == "" {
		wrong("provision.members: needs provision.organizations, whose keys it holds")
		return all
	}
	for _, t := range c.mappings() {
		if t.name == "" || t.schema == "" && t.name != t.configured {
			wrong("%s: write NAME or SCHEMA.NAME", t.key("table"))
		}
		seen := make(map[string]string)
		for _, n := range t.named() {
			word := n.column
			if dialect, err := dialectOf(c.URL, "provision.store.url"); err == nil && dialect == betterauth.SQLite {
				word = strings.ToLower(word)
			}
			switch other := seen[word]; {
			case n.column == "" || strings.IndexByte(n.column, 0) >= 0:
				wrong("%s: name the column", t.key(n.of))
			case other == "":
				seen[word] = n.of
			case other == "id" && !strings.HasPrefix(n.of, "owner"): // a key that is not made by the database
				seen[word] = n.of
			default:
				wrong("%s: column %q is also %s", t.key(n.of), n.column, t.key(other))
			}
		}
		for _, x := range t.columns {
			if x.of == "" {
				wrong("%s: name a field of Better Auth's", t.key("columns."+x.column))
			}
		}
		if c.Source.URL != "" {
			continue
		}
		for _, x := range t.columns {
			if slices.Contains(t.beyond(), x.of) {
				wrong("%s: %q can be read from the session database only, and there is none", t.key("columns."+x.column), x.of)
			}
		}
		if t.owner != "" {
			wrong("%s: who owns an organization can be read from the session database only, and there is none", t.key("owner"))
		}
	}
	return all
}

// judge finds what is wrong with a table.
func (t *mapping) judge(d *database, f *facts) []problem {
	var all []problem
	add := func(lasts bool, column, format string, args ...any) {
		all = append(all, problem{store.Finding{Table: t.configured, Column: column, Note: fmt.Sprintf(format, args...)}, lasts})
	}
	if !f.found {
		hint := f.hint
		if hint == "" {
			hint = "the name comes from " + t.key("table")
		}
		add(true, "", "%s; %s", isAbsent, hint)
		return all
	}
	if f.kind != "" {
		add(true, "", "is %s, in which no row can be made once for all: name the table behind it in %s", f.kind, t.key("table"))
		return all
	}
	if !f.usage {
		add(false, "", "the role may not use its schema: grant usage on schema %s", quote(f.schema))
	}
	whole := true
	for _, n := range t.named() {
		name, found := d.actual(f, n.column)
		if !found {
			add(true, n.column, "%s; the name comes from %s", isAbsent, t.key(n.of))
			whole = false
		} else if f.columns[name].computed && n.of != "id" {
			add(true, n.column, "the database computes it (GENERATED ALWAYS), so that it cannot be written: take %s away", t.key(n.of))
		}
	}
	if !whole {
		return all
	}
	var keys []string
	for _, key := range t.keys {
		name, _ := d.actual(f, key)
		keys = append(keys, name)
		if f.folds[name] {
			add(true, key, "compares texts without their case or accents, so that two of Better Auth's ids could be one: give it a plain type and collation")
		}
	}
	slices.Sort(keys)
	if !slices.ContainsFunc(f.unique, func(columns []string) bool { return slices.Equal(columns, keys) }) {
		add(true, strings.Join(t.keys, ", "), "has no unique index or constraint of its own that is checked at once, without which there could be two rows: "+
			"create unique index on %s (%s)", t.configured, strings.Join(t.keys, ", "))
	}
	return append(all, t.fill(d, f)...)
}

// fill finds columns that nobody fills, and grants that are lacking.
func (t *mapping) fill(d *database, f *facts) []problem {
	var all []problem
	add := func(lasts bool, column, format string, args ...any) {
		all = append(all, problem{store.Finding{Table: t.configured, Column: column, Note: fmt.Sprintf(format, args...)}, lasts})
	}
	written := make(map[string]bool)
	for _, name := range t.written() {
		name, _ = d.actual(f, name)
		written[name] = true
	}
	id, _ := d.actual(f, t.id)
	for _, name := range sorted(f.columns) {
		c := f.columns[name]
		switch {
		case written[name] || c.fills || c.computed:
		case t.id != "" && name == id:
			add(true, name, "the key has no default and is no identity, so nobody makes it: give it one")
		case c.notNull:
			add(true, name, "must not be null, has no default and is not in %s or %s, so no row can be made", t.key("columns"), t.key("values"))
		}
		if c.sequence != "" && !written[name] {
			add(false, name, "its default takes from a sequence that the role may not use: grant usage on sequence %s", c.sequence)
		}
	}
	lacks := make(map[string][]string)
	need := func(verb, column string, has func(column) bool) {
		name, _ := d.actual(f, column)
		if c := f.columns[name]; !has(c) && !slices.Contains(lacks[verb], quote(name)) {
			lacks[verb] = append(lacks[verb], quote(name))
		}
	}
	for _, name := range t.written() {
		need("insert", name, func(c column) bool { return c.ins })
	}
	for _, name := range t.keys {
		need("select", name, func(c column) bool { return c.sel })
	}
	if t.id != "" {
		need("select", t.id, func(c column) bool { return c.sel })
	}
	for _, x := range t.columns {
		if t.update {
			need("select", x.column, func(c column) bool { return c.sel })
			need("update", x.column, func(c column) bool { return c.upd })
		}
	}
	for _, verb := range []string{"select", "insert", "update"} {
		if columns := lacks[verb]; columns != nil {
			add(false, "", "the role lacks a grant: grant %s (%s) on %s", verb, strings.Join(columns, ", "), t.configured)
		}
	}
	return all
}

// judge finds keys of one table that do not fit into the columns of another.
func (s *shape) judge() []problem {
	var all []problem
	fits := func(l *layout, column, key string, of *layout) {
		here, there := l.kinds[column].kind, of.kinds[of.id].kind
		if l.postgres() && !holds(here, there) {
			all = append(all, problem{store.Finding{Table: l.configured, Column: column, Note: fmt.Sprintf(
				"is of type %s, and %q, the key of table %q, of type %s: the one cannot hold the other; the name comes from %s",
				here, of.id, of.configured, there, l.key(key))}, true})
		}
	}
	if o := s.organizations; o != nil && o.owner != "" {
		fits(o, o.owner, "owner", s.users)
	}
	if m := s.members; m != nil {
		fits(m, m.keys[0], "user", s.users)
		fits(m, m.keys[1], "organization", s.organizations)
	}
	return all
}

// holds reports whether a column of one type can have the values of another. Texts hold all; what is not known here is left
// to the database.
func holds(kind, values string) bool {
	family := func(kind string) string {
		switch kind {
		case "smallint", "integer", "bigint", "numeric":
			return "number"
		case "text", "character varying", "bpchar":
			return "text"
		case "uuid", "bytea", "boolean":
			return kind
		}
		return ""
	}
	here, there := family(kind), family(values)
	return here == "" || there == "" || here == there || here == "text"
}
