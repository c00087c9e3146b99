package accounts

import (
	"context"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
)

// OrganizationsOf lists what a user belongs to, the oldest membership first, at most 100.
func (s *Store) OrganizationsOf(ctx context.Context, userID string) (all []record.Organization, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err = s.do(ctx, "list organizations", func(sc *schema) (err error) {
		all, _, err = joined(ctx, sc, s.reader, "organization", organizationCells, "id", "organizationId", condition{"userId", userID}, many)
		return err
	})
	return all, err
}

// Organization finds an organization by id or by slug; nil: there is none.
func (s *Store) Organization(ctx context.Context, idOrSlug string, bySlug bool) (o *record.Organization, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	by := condition{"id", idOrSlug}
	if bySlug {
		by.field = "slug"
	}
	err = s.do(ctx, "find organization", func(sc *schema) (err error) {
		if !sc.names.Organizations {
			return nil
		}
		o, err = first(find(ctx, sc, s.reader, "organization", organizationCells, []condition{by}, "", 1, nil))
		return err
	})
	return o, err
}

// Member finds a membership; nil: there is none. Of several, which only hand-made rows can be, it is the oldest.
func (s *Store) Member(ctx context.Context, organizationID, userID string) (m *record.Member, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err = s.do(ctx, "find member", func(sc *schema) (err error) {
		if !sc.names.Organizations {
			return nil
		}
		m, err = first(find(ctx, sc, s.reader, "member", memberCells,
			[]condition{{"userId", userID}, {"organizationId", organizationID}}, " order by t."+sc.column("member", "createdAt"), 1, nil))
		return err
	})
	return m, err
}

// Members lists memberships of an organization, the oldest first, and beside each its user.
func (s *Store) Members(ctx context.Context, organizationID string, most int) (members []record.Member, users []record.User, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err = s.do(ctx, "list members", func(sc *schema) (err error) {
		users, members, err = joined(ctx, sc, s.reader, "user", userCells, "id", "userId", condition{"organizationId", organizationID}, most)
		return err
	})
	return members, users, err
}

// joined reads memberships with what one of their columns refers to.
func joined[R any](ctx context.Context, sc *schema, db querier, model string, cells func(*R) []cell,
	id, reference string, by condition, most int,
) (all []R, members []record.Member, err error) {
	if !sc.names.Organizations || most <= 0 || !sc.possible("member", []condition{by}) {
		return nil, nil, nil
	}
	expressions, _ := sc.columns("t", model, cells(new(R)))
	more, _ := sc.columns("m", "member", memberCells(new(record.Member)))
	where, args := sc.where("m", "member", []condition{by}, 1)
	rows, err := db.QueryContext(ctx, "select "+strings.Join(append(expressions, more...), ", ")+" from "+sc.table("member")+" m join "+
		sc.table(model)+" t on "+sc.same("t", model, id, "m", "member", reference)+where+
		" order by m."+sc.column("member", "createdAt")+", m."+sc.column("member", "id")+limit(most), args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r R
		var m record.Member
		_, into := sc.columns("t", model, cells(&r))
		_, intoMember := sc.columns("m", "member", memberCells(&m))
		if err := rows.Scan(append(into, intoMember...)...); err != nil {
			return nil, nil, err
		}
		all, members = append(all, r), append(members, m)
	}
	return all, members, rows.Err()
}

// Invitations lists those of an organization, at most 100, whatever became of them.
func (s *Store) Invitations(ctx context.Context, organizationID string) (all []record.Invitation, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err = s.do(ctx, "list invitations", func(sc *schema) (err error) {
		if !sc.names.Organizations || !sc.names.Has("invitation", "organizationId") {
			return nil
		}
		all, err = find(ctx, sc, s.reader, "invitation", invitationCells, []condition{{"organizationId", organizationID}}, "", many, nil)
		return err
	})
	return all, err
}

// Teams lists those of an organization, at most 100.
func (s *Store) Teams(ctx context.Context, organizationID string) (all []record.Team, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err = s.do(ctx, "list teams", func(sc *schema) (err error) {
		if !sc.names.Teams {
			return nil
		}
		all, err = find(ctx, sc, s.reader, "team", teamCells, []condition{{"organizationId", organizationID}}, "", many, nil)
		return err
	})
	return all, err
}
