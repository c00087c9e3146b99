package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/sqlite"
)

// TestDatabaseWithoutSessions is what Better Auth makes when its sessions are in Redis only.
func TestDatabaseWithoutSessions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "auth.db")
	c := sqlite.Config{URL: address(path)}
	if _, err := sqlite.Apply(t.Context(), c, betterauth.GatePlugins(), false); err != nil {
		t.Fatal(err)
	}
	execute(t, path, `drop table "session"; insert into "user" ("id", "name", "email", "emailVerified", "createdAt", "updatedAt") values ('u1', 'U', 'u@example.com', 1, '2026-11-21T20:42:23.514Z', '2026-11-21T20:42:23.514Z');
		insert into "organization" ("id", "name", "slug", "createdAt") values ('o1', 'O', 'o', '2026-11-21T20:42:23.514Z');
		insert into "member" ("id", "userId", "organizationId", "role", "createdAt") values ('m1', 'u1', 'o1', 'owner', '2026-11-21T20:42:23.514Z')`)
	if _, err := sqlite.Open(t.Context(), c); !store.Permanent(err) {
		t.Errorf("opened as if there were sessions: %v", err)
	}
	c.WithoutSessions = true
	s, err := sqlite.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
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
	report, err := sqlite.CheckSchema(t.Context(), c)
	if err != nil || !report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}
