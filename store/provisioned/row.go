package provisioned

import (
	"encoding/json"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// field is what Better Auth's row holds in one field.
type field struct {
	text string
	null bool

	flag    bool // text is true or false
	instant bool // text is a point in time
}

// isoTime is how Better Auth itself writes a point in time into SQLite; PostgreSQL reads it, too.
const isoTime = "2006-01-02T15:04:05.000Z"

func said(text string) field { return field{text: text} }

func flagged(yes bool) field {
	if yes {
		return field{text: "true", flag: true}
	}
	return field{text: "false", flag: true}
}

// parameter is the field for a statement.
func (f field) parameter(d *database) any {
	switch {
	case f.null:
		return nil
	case f.flag && d.dialect == betterauth.SQLite: // it has no booleans, and everybody writes these
		if f.text == "true" {
			return 1
		}
		return 0
	case f.instant && d.dialect == betterauth.SQLite:
		for _, layout := range [...]string{isoTime, "2006-01-02 15:04:05.999999999-07", "2006-01-02 15:04:05.999999999-07:00"} {
			if at, err := time.Parse(layout, f.text); err == nil {
				return at.UTC().Format(isoTime)
			}
		}
	}
	return f.text
}

// row is Better Auth's row, by field.
type row map[string]field

// userRow is what a principal says of its user.
func userRow(u *gate.User) row {
	return row{
		"id": said(u.ID), "name": said(u.Name), "email": said(u.Email), "emailVerified": flagged(u.EmailVerified),
		"role": {text: string(u.Roles), null: u.Roles == ""},
	}
}

// organizationRow is what a principal says of an organization. One without slug has none.
func organizationRow(m *gate.Membership) row {
	return row{"id": said(m.OrganizationID), "name": said(m.Name), "slug": {text: m.Slug, null: m.Slug == ""}}
}

// memberRow is what a principal says of a membership.
func memberRow(u *gate.User, m *gate.Membership) row {
	return row{"userId": said(u.ID), "organizationId": said(m.OrganizationID), "role": said(string(m.Roles))}
}

// differs reports whether a business row, as texts reads it, seems to hold something else than its source. Where it is not
// certain, it does: the statement that changes it compares again.
func (t *table) differs(texts string, from row) bool {
	var holds []*string
	if json.Unmarshal([]byte(texts), &holds) != nil || len(holds) != len(t.fields) {
		return true
	}
	for i, name := range t.fields {
		want, has := from[name], holds[i]
		if want.null != (has == nil) || has != nil && *has != want.text {
			return true
		}
	}
	return false
}
