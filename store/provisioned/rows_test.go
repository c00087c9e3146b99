package provisioned_test

import (
	"testing"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/provisioned"
)

func TestRowsOfSystemAAreMadeOnFirstSight(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		var seen events
		c := mapped()
		c.Observe = seen.observe
		r := d.open(t, c)

		looked := ada()
		if err := r.Look(t.Context(), looked); err != nil || looked.User.BusinessID != "" || looked.Partial {
			t.Fatalf("looked: %+v, %v", looked, err)
		}
		d.is(t, "select count(*) from users", "0")

		p := provision(t, r, ada())
		d.is(t, "select id, auth_id, email, name from users", p.User.BusinessID+"|u1|ada@example.com|Ada Lovelace ☃")
		d.is(t, "select id, auth_org_id, name, slug, owner_user_id from organizations order by 2",
			p.Memberships[1].BusinessID+"|o1|Alpha|alpha|∅\n"+p.Memberships[0].BusinessID+"|o2|Beta|beta|∅")
		d.is(t, "select count(*) from users where created_at is null", "0")
		d.is(t, "select user_id, organization_id, role from memberships order by role",
			p.User.BusinessID+"|"+p.Memberships[1].BusinessID+"|member,editor\n"+p.User.BusinessID+"|"+p.Memberships[0].BusinessID+"|owner")
		if got := seen.take(); got != "users made 1, organizations made 2, memberships made 2" {
			t.Errorf("observed %s", got)
		}

		again, looked := provision(t, r, ada()), ada()
		if err := r.Look(t.Context(), looked); err != nil {
			t.Fatal(err)
		}
		for _, other := range []*gate.Principal{again, looked} {
			if other.User.BusinessID != p.User.BusinessID || other.Memberships[0].BusinessID != p.Memberships[0].BusinessID || other.Memberships[1].BusinessID != p.Memberships[1].BusinessID || other.Partial {
				t.Errorf("the second time %+v, the first time %+v", other, p)
			}
		}
		if got := seen.take(); got != "" {
			t.Errorf("the second time: %s", got)
		}
	})
}

func TestADeletedRowIsMadeAnew(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		r := d.open(t, mapped())
		before := provision(t, r, ada())
		d.exec(t, "delete from users; delete from organizations where auth_org_id = 'o1'")
		after := provision(t, r, ada())
		if after.User.BusinessID == before.User.BusinessID || after.User.BusinessID == "" || after.Memberships[1].BusinessID == before.Memberships[1].BusinessID ||
			after.Memberships[0].BusinessID != before.Memberships[0].BusinessID {
			t.Errorf("before %+v, after %+v", before, after)
		}
		d.is(t, "select count(*) from memberships", "2")
	})
}

func TestKeysAreOfAnyType(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, `
			create table users (id <serial>, auth_id <uuid-of> unique not null, verified <flag> not null, plan text not null, seats <number> not null default 3);
			create table organizations (number <serial>, auth_id <number> unique not null);
			create table members (id <serial>, who text not null, where_ text not null, since text default 'long ago', unique (where_, who))`)
		var seen events
		r := d.open(t, provisioned.Config{
			Users: provisioned.Users{
				Table: "users", ID: "id", AuthID: "auth_id", Columns: map[string]string{"verified": "email_verified"},
				Values: map[string]string{"plan": "it's \"free\"; drop table users --"},
			},
			Organizations: provisioned.Organizations{Table: "organizations", ID: "number", AuthID: "auth_id"},
			Members:       provisioned.Members{Table: "members", User: "who", Organization: "where_"},
			Observe:       seen.observe,
		})
		const id = "0b1e9bd0-6b1c-4b5e-9d0c-5a7c6b1f3a2d"
		p := &gate.Principal{User: gate.User{ID: id, EmailVerified: true}, Memberships: []gate.Membership{{OrganizationID: "7"}, {OrganizationID: "70"}}}
		provision(t, r, p)
		if p.User.BusinessID != "1" || p.Memberships[0].BusinessID == "" || p.Memberships[0].BusinessID == p.Memberships[1].BusinessID {
			t.Errorf("got %+v", p)
		}
		provision(t, r, p)
		if got := seen.take(); got != "users made 1, organizations made 2, members made 2" {
			t.Errorf("observed %s", got)
		}
		d.is(t, "select id, auth_id, case when verified then 'yes' end, plan, seats from users", "1|"+id+"|yes|it's \"free\"; drop table users --|3")
		d.is(t, "select who, count(*) from members group by who", "1|2")
	})
}

func TestTheKeyMayBeBetterAuthsOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, `create table users (id text primary key, name text)`)
		r := d.open(t, provisioned.Config{Users: provisioned.Users{Table: "users", ID: "id", AuthID: "id", Columns: map[string]string{"name": "name"}}})
		if p := provision(t, r, ada()); p.User.BusinessID != "u1" || p.Memberships[0].BusinessID != "" || p.Partial {
			t.Errorf("got %+v", p)
		}
	})
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, `
			create table "us""er's; --" ("i""d" <serial>, "auth ' id" text unique, "na.me$1" text, "x?" text);
			create table "o?rgs" ("$2" <serial>, "A" text unique, "b]" text);
			create table "me""m" ("u""" <number>, "o'" <number>, "r:r" text, unique ("u""", "o'"))`)
		c := provisioned.Config{
			Users: provisioned.Users{
				Table: `us"er's; --`, ID: `i"d`, AuthID: "auth ' id", Columns: map[string]string{"na.me$1": "name"}, Values: map[string]string{"x?": `'; "$1 ?`}, Update: true,
			},
			Organizations: provisioned.Organizations{Table: "o?rgs", ID: "$2", AuthID: "A", Columns: map[string]string{"b]": "name"}, Update: true},
			Members:       provisioned.Members{Table: `me"m`, User: `u"`, Organization: "o'", Columns: map[string]string{"r:r": "role"}, Update: true},
		}
		r := d.open(t, c)
		p := ada()
		p.User.ID, p.User.Name = `u' or 1=1 --`, `Robert'); drop table "o?rgs"; --`
		p.Memberships[0].OrganizationID, p.Memberships[0].Name = `o"$1{},\`, `{"NULL",null}`
		provision(t, r, p)
		p.User.Name, p.Memberships[0].Name = `Robert "$2" \`, `NULL`
		provision(t, r, p)
		d.is(t, `select "i""d", "auth ' id", "na.me$1", "x?" from "us""er's; --"`, p.User.BusinessID+`|u' or 1=1 --|Robert "$2" \|'; "$1 ?`)
		d.is(t, `select "$2", "A", "b]" from "o?rgs" where "A" <> 'o1'`, p.Memberships[0].BusinessID+`|o"$1{},\|NULL`)
		d.is(t, `select count(*) from "me""m"`, "2")
	})
}

func TestTextsThatNoColumnHolds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		var seen events
		c := mapped()
		c.Observe = seen.observe
		r := d.open(t, c)
		p := ada()
		p.Memberships[0].Name = "a\x00b"
		p.Memberships = append(p.Memberships, gate.Membership{OrganizationID: "o\xff"})
		provision(t, r, p)
		if !p.Partial || p.Memberships[0].BusinessID != "" || p.Memberships[2].BusinessID != "" || p.Memberships[1].BusinessID == "" {
			t.Errorf("got %+v", p)
		}
		says(t, seen.errors(), `"organizations"`, `"name"`)
		p.User.ID = "u\x00"
		says(t, r.Provision(t.Context(), p), "no row has such an id")
		p = ada()
		p.User.ID, p.User.Name = "u2", "\xff"
		says(t, r.Provision(t.Context(), p), `"users"`, `"name"`)
	})
}
