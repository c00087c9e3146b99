package provisioned

import "slices"

// makeOrganizations makes the rows of organizations that have none, and those of their owners, and brings the others up to
// date.
func (w *work) makeOrganizations(ids []string) error {
	l := w.shape.organizations
	if l == nil {
		return nil
	}
	var missing, wanted []string
	for _, id := range ids {
		_, there := w.keys[id]
		if there && !l.update {
			continue
		}
		if err := w.doomed.find(doom{section: l.section, id: id}, w.now()); err != nil {
			w.refused[id] = err
			continue
		}
		wanted = append(wanted, id)
		if !there {
			missing = append(missing, id)
		}
	}
	if wanted == nil {
		return nil
	}
	rows, err := w.organizationRows(wanted)
	if err != nil {
		return err
	}
	owners, err := w.owners(missing)
	if err != nil {
		return err
	}
	var all []*row
	for i, row := range rows {
		id := wanted[i]
		known, there := w.found.organizations[l.same(id)]
		switch {
		case w.refused[id] != nil:
		case row == nil:
			w.refuse(l, id, refuse("make a row in table %q: Better Auth's organization is gone", l.configured))
		case !there:
			if owner, ok := owners[id]; ok {
				row.owner = &owner
			}
			all = append(all, row)
		case l.differs(known, row):
			err := w.change(w.ctx, l, row)
			if _, refused := refusal(err); err != nil && !refused {
				return err
			}
			if err != nil {
				w.refuse(l, id, err)
			}
		}
	}
	keys, refused, err := w.make(l, all)
	if err != nil {
		return err
	}
	for id, key := range keys {
		w.keys[id] = key
	}
	for _, id := range sorted(refused) {
		w.refuse(l, id, refused[id])
	}
	return nil
}

// refuse keeps an organization from having a key this time, and the database from being asked again at once.
func (w *work) refuse(l *layout, id string, err error) {
	key := doom{section: l.section, id: id}
	if l.section == "members" {
		key.id, key.organization = w.p.User.ID, id
	}
	w.refused[id] = err
	w.doomed.add(key, err, w.now())
	found, _ := refusal(err)
	w.observe(Event{Table: l.configured, Kind: Failed, Rows: 1, Why: found.why, Err: err})
}

// owners are the business keys of those who own organizations, whose rows are made.
func (w *work) owners(organizations []string) (map[string]string, error) {
	if w.shape.organizations.owner == "" || len(organizations) == 0 {
		return nil, nil
	}
	users := w.shape.users
	owners, err := w.shape.source.owners(w.ctx, organizations)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, id := range owners {
		if id != w.p.User.ID {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	keys, refused := make(map[string]string), make(map[string]error)
	if len(ids) > 0 {
		there, err := w.findIn(w.ctx, w.shape, users, ids)
		if err != nil {
			return nil, err
		}
		ids = slices.DeleteFunc(ids, func(id string) bool {
			known, ok := there[users.same(id)]
			if ok {
				keys[id] = known.id
			}
			return ok
		})
	}
	if len(ids) > 0 {
		rows, err := w.userRows(ids)
		if err != nil {
			return nil, err
		}
		rows = slices.DeleteFunc(rows, func(r *row) bool { return r == nil }) // gone since
		made, failed, err := w.make(users, rows)
		if err != nil {
			return nil, err
		}
		for id, key := range made {
			keys[id] = key
		}
		refused = failed
	}
	keys[w.p.User.ID] = w.user
	of := make(map[string]string)
	for _, organization := range sorted(owners) {
		owner := owners[organization]
		if err := refused[owner]; err != nil {
			w.refuse(w.shape.organizations, organization, refuse("the owner's row: %v", err))
		} else if key, ok := keys[owner]; ok {
			of[organization] = key
		}
	}
	return of, nil
}
