package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/usherauth/usher/gate"
)

// Provision is making business rows on first sight: docs/provisioning.md.
type Provision struct {
	Store ProvisionStore `yaml:"store"`
	// The table of business users. Without a table nobody's row is made.
	Users ProvisionUsers `yaml:"users"`
	// The table of business organizations.
	Organizations ProvisionOrganizations `yaml:"organizations"`
	// The table of business memberships.
	Members ProvisionMembers `yaml:"members"`
}

// ProvisionStore is where business rows live.
type ProvisionStore struct {
	// Database of the business rows, PostgreSQL or SQLite. Its role needs SELECT and INSERT on the tables named here, and
	// UPDATE where rows are updated. Empty: the session database.
	URL URL `yaml:"url"`
}

// ProvisionUsers is the table of business users.
type ProvisionUsers struct {
	// As in `users`, or with its schema, as in `app.users`.
	Table string `yaml:"table"`
	// Column of the business key; the table makes its value.
	ID string `yaml:"id"`
	// Unique column with Better Auth's user id.
	AuthID string `yaml:"auth_id"`
	// What else a new row holds. Column: field of Better Auth's user, as its own code names it, as in `picture: image`.
	Columns map[string]string `yaml:"columns"`
	// What is the same in each new row. Column: text, which the column's type has to be able to read.
	Values map[string]string `yaml:"values"`
	// Whether what `columns` names follows its source.
	Update bool `yaml:"update"`
}

// ProvisionOrganizations is the table of business organizations.
type ProvisionOrganizations struct {
	// As in `users`, or with its schema, as in `app.users`.
	Table string `yaml:"table"`
	// Column of the business key; the table makes its value.
	ID string `yaml:"id"`
	// Unique column with Better Auth's organization id.
	AuthID string `yaml:"auth_id"`
	// What else a new row holds. Column: field of Better Auth's organization.
	Columns map[string]string `yaml:"columns"`
	// What is the same in each new row. Column: text, which the column's type has to be able to read.
	Values map[string]string `yaml:"values"`
	// Whether what `columns` names follows its source.
	Update bool `yaml:"update"`
	// Column with the business id of the oldest member whose role is owner; that user's row is made, too. Empty: none.
	Owner string `yaml:"owner"`
}

// ProvisionMembers is the table of business memberships.
type ProvisionMembers struct {
	// As in `users`, or with its schema, as in `app.users`.
	Table string `yaml:"table"`
	// Column with the business id of the user.
	User string `yaml:"user"`
	// Column with the business id of the organization.
	Organization string `yaml:"organization"`
	// What else a new row holds. Column: field of Better Auth's member.
	Columns map[string]string `yaml:"columns"`
	// What is the same in each new row. Column: text, which the column's type has to be able to read.
	Values map[string]string `yaml:"values"`
	// Whether what `columns` names follows its source.
	Update bool `yaml:"update"`
}

// Business says which business rows there are, and whose ids the headers carry.
func (p *Provision) Business() gate.Business {
	return gate.Business{Users: p.Users.Table != "", Organizations: p.Organizations.Table != ""}
}

// BusinessDatabase is the URL of the business rows' database.
func (c *Config) BusinessDatabase() Secret {
	if url := c.Provision.Store.URL; !url.IsZero() {
		return url.Secret
	}
	return c.Store.URL.Secret
}

// mapping is what the three tables have in common.
type mapping struct {
	key     string // provision.users
	table   string
	single  map[string]string // columns by the key that names them; an empty one is missing
	columns map[string]string
	values  map[string]string
	update  bool
	fields  []string // of Better Auth's row that are known without its table
}

func (p *Provision) mappings() []mapping {
	u, o, m := &p.Users, &p.Organizations, &p.Members
	return []mapping{
		{
			"provision.users", u.Table,
			map[string]string{"id": u.ID, "auth_id": u.AuthID},
			u.Columns, u.Values, u.Update,
			[]string{"id", "name", "email", "emailVerified", "role"},
		},
		{
			"provision.organizations", o.Table,
			map[string]string{"id": o.ID, "auth_id": o.AuthID},
			o.Columns, o.Values, o.Update,
			[]string{"id", "name", "slug"},
		},
		{
			"provision.members", m.Table,
			map[string]string{"user": m.User, "organization": m.Organization},
			m.Columns, m.Values, m.Update,
			[]string{"userId", "organizationId", "role"},
		},
	}
}

func checkProvision(c *Config, f *findings) {
	p := &c.Provision
	business := p.Business()
	if c.Headers.IDs == "business" && !business.Users {
		f.problem("headers.ids", "business: nobody has a business id; name the table in provision.users")
	}
	if p.Members.Table != "" && (!business.Users || !business.Organizations) {
		f.problem("provision.members", "a membership is of a business user in a business organization; name their tables in provision.users and provision.organizations")
	}
	if business.Organizations && !business.Users {
		f.problem("provision.organizations", "organizations are made for users; name the table of users in provision.users")
	}
	all := p.mappings()
	for i := range all {
		checkMapping(c, &all[i], p, f)
	}
	checkBusinessDatabase(c, business, f)
}

// checkMapping judges one table.
func checkMapping(c *Config, m *mapping, p *Provision, f *findings) {
	owner := ""
	if m.key == "provision.organizations" {
		owner = p.Organizations.Owner
	}
	if m.table == "" {
		if len(m.columns)+len(m.values) > 0 || m.update || owner != "" || slices.ContainsFunc(slices.Collect(maps.Values(m.single)), func(s string) bool { return s != "" }) {
			f.problem(m.key+".table", "is missing; without it no row is made")
		}
		return
	}
	schema, name, qualified := strings.Cut(m.table, ".")
	if qualified && (!isColumn(schema) || !isColumn(name)) || !qualified && !isColumn(m.table) {
		f.problem(m.key+".table", "%s: write the name of a table, or schema.table", quoted(m.table))
	}
	taken := make(map[string]string) // columns, by who fills them
	take := func(key, column string) {
		switch other, twice := taken[column]; {
		case !isColumn(column):
			f.problem(key, "%s: write the name of a column", quoted(column))
		case twice:
			f.problem(key, "column %s is %s already", quoted(column), other)
		default:
			taken[column] = key
		}
	}
	for _, key := range sortedKeys(m.single) {
		if column := m.single[key]; column == "" {
			f.problem(m.key+"."+key, "is missing; name the column")
		} else {
			take(m.key+"."+key, column)
		}
	}
	if owner != "" {
		take(m.key+".owner", owner)
	}
	for _, column := range sortedKeys(m.columns) {
		key := m.key + ".columns." + column
		take(key, column)
		if !isColumn(m.columns[column]) {
			f.problem(key, "%s: name a field of Better Auth's, as in email", quoted(m.columns[column]))
		} else if kind := c.Store.Kind(); !slices.Contains(m.fields, m.columns[column]) && (kind == "redis" || kind == "remote") {
			f.problem(key, "a storage of the kind %s has no tables, so only these fields are known: %s", kind, strings.Join(m.fields, ", "))
		}
	}
	for _, column := range sortedKeys(m.values) {
		take(m.key+".values."+column, column)
	}
	if m.update && len(m.columns) == 0 {
		f.problem(m.key+".update", "there is nothing to follow; name columns, or remove this key")
	}
}

func checkBusinessDatabase(c *Config, business gate.Business, f *findings) {
	const key = "provision.store.url"
	kind := c.Store.Kind()
	if raw := c.Provision.Store.URL.Reveal(); raw != "" {
		switch storeKind(raw) {
		case "postgres", "sqlite":
			checkStoreURL(raw, key, "USHER_PROVISION_STORE_URL", f)
		default:
			f.problem(key, "business rows are made in PostgreSQL or SQLite; write postgres://user:password@host:5432/database or sqlite:///path/to.db")
		}
		if !business.Users {
			f.problem(key, "no row is made in it; name a table in provision.users, or remove this key")
		}
	} else if business.Users && (kind == "redis" || kind == "remote") {
		f.problem(key, "is missing: the storage of sessions, of the kind %s, has no tables", kind)
	}
	if c.Provision.Organizations.Owner != "" && (kind == "redis" || kind == "remote") {
		f.problem("provision.organizations.owner", "a storage of the kind %s has no table of members, so nobody could say who that is", kind)
	}
}

// isColumn reports whether a database can have a table or a column of this name.
func isColumn(name string) bool {
	return name != "" && len(name) <= 63 && strings.TrimSpace(name) == name && strings.IndexByte(name, 0) < 0
}
