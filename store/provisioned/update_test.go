package provisioned_test

import (
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/provisioned"
)

func TestRowsFollowWhereTheyAreToldTo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		var seen events
		c := mapped()
		c.Observe = seen.observe
		c.Users.Update, c.Organizations.Update, c.Members.Update = true, true, true
		r := d.open(t, c)
		provision(t, r, ada())
		seen.take()
		provision(t, r, ada())
		if got := seen.take(); got != "" {
			t.Errorf("nothing changed, and observed %s", got)
		}
		p := ada()
		p.User.Name = "Countess"
		p.Memberships[1].Name, p.Memberships[1].Roles = "Omega", ""
		provision(t, r, p)
		if got := seen.take(); got != "users updated 1, organizations updated 1, memberships updated 1" {
			t.Errorf("observed %s", got)
		}
		d.is(t, "select name, email from users", "Countess|ada@example.com")
		d.is(t, "select name, slug from organizations order by auth_org_id", "Omega|alpha\nBeta|beta")
		d.is(t, "select role from memberships order by coalesce(role, '')", "∅\nowner")

		provision(t, d.open(t, mapped()), ada()) // one who does not follow
		d.is(t, "select name from users", "Countess")
	})
}

// Who signs people in may be replaced: their ids are in one column of each table, and nothing else knows of them.
func TestAnotherAuthenticationKeepsTheRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		before := provision(t, d.open(t, mapped()), ada())
		d.exec(t, "update users set auth_id = 'new-' || auth_id; update organizations set auth_org_id = 'new-' || auth_org_id")
		p := ada()
		p.User.ID = "new-" + p.User.ID
		for i := range p.Memberships {
			p.Memberships[i].OrganizationID = "new-" + p.Memberships[i].OrganizationID
		}
		after := provision(t, d.open(t, mapped()), p)
		if after.User.BusinessID != before.User.BusinessID {
			t.Errorf("the user's key was %s, and is %s", before.User.BusinessID, after.User.BusinessID)
		}
		for i := range before.Memberships {
			if was, is := before.Memberships[i].BusinessID, after.Memberships[i].BusinessID; was != is {
				t.Errorf("an organization's key was %s, and is %s", was, is)
			}
		}
		d.is(t, "select count(*) from users", "1")
		d.is(t, "select count(*) from organizations", "2")
		d.is(t, "select count(*) from memberships", "2")
	})
}

// everyType is a table whose columns are of types that say the same in other words.
const everyType = `
create table users (id <serial>, auth_id text unique, verified <flag>, verified_text text, made <instant>, bare timestamp, day date, name varchar(80), code char(40),
  picture text not null default 'none', banned <flag>);`

func TestWhatIsTheSameIsNotWritten(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.betterAuth(t)
		d.exec(t, everyType)
		insertUser(t, d, "u1", nil)
		var seen events
		c := provisioned.Config{
			Source: provisioned.Source{URL: d.url},
			Users: provisioned.Users{Table: "users", ID: "id", AuthID: "auth_id", Update: true, Columns: map[string]string{
				"verified": "emailVerified", "verified_text": "email_verified", "made": "createdAt", "bare": "created_at", "day": "createdAt", "name": "name", "code": "email",
				"picture": "image", "banned": "banned",
			}},
			Observe: seen.observe,
		}
		r := d.open(t, c)
		provision(t, r, ada())
		if got := seen.take(); got != "users made 1" {
			t.Errorf("observed %s", got)
		}
		want := "1|u1|yes|1|Ada Lovelace ☃|none"
		d.is(t, "select id, auth_id, case when verified then 'yes' end, verified_text, name, picture from users", want)
		if d.dialect == betterauth.Postgres {
			d.is(t, "select made, bare, day, banned from users", "2026-11-21T20:42:23.514Z|2026-11-21T20:42:23.514Z|2026-11-21T00:00:00.000Z|∅")
		} else {
			d.is(t, "select +made, +bare, +banned from users", "2026-11-21T20:42:23.514Z|2026-11-21T20:42:23.514Z|∅")
		}
		for range 3 {
			provision(t, r, ada())
		}
		if got := seen.take(); got != "" {
			t.Errorf("nothing changed, and observed %s", got)
		}
		p := ada()
		p.User.EmailVerified = false
		d.exec(t, `update "user" set image = 'https://x.test/a.png', banned = true where id = 'u1'`)
		provision(t, r, p)
		d.is(t, "select case when verified then 'yes' end, verified_text, picture, case when banned then 'yes' end from users", "∅|0|https://x.test/a.png|yes")
		d.exec(t, `update "user" set image = null where id = 'u1'`)
		provision(t, r, p) // a column that cannot be null keeps what it has
		if got := seen.take(); got != "users updated 1" {
			t.Errorf("observed %s", got)
		}
	})
}

// TestATextIsNotTakenForAFlagOrATime: alike is about types, and not about how a text looks.
func TestATextIsNotTakenForAFlagOrATime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		c := mapped()
		c.Users.Update = true
		r := d.open(t, c)
		for _, name := range []string{"true", "1", "2026-11-21 20:42:23.514+00", "2026-11-21T20:42:23.514Z", "", " ", "x", "x ", "NULL"} {
			provision(t, r, &gate.Principal{User: gate.User{ID: "u", Name: name}})
			d.is(t, "select name from users", name)
		}
	})
}
