package provisioned_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/provisioned"
)

// constrained is system A's shape with what may refuse a row.
const constrained = `
create table users (id <uuid>, auth_id text unique, email text unique, name text not null constraint short check (length(name) < 40), created_at <instant> default <now>);
create table organizations (id <uuid>, auth_org_id text unique, name text not null, slug text constraint lower_case check (slug = lower(slug)), owner_user_id <uuid-of> references users (id));
create unique index one_slug on organizations (slug);
create table memberships (user_id <uuid-of> not null references users (id) on delete cascade,
  organization_id <uuid-of> not null references organizations (id) on delete cascade, role text constraint known_role check (role <> 'spy'), primary key (user_id, organization_id));`

func TestAUserWhoseRowIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, constrained)
		var seen events
		c := mapped()
		c.Observe = seen.observe
		c.Users.Update = true
		now := time.Now()
		c.Now = func() time.Time { return now }
		r := d.open(t, c)

		d.exec(t, "insert into users (auth_id, email, name) values ('other', 'ada@example.com', 'Other')")
		email := map[betterauth.Dialect]string{betterauth.Postgres: `constraint "users_email_key"`, betterauth.SQLite: `column "users.email"`}[d.dialect]
		p := ada()
		err := r.Provision(t.Context(), p)
		says(t, err, `"users"`, email, "another row has the same")
		if p.User.BusinessID != "" || p.Memberships[0].BusinessID != "" {
			t.Errorf("got %+v", p)
		}
		if got := seen.take(); got != "users failed 1" || seen.errors() != nil {
			t.Errorf("observed %s, %v", got, seen.errors())
		}
		d.is(t, "select count(*) from organizations", "0")

		// For a second the database is not asked again; others are not kept waiting by that.
		d.exec(t, "delete from users")
		says(t, r.Provision(t.Context(), ada()), email)
		provision(t, r, &gate.Principal{User: gate.User{ID: "u2", Name: "N", Email: "n@x.test"}})
		now = now.Add(time.Second)
		provision(t, r, ada())

		// A row that is there and cannot be brought up to date is one that is refused.
		p = ada()
		p.User.Email = "n@x.test"
		says(t, r.Provision(t.Context(), p), "update a row", `"users"`, email)
		now = now.Add(time.Second)
		p.User.Email, p.User.Name = "ada@example.com", "A name that is longer than forty characters are"
		says(t, r.Provision(t.Context(), p), `"users"`, `constraint "short"`, "a condition does not hold")
		now = now.Add(time.Second)
		d.exec(t, "alter table users add column plan text not null default 'x'")
		provision(t, r, ada())
	})
}

func TestAnOrganizationWhoseRowIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, constrained)
		var seen events
		c := mapped()
		c.Observe = seen.observe
		now := time.Now()
		c.Now = func() time.Time { return now }
		r := d.open(t, c)
		p := ada()
		p.Memberships = append(p.Memberships, gate.Membership{OrganizationID: "o3", Slug: "Gamma", Name: "Gamma"}, gate.Membership{OrganizationID: "o4", Slug: "delta", Name: "Delta", Roles: "spy"})
		try := func() *gate.Principal {
			q := *p
			q.Memberships = append([]gate.Membership(nil), p.Memberships...)
			provision(t, r, &q)
			if q.User.BusinessID == "" || q.Memberships[0].BusinessID == "" || q.Memberships[1].BusinessID == "" {
				t.Errorf("got %+v", q)
			}
			return &q
		}
		q := try()
		if !q.Partial || q.Memberships[2].BusinessID != "" || q.Memberships[3].BusinessID != "" {
			t.Errorf("got %+v", q)
		}
		says(t, seen.errors(), `table "organizations": `, `constraint "lower_case"`, `table "memberships": `, `constraint "known_role"`)
		if got := seen.take(); got != "users made 1, organizations made 3, organizations failed 1, memberships made 2, memberships failed 1" {
			t.Errorf("observed %s", got)
		}
		if q = try(); !q.Partial || q.Memberships[2].BusinessID != "" || q.Memberships[3].BusinessID != "" {
			t.Errorf("got %+v", q)
		}
		if got := seen.take(); got != "" {
			t.Errorf("within a second: observed %s", got)
		}
		p.Memberships[2].Slug, p.Memberships[3].Roles = "gamma", "member"
		if q = try(); !q.Partial {
			t.Error("asked again within a second")
		}
		now = now.Add(time.Second)
		if q = try(); q.Partial || q.Memberships[2].BusinessID == "" || q.Memberships[3].BusinessID == "" {
			t.Errorf("got %+v", q)
		}
		if got := seen.take(); got != "organizations made 1, memberships made 2" {
			t.Errorf("observed %s", got)
		}
	})
}

func TestAnOwnerWhoseRowIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.betterAuth(t)
		d.exec(t, constrained)
		insertUser(t, d, "u1", nil)
		insertUser(t, d, "boss", nil)
		insertOrganization(t, d, "o1")
		insertOrganization(t, d, "o2")
		insertMember(t, d, "o1", "boss", "owner", 1)
		insertMember(t, d, "o2", "u1", "owner", 1)
		d.exec(t, "insert into users (auth_id, email, name) values ('other', 'boss@x.test', 'Other')")
		var seen events
		c := mapped()
		c.Source.URL = d.url
		c.Organizations.Owner = "owner_user_id"
		c.Observe = seen.observe
		p := provision(t, d.open(t, c), ada())
		if !p.Partial || p.Memberships[1].BusinessID != "" || p.Memberships[0].BusinessID == "" {
			t.Errorf("got %+v", p)
		}
		says(t, seen.errors(), "the owner's row", `"users"`, "email")
		d.is(t, "select auth_org_id from organizations", "o2")
	})
}

// TestWhatTriggersSayIsNotRepeated: their words may hold anything.
func TestWhatTriggersSayIsNotRepeated(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		if d.dialect == betterauth.Postgres {
			d.exec(t, `create function no() returns trigger language plpgsql as $$ begin raise exception 'sesame % and %', new.email, new; end $$;
				create trigger t before insert on users for each row execute function no()`)
		} else {
			d.exec(t, `create trigger t before insert on users begin select raise(abort, 'sesame and ada@example.com'); end`)
		}
		says(t, d.open(t, mapped()).Provision(t.Context(), ada()), `"users"`, "refuses it")
	})
}

// TestATriggerThatMakesNoRow: neither made nor there is an error, and no endless loop.
func TestATriggerThatMakesNoRow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		if d.dialect == betterauth.Postgres {
			d.exec(t, `create function no() returns trigger language plpgsql as $$ begin return null; end $$;
				create trigger t before insert on users for each row execute function no()`)
		} else {
			d.exec(t, `create trigger t before insert on users begin select raise(ignore); end`)
		}
		says(t, d.open(t, mapped()).Provision(t.Context(), ada()), `"users"`, "neither was it made")
	})
}

func TestTheTablesChangeLater(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		c := mapped()
		r := d.open(t, c)
		before := provision(t, r, ada())

		// Columns of another type, a further column, a table that is made anew: it heals by itself.
		d.exec(t, "alter table users add column more text")
		if d.dialect == betterauth.Postgres {
			d.exec(t, "alter table users alter column name type varchar(60); alter table organizations alter column auth_org_id type varchar(40); alter table memberships alter column user_id type uuid")
		}
		p := ada()
		p.User.ID, p.User.Email = "u2", "u2@x.test"
		provision(t, r, p)
		d.exec(t, "drop table memberships; drop table organizations; drop table users;"+shape)
		if after := provision(t, r, ada()); after.User.BusinessID == before.User.BusinessID {
			t.Error("the key of a table that is gone")
		}

		// What is gone is said, and it heals when it is back.
		d.exec(t, "alter table users rename column auth_id to external_id")
		says(t, r.Provision(t.Context(), ada()), `"users"`, `"auth_id"`)
		if err := r.Ping(t.Context()); err == nil {
			t.Error("ping says that all is well")
		}
		d.exec(t, "alter table users rename column external_id to auth_id")
		if err := r.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		provision(t, r, ada())
	})
}

func TestTheServerIsRestarted(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	d := connectPostgres(t, server.NewDatabase(t))
	d.exec(t, shape)
	r := d.open(t, mapped())
	together(50, func(i int) { // so that there are many connections
		p := ada()
		p.User.ID = fmt.Sprint("u", i)
		provision(t, r, p)
	})
	server.Kill()
	err := r.Provision(t.Context(), ada())
	says(t, err)
	if p := ada(); r.Look(t.Context(), p) == nil || p.User.BusinessID != "" || p.Partial {
		t.Errorf("got %+v", p)
	}
	server.Start()
	provision(t, r, ada())

	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	p := ada()
	if err := r.Provision(ctx, p); !errors.Is(err, context.DeadlineExceeded) || p.User.BusinessID != "" || p.Partial {
		t.Errorf("%v, %+v", err, p)
	}
	server.Resume()
	provision(t, r, ada())
}

// TestDeadlinesEnd: somebody holds what the row needs.
func TestDeadlinesEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		r := d.open(t, mapped())
		tx, err := d.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(t.Context(), "insert into users (auth_id) values ('u1')"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := r.Provision(ctx, ada()); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		provision(t, r, ada())
	})
}

func TestAnotherFileTakesThePlace(t *testing.T) {
	t.Parallel()
	d := newSQLite(t, "delete")
	d.exec(t, shape)
	r := d.open(t, mapped())
	provision(t, r, ada())
	other := newSQLite(t, "delete")
	other.exec(t, shape)
	replaceFile(t, other.path, d.path)
	p := provision(t, r, ada())
	now := reopen(t, d)
	now.is(t, "select id from users", p.User.BusinessID)
}

var _ provisioned.Provisioner = (*provisioned.Rows)(nil)
