package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
)

// Live runs the real Better Auth on a database and compares after every step what it did with what a store sees, while
// both have the database open. DatabaseURL is that of an empty database, as testenv wants it.
func Live(t *testing.T, c testenv.BetterAuthConfig, open func(t testing.TB, tables betterauth.Tables) (gate.Resolver, error)) {
	js := testenv.BetterAuth(t, c)
	s := Harness{Open: open}.open(t, betterauth.Tables{})

	ada := js.SignUp(t, "Ada Lovelace", "ada@example.com")
	bob := js.SignUp(t, "Bob ☃", "bob@example.com")
	agree(t, s, js, ada)
	if got := resolve(t, s, ada.Token); got.User.ID != ada.UserID || len(got.Memberships) > 0 {
		t.Errorf("right after signing up: %+v", got)
	}

	acme := js.CreateOrganization(t, ada, "Acme Inc", "acme")
	beta := js.CreateOrganization(t, ada, "Beta", "weird slug/☃")
	got := agree(t, s, js, ada)
	if len(got.Memberships) != 2 || got.Memberships[0].OrganizationID != acme.ID || got.Memberships[1].Slug != "weird slug/☃" ||
		got.Memberships[0].Roles != "owner" || got.Session.ActiveOrganization != beta.ID {
		t.Errorf("owner of two organizations: %+v", got)
	}
	js.SetActive(t, ada, acme)
	team := js.CreateTeam(t, ada, acme, "Core")
	js.AddMember(t, acme, bob, "admin,member")
	js.AddTeamMember(t, ada, team, bob)
	js.SetActive(t, bob, acme)
	got = agree(t, s, js, bob)
	if len(got.Memberships) != 1 || got.Memberships[0].Roles != "admin,member" || !slices.Contains(got.Memberships[0].Teams, team) ||
		got.Session.ActiveOrganization != acme.ID {
		t.Errorf("member with two roles in a team: %+v", got)
	}
	if got := agree(t, s, js, ada); got.Session.ActiveOrganization != acme.ID {
		t.Errorf("after a switch: %+v", got)
	}

	js.RemoveMember(t, ada, acme, bob)
	if got := agree(t, s, js, bob); len(got.Memberships) > 0 || got.Session.ActiveOrganization != acme.ID {
		t.Errorf("after the removal the session still names the organization, and nothing else does: %+v", got)
	}

	phone := js.SignIn(t, ada)
	js.SignOut(t, ada)
	nobody(t, s, ada.Token)
	js.MakeAdmin(t, phone)
	if got := agree(t, s, js, phone); got.User.Roles != "admin" {
		t.Errorf("admin: %+v", got)
	}
	js.Ban(t, phone, bob, time.Hour)
	nobody(t, s, bob.Token)
}

// agree demands that a store sees what Better Auth itself answers, as far as it answers.
func agree(t *testing.T, s gate.Resolver, js *testenv.BetterAuthServer, p *testenv.Person) *gate.Principal {
	t.Helper()
	theirs := js.GetSession(t, p)
	if theirs == nil {
		t.Fatalf("Better Auth does not know %s", p.Name)
	}
	text := func(part map[string]any, key string) string { value, _ := part[key].(string); return value }
	at := func(part map[string]any, key string) time.Time {
		value, err := time.Parse(time.RFC3339Nano, text(part, key))
		if err != nil && text(part, key) != "" {
			t.Error(err)
		}
		return value
	}
	session, user := theirs.Session, theirs.User
	verified, _ := user["emailVerified"].(bool)
	banned, _ := user["banned"].(bool)
	ours := resolve(t, s, p.Token)
	want := &gate.Principal{
		Session: gate.Session{
			ID: text(session, "id"), CreatedAt: at(session, "createdAt"), ExpiresAt: at(session, "expiresAt"),
			ActiveOrganization: text(session, "activeOrganizationId"), ActiveTeam: text(session, "activeTeamId"),
			ImpersonatedBy: text(session, "impersonatedBy"),
		},
		User: gate.User{
			ID: text(user, "id"), Name: text(user, "name"), Email: text(user, "email"), EmailVerified: verified,
			Roles: gate.Roles(text(user, "role")), Banned: banned, BanExpires: at(user, "banExpires"),
		},
		Memberships: ours.Memberships,
	}
	same(t, ours, want)
	return ours
}
