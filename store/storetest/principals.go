package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

func principals(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "all-plugins"))
	h.insert(t, "user", user("u1").with(row{"name": "Ärger 'quoted' ☃", "role": " user, admin,,", "emailVerified": false, "image": nil}))
	h.insert(t, "session",
		session("active", "u1"),
		session("expired", "u1").with(row{"expiresAt": start().Add(-time.Hour)}),
		session("full", "u1").with(row{"activeOrganizationId": "o9", "activeTeamId": "t9", "impersonatedBy": "boss"}))
	s := h.open(t, betterauth.Tables{})

	want := principal("active", "u1")
	want.User.Name, want.User.EmailVerified, want.User.Roles = "Ärger 'quoted' ☃", false, "user,admin"
	same(t, resolve(t, s, "active"), want)

	want.Session.ID, want.Session.ExpiresAt = "session-expired", start().Add(-time.Hour) // the gate judges it
	same(t, resolve(t, s, "expired"), want)

	// A preference, not an authorisation: what it names need not exist.
	want.Session = gate.Session{
		ID: "session-full", CreatedAt: start(), ExpiresAt: end(),
		ActiveOrganization: "o9", ActiveTeam: "t9", ImpersonatedBy: "boss",
	}
	same(t, resolve(t, s, "full"), want)

	h.Exec(t, `delete from "session" where "token" = 'full'; update "session" set "activeOrganizationId" = 'o1' where "token" = 'active';`)
	nobody(t, s, "full")
	if got := resolve(t, s, "active").Session.ActiveOrganization; got != "o1" {
		t.Errorf("active organization after a switch: %q", got)
	}
}

func bans(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "all-plugins"))
	until := start().Add(48 * time.Hour)
	h.insert(t, "user",
		user("free").with(row{"banned": false}), user("never"),
		user("banned").with(row{"banned": true, "banReason": "spam"}),
		user("until").with(row{"banned": true, "banExpires": until}))
	s := h.open(t, betterauth.Tables{})
	for id, want := range map[string]gate.User{
		"free": {}, "never": {}, "banned": {Banned: true}, "until": {Banned: true, BanExpires: until},
	} {
		h.insert(t, "session", session(id, id))
		got := resolve(t, s, id).User
		if got.ID != id || got.Banned != want.Banned || !got.BanExpires.Equal(want.BanExpires) {
			t.Errorf("%s: %+v", id, got)
		}
	}
}

func memberships(t *testing.T, h Harness) {
	h.Exec(t, loose(h.Schema(t, "all-plugins")))
	h.insert(t, "user", user("u1"), user("u2"))
	h.insert(t, "session", session("s1", "u1").with(row{"activeOrganizationId": "gone"}), session("s2", "u2"))
	h.insert(t, "organization", organization("o1"), organization("o2").with(row{"name": "Ö & Co", "slug": "weird slug/☃ ?"}),
		organization("o3"), organization("o4"))
	h.insert(t, "member",
		member("m1", "o1", "u1", "member", time.Hour),
		member("m2", "o2", "u1", "owner, ,admin", 3*time.Hour), // oldest
		member("m4", "o4", "u1", "", 2*time.Hour),
		member("m3", "o3", "u1", "admin", 2*time.Hour), // the same instant as m4
		member("m5", "gone", "u1", "owner", 9*time.Hour),
		member("m6", "o1", "u2", "owner", time.Hour))
	team := func(id, organizationID string) row {
		return row{"id": id, "name": id, "memberCount": 1, "organizationId": organizationID, "createdAt": start()}
	}
	h.insert(t, "team", team("t1", "o1"), team("t2", "o1"), team("t3", "o2"), team("t4", "o1"), team(`t,"5`, "o2"))
	for i, pair := range [][2]string{{"t2", "u1"}, {"t1", "u1"}, {"t3", "u1"}, {"t4", "u2"}, {"gone", "u1"}, {`t,"5`, "u1"}} {
		h.insert(t, "teamMember", row{"id": fmt.Sprint("tm", i), "teamId": pair[0], "userId": pair[1]})
	}
	s := h.open(t, betterauth.Tables{})

	want := principal("s1", "u1")
	want.Session.ActiveOrganization = "gone"
	want.Memberships = []gate.Membership{
		{OrganizationID: "o2", Slug: "weird slug/☃ ?", Name: "Ö & Co", Roles: "owner,admin", Teams: []string{`t,"5`, "t3"}},
		{OrganizationID: "o3", Slug: "slug-o3", Name: "Organization o3", Roles: "admin"},
		{OrganizationID: "o4", Slug: "slug-o4", Name: "Organization o4"},
		{OrganizationID: "o1", Slug: "slug-o1", Name: "Organization o1", Roles: "member", Teams: []string{"t1", "t2"}},
	}
	same(t, resolve(t, s, "s1"), want)

	want = principal("s2", "u2")
	want.Memberships = []gate.Membership{{OrganizationID: "o1", Slug: "slug-o1", Name: "Organization o1", Roles: "owner", Teams: []string{"t4"}}}
	same(t, resolve(t, s, "s2"), want)

	h.Exec(t, `delete from "member" where "id" = 'm6'`)
	if got := resolve(t, s, "s2").Memberships; len(got) > 0 {
		t.Errorf("after the removal: %v", got)
	}
}

func manyMemberships(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "organization-no-teams"))
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("s1", "u1"))
	var organizations, members []row
	for i := range store.MaxMemberships + 5 {
		id := fmt.Sprintf("o%04d", i)
		organizations = append(organizations, organization(id))
		members = append(members, member("m"+id, id, "u1", "member", -time.Duration(i)*time.Second))
	}
	h.insert(t, "organization", organizations...)
	h.insert(t, "member", members...)
	got := resolve(t, h.open(t, betterauth.Tables{}), "s1").Memberships
	if len(got) != store.MaxMemberships || got[0].OrganizationID != "o0000" || got[len(got)-1].OrganizationID != "o0999" {
		t.Errorf("%d memberships, first %v", len(got), got[0])
	}
}

func deletedUsers(t *testing.T, h Harness) {
	h.Exec(t, loose(h.Schema(t, "all-plugins")))
	h.insert(t, "session", session("orphan", "gone"))
	h.insert(t, "organization", organization("o1"))
	h.insert(t, "member", member("m1", "o1", "gone", "owner", 0))
	got := resolve(t, h.open(t, betterauth.Tables{}), "orphan")
	if got.User != (gate.User{}) || got.Session.ID != "session-orphan" || len(got.Memberships) > 0 {
		t.Errorf("session of a deleted user: %+v", got)
	}
}

func oddTokens(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "core"))
	const odd = `tökén.with "quotes' and %00 \`
	longest := strings.Repeat("x", store.MaxToken)
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("Abc", "u1"), session(odd, "u1"), session(longest, "u1"), session(longest+"x", "u1"), session("", "u1"))
	s := h.open(t, betterauth.Tables{})
	for _, token := range []string{
		"", "abc", "ABC", "Abc ", " Abc", "Ab", "Abcd", "Ab%", "Ab_", "\x00", "Abc\x00", "Abc\x00def", "\xff", "Abc\xc3", "\xed\xa0\x80",
		longest + "x", strings.Repeat("Abc", 1<<20), "' or '1'='1", "$1", "?", "null",
	} {
		nobody(t, s, token)
	}
	for _, token := range []string{"Abc", odd, longest} {
		same(t, resolve(t, s, token), principal(token, "u1"))
	}
}

// twins: without a unique index two sessions may have one token, and whose it is cannot be said.
func twins(t *testing.T, h Harness) {
	h.Exec(t, strings.Replace(h.Schema(t, "core"), `"token" text not null unique`, `"token" text not null`, 1))
	h.insert(t, "user", user("u1"), user("u2"))
	h.insert(t, "session", session("shared", "u1"), session("shared", "u2").with(row{"id": "other"}))
	p, err := h.open(t, betterauth.Tables{}).Resolve(t.Context(), gate.Proven(gate.ByBearer, "shared"))
	if err == nil || p != nil || !strings.Contains(err.Error(), "unique index") {
		t.Errorf("got %v, %v", p, err)
	}
}
