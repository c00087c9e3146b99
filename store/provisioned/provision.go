package provisioned

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/usherauth/usher/gate"
)

// work is one call: it reads, makes what is missing, and fills in the keys at its end.
type work struct {
	*Rows
	shape *shape
	ctx   context.Context
	p     *gate.Principal
	makes bool

	found   *found
	user    string            // the user's business key
	keys    map[string]string // of organizations, by Better Auth's id
	refused map[string]error  // organizations whose rows the database refuses now, by Better Auth's id
}

func (w *work) do() error {
	p := w.p
	if !plain(p.User.ID) || p.User.ID == "" {
		return refuse("find the user's row: no row has such an id")
	}
	w.keys, w.refused = make(map[string]string), make(map[string]error)
	var organizations []string
	if w.shape.organizations != nil {
		for i := range p.Memberships {
			id := p.Memberships[i].OrganizationID
			if plain(id) && id != "" {
				organizations = append(organizations, id)
			} else {
				w.refused[id] = refuse("find an organization's row: no row has such an id")
			}
		}
		slices.Sort(organizations) // in one order everywhere: two who make many must not wait for each other
		organizations = slices.Compact(organizations)
	}
	var err error
	if w.found, err = w.find(w.ctx, w.shape, &p.User.ID, organizations); err != nil {
		return err
	}
	w.user = w.found.users[w.shape.users.same(p.User.ID)].id
	for _, id := range organizations {
		if known, ok := w.found.organizations[w.shape.organizations.same(id)]; ok {
			w.keys[id] = known.id
		}
	}
	if w.makes {
		if err := w.makeUser(); err != nil {
			return err
		}
		if err := w.makeOrganizations(organizations); err != nil {
			return err
		}
		if err := w.makeMembers(organizations); err != nil {
			return err
		}
	}
	p.User.BusinessID = w.user
	for i := range p.Memberships {
		m := &p.Memberships[i]
		if _, refused := w.refused[m.OrganizationID]; refused {
			m.BusinessID, p.Partial = "", p.Partial || w.makes
			continue
		}
		m.BusinessID = w.keys[m.OrganizationID]
	}
	return nil
}

// makeUser makes the user's row, or brings it up to date.
func (w *work) makeUser() error {
	l, id := w.shape.users, w.p.User.ID
	known, there := w.found.users[l.same(id)]
	if there && !l.update {
		return nil
	}
	if err := w.doomed.find(doom{section: "users", id: id}, w.now()); err != nil {
		return err
	}
	rows, err := w.userRows([]string{id})
	if err == nil && rows[0] == nil {
		err = refuse("make a row in table %q: Better Auth's user is gone", l.configured)
	}
	if err == nil && there {
		if l.differs(known, rows[0]) {
			err = w.change(w.ctx, l, rows[0])
		}
	} else if err == nil {
		var ids map[string]string
		var refused map[string]error
		if ids, refused, err = w.make(l, rows); err == nil {
			w.user, err = ids[id], refused[id]
		}
	}
	if found, refused := refusal(err); refused {
		w.doomed.add(doom{section: "users", id: id}, err, w.now())
		w.observe(Event{Table: l.configured, Kind: Failed, Rows: 1, Why: found.why})
	}
	return err
}

// make makes rows of users or organizations, and returns the keys by Better Auth's id, and why some were refused.
func (w *work) make(l *layout, rows []*row) (keys map[string]string, refused map[string]error, err error) {
	keys, refused = make(map[string]string), make(map[string]error)
	for attempt := 0; len(rows) > 0; attempt++ {
		made, err := w.insert(w.ctx, l, rows)
		if err != nil {
			return nil, nil, err
		}
		var others []*row // others were first
		var ids []string
		for i, row := range rows {
			switch {
			case made.errs[i] != nil:
				refused[row.auth] = made.errs[i]
			case made.ids[i] != "":
				keys[row.auth] = made.ids[i]
			default:
				others, ids = append(others, row), append(ids, row.auth)
			}
		}
		if rows = others; len(rows) == 0 {
			break
		}
		there, err := w.findIn(w.ctx, w.shape, l, ids)
		if err != nil {
			return nil, nil, err
		}
		rows = slices.DeleteFunc(rows, func(row *row) bool {
			known, ok := there[l.same(row.auth)]
			if ok {
				keys[row.auth] = known.id
			}
			return ok
		})
		if attempt == 2 {
			for _, row := range rows {
				refused[row.auth] = refuse("make a row in table %q: neither was it made, nor is it there; is it a trigger, a policy, or how %q compares texts?", l.configured, l.keys[0])
			}
			break
		}
	}
	return keys, refused, nil
}

// makeMembers makes the rows of memberships that have none, and brings the others up to date.
func (w *work) makeMembers(organizations []string) error {
	l := w.shape.members
	if l == nil {
		return nil
	}
	var wanted []string
	for _, id := range organizations {
		key, ok := w.keys[id]
		if _, refused := w.refused[id]; refused || !ok {
			continue
		}
		if _, there := w.found.members[key]; there && !l.update {
			continue
		}
		if err := w.doomed.find(doom{l.section, w.p.User.ID, id}, w.now()); err != nil {
			w.refused[id] = err
			continue
		}
		wanted = append(wanted, id)
	}
	if wanted == nil {
		return nil
	}
	rows, err := w.memberRows(wanted)
	if err != nil {
		return err
	}
	var all []*row
	for i, row := range rows {
		if row == nil {
			w.refuse(l, wanted[i], refuse("make a row in table %q: Better Auth's membership is gone", l.configured))
			continue
		}
		known, there := w.found.members[row.key[1]]
		switch {
		case !there:
			all = append(all, row)
		case l.differs(known, row):
			err := w.change(w.ctx, l, row)
			if _, refused := refusal(err); err != nil && !refused {
				return err
			}
			if err != nil {
				w.refuse(l, row.auth, err)
			}
		}
	}
	slices.SortFunc(all, func(a, b *row) int { return cmp.Compare(a.key[1], b.key[1]) })
	made, err := w.insert(w.ctx, l, all)
	if err != nil {
		return err
	}
	for i, row := range all {
		if made.errs[i] != nil {
			w.refuse(l, row.auth, made.errs[i])
		}
	}
	return nil
}

var errNoSource = errors.New("a field is read from the session database, and there is none") // Open refuses such a mapping

func (w *work) beyond(l *layout) ([]string, error) {
	fields := l.beyond()
	if len(fields) > 0 && w.shape.source == nil {
		return nil, fmt.Errorf("table %q: %w", l.configured, errNoSource)
	}
	return fields, nil
}
