package config

import "reflect"

// Provision is making business rows on first sight.
type Provision struct {
	Store ProvisionStore `yaml:"store"`
	// The table of business users.
	Users ProvisionUsers `yaml:"users" later:"making business rows"`
	// The table of business organizations.
	Organizations ProvisionOrganizations `yaml:"organizations" later:"making business rows"`
	// The table of business memberships.
	Members ProvisionMembers `yaml:"members" later:"making business rows"`
}

// ProvisionStore is where business rows live.
type ProvisionStore struct {
	// Database of the business rows. Empty: the session database.
	URL URL `yaml:"url" later:"making business rows"`
}

// ProvisionUsers is the table of business users.
type ProvisionUsers struct {
	// Table, with schema where it needs one.
	Table string `yaml:"table"`
	// Column of the business key; the table makes its value.
	ID string `yaml:"id"`
	// Unique column with Better Auth's user id.
	AuthID string `yaml:"auth_id"`
	// Column: field of Better Auth's user.
	Columns map[string]string `yaml:"columns"`
	// Column: constant.
	Values map[string]string `yaml:"values"`
	// Whether a row follows its source.
	Update bool `yaml:"update"`
}

// ProvisionOrganizations is the table of business organizations.
type ProvisionOrganizations struct {
	// Table, with schema where it needs one.
	Table string `yaml:"table"`
	// Column of the business key; the table makes its value.
	ID string `yaml:"id"`
	// Unique column with Better Auth's organization id.
	AuthID string `yaml:"auth_id"`
	// Column: field of Better Auth's organization.
	Columns map[string]string `yaml:"columns"`
	// Column: constant.
	Values map[string]string `yaml:"values"`
	// Whether a row follows its source.
	Update bool `yaml:"update"`
	// Column with the business id of the oldest owner. Empty: none.
	Owner string `yaml:"owner"`
}

// ProvisionMembers is the table of business memberships.
type ProvisionMembers struct {
	// Table, with schema where it needs one.
	Table string `yaml:"table"`
	// Column with the business id of the user.
	User string `yaml:"user"`
	// Column with the business id of the organization.
	Organization string `yaml:"organization"`
	// Column: field of Better Auth's member.
	Columns map[string]string `yaml:"columns"`
	// Column: constant.
	Values map[string]string `yaml:"values"`
	// Whether a row follows its source.
	Update bool `yaml:"update"`
}

// checkLater refuses what is set and does nothing yet: a setting without effect would be believed.
func checkLater(c *Config, f *findings) {
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for field, at := range fieldsOf(v.Type(), path) {
			value := v.FieldByIndex(field.Index)
			if what := field.Tag.Get("later"); what != "" {
				if !empty(value) {
					f.problem(at, "%s", notYet(what))
				}
			} else if isSection(field.Type) {
				walk(value, at)
			}
		}
	}
	walk(valueOf(c), "")

	if c.Headers.IDs == "business" {
		f.problem("headers.ids", "business: %s", notYet("making business rows"))
	}
}

func notYet(what string) string {
	return what + " is not in this version yet; remove the key, so that nobody believes in it"
}
