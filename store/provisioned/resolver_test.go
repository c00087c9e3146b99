package provisioned_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/provisioned"
	"github.com/usherauth/usher/store/sqlite"
	"github.com/usherauth/usher/store/storetest"
)

// answering is a resolver that answers the same to all.
type answering struct {
	p   *gate.Principal
	err error
}

func (a answering) Resolve(context.Context, gate.Credential) (*gate.Principal, error) {
	return a.p, a.err
}

// counting is a Provisioner that only counts.
type counting struct {
	n   atomic.Int32
	err error
}

func (c *counting) Provision(_ context.Context, p *gate.Principal) error {
	c.n.Add(1)
	p.User.BusinessID = "made"
	for i := range p.Memberships {
		p.Memberships[i].BusinessID = "made"
	}
	return c.err
}

func TestNobodyIsMadeARowWhoWillBeRefused(t *testing.T) {
	t.Parallel()
	session := gate.Proven(gate.ByCookie, "token")
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name   string
		change func(p *gate.Principal)
		by     gate.Credential
		made   bool
	}{
		{"a session", func(*gate.Principal) {}, session, true},
		{"a session by bearer", func(*gate.Principal) {}, gate.Proven(gate.ByBearer, "token"), true},
		{"an expired session", func(p *gate.Principal) { p.Session.ExpiresAt = past }, session, false},
		{"no end", func(p *gate.Principal) { p.Session.ExpiresAt = time.Time{} }, session, false},
		{"nobody", func(p *gate.Principal) { p.User = gate.User{} }, session, false},
		{"banned", func(p *gate.Principal) { p.User.Banned = true }, session, false},
		{"banned for an hour", func(p *gate.Principal) { p.User.Banned, p.User.BanExpires = true, soon }, session, false},
		{"no longer banned", func(p *gate.Principal) { p.User.Banned, p.User.BanExpires = true, past }, session, true},
		{"named", func(p *gate.Principal) { p.Session = gate.Session{} }, gate.Named("u1"), true},
		{"named and banned", func(p *gate.Principal) { p.Session = gate.Session{}; p.User.Banned = true }, gate.Named("u1"), false},
	} {
		shared, rows := ada(), new(counting)
		shared.Plain = true
		c.change(shared)
		before := *shared
		before.Memberships = append([]gate.Membership(nil), shared.Memberships...)
		p, err := provisioned.New(answering{p: shared}, rows).Resolve(t.Context(), c.by)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(*shared, before) {
			t.Errorf("%s: what others hold was changed to %+v", c.name, shared)
		}
		if made := rows.n.Load() == 1; made != c.made || made != (p.User.BusinessID == "made") || !made && p != shared || made && p.Plain {
			t.Errorf("%s: made %v, %+v", c.name, made, p)
		}
	}
}

func TestErrorsPassThrough(t *testing.T) {
	t.Parallel()
	rows := new(counting)
	if p, err := provisioned.New(answering{err: gate.ErrNoSession}, rows).Resolve(t.Context(), gate.Proven(gate.ByCookie, "t")); p != nil || err != gate.ErrNoSession { //nolint:errorlint // itself
		t.Errorf("%v, %v", p, err)
	}
	if p, err := provisioned.New(answering{}, rows).Resolve(t.Context(), gate.Proven(gate.ByCookie, "t")); p != nil || err != nil {
		t.Errorf("%v, %v", p, err)
	}
	if rows.n.Load() != 0 {
		t.Error("made a row of nobody")
	}
	rows.err = errors.New("refused")
	if p, err := provisioned.New(answering{p: ada()}, rows).Resolve(t.Context(), gate.Proven(gate.ByCookie, "t")); p != nil || !errors.Is(err, rows.err) {
		t.Errorf("a pass without a row: %v, %v", p, err)
	}
}

// bare takes the business keys away, which the contract of a store does not know.
type bare struct {
	gate.Resolver
	pinged
}

type pinged interface {
	Ping(ctx context.Context) error
}

func (b bare) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	p, err := b.Resolver.Resolve(ctx, c)
	if err == nil && p != nil {
		own := *p
		own.User.BusinessID = ""
		own.Memberships = nil
		for _, m := range p.Memberships {
			m.BusinessID = ""
			own.Memberships = append(own.Memberships, m)
		}
		return &own, nil
	}
	return p, err
}

// TestStore is the contract of a store, with rows made behind it, in a database of their own.
func TestStore(t *testing.T) {
	t.Parallel()
	rows := func(t testing.TB) *provisioned.Rows {
		d := newSQLite(t, "wal")
		d.exec(t, `create table app_users (id <serial>, auth_id text unique, name text);
			create table app_orgs (id <serial>, auth_id text unique, name text);
			create table app_members (u <number>, o <number>, role text, unique (u, o))`)
		return d.open(t, provisioned.Config{
			Users:         provisioned.Users{Table: "app_users", ID: "id", AuthID: "auth_id", Columns: map[string]string{"name": "name"}, Update: true},
			Organizations: provisioned.Organizations{Table: "app_orgs", ID: "id", AuthID: "auth_id", Columns: map[string]string{"name": "name"}, Update: true},
			Members:       provisioned.Members{Table: "app_members", User: "u", Organization: "o", Columns: map[string]string{"role": "role"}, Update: true},
		})
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) storetest.Harness {
			path := filepath.Join(t.TempDir(), "auth.db")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			d := &database{dialect: betterauth.SQLite, url: "sqlite://" + path, path: path}
			return harness(t, reopen(t, d), rows(t), func(tables betterauth.Tables) (closable, error) {
				return sqlite.Open(t.Context(), sqlite.Config{URL: d.url, Tables: tables})
			})
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := testenv.Postgres(t).NewDatabase(t)
		whole := connectPostgres(t, url)
		var made atomic.Int32
		storetest.Run(t, func(t *testing.T) storetest.Harness {
			name := fmt.Sprint("s", made.Add(1))
			whole.exec(t, "create schema "+name)
			d := connectPostgres(t, url+"&search_path="+name)
			return harness(t, d, rows(t), func(tables betterauth.Tables) (closable, error) {
				return postgres.Open(t.Context(), postgres.Config{URL: d.url, Tables: tables})
			})
		})
	})
}

type closable interface {
	gate.Resolver
	pinged
	Close()
}

func harness(t testing.TB, d *database, rows *provisioned.Rows, open func(betterauth.Tables) (closable, error)) storetest.Harness {
	return storetest.Harness{
		Dialect: d.dialect,
		Exec:    func(t testing.TB, sql string) { t.Helper(); d.exec(t, sql) },
		Open: func(_ testing.TB, tables betterauth.Tables) (gate.Resolver, error) {
			s, err := open(tables)
			if err != nil {
				return nil, err
			}
			t.Cleanup(s.Close)
			return bare{provisioned.New(s, rows), s}, nil
		},
	}
}
