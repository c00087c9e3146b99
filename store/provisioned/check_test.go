package provisioned_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/provisioned"
)

// findings are what Check says, one a line.
func findings(t testing.TB, c provisioned.Config) []string {
	t.Helper()
	found, err := provisioned.Check(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range found {
		lines = append(lines, fmt.Sprintf("%s|%s|%s", f.Table, f.Column, f.Note))
	}
	return lines
}

// demand wants each of these in a line of its own, and as many lines.
func demand(t testing.TB, lines []string, want ...string) {
	t.Helper()
	rest := append([]string(nil), lines...)
	for _, w := range want {
		found := false
		for i, line := range rest {
			if strings.Contains(line, w) {
				rest, found = append(rest[:i], rest[i+1:]...), true
				break
			}
		}
		if !found {
			t.Errorf("nothing says %q in\n%s", w, strings.Join(lines, "\n"))
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d findings, want %d:\n%s", len(lines), len(want), strings.Join(lines, "\n"))
	}
}

func TestCheckFindsAllAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		if d.dialect == betterauth.Postgres {
			d.exec(t, "create schema hidden; create table hidden.memberships (x int)")
		}
		d.exec(t, shape+`
			create table no_index (id <uuid>, auth_id text, name text);
			create table no_key (id <uuid-of>, auth_id text unique);
			create table wants (id <serial>, auth_id text not null unique, plan text not null, tenant <number> not null, seats <number> not null default 1, total <number> generated always as (seats * 2) stored);
			create index plain on no_index (auth_id);
			create unique index part on no_index (auth_id) where name is not null;
			create unique index wide on no_index (auth_id, name);
			create unique index expr on no_index (lower(auth_id));
			create view people as select * from users`)
		c := mapped()
		c.URL = d.url
		demand(t, findings(t, c))

		c.Users.Table, c.Organizations.Table, c.Members.Table = "no_index", "no_key", "hidden_memberships"
		c.Users.Columns = map[string]string{"email": "email"}
		c.Organizations = provisioned.Organizations{Table: "no_key", ID: "id", AuthID: "auth_id"}
		demand(t, findings(t, c),
			"no_index|email|is not there; the name comes from provision.users.columns.email",
			"no_key|id|the key has no default",
			"hidden_memberships||is not there; the name comes from provision.members.table")
		if _, err := provisioned.Open(t.Context(), c); !store.Permanent(err) {
			t.Errorf("open: %v", err)
		} else {
			says(t, err, `"no_index" has no column "email"`, `no table "hidden_memberships"`, `"no_key"`)
		}
		c.Users.Columns = nil
		demand(t, findings(t, c)[:1], "no_index|auth_id|has no unique index or constraint")

		c = mapped()
		c.URL, c.Organizations, c.Members = d.url, provisioned.Organizations{}, provisioned.Members{}
		c.Users = provisioned.Users{Table: "wants", ID: "id", AuthID: "auth_id", Columns: map[string]string{"total": "name"}}
		demand(t, findings(t, c), "wants|total|the database computes it", "wants|plan|must not be null", "wants|tenant|must not be null")
		c.Users.Columns, c.Users.Values = nil, map[string]string{"plan": "free", "tenant": "1"}
		demand(t, findings(t, c))
		c.Users.Values["tenant"] = "sesame" // a constant that its column cannot hold
		if d.dialect == betterauth.Postgres {
			r := d.open(t, c)
			says(t, r.Provision(t.Context(), ada()), `"wants"`, "cannot hold the value")
		}

		c.Users = provisioned.Users{Table: "people", ID: "id", AuthID: "auth_id"}
		demand(t, findings(t, c), "people||is a view")

		if d.dialect == betterauth.Postgres {
			c = mapped()
			c.URL = d.url
			c.Members.Table = "hidden.memberships"
			demand(t, findings(t, c), "memberships|user_id|is not there", "memberships|organization_id|is not there", "memberships|role|is not there")
			d.exec(t, "drop table memberships")
			c.Members.Table = "memberships"
			demand(t, findings(t, c), `there is one in schema "hidden": write hidden.memberships`)
		}
	})
}

func TestCheckOfTheConfigurationAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		c := mapped()
		c.URL = d.url
		c.Users.Values = map[string]string{"email": "x", "auth_id": "y"}
		c.Users.Columns["picture"] = "image"
		c.Organizations.Owner = "slug"
		c.Members.Columns["since"] = "created_at"
		demand(t, findings(t, c),
			`provision.users.values.email: column "email" is also provision.users.columns.email`,
			`provision.users.values.auth_id: column "auth_id" is also provision.users.auth_id`,
			`provision.users.columns.picture: "image" can be read from the session database only`,
			`provision.organizations.columns.slug: column "slug" is also provision.organizations.owner`,
			`provision.organizations.owner: who owns`,
			`provision.members.columns.since: "createdAt" can be read`)
		_, err := provisioned.Open(t.Context(), c)
		if !store.Permanent(err) {
			t.Errorf("open: %v", err)
		}
		says(t, err, "provision.users.columns.picture", "provision.organizations.owner")

		c = mapped()
		c.URL = d.url
		c.Organizations = provisioned.Organizations{}
		demand(t, findings(t, c), "provision.members: needs provision.organizations")
		demand(t, findings(t, provisioned.Config{URL: d.url}), "provision.users.table")
	})
	for _, bad := range []string{"", "mysql://root:sesame@x/y", "postgres://u:ses@me@h/d", "sqlite:"} {
		c := mapped()
		c.URL = bad
		_, err := provisioned.Open(t.Context(), c)
		if !store.Permanent(err) {
			t.Errorf("%q: %v", bad, err)
		}
		says(t, err)
	}
	c := mapped()
	c.URL = fmt.Sprintf("postgres://u:sesame@127.0.0.1:%d/x?sslmode=disable", testenv.FreePort(t))
	if _, err := provisioned.Open(t.Context(), c); err == nil || store.Permanent(err) {
		t.Errorf("%v", err)
	} else {
		says(t, err)
	}
	if found, err := provisioned.Check(t.Context(), c); err == nil {
		t.Errorf("found %v where nothing answers", found)
	}
}

func TestCheckOfTheSource(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, business, session *database) {
		business.exec(t, shape)
		c := mapped()
		c.URL, c.Source.URL = business.url, session.url
		c.Users.Columns = map[string]string{"email": "email", "name": "nickname"}
		c.Organizations.Columns = map[string]string{"name": "metadata"}
		c.Organizations.Owner = "owner_user_id"
		demand(t, findings(t, c),
			"user||is not there in the session database; provision.users.columns.name needs it",
			"organization||is not there in the session database; provision.organizations.columns.name needs it",
			"member||is not there in the session database; provision.organizations.owner needs it",
			"user||is not there in the session database; provision.organizations.owner needs it")
		session.betterAuth(t)
		demand(t, findings(t, c), "user|nickname|is not there in the session database")
		session.exec(t, `alter table "user" add column nickname text`)
		demand(t, findings(t, c))
	})
}

func TestTextsThatCompareAlike(t *testing.T) {
	t.Parallel()
	for name, empty := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := empty(t)
			if d.dialect == betterauth.Postgres {
				d.exec(t, `create collation folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
					create table users (id <serial>, auth_id text collate folds unique, email text, name text)`)
			} else {
				d.exec(t, `create table users (id <serial>, auth_id text collate nocase unique, email text, name text)`)
			}
			c := mapped()
			c.URL, c.Organizations, c.Members = d.url, provisioned.Organizations{}, provisioned.Members{}
			lines := findings(t, c)
			demand(t, lines[:1], "users|auth_id|compares texts without their case")
		})
	}
}

func TestDeferredConstraintsAreNone(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	d.exec(t, `create table users (id <uuid>, auth_id text unique deferrable initially deferred, email text, name text);
		create table orgs (id <uuid>, auth_id text unique deferrable initially immediate)`)
	demand(t, findings(t, provisioned.Config{
		URL: d.url, Users: provisioned.Users{Table: "users", ID: "id", AuthID: "auth_id"},
		Organizations: provisioned.Organizations{Table: "orgs", ID: "id", AuthID: "auth_id"},
	}), "users|auth_id|has no unique", "orgs|auth_id|has no unique")
}

func TestGrants(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	d := connectPostgres(t, server.NewDatabase(t))
	d.exec(t, `create role app login; create schema biz; grant usage on schema biz to app;
		create table biz.users (id bigserial primary key, auth_id text unique, email text, name text, secret text);
		create table biz.orgs (id uuid primary key default gen_random_uuid(), auth_org_id text unique, name text);
		create schema closed; create table closed.orgs (id uuid primary key default gen_random_uuid(), auth_org_id text unique, name text)`)
	c := mapped()
	c.URL = strings.Replace(d.url, "postgres@", "app@", 1)
	c.Members = provisioned.Members{}
	c.Users.Table, c.Users.Update = "biz.users", true
	c.Organizations = provisioned.Organizations{Table: "biz.orgs", ID: "id", AuthID: "auth_org_id", Columns: map[string]string{"name": "name"}}
	demand(t, findings(t, c),
		`grant select ("auth_id", "id", "email", "name") on biz.users`, `grant insert ("auth_id", "email", "name") on biz.users`,
		`grant update ("email", "name") on biz.users`, "grant usage on sequence biz.users_id_seq",
		`grant select ("auth_org_id", "id") on biz.orgs`, `grant insert ("auth_org_id", "name") on biz.orgs`)
	if _, err := provisioned.Open(t.Context(), c); err == nil || store.Permanent(err) {
		t.Errorf("a grant may come: %v", err)
	}
	d.exec(t, `grant select (auth_id, id, email, name), insert (auth_id, email, name), update (email, name) on biz.users to app;
		grant usage on sequence biz.users_id_seq to app; grant select (auth_org_id, id), insert (auth_org_id, name) on biz.orgs to app`)
	demand(t, findings(t, c))
	other := *d
	other.url = c.URL
	r := other.open(t, c)
	provision(t, r, ada())
	p := ada()
	p.User.Name = "Countess"
	provision(t, r, p)
	d.is(t, "select name from biz.users", "Countess")

	d.exec(t, "revoke insert (auth_org_id) on biz.orgs from app; delete from biz.orgs")
	if provision(t, r, p); !p.Partial || p.Memberships[0].BusinessID != "" {
		t.Errorf("got %+v", p)
	}
	c.Organizations.Table = "closed.orgs"
	if lines := findings(t, c); len(lines) == 0 || !strings.Contains(strings.Join(lines, "\n"), `grant usage on schema "closed"`) {
		t.Errorf("found %q", lines)
	}

	d.exec(t, "alter role app set default_transaction_read_only = on")
	c.Organizations = provisioned.Organizations{}
	demand(t, findings(t, c), "leads to a replica or a read-only role")
	if _, err := provisioned.Open(t.Context(), c); err == nil || store.Permanent(err) {
		t.Errorf("a replica may become the primary: %v", err)
	}
}

func TestAFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	d := newSQLite(t, "delete")
	d.exec(t, shape)
	_ = d.db.Close()
	c := mapped()
	c.URL = d.url
	missing := c
	missing.URL += ".missing"
	if _, err := provisioned.Open(t.Context(), missing); err == nil || store.Permanent(err) {
		t.Errorf("a file may come: %v", err)
	}
	if err := os.WriteFile(d.path, []byte("this is no database, and it is long enough to be read as one: "+strings.Repeat("x", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := provisioned.Open(t.Context(), c); !store.Permanent(err) {
		t.Errorf("no database: %v", err)
	}
}
