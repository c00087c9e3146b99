package accounts_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/betterauth/record"
)

func TestOrganizations(t *testing.T) {
	each(t, "all-plugins", func(t *testing.T, d *database) {
		s := d.open(t)
		u, bob := ada(), &record.User{Name: "Bob", Email: "bob@example.com", CreatedAt: start(), UpdatedAt: start()}
		signUp(t, s, u, "google", "g-1")
		signUp(t, s, bob, "google", "g-2")
		const now = "'2026-11-21T20:42:23.514Z'"
		d.exec(t, `
			insert into "organization" values ('o1', 'Acme', 'acme', null, `+now+`, '{"a":1}'), ('o2', 'Beta', 'weird slug/☃', 'logo', `+now+`, null);
			insert into "member" values ('m1', 'o1', '`+u.ID+`', 'owner', `+now+`), ('m2', 'o2', '`+u.ID+`', 'admin,member', '2026-11-20T20:42:23.514Z'),
				('m3', 'o1', '`+bob.ID+`', 'member', '2026-11-20T20:42:23.514Z');
			insert into "invitation" ("id", "organizationId", "email", "role", "status", "expiresAt", "createdAt", "inviterId")
				values ('i1', 'o1', 'c@example.com', 'member', 'pending', `+now+`, `+now+`, '`+u.ID+`');
			insert into "team" values ('t1', 'Core', 1, 'o1', `+now+`, null);`)
		acme := record.Organization{ID: "o1", Name: "Acme", Slug: "acme", Metadata: ptr(`{"a":1}`), CreatedAt: start()}
		beta := record.Organization{ID: "o2", Name: "Beta", Slug: "weird slug/☃", Logo: ptr("logo"), CreatedAt: start()}
		check := func(what string, got, want any, err error) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
			}
		}
		all, err := s.OrganizationsOf(t.Context(), u.ID)
		check("organizations, the oldest membership first", all, []record.Organization{beta, acme}, err)
		one, err := s.Organization(t.Context(), "o1", false)
		check("by id", one, &acme, err)
		one, err = s.Organization(t.Context(), "weird slug/☃", true)
		check("by slug", one, &beta, err)
		one, err = s.Organization(t.Context(), "acme", false)
		check("a slug is no id", one, (*record.Organization)(nil), err)
		m, err := s.Member(t.Context(), "o2", u.ID)
		if err != nil || m == nil || m.Role != "admin,member" || m.ID != "m2" {
			t.Errorf("member: %+v, %v", m, err)
		}
		m, err = s.Member(t.Context(), "o2", bob.ID)
		check("no member", m, (*record.Member)(nil), err)
		members, users, err := s.Members(t.Context(), "o1", 100)
		if err != nil || len(members) != 2 || members[0].ID != "m3" || users[0].Email != "bob@example.com" || users[1].ID != members[1].UserID {
			t.Errorf("members: %+v %+v, %v", members, users, err)
		}
		if members, _, err = s.Members(t.Context(), "o1", 1); err != nil || len(members) != 1 {
			t.Errorf("one member: %+v, %v", members, err)
		}
		invitations, err := s.Invitations(t.Context(), "o1")
		check("invitations", invitations, []record.Invitation{{
			ID: "i1", OrganizationID: "o1", Email: "c@example.com", Role: ptr("member"), Status: "pending", ExpiresAt: start(), CreatedAt: start(), InviterID: u.ID,
		}}, err)
		teams, err := s.Teams(t.Context(), "o1")
		check("teams", teams, []record.Team{{ID: "t1", Name: "Core", MemberCount: ptr(int64(1)), OrganizationID: "o1", CreatedAt: start()}}, err)
	})
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		if s.Shape() != (record.Shape{}) {
			t.Errorf("shape %+v", s.Shape())
		}
		all, err := s.OrganizationsOf(t.Context(), "u")
		one, err2 := s.Organization(t.Context(), "o", true)
		members, _, err3 := s.Members(t.Context(), "o", 10)
		teams, err4 := s.Teams(t.Context(), "o")
		if len(all)+len(members)+len(teams) > 0 || one != nil || err != nil || err2 != nil || err3 != nil || err4 != nil {
			t.Error("organizations where there are none")
		}
	})
}
