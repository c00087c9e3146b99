package betterauth

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SnakeCase is the Preset of tables and columns made by drizzle: team_member, expires_at.
const SnakeCase = "snake_case"

// Tables says how one application names Better Auth's tables. The zero value is Better Auth's own naming.
type Tables struct {
	Preset    string            // empty: camelCase, as Better Auth's own migration; or SnakeCase
	UsePlural bool              // as Better Auth's adapters' usePlural: table names end in s
	Schema    string            // PostgreSQL: the schema that holds the tables; empty: the search path decides
	TimeZone  string            // PostgreSQL: of columns that are `timestamp` without zone; empty: UTC
	Models    map[string]Rename // by logical name, in camelCase or snake_case: as in Better Auth's modelName and fields
}

// Rename is how one table is called.
type Rename struct {
	ModelName string            // empty: not renamed
	Fields    map[string]string // logical name, in camelCase or snake_case, to the column's
}

const zoneLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/+-"

// Validate lists everything in t that Better Auth does not have.
func (t Tables) Validate() error {
	var problems []error
	if t.Preset != "" && t.Preset != SnakeCase {
		problems = append(problems, fmt.Errorf("tables.preset: %q: leave it out or write %s", t.Preset, SnakeCase))
	}
	if strings.Trim(t.TimeZone, zoneLetters) != "" { // whether there is such a zone only the server knows
		problems = append(problems, fmt.Errorf("tables.time_zone: %q: write a name like Europe/Berlin", t.TimeZone))
	}
	known := models()
	seen := make(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(t.Models)) {
		m := modelNamed(known, key)
		if m == nil {
			problems = append(problems, fmt.Errorf("tables.%s: Better Auth has no such model; there are %s", key, modelNames(known)))
			continue
		}
		if other, twice := seen[m.name]; twice {
			problems = append(problems, fmt.Errorf("tables.%s: is the same model as %s", key, other))
		}
		seen[m.name] = key
		problems = append(problems, m.unknown(key, t.Models[key].Fields)...)
	}
	return errors.Join(problems...)
}

// unknown lists the keys of fields that the model does not have.
func (m *model) unknown(key string, fields map[string]string) []error {
	var problems []error
	seen := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		at := fmt.Sprintf("tables.%s.fields.%s", key, name)
		f := m.fieldNamed(name)
		switch {
		case f == nil:
			problems = append(problems, fmt.Errorf("%s: Better Auth's %s has no such field; there are %s", at, m.name, m.fieldNames()))
			continue
		case fields[name] == "":
			problems = append(problems, fmt.Errorf("%s: the column's name is empty", at))
		case seen[f.name] != "":
			problems = append(problems, fmt.Errorf("%s: is the same field as %s", at, seen[f.name]))
		}
		seen[f.name] = name
	}
	return problems
}

// Candidates are the table names that Match may look for, also those it would only speak of.
func (t Tables) Candidates() []string {
	var names []string
	for _, m := range models() {
		names = append(names, t.tableNames(m.name)...)
		names = append(names, m.name, Snake(m.name), m.name+"s", Snake(m.name)+"s")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// tableNames are the names to look for, the best first: one that is written down is not guessed about.
func (t Tables) tableNames(logical string) []string {
	if written := t.rename(logical).ModelName; written != "" {
		if t.UsePlural {
			return []string{written + "s", written} // Better Auth adds the s to these, too
		}
		return []string{written}
	}
	names := t.preferred(logical)
	if t.UsePlural {
		for i := range names {
			names[i] += "s"
		}
	}
	return names
}

// columnNames are the names to look for, the best first.
func (t Tables) columnNames(m *model, logical string) (names []string, written bool) {
	for key, name := range t.rename(m.name).Fields {
		if f := m.fieldNamed(key); f != nil && f.name == logical {
			return []string{name}, true
		}
	}
	return t.preferred(logical), false
}

func (t Tables) preferred(logical string) []string {
	if t.Preset == SnakeCase {
		return []string{Snake(logical), logical}
	}
	return []string{logical, Snake(logical)}
}

func (t Tables) rename(logical string) Rename {
	if r, ok := t.Models[logical]; ok {
		return r
	}
	return t.Models[Snake(logical)]
}

func modelNamed(known []model, key string) *model {
	for i := range known {
		if known[i].name == key || Snake(known[i].name) == key {
			return &known[i]
		}
	}
	return nil
}

func (m *model) fieldNamed(key string) *field {
	for i := range m.fields {
		if m.fields[i].name == key || Snake(m.fields[i].name) == key {
			return &m.fields[i]
		}
	}
	return nil
}

func modelNames(known []model) string {
	names := make([]string, len(known))
	for i := range known {
		names[i] = known[i].name
	}
	return strings.Join(names, ", ")
}

func (m *model) fieldNames() string {
	names := make([]string, len(m.fields))
	for i := range m.fields {
		names[i] = m.fields[i].name
	}
	return strings.Join(names, ", ")
}

// snake writes a camelCase name as drizzle does.
// Snake is a name in snake_case, as some adapters of Better Auth write it.
func Snake(camel string) string {
	var b strings.Builder
	for _, c := range camel {
		if 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}
