package storetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

type variant struct {
	name string
	test func(*testing.T, Harness)
}

func variants() []variant {
	return []variant{
		{"core", core},
		{"organization-no-teams", withoutTeams},
		{"uuid-ids", func(t *testing.T, h Harness) { ids(t, h, "uuid") }},
		{"serial-ids", func(t *testing.T, h Harness) { ids(t, h, "serial") }},
		{"default ids", func(t *testing.T, h Harness) { ids(t, h, "default") }},
		{"snake-case-renamed", renamed},
		{"snake_case and plural", snakeAndPlural},
		{"1.3.34", oldest},
		{"qualified", qualified},
		{"somebody else's tables", strangers},
		{"ids of two types", mixedIDs},
	}
}

func core(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "core"))
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("s1", "u1"))
	same(t, resolve(t, h.open(t, betterauth.Tables{}), "s1"), principal("s1", "u1"))
}

func withoutTeams(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "organization-no-teams"))
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("s1", "u1").with(row{"activeOrganizationId": "o1"}))
	h.insert(t, "organization", organization("o1"))
	h.insert(t, "member", member("m1", "o1", "u1", "owner", 0))
	same(t, resolve(t, h.open(t, betterauth.Tables{}), "s1"), ownerOf("o1"))
}

// ownerOf is the principal of session s1 and user u1 who owns an active organization.
func ownerOf(organizationID string) *gate.Principal {
	p := principal("s1", "u1")
	p.Session.ActiveOrganization = organizationID
	p.Memberships = []gate.Membership{{
		OrganizationID: organizationID, Slug: "slug-" + organizationID, Name: "Organization " + organizationID, Roles: "owner",
	}}
	return p
}

// ids puts the recorded session of each id mode into its schema. activeOrganizationId is text in all of them.
func ids(t *testing.T, h Harness, mode string) {
	schema := "all-plugins"
	if mode != "default" {
		schema = mode + "-ids"
	}
	h.Exec(t, h.Schema(t, schema))
	recorded, err := testdata.ReadFile("testdata/ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			DB         string
			GenerateID string `json:"generateId"`
			Session    row    `json:"session_row"`
			GetSession struct {
				User    map[string]any
				Session map[string]any
			} `json:"get_session"`
		}
	}
	decoder := json.NewDecoder(strings.NewReader(string(recorded)))
	decoder.UseNumber()
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		if c.GenerateID != mode || (c.DB == "postgres") != (h.Dialect == betterauth.Postgres) {
			continue
		}
		userID, organizationID, teamID := c.Session["userId"], c.Session["activeOrganizationId"], c.Session["activeTeamId"]
		h.insert(t, "user", row(c.GetSession.User).with(row{"id": userID, "emailVerified": false}))
		h.insert(t, "organization", organization(organizationID.(string)))
		h.insert(t, "member", member("", "", "", "owner", 0).with(row{"id": c.Session["id"], "organizationId": organizationID, "userId": userID}))
		h.insert(t, "team", row{"id": teamID, "name": "T", "memberCount": 1, "organizationId": organizationID, "createdAt": start()})
		h.insert(t, "teamMember", row{"id": c.Session["id"], "teamId": teamID, "userId": userID})
		h.insert(t, "session", c.Session)

		got := resolve(t, h.open(t, betterauth.Tables{}), c.Session["token"].(string))
		answered := func(part map[string]any, key string) string { text, _ := part[key].(string); return text }
		if got.User.ID != answered(c.GetSession.User, "id") || got.Session.ID != answered(c.GetSession.Session, "id") ||
			got.User.Email != answered(c.GetSession.User, "email") ||
			got.Session.ExpiresAt.Format("2006-01-02T15:04:05.000Z") != answered(c.GetSession.Session, "expiresAt") ||
			len(got.Memberships) != 1 || got.Memberships[0].OrganizationID != got.Session.ActiveOrganization ||
			got.Session.ActiveOrganization != organizationID || strings.Join(got.Memberships[0].Teams, " ") != teamID {
			t.Errorf("got %+v", got)
		}
		return
	}
	t.Fatal("no such case is recorded")
}

// renamed is Better Auth's own renaming by modelName and fields.
func renamed(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "snake-case-renamed"))
	h.insert(t, "users", snakeKeys(user("u1")))
	h.insert(t, "user_sessions", snakeKeys(session("s1", "u1").with(row{"activeOrganizationId": "o1"})))
	h.insert(t, "organizations", organization("o1"))
	h.insert(t, "organization_members", snakeKeys(member("m1", "o1", "u1", "owner", 0)))
	tables := betterauth.Tables{Models: map[string]betterauth.Rename{
		"user":         {ModelName: "users", Fields: map[string]string{"emailVerified": "email_verified"}},
		"session":      {ModelName: "user_sessions", Fields: map[string]string{"expires_at": "expires_at", "userId": "user_id"}},
		"organization": {ModelName: "organizations"},
		"member":       {ModelName: "organization_members"},
	}}
	same(t, resolve(t, h.open(t, tables), "s1"), ownerOf("o1"))

	tables.Models["session"] = betterauth.Rename{ModelName: "user_sessions", Fields: map[string]string{"expires_at": "ends_at"}}
	demandMissing(t, h, tables, "user_sessions", "ends_at")
	tables.Models["session"] = betterauth.Rename{ModelName: "sessions"}
	demandMissing(t, h, tables, "sessions", "")
}

func snakeKeys(r row) row {
	all := make(row)
	for key, value := range r {
		var b strings.Builder
		for _, c := range key {
			if 'A' <= c && c <= 'Z' {
				b.WriteString("_" + strings.ToLower(string(c)))
			} else {
				b.WriteRune(c)
			}
		}
		all[b.String()] = value
	}
	return all
}

// snakeAndPlural is what drizzle makes with usePlural, through our own DDL.
func snakeAndPlural(t *testing.T, h Harness) {
	tables := betterauth.Tables{Preset: betterauth.SnakeCase, UsePlural: true}
	h.make(t, tables)
	h.insert(t, "users", snakeKeys(user("u1")))
	h.insert(t, "sessions", snakeKeys(session("s1", "u1").with(row{"activeOrganizationId": "o1", "activeTeamId": "t1"})))
	h.insert(t, "organizations", snakeKeys(organization("o1")))
	h.insert(t, "members", snakeKeys(member("m1", "o1", "u1", "owner", 0)))
	h.insert(t, "teams", snakeKeys(row{"id": "t1", "name": "T", "memberCount": 1, "organizationId": "o1", "createdAt": start()}))
	h.insert(t, "team_members", snakeKeys(row{"id": "tm1", "teamId": "t1", "userId": "u1"}))
	want := ownerOf("o1")
	want.Session.ActiveTeam = "t1"
	want.Memberships[0].Teams = []string{"t1"}
	same(t, resolve(t, h.open(t, tables), "s1"), want)
}

// make creates every table of the plugins a gate looks at.
func (h Harness) make(t *testing.T, tables betterauth.Tables) {
	t.Helper()
	names, err := tables.Match(betterauth.Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range betterauth.DDL(h.Dialect, betterauth.Plugins{Organization: true, Teams: true, Admin: true}, names) {
		h.Exec(t, s.SQL)
	}
}

// oldest is the oldest version whose schema is recorded.
func oldest(t *testing.T, h Harness) {
	if h.Dialect != betterauth.Postgres {
		return // recorded on PostgreSQL only
	}
	h.Exec(t, h.Schema(t, "1.3.34"))
	h.insert(t, "user", user("u1").with(row{"role": "user", "banned": false}))
	h.insert(t, "session", session("s1", "u1").with(row{"activeOrganizationId": "o1"}))
	h.insert(t, "organization", organization("o1"))
	h.insert(t, "member", member("m1", "o1", "u1", "owner", 0))
	want := ownerOf("o1")
	want.User.Roles = "user"
	same(t, resolve(t, h.open(t, betterauth.Tables{}), "s1"), want)
}

// qualified is a PostgreSQL schema that is not on the search path.
func qualified(t *testing.T, h Harness) {
	if h.Dialect != betterauth.Postgres {
		return // a word of PostgreSQL
	}
	tables := betterauth.Tables{Schema: `my "auth"`}
	h.Exec(t, `create schema "my ""auth"""`)
	h.make(t, tables)
	h.Exec(t, `create view "session" as select 1 as "id"`) // on the search path, and not ours
	h.Exec(t, `set search_path to "my ""auth"""; insert into "user" values ('u1', 'Name of u1', 'u1@example.com', true);
		insert into "session" ("id", "token", "userId", "createdAt", "updatedAt", "expiresAt") values
		('session-s1', 's1', 'u1', `+h.literal(start())+`, now(), `+h.literal(end())+`);`)
	same(t, resolve(t, h.open(t, tables), "s1"), principal("s1", "u1"))
	demandMissing(t, h, betterauth.Tables{}, "user", "")
}

// strangers: an application's own tables may have the names of a plugin that is not used.
func strangers(t *testing.T, h Harness) {
	h.Exec(t, h.Schema(t, "core"))
	h.Exec(t, `create table "organization" ("number" integer); create table "member" ("number" integer);
		create table "team" ("id" integer); create table "teamMember" ("id" integer);`)
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("s1", "u1"))
	same(t, resolve(t, h.open(t, betterauth.Tables{}), "s1"), principal("s1", "u1"))

	h.Exec(t, `alter table "session" add column "activeOrganizationId" text`) // now the plugin is spoken of
	demandMissing(t, h, betterauth.Tables{}, "organization", "id")
}

// mixedIDs: foreign keys of another type than what they refer to only compare as text.
func mixedIDs(t *testing.T, h Harness) {
	h.Exec(t, strings.Replace(loose(h.Schema(t, "serial-ids")), `"userId" integer not null`, `"userId" text not null`, 1))
	h.insert(t, "user", user("7"))
	h.insert(t, "session", session("s1", "7").with(row{"id": 5}))
	h.insert(t, "organization", organization("3"))
	h.insert(t, "member", member("1", "3", "7", "owner", time.Hour))
	got := resolve(t, h.open(t, betterauth.Tables{}), "s1")
	if got.Session.ID != "5" || got.User.ID != "7" || len(got.Memberships) != 1 || got.Memberships[0].OrganizationID != "3" {
		t.Errorf("got %+v", got)
	}
}
