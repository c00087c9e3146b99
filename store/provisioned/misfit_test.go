package provisioned_test

import (
	"errors"
	"testing"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/provisioned"
)

func usersOnly() provisioned.Config {
	c := mapped()
	c.Organizations, c.Members = provisioned.Organizations{}, provisioned.Members{}
	return c
}

// TestARefusalNamesTheColumn also where PostgreSQL does not: whoever mends it must know where.
func TestARefusalNamesTheColumn(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	d.exec(t, `create type plan as enum ('free', 'paid');
		create domain short as varchar(4);
		create table users (id <serial>, auth_id text unique, email text, name text, plan plan, seats smallint, price numeric(3, 1), tag short);
		create unique index one_address on users (lower(email));
		insert into users (auth_id) values ('u1')`)
	const alter = `alter table users `
	for _, c := range []struct {
		before, after string // the fault, and how it goes away
		values        map[string]string
		want          []string
	}{
		{alter + `alter name type varchar(8)`, alter + `alter name type text`, nil, []string{`column "name"`, "22001"}},
		{alter + `add constraint odd check (name = email)`, alter + `drop constraint odd`, nil, []string{`constraint "odd"`, `column "email", "name"`}},
		{
			alter + `add constraint same unique (name); insert into users (auth_id, name) values ('x', 'Ada Lovelace ☃')`,
			alter + `drop constraint same`, nil,
			[]string{`constraint "same"`, `column "name"`},
		},
		{`insert into users (auth_id, email) values ('y', 'ADA@example.com')`, `update users set email = null`, nil, []string{`constraint "one_address"`}},
		{``, ``, map[string]string{"plan": "sesame"}, []string{`column "plan"`, "22P02"}},
		{``, ``, map[string]string{"seats": "70000"}, []string{`column "seats"`, "22003"}},
		{``, ``, map[string]string{"price": "1000"}, []string{`column "price"`, "22003"}},
		{``, ``, map[string]string{"tag": "sesame"}, []string{`column "tag"`, "22001"}},
		{``, ``, map[string]string{"seats": "many", "plan": "free", "price": "1"}, []string{`column "seats"`, "22P02"}},
	} {
		if c.before != "" {
			d.exec(t, c.before)
		}
		config := usersOnly()
		config.Users.Values = c.values
		r := d.open(t, config)
		p := ada()
		p.User.ID = "u2"
		err := r.Provision(t.Context(), p)
		says(t, err, append(c.want, `"users"`)...)
		if !errors.Is(err, gate.ErrNotProvisioned) {
			t.Errorf("%v is no refusal", err)
		}
		if c.after != "" {
			d.exec(t, c.after)
		}
	}

	d.exec(t, `delete from users where name is not null; `+alter+`alter name type varchar(8)`)
	config := usersOnly()
	config.Users.Update = true
	says(t, d.open(t, config).Provision(t.Context(), ada()), `update a row in table "users"`, `column "name"`)
}

// TestNothingIsCut: a cast to a type with a length would cut what is too long, and one to char all behind a letter.
func TestNothingIsCut(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	d.exec(t, `create domain word as varchar(20);
		create table users (id <serial>, auth_id char(12) unique, email char(40), name word)`)
	config := usersOnly()
	config.Users.Update = true
	r := d.open(t, config)
	for range 2 {
		provision(t, r, ada())
	}
	d.is(t, `select rtrim(auth_id), rtrim(email), name from users`, "u1|ada@example.com|Ada Lovelace ☃")
	p := ada()
	p.User.Name = "longer than twenty letters"
	says(t, r.Provision(t.Context(), p), `column "name"`)
	p = ada()
	p.User.ID = "longer than 12"
	says(t, r.Provision(t.Context(), p), `column "auth_id"`)
	d.is(t, `select count(*) from users`, "1")
}

// TestKeysThatDoNotFit are found beforehand: nothing else would before the first row.
func TestKeysThatDoNotFit(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	d.exec(t, `
		create domain number as bigint;
		create table users (id <serial>, auth_id text unique, email text, name text);
		create table organizations (id <uuid>, auth_org_id text unique, name text, slug text, by_uuid uuid, by_int integer, by_text text, by_domain number);
		create table memberships (user_id uuid, organization_id bigint, role text, unique (user_id, organization_id));
		create table good (user_id integer, organization_id uuid, role text, unique (user_id, organization_id))`)
	d.betterAuth(t)
	c := mapped()
	c.URL, c.Source.URL = d.url, d.url
	demand(t, findings(t, c),
		`memberships|user_id|is of type uuid, and "id", the key of table "users", of type bigint`,
		`memberships|organization_id|is of type bigint, and "id", the key of table "organizations", of type uuid`)
	if _, err := provisioned.Open(t.Context(), c); !store.Permanent(err) {
		t.Errorf("open: %v", err)
	}
	c.Members.Table = "good"
	for owner, fits := range map[string]bool{"by_uuid": false, "by_int": true, "by_text": true, "by_domain": true} {
		c.Organizations.Owner = owner
		if fits {
			demand(t, findings(t, c))
		} else {
			demand(t, findings(t, c), "organizations|"+owner+"|is of type uuid")
		}
	}
}
