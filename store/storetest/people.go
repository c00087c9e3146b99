package storetest

import (
	"context"
	"strings"
	"testing"

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
