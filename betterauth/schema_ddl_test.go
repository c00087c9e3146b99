package betterauth

import (
	"os"
	"strings"
	"testing"
)

// renamed is how the vectors' variant snake-case-renamed is configured.
func renamed() Tables {
	return Tables{Models: map[string]Rename{
		"user": {ModelName: "users", Fields: map[string]string{
			"email_verified": "email_verified", "createdAt": "created_at", "updatedAt": "updated_at",
		}},
		"session": {ModelName: "user_sessions", Fields: map[string]string{
			"expiresAt": "expires_at", "createdAt": "created_at", "updatedAt": "updated_at", "ipAddress": "ip_address",
			"userAgent": "user_agent", "userId": "user_id", "activeOrganizationId": "active_organization_id",
		}},
		"organization": {ModelName: "organizations"},
		"member": {ModelName: "organization_members", Fields: map[string]string{
			"organizationId": "organization_id", "userId": "user_id", "createdAt": "created_at",
		}},
	}}
}

// TestDDLIsBetterAuths compares with what Better Auth 1.7.25 itself would run.
func TestDDLIsBetterAuths(t *testing.T) {
	everything := Plugins{Organization: true, Teams: true, DynamicRoles: true, Admin: true, JWT: true, APIKey: true, TwoFactor: true}
	for _, c := range []struct {
		variant string
		plugins Plugins
		tables  Tables
	}{
		{"core", Plugins{}, Tables{}},
		{"organization-no-teams", Plugins{Organization: true}, Tables{}},
		{"all-plugins", everything, Tables{}},
		{"snake-case-renamed", Plugins{Organization: true}, renamed()},
	} {
		for name, dialect := range map[string]Dialect{"postgres": Postgres, "sqlite": SQLite} {
			t.Run(name+" "+c.variant, func(t *testing.T) {
				recorded, err := os.ReadFile("../store/storetest/testdata/schema-" + name + "-" + c.variant + ".sql")
				if err != nil {
					t.Fatal(err)
				}
				_, text, _ := strings.Cut(string(recorded), "\n") // its first line is a comment
				names, err := c.tables.Match(Catalog{})
				if err != nil {
					t.Fatal(err)
				}
				var got strings.Builder
				for _, s := range DDL(dialect, c.plugins, names) {
					got.WriteString(s.SQL + ";\n\n")
				}
				ours, theirs := strings.Split(got.String(), "\n\n"), strings.Split(strings.TrimSpace(text)+"\n\n", "\n\n")
				for i := range max(len(ours), len(theirs)) {
					if i >= len(ours) || i >= len(theirs) || ours[i] != theirs[i] {
						t.Fatalf("statement %d:\n%s\nBetter Auth's:\n%s", i, statement(ours, i), statement(theirs, i))
					}
				}
			})
		}
	}
}

func statement(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(none)"
}

func TestDDLOfASchemaQualifiesTables(t *testing.T) {
	names, err := Tables{Schema: `au"th`, Preset: SnakeCase, UsePlural: true}.Match(Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	all := DDL(Postgres, Plugins{Organization: true, Teams: true}, names)
	var text strings.Builder
	for _, s := range all {
		text.WriteString(s.SQL + "\n")
	}
	for _, want := range []string{
		`create table "au""th"."team_members" ("id" text not null primary key, "team_id" text not null references "au""th"."teams" ("id") on delete cascade, `,
		`create index "sessions_user_id_idx" on "au""th"."sessions" ("user_id")`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, text.String())
		}
	}
}

func TestMigrationMakesOnlyWhatIsMissing(t *testing.T) {
	names, err := Tables{}.Match(Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	columns := func(names ...string) map[string]CatalogColumn {
		all := make(map[string]CatalogColumn)
		for _, name := range names {
			all[name] = CatalogColumn{Type: "text"}
		}
		return all
	}
	catalog := Catalog{Tables: map[string]CatalogTable{
		"user": {Columns: columns("id", "name", "email", "emailVerified", "image", "createdAt", "updatedAt", "banned")},
		"session": {
			Columns: columns("id", "expiresAt", "token", "createdAt", "updatedAt", "ipAddress", "userAgent", "userId"),
			Indexes: []CatalogIndex{{Columns: []string{"userId", "expiresAt"}}, {Unique: true, Columns: []string{"token"}}},
		},
		"account": {Columns: columns("id", "accountId", "providerId", "userId", "accessToken", "refreshToken", "idToken",
			"accessTokenExpiresAt", "refreshTokenExpiresAt", "scope", "password", "createdAt", "updatedAt")},
	}}
	todo, err := Migration(Postgres, Plugins{Admin: true}, names, catalog)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range todo {
		first, _, _ := strings.Cut(s.SQL, " (")
		got = append(got, first)
	}
	want := []string{
		`alter table "user" add column "role" text`, `alter table "user" add column "banReason" text`,
		`alter table "user" add column "banExpires" timestamptz`, `alter table "session" add column "impersonatedBy" text`,
		`create table "verification"`, `create index "account_userId_idx" on "account"`,
		`create index "verification_identifier_idx" on "verification"`,
		`create unique index "account_providerId_accountId_uidx" on "account"`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	delete(catalog.Tables["session"].Columns, "token")
	if _, err := Migration(Postgres, Plugins{}, names, catalog); err == nil || !strings.Contains(err.Error(), `"token"`) {
		t.Errorf("a session table without token: %v", err)
	}
}

func TestMigrationAddsAUniqueColumnToSQLite(t *testing.T) {
	names, err := Tables{}.Match(Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	catalog := Catalog{Fold: true, Tables: map[string]CatalogTable{"TEAMMEMBER": {Columns: map[string]CatalogColumn{
		"id": {}, "TeamId": {}, "userId": {}, "createdAt": {},
	}}}}
	todo, err := Migration(SQLite, Plugins{Organization: true, Teams: true}, names, catalog)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range todo {
		if s.Table == "teamMember" && strings.Contains(s.SQL, "membershipKey") {
			got = append(got, s.SQL)
		}
	}
	want := `alter table "teamMember" add column "membershipKey" text
create unique index "teamMember_membershipKey_uidx" on "teamMember" ("membershipKey")`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}
