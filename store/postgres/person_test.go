package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
)

// TestDatabaseWithoutSessions is what Better Auth makes when its sessions are in Redis only.
func TestDatabaseWithoutSessions(t *testing.T) {
	t.Parallel()
	for name, drop := range map[string]string{"no table": `drop table "session"`, "somebody else's": `drop table "session"; create table "session" ("sid" text)`, "an audit log": `select 1`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := made(t, betterauth.Tables{})
			execute(t, c.URL, drop+`; insert into "user" ("id", "name", "email", "emailVerified") values ('u1', 'U', 'u@example.com', true);
				insert into "organization" ("id", "name", "slug", "createdAt") values ('o1', 'O', 'o', now());
				insert into "member" ("id", "userId", "organizationId", "role", "createdAt") values ('m1', 'u1', 'o1', 'owner', now())`)
			switch s, err := postgres.Open(t.Context(), c); {
			case err == nil:
				s.Close()
				if name != "an audit log" {
					t.Error("opened as if there were sessions")
				}
			case !store.Permanent(err):
				t.Errorf("waiting helps: %v", err)
			}
			c.WithoutSessions = true
			s, e := watch(t, c)
			if _, err := s.Resolve(t.Context(), gate.Proven(gate.ByCookie, "token")); !errors.Is(err, gate.ErrNoSession) {
				t.Errorf("a session: %v", err)
			}
			user, memberships, err := s.Person(t.Context(), "u1")
			if err != nil || user == nil || user.Email != "u@example.com" || len(memberships) != 1 || memberships[0].Slug != "o" {
				t.Errorf("%+v, %+v, %v", user, memberships, err)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			if got := notes(t, c); got != "" {
				t.Errorf("check: %s", got)
			}
			conn := connect(t, c.URL)
			defer conn.Close(t.Context())
			for sql, want := range map[string]string{
				`update "user" set "email" = 'v@example.com'`: "user:u1", `delete from "member"`: "user:u1", `update "organization" set "name" = 'P'`: "organization:o1",
			} {
				if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
					t.Fatal(err)
				}
				e.demand(t, conn, sql, want)
			}
			if again := install(t, c, false); len(again) > 0 {
				t.Errorf("once more: %q", again)
			}
			remove(t, c, false)
			if got := notes(t, c); got != "the revocation triggers are not installed" {
				t.Errorf("after removal: %s", got)
			}
		})
	}
}

// TestPersonWhileTheServerIsAway: could not be found out, which is not the same as nobody.
func TestPersonWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	s := one(t, server.NewDatabase(t))
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if user, _, err := s.Person(ctx, "u1"); err == nil || user != nil {
		t.Errorf("%v, %v", user, err)
	}
	server.Start()
	if user, memberships, err := s.Person(t.Context(), "u1"); err != nil || user == nil || len(memberships) != 1 {
		t.Errorf("%v, %v", user, err)
	}
}
