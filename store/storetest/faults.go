package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// demandMissing demands that the store is not opened, and that the error says why.
func demandMissing(t *testing.T, h Harness, tables betterauth.Tables, table, column string) {
	t.Helper()
	_, err := h.Open(t, tables)
	for _, e := range all(err) {
		if missing, ok := errors.AsType[*store.MissingError](e); ok && missing.Table == table && missing.Column == column {
			if missing.Hint == "" {
				t.Errorf("no hint in: %v", err)
			}
			return
		}
	}
	t.Errorf("got %v, want an error that names table %q, column %q", err, table, column)
}

// all takes joined errors apart.
func all(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	case interface{ Unwrap() error }:
		return append(all(e.Unwrap()), err)
	}
	return []error{err}
}

func missingThings(t *testing.T, h Harness) {
	demandMissing(t, h, betterauth.Tables{}, "session", "")
	demandMissing(t, h, betterauth.Tables{}, "user", "")
	h.Exec(t, loose(h.Schema(t, "all-plugins")))
	for _, c := range [][2]string{
		{"session", "expiresAt"}, {"session", "userId"}, {"user", "emailVerified"}, {"member", "role"}, {"organization", "name"}, {"teamMember", "teamId"},
	} {
		h.Exec(t, fmt.Sprintf(`alter table %q rename column %q to "elsewhere"`, c[0], c[1]))
		demandMissing(t, h, betterauth.Tables{}, c[0], c[1])
		h.Exec(t, fmt.Sprintf(`alter table %q rename column "elsewhere" to %q`, c[0], c[1]))
	}
	h.open(t, betterauth.Tables{})
	if _, err := h.Open(t, betterauth.Tables{Models: map[string]betterauth.Rename{"sesion": {}}}); err == nil || !strings.Contains(err.Error(), "sesion") {
		t.Errorf("an unknown model: %v", err)
	}
}

// migrations happen while the store is open.
func migrations(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "all-plugins"))
	h.insert(t, "user", user("u1").with(row{"role": "admin"}))
	h.insert(t, "session", session("s1", "u1").with(row{"activeTeamId": "t1"}))
	s := h.open(t, betterauth.Tables{})
	if got := resolve(t, s, "s1"); got.Session.ActiveTeam != "t1" || got.User.Roles != "admin" {
		t.Fatalf("before: %+v", got)
	}
	h.Exec(t, `alter table "session" drop column "activeTeamId"; drop table "teamMember"; alter table "user" drop column "role";`)
	if got := resolve(t, s, "s1"); got.Session.ActiveTeam != "" || got.User.Roles != "" || got.User.ID != "u1" {
		t.Errorf("after plugins were taken out: %+v", got)
	}

	ping, ok := s.(interface{ Ping(context.Context) error })
	if !ok {
		t.Fatal("a store has a Ping")
	}
	h.Exec(t, `alter table "user" add column "role" text; update "user" set "role" = 'late'`)
	if err := ping.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := resolve(t, s, "s1").User.Roles; got != "late" {
		t.Errorf("after a column was added, and a ping: roles %q", got)
	}

	h.Exec(t, `alter table "session" rename column "expiresAt" to "ends"`)
	missing, ok := errors.AsType[*store.MissingError](ping.Ping(t.Context()))
	if !ok || missing.Column != "expiresAt" {
		t.Errorf("ping without a column: %v", missing)
	}
	if p, err := s.Resolve(t.Context(), gate.Proven(gate.ByCookie, "s1")); err == nil || errors.Is(err, gate.ErrNoSession) {
		t.Errorf("resolve without a column: %v, %v", p, err)
	}
	h.Exec(t, `alter table "session" rename column "ends" to "expiresAt"`)
	resolve(t, s, "s1")
}

func concurrency(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "organization-no-teams"))
	var users, sessions, organizations, members []row
	for i := range 50 {
		id := fmt.Sprintf("u%02d", i)
		users, sessions = append(users, user(id)), append(sessions, session(id, id))
		organizations, members = append(organizations, organization(id)), append(members, member(id, id, id, "owner", 0))
	}
	h.insert(t, "user", users...)
	h.insert(t, "session", sessions...)
	h.insert(t, "organization", organizations...)
	h.insert(t, "member", members...)
	s := h.open(t, betterauth.Tables{})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			for j := range 10 {
				id := fmt.Sprintf("u%02d", (i+7*j)%60) // some of nobody
				p, err := s.Resolve(t.Context(), gate.Proven(gate.ByCookie, id))
				switch {
				case errors.Is(err, gate.ErrNoSession) && id >= "u50":
				case err != nil:
					t.Errorf("%s: %v", id, err)
				case p.User.ID != id || len(p.Memberships) != 1 || p.Memberships[0].OrganizationID != id:
					t.Errorf("%s: got %+v", id, p)
				}
			}
		})
	}
	wg.Wait()
}

func cancellation(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "core"))
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("s1", "u1"))
	s := h.open(t, betterauth.Tables{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := time.Now()
	for range 50 {
		p, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, "s1"))
		if !errors.Is(err, context.Canceled) || p != nil {
			t.Fatalf("got %v, %v", p, err)
		}
	}
	if took := time.Since(before); took > 10*time.Second {
		t.Errorf("50 cancelled lookups took %v", took)
	}
	same(t, resolve(t, s, "s1"), principal("s1", "u1"))
}
