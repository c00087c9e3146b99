package betterauth

import (
	"fmt"
	"strings"
	"testing"
)

// catalogOf is a database with these tables, written as "table: column column".
func catalogOf(tables ...string) Catalog {
	c := Catalog{Tables: make(map[string]CatalogTable)}
	for _, line := range tables {
		name, columns, _ := strings.Cut(line, ": ")
		table := CatalogTable{Columns: make(map[string]CatalogColumn)}
		for column := range strings.FieldsSeq(columns) {
			table.Columns[column] = CatalogColumn{Type: "text"}
		}
		c.Tables[name] = table
	}
	return c
}

const (
	camelUser         = "user: id name email emailVerified"
	camelSession      = "session: id expiresAt token createdAt userId"
	snakeUser         = "user: id name email email_verified"
	snakeSession      = "session: id expires_at token created_at user_id active_organization_id"
	camelMember       = "member: id organizationId userId role createdAt"
	organizationTable = "organization: id name slug"
)

func TestNamesAreFound(t *testing.T) {
	for _, c := range []struct {
		name    string
		tables  Tables
		catalog Catalog
		want    string // user table, its emailVerified, member table, its userId
		orgs    bool
		teams   bool
	}{
		{"Better Auth's own", Tables{}, catalogOf(camelUser, camelSession, camelMember, organizationTable), "user emailVerified member userId", true, false},
		{"snake_case without being told", Tables{}, catalogOf(snakeUser, snakeSession), "user email_verified member userId", false, false},
		{"snake_case", Tables{Preset: SnakeCase}, catalogOf(snakeUser, snakeSession, "member: id organization_id user_id role created_at",
			organizationTable, "team: id organization_id", "team_member: id team_id user_id"), "user email_verified member user_id", true, true},
		{"snake_case, but camelCase", Tables{Preset: SnakeCase}, catalogOf(camelUser, camelSession), "user emailVerified member user_id", false, false},
		{
			"plural",
			Tables{UsePlural: true},
			catalogOf("users: id name email emailVerified", "sessions: id expiresAt token createdAt userId"),
			"users emailVerified members userId", false, false,
		},
		{
			"plural of a written name",
			Tables{UsePlural: true, Models: map[string]Rename{"user": {ModelName: "person"}}},
			catalogOf("persons: id name email emailVerified", "sessions: id expiresAt token createdAt userId"), "persons emailVerified members userId", false, false,
		},
		{
			"a plural name written whole",
			Tables{UsePlural: true, Models: map[string]Rename{"user": {ModelName: "people"}}},
			catalogOf("people: id name email emailVerified", "sessions: id expiresAt token createdAt userId"), "people emailVerified members userId", false, false,
		},
		{
			"somebody else's member and team tables",
			Tables{},
			catalogOf(camelUser, camelSession, "member: nr", "organization: nr", "team: id", "teamMember: id"),
			"user emailVerified member userId", false, false,
		},
		{"a member table alone", Tables{}, catalogOf(camelUser, camelSession, camelMember), "user emailVerified member userId", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := c.tables.Match(c.catalog)
			if err != nil {
				t.Fatal(err)
			}
			if absent := n.Absent(); len(absent) > 0 {
				t.Fatalf("absent: %v", absent)
			}
			got := strings.Join([]string{n.Table("user"), n.Column("user", "emailVerified"), n.Table("member"), n.Column("member", "userId")}, " ")
			if got != c.want || n.Organizations != c.orgs || n.Teams != c.teams {
				t.Errorf("got %s %v %v", got, n.Organizations, n.Teams)
			}
		})
	}
}

func TestWhatIsAbsentIsNamed(t *testing.T) {
	for _, c := range []struct {
		name    string
		tables  Tables
		catalog Catalog
		want    string
	}{
		{"nothing at all", Tables{}, Catalog{}, "user. run Better Auth's migration or `usher schema apply`, or name the table in better_auth.tables.user; " +
			"session. run Better Auth's migration or `usher schema apply`, or name the table in better_auth.tables.session"},
		{"plural tables", Tables{}, catalogOf("users: id", camelSession), `user. there is "users": is it better_auth.tables.use_plural?`},
		{
			"a column",
			Tables{},
			catalogOf(camelUser, "session: id token createdAt userId"),
			`session.expiresAt "expires_at" is not there either; if it is called differently, name it in better_auth.tables.session.fields.expires_at`,
		},
		{
			"a written column is not guessed about",
			Tables{Models: map[string]Rename{"session": {Fields: map[string]string{"expires_at": "ends"}}}},
			catalogOf(camelUser, camelSession), "session.ends the name comes from better_auth.tables.session.fields.expires_at",
		},
		{
			"a written table that nobody needs",
			Tables{Models: map[string]Rename{"team_member": {ModelName: "crew"}}},
			catalogOf(camelUser, camelSession), "crew. the name comes from better_auth.tables.team_member",
		},
		{
			"half an organization plugin",
			Tables{},
			catalogOf(camelUser, camelSession+" activeOrganizationId", "member: id organizationId userId createdAt", organizationTable),
			`member.role if it is called differently, name it in better_auth.tables.member.fields.role`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := c.tables.Match(c.catalog)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range n.Absent() {
				got = append(got, a.Table+"."+a.Column+" "+a.Hint)
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), c.want)
			}
		})
	}
}

func TestNamesFoldCaseWhereTheDatabaseDoes(t *testing.T) {
	c := catalogOf("USER: ID name email emailverified", "Session: id expiresAt token createdAt userId")
	c.Fold = true
	n, err := Tables{}.Match(c)
	if err != nil || len(n.Absent()) > 0 {
		t.Fatal(err, n.Absent())
	}
	if got := n.Table("user") + "." + n.Column("user", "emailVerified"); got != "USER.emailverified" {
		t.Errorf("got %s", got)
	}
}

func TestUnknownKeysAreRefused(t *testing.T) {
	err := Tables{
		Preset: "kebab", TimeZone: "UTC'; drop table", Models: map[string]Rename{
			"usr":     {},
			"session": {Fields: map[string]string{"expires": "x", "userId": "a", "user_id": "b", "token": ""}},
		},
	}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"tables.preset: \"kebab\"", "tables.time_zone:", "tables.usr: Better Auth has no such model; there are user, session, account",
		"tables.session.fields.expires: Better Auth's session has no such field; there are id, expiresAt, token",
		"tables.session.fields.user_id: is the same field as userId", "tables.session.fields.token: the column's name is empty",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if err := (Tables{Models: map[string]Rename{"teamMember": {}, "team_member": {}}}).Validate(); err == nil {
		t.Error("one model twice: no error")
	}
}

func TestStrangers(t *testing.T) {
	c := catalogOf(camelUser+" plan", camelSession)
	c.Tables["user"].Columns["issuer"] = CatalogColumn{NotNull: true}
	n, err := Tables{}.Match(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(n.Strangers(c)); !strings.Contains(got, "{user plan ") || !strings.Contains(got, "{user issuer ") ||
		!strings.Contains(got, "cannot make rows") || strings.Contains(got, "token") {
		t.Errorf("got %s", got)
	}
}
