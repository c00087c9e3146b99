package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// people is a store that finds users by their ids: a database, for sessions that are kept elsewhere.
type people interface {
	Person(ctx context.Context, userID string) (*gate.User, []gate.Membership, error)
}

// samePerson demands that a store which finds users by id finds the same of this one as of a session's holder.
func samePerson(t testing.TB, s gate.Resolver, p *gate.Principal) {
	t.Helper()
	finds, ok := s.(people)
	if !ok || p.User.ID == "" {
		return
	}
	user, memberships, err := finds.Person(t.Context(), p.User.ID)
	if err != nil || user == nil {
		t.Errorf("person %s: %v, %v", p.User.ID, user, err)
		return
	}
	if diff := cmp.Diff(*p, gate.Principal{Session: p.Session, User: *user, Memberships: memberships}, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("person %s (-by session +by id):\n%s", p.User.ID, diff)
	}
}

// sameNamed demands that somebody who is named is the same as by session, and has none.
func sameNamed(t testing.TB, s gate.Resolver, p *gate.Principal) {
	t.Helper()
	if p.User.ID == "" {
		return
	}
	got, err := s.Resolve(t.Context(), gate.Named(p.User.ID))
	if errors.Is(err, store.ErrSessionsOnly) && got == nil {
		return
	}
	if err != nil {
		t.Errorf("named %s: %v", p.User.ID, err)
		return
	}
	if diff := cmp.Diff(&gate.Principal{User: p.User, Memberships: p.Memberships}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("named %s (-by session +by name):\n%s", p.User.ID, diff)
	}
}

// unnamed demands that nobody has this id.
func unnamed(t testing.TB, s gate.Resolver, id string) {
	t.Helper()
	if p, err := s.Resolve(t.Context(), gate.Named(id)); !errors.Is(err, gate.ErrNoSession) || p != nil {
		t.Errorf("named %.40q: %v, %v; want nobody", id, p, err)
	}
}

// named: an internal caller says a user's id. No session has a part in it, and none may be taken for a user or the other
// way round, also where the texts are the same.
func named(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "all-plugins"))
	h.insert(t, "user", user("u1"), user("t1"), user("nobody"), user("b1").with(row{"banned": true, "banExpires": end()}))
	h.insert(t, "session", session("t1", "u1"), session("u1", "t1"), session("ended", "u1").with(row{"expiresAt": start().Add(-time.Hour)}))
	h.insert(t, "organization", organization("o1"), organization("o2"))
	h.insert(t, "member", member("m1", "o1", "u1", "owner", 0), member("m2", "o2", "u1", "admin,member", time.Hour))
	h.insert(t, "team", row{"id": "team", "name": "team", "memberCount": 1, "organizationId": "o1", "createdAt": start()})
	h.insert(t, "teamMember", row{"id": "tm", "teamId": "team", "userId": "u1"})
	s := h.open(t, betterauth.Tables{})

	find := func(id string) *gate.Principal {
		t.Helper()
		p, err := s.Resolve(t.Context(), gate.Named(id))
		if err != nil {
			t.Fatalf("named %s: %v", id, err)
		}
		return p
	}
	plain := func(id string) *gate.Principal { return &gate.Principal{User: principal("", id).User} }
	want := plain("u1")
	want.Memberships = []gate.Membership{
		{OrganizationID: "o2", Slug: "slug-o2", Name: "Organization o2", Roles: "admin,member"},
		{OrganizationID: "o1", Slug: "slug-o1", Name: "Organization o1", Roles: "owner", Teams: []string{"team"}},
	}
	same(t, find("u1"), want)
	same(t, find("t1"), plain("t1"))
	same(t, find("nobody"), plain("nobody")) // who has no session
	banned := plain("b1")
	banned.User.Banned, banned.User.BanExpires = true, end()
	same(t, find("b1"), banned)

	if p := resolve(t, s, "t1"); p.User.ID != "u1" || p.Session.ID != "session-t1" {
		t.Errorf("the session t1: %+v", p)
	}
	if p := resolve(t, s, "u1"); p.User.ID != "t1" || p.Session.ID != "session-u1" {
		t.Errorf("the session u1: %+v", p)
	}
	for _, id := range []string{"", "ended", "session-t1", "U1", "u1 ", " u1", "o1", "m1", "u%", "u_", "\x00", "u1\x00", "\xff", strings.Repeat("u", store.MaxToken), strings.Repeat("u", 4*store.MaxToken), "' or '1'='1"} {
		unnamed(t, s, id)
	}
	nobody(t, s, "nobody")

	h.Exec(t, `delete from "member" where "id" = 'm2'`)
	if got := find("u1").Memberships; len(got) != 1 || got[0].OrganizationID != "o1" {
		t.Errorf("after the removal: %v", got)
	}
	h.Exec(t, `update "user" set "name" = 'Renamed' where "id" = 'u1'`)
	if got := find("u1").User.Name; got != "Renamed" {
		t.Errorf("after a change of name: %s", got)
	}
	h.Exec(t, `delete from "session"`)
	same(t, find("t1"), plain("t1"))
	h.Exec(t, `delete from "user" where "id" = 't1'`)
	unnamed(t, s, "t1")
	unnamed(t, s, "late")
	h.insert(t, "user", user("late"))
	same(t, find("late"), plain("late"))
}

// oddUsers are asked for by ids that nobody has, some of which the column cannot even hold.
func oddUsers(t *testing.T, h Harness, schema, id string) {
	h.Exec(t, h.Schema(t, schema))
	h.insert(t, "user", user(id))
	s := h.open(t, betterauth.Tables{})
	finds, ok := s.(people)
	if !ok {
		return // it knows no people, only holders of sessions
	}
	if user, _, err := finds.Person(t.Context(), id); err != nil || user == nil || user.ID != id || user.Name != "Name of "+id {
		t.Errorf("%s: %+v, %v", schema, user, err)
	}
	for _, odd := range []string{
		"", " ", "0", "-1", "007", "7.0", "7e0", " 7", "7 ", "+7", "0x7", "1'; drop table x", "null", "u2", "U1", strings.ToUpper(id) + ".", strings.ToUpper("0b1e9bd0-6b1c-4b5e-9d0c-5a7c6b1f3a2d"),
		"{0b1e9bd0-6b1c-4b5e-9d0c-5a7c6b1f3a2d}", "0b1e9bd06b1c4b5e9d0c5a7c6b1f3a2d", "99999999999999999999999999", "2147483648", "-9223372036854775809",
		"☃", "\x00", "a\x00", "\xff", strings.Repeat("x", store.MaxToken), strings.Repeat("9", 4*store.MaxToken),
	} {
		user, memberships, err := finds.Person(t.Context(), odd)
		if err != nil || user != nil || memberships != nil {
			t.Errorf("%s: %.40q: %v, %v, %v; want nobody", schema, odd, user, memberships, err)
		}
	}
}
