package provisioned

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/usherauth/usher/betterauth"
)

// mapping is one table as it is configured, in a form that all three share.
type mapping struct {
	section      string // users, organizations, members: where it stands below provision, and which row of Better Auth's it is
	configured   string
	schema, name string
	id           string   // the business key; empty of members
	keys         []string // what a row is found by
	owner        string   // empty: none
	columns      []pair   // column, field
	values       []pair   // column, constant
	update       bool
}

type pair struct{ column, of string }

func (c *Config) mappings() []*mapping {
	u, o, m := &c.Users, &c.Organizations, &c.Members
	all := []*mapping{newMapping("users", u.Table, u.ID, []string{u.AuthID}, u.Columns, u.Values, u.Update)}
	if o.Table != "" {
		t := newMapping("organizations", o.Table, o.ID, []string{o.AuthID}, o.Columns, o.Values, o.Update)
		t.owner = o.Owner
		all = append(all, t)
	}
	if m.Table != "" {
		all = append(all, newMapping("members", m.Table, "", []string{m.User, m.Organization}, m.Columns, m.Values, m.Update))
	}
	return all
}

func newMapping(section, table, id string, keys []string, columns, values map[string]string, update bool) *mapping {
	t := &mapping{section: section, configured: table, name: table, id: id, keys: keys, update: update && len(columns) > 0}
	if schema, name, qualified := strings.Cut(table, "."); qualified {
		t.schema, t.name = schema, name
	}
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		t.columns = append(t.columns, pair{column, canonical(section, columns[column])})
	}
	for _, column := range slices.Sorted(maps.Keys(values)) {
		t.values = append(t.values, pair{column, values[column]})
	}
	return t
}

// key names a key of the configuration.
func (t *mapping) key(rest string) string { return "provision." + t.section + "." + rest }

// named are the columns that the configuration speaks of, and where.
func (t *mapping) named() []pair {
	var all []pair
	if t.id != "" {
		all = append(all, pair{t.id, "id"})
	}
	if t.section == "members" {
		all = append(all, pair{t.keys[0], "user"}, pair{t.keys[1], "organization"})
	} else {
		all = append(all, pair{t.keys[0], "auth_id"})
	}
	if t.owner != "" {
		all = append(all, pair{t.owner, "owner"})
	}
	for _, c := range t.columns {
		all = append(all, pair{c.column, "columns." + c.column})
	}
	for _, v := range t.values {
		all = append(all, pair{v.column, "values." + v.column})
	}
	return all
}

// written are the columns of an insertion, in the order of cells.
func (t *mapping) written() []string {
	all := slices.Clone(t.keys)
	for _, c := range t.columns {
		all = append(all, c.column)
	}
	for _, v := range t.values {
		all = append(all, v.column)
	}
	if t.owner != "" {
		all = append(all, t.owner)
	}
	return all
}

// row is one that is to be made or compared.
type row struct {
	key    []string           // of users and organizations the id of Better Auth's; of members both business keys
	auth   string             // Better Auth's id: of the user or, with members, of the organization
	fields map[string]*string // nil is null
	owner  *string
}

// cells are the values of written.
func (t *mapping) cells(r *row) []*string {
	all := make([]*string, 0, len(t.keys)+len(t.columns)+len(t.values)+1)
	for i := range r.key {
		all = append(all, &r.key[i])
	}
	for _, c := range t.columns {
		all = append(all, r.fields[c.of])
	}
	for i := range t.values {
		all = append(all, &t.values[i].of)
	}
	if t.owner != "" {
		all = append(all, r.owner)
	}
	return all
}

// own are the fields of Better Auth's that it has itself; of those that begin with "+" a Principal knows the value.
func own(section string) []string {
	switch section {
	case "users":
		return []string{"+id", "+name", "+email", "+emailVerified", "image", "createdAt", "updatedAt", "+role", "banned", "banReason", "banExpires", "twoFactorEnabled"}
	case "organizations":
		return []string{"+id", "+name", "+slug", "logo", "createdAt", "metadata"}
	default:
		return []string{"id", "+organizationId", "+userId", "+role", "createdAt"}
	}
}

// canonical is a field's name as Better Auth's code has it, where it is one of its own: the configuration may also write it in
// snake_case.
func canonical(section, field string) string {
	for _, f := range own(section) {
		if f = strings.TrimPrefix(f, "+"); f == field || betterauth.Snake(f) == field {
			return f
		}
	}
	return field
}

// beyond are the fields of a table that no Principal knows.
func (t *mapping) beyond() []string {
	var all []string
	for _, c := range t.columns {
		if !slices.Contains(own(t.section), "+"+c.of) && !slices.Contains(all, c.of) {
			all = append(all, c.of)
		}
	}
	return all
}

// sourced reports whether something is read from the session database.
func sourced(all []*mapping) bool {
	return slices.ContainsFunc(all, func(t *mapping) bool { return t.owner != "" || len(t.beyond()) > 0 })
}

func jsonOf(v any) string {
	text, _ := json.Marshal(v) // of strings: it cannot fail
	return string(text)
}
