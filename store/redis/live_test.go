package redis_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/redis"
	"github.com/usherauth/usher/store/storetest"
)

// mode is how Better Auth uses Redis.
type mode struct {
	stored, preserved bool
	version, ids      string
	prefix            *string
}

// config is that of Better Auth.
func (m mode) config(t *testing.T, server *testenv.RedisServer) testenv.BetterAuthConfig {
	return testenv.BetterAuthConfig{
		Version: m.version, GenerateID: m.ids, DatabaseURL: testenv.Postgres(t).NewDatabase(t),
		RedisURL: server.URL(), RedisPrefix: m.prefix,
		Options: map[string]any{"session": map[string]any{"storeSessionInDatabase": m.stored, "preserveSessionInDatabase": m.preserved}},
	}
}

// store is that of Usher beside it.
func (m mode) store(t testing.TB, server *testenv.RedisServer, database string) *redis.Store {
	c := redis.Config{
		URL: server.URL(), Prefix: prefix,
		StoreSessionInDatabase: m.stored, PreserveSessionInDatabase: m.preserved,
	}
	if m.prefix != nil {
		c.Prefix = *m.prefix
	}
	if database != "" {
		c.People = table(database)
	}
	if m.stored {
		rows, err := postgres.Open(t.Context(), postgres.Config{URL: database})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(rows.Close)
		c.Fallback = rows
	}
	return open(t, c)
}

func pointer(text string) *string { return &text }

// TestLive: Better Auth writes from another process while the store reads.
func TestLive(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]mode{
		"storage only, 1.7": {prefix: pointer("app:auth:"), ids: "serial"},
		"database, 1.7":     {stored: true, ids: "uuid"},
		"preserved, 1.4":    {stored: true, preserved: true, version: "1.4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testenv.StartRedis(t)
			c := m.config(t, server)
			storetest.Live(t, c, func(t testing.TB, _ betterauth.Tables) (gate.Resolver, error) {
				return m.store(t, server, c.DatabaseURL), nil
			})
		})
	}
}

// TestLiveRevocation: what ends a session, or changes it, is told.
func TestLiveRevocation(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]mode{
		"storage only, 1.7": {prefix: pointer("")},
		"storage only, 1.4": {version: "1.4"},
		"database, 1.7":     {stored: true, ids: "serial"},
		"database, 1.4":     {stored: true, version: "1.4"},
		"preserved, 1.7":    {stored: true, preserved: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testenv.StartRedis(t)
			c := m.config(t, server)
			js := testenv.BetterAuth(t, c)
			database := c.DatabaseURL
			if !m.stored {
				database = ""
			}
			s := m.store(t, server, database)
			n := listen(t, s)
			n.complete(t, 5*time.Second)

			admin := js.SignUp(t, "Root", "root@example.com")
			js.MakeAdmin(t, admin)
			admin = js.SignIn(t, admin)
			ada := js.SignUp(t, "Ada ☃", "ada@example.com")
			phone, tablet := js.SignIn(t, ada), js.SignIn(t, ada)
			if got := resolve(t, s, ada.Token); got.User.ID != ada.UserID || got.User.Name != ada.Name || got.User.Email != ada.Email {
				t.Errorf("got %+v", got)
			}
			if got := resolve(t, s, admin.Token); got.User.Roles != "admin" {
				t.Errorf("admin: %+v", got)
			}

			since := time.Now()
			org := js.CreateOrganization(t, ada, "Acme", "acme")
			n.tag(t, "create organization", since, store.SessionTag(ada.Token))
			if got := resolve(t, s, ada.Token).Session.ActiveOrganization; got != org.ID {
				t.Errorf("active organization %q, want %q", got, org.ID)
			}
			since = time.Now()
			js.SetActive(t, ada, testenv.Org{})
			n.tag(t, "set-active", since, store.SessionTag(ada.Token))
			if got := resolve(t, s, ada.Token).Session.ActiveOrganization; got != "" {
				t.Errorf("active organization %q, want none", got)
			}

			since = time.Now()
			js.SignOut(t, tablet)
			n.tag(t, "sign out", since, store.SessionTag(tablet.Token))
			nobody(t, s, tablet.Token)
			resolve(t, s, phone.Token)

			since = time.Now()
			if answer := js.Call(t, ada, http.MethodPost, "/revoke-sessions", map[string]any{}); answer.Status != http.StatusOK {
				t.Fatalf("revoke-sessions: %+v", answer)
			}
			n.tag(t, "revoke-sessions", since, store.SessionTag(phone.Token))
			if m.version == "" { // 1.4 leaves no tombstone
				n.tag(t, "revoke-sessions", since, store.UserTag(ada.UserID))
			}
			nobody(t, s, phone.Token)
			nobody(t, s, ada.Token)

			again := js.SignIn(t, ada)
			resolve(t, s, again.Token)
			since = time.Now()
			js.Ban(t, admin, ada, time.Hour)
			n.tag(t, "ban", since, store.SessionTag(again.Token))
			nobody(t, s, again.Token)
			resolve(t, s, admin.Token)
		})
	}
}

// table is People by SQL, for databases with Better Auth's own names.
type table string

func (url table) Person(ctx context.Context, id string) (*gate.User, []gate.Membership, error) {
	conn, err := pgx.Connect(ctx, string(url))
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var u gate.User
	var ends *time.Time
	err = conn.QueryRow(ctx, `select "id"::text, "name", "email", "emailVerified", coalesce("role", ''), coalesce("banned", false), "banExpires"
		from "user" where "id"::text = $1`, id).Scan(&u.ID, &u.Name, &u.Email, &u.EmailVerified, &u.Roles, &u.Banned, &ends)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if ends != nil {
		u.BanExpires = ends.UTC()
	}
	rows, err := conn.Query(ctx, `select o."id"::text, o."slug", o."name", m."role",
		array(select t."id"::text from "team" t join "teamMember" tm on tm."teamId" = t."id" where tm."userId" = m."userId" and t."organizationId" = o."id")
		from "member" m join "organization" o on o."id" = m."organizationId" where m."userId"::text = $1 order by m."createdAt"`, id)
	if err != nil {
		return nil, nil, err
	}
	memberships, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m gate.Membership, err error) {
		err = row.Scan(&m.OrganizationID, &m.Slug, &m.Name, &m.Roles, &m.Teams)
		return m, err
	})
	return &u, memberships, err
}
