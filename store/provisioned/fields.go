package provisioned

import (
	"maps"
	"time"

	"github.com/usherauth/usher/gate"
)

// What a Principal knows of Better Auth's rows, as texts that either database takes. An empty role is none.

func userFields(u *gate.User) map[string]*string {
	fields := map[string]*string{"id": &u.ID, "name": &u.Name, "email": &u.Email, "role": unlessEmpty(string(u.Roles))}
	verified := flag(u.EmailVerified)
	fields["emailVerified"] = &verified
	return fields
}

func organizationFields(m *gate.Membership) map[string]*string {
	return map[string]*string{"id": &m.OrganizationID, "name": &m.Name, "slug": &m.Slug}
}

func memberFields(u *gate.User, m *gate.Membership) map[string]*string {
	return map[string]*string{"organizationId": &m.OrganizationID, "userId": &u.ID, "role": unlessEmpty(string(m.Roles))}
}

func unlessEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// userRows are the rows of users, in their order; nil is one who is gone. What the principal does not know is read.
func (w *work) userRows(ids []string) ([]*row, error) {
	l := w.shape.users
	fields, err := w.beyond(l)
	if err != nil {
		return nil, err
	}
	mine := func(id string) bool { return id == w.p.User.ID }
	var read map[string]map[string]*string
	if len(fields) > 0 || len(ids) > 1 || !mine(ids[0]) {
		all := fields
		if len(ids) > 1 || !mine(ids[0]) {
			all = nil
			for _, c := range l.columns {
				all = append(all, c.of)
			}
		}
		if read, err = w.shape.source.rows(w.ctx, "users", "id", all, ids, ""); err != nil {
			return nil, err
		}
	}
	rows := make([]*row, len(ids))
	for i, id := range ids {
		values, there := read[id]
		if mine(id) {
			if values == nil {
				values, there = make(map[string]*string), len(fields) == 0
			}
			maps.Copy(values, userFields(&w.p.User))
		}
		if there {
			rows[i] = &row{key: []string{id}, auth: id, fields: values}
		}
	}
	return rows, nil
}

func (w *work) organizationRows(ids []string) ([]*row, error) {
	l := w.shape.organizations
	fields, err := w.beyond(l)
	if err != nil {
		return nil, err
	}
	var read map[string]map[string]*string
	if len(fields) > 0 {
		if read, err = w.shape.source.rows(w.ctx, "organizations", "id", fields, ids, ""); err != nil {
			return nil, err
		}
	}
	return w.joined(ids, fields, read, func(id string, m *gate.Membership) *row {
		return &row{key: []string{id}, auth: id, fields: organizationFields(m)}
	}), nil
}

func (w *work) memberRows(ids []string) ([]*row, error) {
	fields, err := w.beyond(w.shape.members)
	if err != nil {
		return nil, err
	}
	var read map[string]map[string]*string
	if len(fields) > 0 {
		if read, err = w.shape.source.memberships(w.ctx, fields, w.p.User.ID, ids); err != nil {
			return nil, err
		}
	}
	return w.joined(ids, fields, read, func(id string, m *gate.Membership) *row {
		return &row{key: []string{w.user, w.keys[id]}, auth: id, fields: memberFields(&w.p.User, m)}
	}), nil
}

// joined are rows by organization, in the order of ids, with what was read for those that need it.
func (w *work) joined(ids, fields []string, read map[string]map[string]*string, of func(string, *gate.Membership) *row) []*row {
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	rows := make([]*row, len(ids))
	for n := range w.p.Memberships {
		m := &w.p.Memberships[n]
		i, wanted := place[m.OrganizationID]
		if !wanted || rows[i] != nil {
			continue
		}
		values, there := read[m.OrganizationID]
		if len(fields) > 0 && !there {
			continue // gone since
		}
		rows[i] = of(m.OrganizationID, m)
		maps.Copy(rows[i].fields, values)
	}
	return rows
}

// differs reports whether a row may not be what it ought to be. Where it says so in vain the statement changes nothing.
func (l *layout) differs(known known, want *row) bool {
	for i, c := range l.columns {
		value := want.fields[c.of]
		if i >= len(known.fields) {
			return true
		}
		stored := known.fields[i]
		switch {
		case value == nil && (stored == nil || l.kinds[c.column].notNull):
		case value == nil || stored == nil || !alike(*stored, *value, l.kinds[c.column].kind):
			return true
		}
	}
	return false
}

// alike reports whether two texts are the same value, as PostgreSQL writes those of a type.
func alike(stored, value, kind string) bool {
	switch {
	case stored == value:
		return true
	case kind == "boolean":
		return stored == "true" && value == "1" || stored == "false" && value == "0"
	case kind == "timestamp with time zone":
		at, err := time.Parse(iso, value)
		if err != nil {
			return false
		}
		for _, layout := range []string{"2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00"} {
			if other, err := time.Parse(layout, stored); err == nil {
				return other.Equal(at)
			}
		}
	case kind == "timestamp without time zone":
		at, err := time.Parse(iso, value)
		other, wrong := time.Parse("2006-01-02 15:04:05.999999999", stored)
		return err == nil && wrong == nil && other.Equal(at)
	}
	return false
}
