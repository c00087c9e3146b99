package postgres_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/storetest"
)

// TestLive: Better Auth writes from another process while the store reads.
func TestLive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]testenv.BetterAuthConfig{"1.7 uuid": {GenerateID: "uuid"}, "1.7 serial": {GenerateID: "serial"}, "1.4": {Version: "1.4"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.DatabaseURL = testenv.Postgres(t).NewDatabase(t)
			storetest.Live(t, c, harness(t, c.DatabaseURL).Open)
		})
	}
}

// TestLiveNotices: what Better Auth does to people is told, and what it does all the time is not.
func TestLiveNotices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]testenv.BetterAuthConfig{"1.7 uuid": {GenerateID: "uuid"}, "1.7 serial": {GenerateID: "serial"}, "1.7": {}, "1.4": {Version: "1.4"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.DatabaseURL = testenv.Postgres(t).NewDatabase(t)
			c.Options = map[string]any{"session": map[string]any{"updateAge": 0}} // every look at a session writes it
			js := testenv.BetterAuth(t, c)
			_, e := watch(t, postgres.Config{URL: c.DatabaseURL})
			conn := connect(t, c.DatabaseURL)
			defer conn.Close(t.Context())
			liveNotices(t, js, e, conn)
		})
	}
}

func liveNotices(t *testing.T, js *testenv.BetterAuthServer, e *ear, conn *pgconn.PgConn) {
	call := func(p *testenv.Person, path string, body any) {
		t.Helper()
		if answer := js.Call(t, p, http.MethodPost, path, body); answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, answer.Status, answer.Body)
		}
	}
	ada, bob := js.SignUp(t, "Ada", "ada@example.com"), js.SignUp(t, "Bob", "bob@example.com")
	e.demand(t, conn, "sign up", "user:"+ada.UserID, "user:"+bob.UserID, "session:"+ada.Token, "session:"+bob.Token)
	phone := js.SignIn(t, ada)
	e.demand(t, conn, "sign in", "session:"+phone.Token)
	time.Sleep(10 * time.Millisecond)
	if js.GetSession(t, ada) == nil {
		t.Fatal("no session")
	}
	e.demand(t, conn, "a session that slides")

	acme := js.CreateOrganization(t, ada, "Acme", "acme")
	e.demand(t, conn, "create an organization", "user:"+ada.UserID, "session:"+ada.Token)
	js.AddMember(t, acme, bob, "member")
	e.demand(t, conn, "add a member", "user:"+bob.UserID)
	js.SetActive(t, bob, acme)
	e.demand(t, conn, "set active", "session:"+bob.Token)
	result := conn.ExecParams(t.Context(), `select "id"::text from "member" where "userId"::text = $1`, [][]byte{[]byte(bob.UserID)}, nil, nil, nil).Read()
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	call(ada, "/organization/update-member-role", map[string]any{"memberId": string(result.Rows[0][0]), "role": "admin", "organizationId": acme.ID})
	e.demand(t, conn, "change a role", "user:"+bob.UserID)
	call(ada, "/organization/update", map[string]any{"organizationId": acme.ID, "data": map[string]any{"name": "Acme Inc"}})
	e.demand(t, conn, "rename an organization", "organization:"+acme.ID)
	team := js.CreateTeam(t, ada, acme, "Core")
	e.demand(t, conn, "create a team")
	js.AddTeamMember(t, ada, team, bob)
	e.demand(t, conn, "add a member to a team", "user:"+bob.UserID)
	js.SetActive(t, bob, testenv.Org{})
	e.demand(t, conn, "set none active", "session:"+bob.Token)
	js.RemoveMember(t, ada, acme, bob)
	e.demand(t, conn, "remove a member", "user:"+bob.UserID)

	call(ada, "/revoke-session", map[string]any{"token": phone.Token})
	e.demand(t, conn, "revoke a session", "session:"+phone.Token)
	phone = js.SignIn(t, ada)
	e.demand(t, conn, "sign in", "session:"+phone.Token)
	call(phone, "/revoke-other-sessions", nil)
	e.demand(t, conn, "revoke other sessions", "session:"+ada.Token)
	call(phone, "/update-user", map[string]any{"name": "Ada Lovelace"})
	e.demand(t, conn, "change a name", "user:"+ada.UserID)
	js.MakeAdmin(t, phone)
	e.demand(t, conn, "make an administrator", "user:"+ada.UserID)
	js.Ban(t, phone, bob, time.Hour)
	e.demand(t, conn, "ban", "user:"+bob.UserID, "session:"+bob.Token)
	call(phone, "/organization/delete", map[string]any{"organizationId": acme.ID})
	e.demand(t, conn, "delete an organization", "user:"+ada.UserID, "organization:"+acme.ID)
	js.SignOut(t, phone)
	e.demand(t, conn, "sign out", "session:"+phone.Token)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.why) > 0 || !e.complete {
		t.Errorf("complete %v, %q", e.complete, e.why)
	}
}
