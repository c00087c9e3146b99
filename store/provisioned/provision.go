package provisioned

import (
	"context"
	"errors"
	"slices"

	"github.com/usherauth/usher/gate"
)

// Look fills in the business ids of rows that are there, and makes none.
func (r *Rows) Look(ctx context.Context, p *gate.Principal) error {
	rows, err := r.find(ctx, p.User.ID, organizationsOf(p))
	if err != nil {
		return err
	}
	p.User.BusinessID = rows[[2]string{aboutUser, p.User.ID}].id
	for i := range p.Memberships {
		m := &p.Memberships[i]
		m.BusinessID = rows[[2]string{aboutOrganization, m.OrganizationID}].id
	}
	return nil
}

func organizationsOf(p *gate.Principal) []string {
	ids := make([]string, len(p.Memberships))
	for i := range p.Memberships {
		ids[i] = p.Memberships[i].OrganizationID
	}
	return ids
}

// Provision implements Provisioner. An organization whose row is refused by the database keeps no business id, and makes the
// principal Partial: what does not concern it goes on.
func (r *Rows) Provision(ctx context.Context, p *gate.Principal) error {
	rows, err := r.find(ctx, p.User.ID, organizationsOf(p))
	if err != nil {
		r.observe(r.first(), Failed, err)
		return err
	}
	if r.users != nil {
		if p.User.BusinessID, err = r.user(ctx, userRow(&p.User), rows[[2]string{aboutUser, p.User.ID}]); err != nil {
			return err
		}
	}
	if r.organizations == nil {
		return nil
	}
	for i := range p.Memberships {
		m := &p.Memberships[i]
		id, err := r.organization(ctx, p, m, rows)
		switch {
		case errors.Is(err, gate.ErrNotProvisioned):
			p.Partial = true
		case err != nil:
			return err
		default:
			m.BusinessID = id
		}
	}
	return nil
}

// user is the key of a user's row, which is made or changed where that is needed.
func (r *Rows) user(ctx context.Context, from row, have entry) (string, error) {
	id := from["id"].text
	return r.row(ctx, r.users, aboutUser+id, have, from, map[string]string{"id": id}, []any{id}, nil)
}

// organization is the key of an organization's row, with the membership's row where there are such.
func (r *Rows) organization(ctx context.Context, p *gate.Principal, m *gate.Membership, rows found) (string, error) {
	where := map[string]string{"id": m.OrganizationID}
	id, err := r.row(ctx, r.organizations, aboutOrganization+m.OrganizationID, rows[[2]string{aboutOrganization, m.OrganizationID}],
		organizationRow(m), where, []any{m.OrganizationID}, func() (any, error) { return r.owner(ctx, p, m.OrganizationID) })
	if err != nil || r.members == nil {
		return id, err
	}
	have := rows[[2]string{aboutMember, m.OrganizationID}]
	if have.texts != "" {
		have.id = p.User.BusinessID
	}
	_, err = r.row(ctx, r.members, aboutMember+p.User.ID+" "+m.OrganizationID, have, memberRow(&p.User, m),
		map[string]string{"userId": p.User.ID, "organizationId": m.OrganizationID}, []any{p.User.BusinessID, id}, nil)
	return id, err
}

// owner is the key of the oldest owner's row, which is made, too; nil where nobody is.
func (r *Rows) owner(ctx context.Context, p *gate.Principal, organizationID string) (any, error) {
	userID, found, err := r.source.oldestOwner(ctx, organizationID)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, nil
	case userID == p.User.ID:
		return p.User.BusinessID, nil
	}
	rows, err := r.find(ctx, userID, nil)
	if err != nil {
		return nil, err
	}
	from := row{"id": said(userID)}
	if err := r.source.complete(ctx, "user", r.users.fields, map[string]string{"id": userID}, from); err != nil {
		return nil, err
	}
	return r.user(ctx, from, rows[[2]string{aboutUser, userID}])
}

// row is the key of a row: of the one that is there, changed where it has to follow its source, or of a new one. Name tells
// it from others, from is what is known of its source, where finds that, keys are what the unique index is on. Owner is asked
// for a new row's owner, where the table has such a column.
func (r *Rows) row(ctx context.Context, t *table, name string, have entry, from row, where map[string]string, keys []any,
	owner func() (any, error),
) (id string, err error) {
	now := r.config.Now()
	there := have.id != ""
	if there && !t.update {
		return have.id, nil
	}
	if err := r.failed.lately(name, now); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			r.failed.keep(name, err, now)
			r.observe(t, Failed, err)
		}
	}()
	if r.source != nil {
		if err := r.source.complete(ctx, t.model, t.fields, where, from); err != nil {
			return "", err
		}
	}
	if there {
		if t.differs(have.texts, from) {
			err = r.follow(ctx, t, keys, from)
		}
		return have.id, err
	}
	return r.make(ctx, t, keys, from, owner)
}

// follow changes a row where it differs from its source.
func (r *Rows) follow(ctx context.Context, t *table, keys []any, from row) error {
	args := slices.Clone(keys)
	for _, name := range t.fields {
		args = append(args, from[name].parameter(r.db))
	}
	_, changed, err := r.db.one(ctx, t.change, args...)
	if err != nil {
		return r.db.refused(t.name, err)
	}
	if changed {
		r.observe(t, Updated, nil)
	}
	return nil
}

// make makes a row, or finds that of whoever was first.
func (r *Rows) make(ctx context.Context, t *table, keys []any, from row, owner func() (any, error)) (string, error) {
	args := slices.Clone(keys)
	for _, name := range t.fields {
		args = append(args, from[name].parameter(r.db))
	}
	for _, value := range t.values {
		args = append(args, value)
	}
	if t.owner != "" {
		id, err := owner()
		if err != nil {
			return "", err
		}
		args = append(args, id)
	}
	for range 3 { // whoever was first may be gone again
		id, made, err := r.db.one(ctx, t.insert, args...)
		if err != nil {
			return "", r.db.refused(t.name, err)
		}
		if made {
			r.observe(t, Made, nil)
			return id, nil
		}
		if t.id == "" {
			return "", nil // a membership that is there has no key to find
		}
		err = r.db.first(ctx, &id, "select "+r.db.text(quoted(t.id))+" from "+quotedTable(t.name)+" where "+quoted(t.keys[0])+" = "+r.db.parameter(1), keys[0])
		if err == nil {
			return id, nil
		}
		if !isNone(err) {
			return "", r.db.refused(t.name, err)
		}
	}
	return "", &refusal{t.name, "a row is neither made nor there; does a trigger or a policy hide it?"}
}

func (r *Rows) observe(t *table, kind Kind, err error) {
	r.config.Observe(Event{Table: t.name, Kind: kind, Err: err})
}
