package provisioned_test

import (
	"fmt"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/provisioned"
)

const instant = "'2026-11-21T20:42:23.514Z'"

// insertUser makes Better Auth's row of a user; more are columns with values of SQL.
func insertUser(t testing.TB, d *database, id string, more map[string]string) {
	t.Helper()
	columns, values := `id, name, email, "emailVerified", "createdAt", "updatedAt"`, fmt.Sprintf("'%s', 'Name of %s', '%s@x.test', true, %s, %s", id, id, id, instant, instant)
	for column, value := range more {
		columns, values = columns+", "+column, values+", "+value
	}
	d.exec(t, `insert into "user" (`+columns+") values ("+values+")")
}

func insertOrganization(t testing.TB, d *database, id string) {
	t.Helper()
	d.exec(t, fmt.Sprintf(`insert into organization (id, name, slug, logo, "createdAt", metadata) values ('%s', 'N', 'slug-%s', 'logo of %s', %s, '{"plan":"%s"}')`, id, id, id, instant, id))
}

func insertMember(t testing.TB, d *database, organization, user, role string, day int) {
	t.Helper()
	d.exec(t, fmt.Sprintf(`insert into member (id, "organizationId", "userId", role, "createdAt") values ('%s-%s', '%s', '%s', '%s', '2026-01-%02dT00:00:00.000Z')`,
		organization, user, organization, user, role, day))
}

// sources runs a test with the business tables in the session database, and with every pair of two.
func sources(t *testing.T, test func(t *testing.T, business, session *database)) {
	for name, empty := range kinds() {
		t.Run(name+" alone", func(t *testing.T) { t.Parallel(); d := empty(t); test(t, d, d) })
		for other, another := range kinds() {
			if name != "sqlite-wal" && other != "sqlite-wal" {
				t.Run(name+" of "+other, func(t *testing.T) { t.Parallel(); test(t, empty(t), another(t)) })
			}
		}
	}
}

func TestFieldsAreReadFromTheSessionDatabase(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, business, session *database) {
		session.betterAuth(t)
		session.exec(t, `alter table "user" add column "favouriteColour" text; alter table "user" add column seen <instant>`)
		business.exec(t, `
			create table people (id <uuid>, auth_id text unique, picture text, colour text, joined <instant>, seen <instant>, second <flag>);
			create table firms (id <uuid>, auth_id text unique, logo text, about text, slug text);
			create table places (person <uuid-of>, firm <uuid-of>, since <instant>, auth_member text, primary key (firm, person))`)
		insertUser(t, session, "u1", map[string]string{"image": "'https://x.test/a'", `"favouriteColour"`: "'blue'", "seen": "'2026-11-21T20:42:23.514Z'"})
		insertOrganization(t, session, "o1")
		insertOrganization(t, session, "o2")
		insertMember(t, session, "o1", "u1", "member", 3)
		insertMember(t, session, "o2", "u1", "owner", 4)
		r := business.open(t, provisioned.Config{
			Source: provisioned.Source{URL: session.url},
			Users: provisioned.Users{Table: "people", ID: "id", AuthID: "auth_id", Columns: map[string]string{
				"picture": "image", "colour": "favouriteColour", "joined": "createdAt", "seen": "seen", "second": "twoFactorEnabled",
			}},
			Organizations: provisioned.Organizations{Table: "firms", ID: "id", AuthID: "auth_id", Columns: map[string]string{"logo": "logo", "about": "metadata", "slug": "slug"}},
			Members:       provisioned.Members{Table: "places", User: "person", Organization: "firm", Columns: map[string]string{"since": "createdAt", "auth_member": "id"}},
		})
		p := provision(t, r, ada())
		if p.Partial {
			t.Error("partial")
		}
		business.is(t, "select auth_id, picture, colour, +1 from people", "u1|https://x.test/a|blue|1")
		at := func(column string) string {
			if business.dialect == betterauth.Postgres {
				return column
			}
			return "+" + column
		}
		business.is(t, "select "+at("joined")+", "+at("seen")+" from people", "2026-11-21T20:42:23.514Z|2026-11-21T20:42:23.514Z")
		business.is(t, "select auth_id, logo, about, slug from firms order by 1", "o1|logo of o1|{\"plan\":\"o1\"}|alpha\no2|logo of o2|{\"plan\":\"o2\"}|beta")
		business.is(t, "select auth_member, "+at("since")+" from places order by 1", "o1-u1|2026-01-03T00:00:00.000Z\no2-u1|2026-01-04T00:00:00.000Z")
	})
}

func TestTheOldestOwnerOwns(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, business, session *database) {
		session.betterAuth(t)
		business.exec(t, shape)
		for _, id := range []string{"u1", "first", "second", "third"} {
			insertUser(t, session, id, nil)
		}
		for _, id := range []string{"o1", "o2", "o3"} {
			insertOrganization(t, session, id)
		}
		insertMember(t, session, "o1", "u1", "member", 1)
		insertMember(t, session, "o1", "third", "co-owner,Owner,ownership", 1)
		insertMember(t, session, "o1", "second", "owner", 3)
		insertMember(t, session, "o1", "first", "admin, owner", 2)
		insertMember(t, session, "o2", "u1", "owner", 1)
		insertMember(t, session, "o2", "second", "owner", 2)
		insertMember(t, session, "o3", "u1", "admin", 1)
		c := mapped()
		c.Source = provisioned.Source{URL: session.url}
		c.Organizations.Owner = "owner_user_id"
		c.Organizations.Update = true
		r := business.open(t, c)
		p := ada()
		p.Memberships = append(p.Memberships, gate.Membership{OrganizationID: "o3", Name: "Gamma", Slug: "g"})
		provision(t, r, p)
		business.is(t, "select o.auth_org_id, u.auth_id, u.email from organizations o left join users u on u.id = o.owner_user_id order by 1",
			"o1|first|first@x.test\no2|u1|ada@example.com\no3|∅|∅")
		business.is(t, "select count(*) from users", "2")
		business.is(t, "select count(*) from memberships", "3")

		// Later the owner is who was asked for then: it is the application's.
		session.exec(t, `delete from member where "userId" = 'first'`)
		p.Memberships[1].Name = "Omega"
		provision(t, r, p)
		business.is(t, "select o.name, u.auth_id from organizations o join users u on u.id = o.owner_user_id where auth_org_id = 'o1'", "Omega|first")

		q := ada()
		q.User = gate.User{ID: "first", Name: "Another", Email: "first@x.test"}
		if provision(t, r, q); q.User.BusinessID == "" || q.User.BusinessID == p.User.BusinessID {
			t.Errorf("got %+v", q)
		}
		business.is(t, "select name from users where auth_id = 'first'", "Name of first")
	})
}

func TestWhoIsGoneFromTheSessionDatabase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.betterAuth(t)
		d.exec(t, `create table people (id <uuid>, auth_id text unique, picture text)`)
		r := d.open(t, provisioned.Config{
			Source: provisioned.Source{URL: d.url},
			Users:  provisioned.Users{Table: "people", ID: "id", AuthID: "auth_id", Columns: map[string]string{"picture": "image"}},
		})
		says(t, r.Provision(t.Context(), ada()), `"people"`, "gone")
		d.is(t, "select count(*) from people", "0")
	})
}
