package betterauth

import "slices"

// What makes rows demands more of a database than what reads them: every column that Better Auth itself writes, and none
// beside them that a writer who does not know it could not leave out.

// Unwritten lists what Better Auth's own code writes into these models and the database has not: a whole table where
// Column is empty. Columns of plugins are left out: where they are not there, the plugin is not used.
func (t Tables) Unwritten(n *Names, c Catalog, of ...string) []Absent {
	var all []Absent
	known := models()
	for _, name := range of {
		m := modelNamed(known, name)
		if !n.Has(name, "") {
			all = append(all, Absent{Table: n.Table(name), Hint: t.tableHint(name, c)})
			continue
		}
		for _, f := range m.fields {
			if f.plugin != ofCore || n.Has(name, f.name) {
				continue
			}
			_, written := t.columnNames(m, f.name)
			all = append(all, Absent{Table: n.Table(name), Column: n.Column(name, f.name), Hint: t.columnHint(m, f.name, written)})
		}
	}
	return all
}

// Unfillable lists columns of these models that are not Better Auth's, must not be null and have no default: neither its
// own code nor anybody else who does not know them can make rows.
func (n *Names) Unfillable(c Catalog, of ...string) []Absent {
	tables := make([]string, len(of))
	for i, name := range of {
		tables[i] = n.Table(name)
	}
	return slices.DeleteFunc(n.Strangers(c), func(a Absent) bool {
		column := c.Tables[a.Table].Columns[a.Column]
		return !slices.Contains(tables, a.Table) || !column.NotNull || column.Default
	})
}
