package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
)

const password = "pa55word-of-the-database"

func TestOpenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	server := testenv.Postgres(t).NewDatabase(t)
	atServer := func(change string) string {
		return strings.Replace(server, "postgres@", "postgres:"+password+"@", 1) + change
	}
	execute(t, server, `create role stranger login`)
	t.Cleanup(func() { execute(t, server, `drop owned by stranger; drop role stranger`) })
	execute(t, server, `create table "user" ("id" text, "name" text, "email" text, "emailVerified" boolean);
		create schema half; create table half."user" ("id" text, "name" text, "email" text, "emailVerified" boolean);
		create table half."session" ("id" text, "token" text, "userId" text, "createdAt" timestamptz);
		create schema odd; create table odd."user" ("id" text, "name" text, "email" text, "emailVerified" json);
		create table odd."session" ("id" text, "token" uuid, "userId" text, "createdAt" timestamptz, "expiresAt" text);
		create schema shut; create table shut."user" ("id" text, "name" text, "email" text, "emailVerified" boolean);
		create table shut."session" ("id" text, "token" text, "userId" text, "createdAt" timestamptz, "expiresAt" timestamptz);
		grant usage on schema shut to stranger;`)

	permanent := []string{
		"another scheme", "nothing", "@ in the password", "/ in the password", "? in the password", "# in the password", "% in the password",
		": in the password and no @", "password for a host", "unknown mode", "no table", "no column", "odd types", "odd token",
	}
	for _, c := range []struct{ name, url, want string }{
		{"nothing listens", fmt.Sprintf("postgres://u:%s@127.0.0.1:%d/db", password, testenv.FreePort(t)), "is PostgreSQL running"},
		{"silence", fmt.Sprintf("postgres://u:%s@%s/db?connect_timeout=60", password, silent.Addr()), "did not answer in time"},
		{"no such host", "postgres://u:" + password + "@no-such-host.invalid/db", "not known here"},
		{"no such database", strings.Replace(atServer(""), "/t_", "/x_", 1), "check the database name"},
		{"another scheme", "mysql://u:" + password + "@127.0.0.1/db", "write postgres://user:password@host"},
		{"nothing", "", "write postgres://user:password@host"},
		{"@ in the password", "postgres://u:" + password + "@x@127.0.0.1/db", "percent-encoded"},
		{"/ in the password", "postgres://u:12/" + password + "@127.0.0.1/db", "percent-encoded"},
		{"? in the password", "postgres://u:12?" + password + "@127.0.0.1/db", "percent-encoded"},
		{"# in the password", "postgres://u:12#" + password + "@127.0.0.1/db", "percent-encoded"},
		{"% in the password", "postgres://u:%zz" + password + "@127.0.0.1/db", "percent-encoded"},
		{": in the password and no @", "postgres://u:" + password, "percent-encoded"},
		{"password for a host", "postgres://[" + password + "/db", ""},
		{"unknown mode", atServer("&default_query_exec_mode=fast"), "fast"},
		{"no certificate", atServer("&sslmode=verify-full&sslrootcert=/nowhere.pem"), "/nowhere.pem"},
		{"unknown parameter", atServer("&colour=blue"), "colour"},
		{"no table", atServer("&search_path=nowhere"), `no table "session"`},
		{"no column", atServer("&search_path=half"), `table "session" has no column "expiresAt"`},
		{"odd types", atServer("&search_path=odd"), `column "expiresAt" of table "session" is of type text`},
		{"odd token", atServer("&search_path=odd"), `column "token" of table "session" is of type uuid`},
		{"no grant", strings.Replace(atServer("&search_path=shut"), "postgres:"+password, "stranger:"+password, 1), "grant SELECT on the tables"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := time.Now()
			s, err := postgres.Open(t.Context(), postgres.Config{URL: c.url})
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			if got := store.Permanent(err); got != slices.Contains(permanent, c.name) {
				t.Errorf("permanent: %v: %v", got, err)
			}
			if took := time.Since(before); took > 1500*time.Millisecond+slack {
				t.Errorf("took %v", took)
			}
			if text := fmt.Sprintf("%v %+v %s", err, err, err); strings.Contains(text, password) || !strings.Contains(text, c.want) {
				t.Errorf("got %v\nwant %s, and no password", err, c.want)
			}
		})
	}
}

func TestOpenNamesTheSchemaWhereTheTablesAre(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t).NewDatabase(t)
	execute(t, url, `create schema auth; create table auth."session" ("id" text); create table auth."user" ("id" text)`)
	_, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	missing, ok := errors.AsType[*store.MissingError](err)
	if !ok || missing.Table != "user" || !strings.Contains(missing.Hint, `schema "auth"`) {
		t.Errorf("got %v", err)
	}
}

// TestPoolerThatRefusesParameters: PgBouncer ends a connection that asks for a setting it does not know.
func TestPoolerThatRefusesParameters(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t).NewDatabase(t)
	one(t, url)
	server := strings.TrimSuffix(strings.TrimPrefix(url, "postgres://postgres@"), url[strings.LastIndexByte(url, '/'):])
	s := reopen(t, strings.Replace(url, server, pooler(t, server), 1))
	must(t, together(t, s, 20, 5*time.Second))
}

// pooler passes connections on, except those whose first message asks for read-only transactions.
func pooler(t *testing.T, server string) string {
	return accept(t, func(client net.Conn) {
		first := make([]byte, 4096)
		n, _ := client.Read(first)
		if strings.Contains(string(first[:n]), "default_transaction_read_only") {
			_, _ = client.Write([]byte("E\x00\x00\x00\x58SFATAL\x00VFATAL\x00C08P01\x00Munsupported startup parameter: default_transaction_read_only\x00\x00"))
			return
		}
		forward(client, server, first[:n]...)
	})
}

func TestReadWriteServersCanBeAskedFor(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t).NewDatabase(t)
	one(t, url)
	must(t, together(t, reopen(t, url+"&target_session_attrs=read-write"), 5, 5*time.Second))
}

// TestTheRoleNeedsOnlyToRead: SELECT on six tables, and nothing can be written even by one who may.
func TestTheRoleNeedsOnlyToRead(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t).NewDatabase(t)
	one(t, url)
	execute(t, url, `create role reader login; grant select on "user", "session", "organization", "member", "team", "teamMember" to reader`)
	t.Cleanup(func() { execute(t, url, `drop owned by reader; drop role reader`) })
	s := reopen(t, strings.Replace(url, "postgres@", "reader@", 1))
	must(t, together(t, s, 5, 5*time.Second))
	s.Close()
	s.Close() // closing twice is harmless
	if err := s.Ping(context.Background()); err == nil {
		t.Error("ping of a closed store")
	}
}

func TestStatsCount(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t).NewDatabase(t)
	one(t, url)
	for parameters, max := range map[string]int{"": 8, "&pool_max_conns=3": 3} {
		s := reopen(t, url+parameters)
		must(t, together(t, s, 40, 5*time.Second))
		got := s.Stats()
		if got.Max != max || got.Open < 1 || got.Open > max || got.InUse != 0 || got.Waits < 1 {
			t.Errorf("%q: %+v", parameters, got)
		}
	}
}

// TestDatabaseInAnotherEncoding: its texts arrive as UTF-8, and a token that it cannot hold is nobody's.
func TestDatabaseInAnotherEncoding(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	execute(t, server.URL("postgres"), `create database latin encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0`)
	execute(t, server.URL("postgres"), `alter database latin set datestyle = 'German'`)
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
		url := server.URL("latin") + "&default_query_exec_mode=" + mode
		if mode == "cache_statement" {
			one(t, url)
			execute(t, url+"&client_encoding=UTF8", `update "user" set "name" = 'Ärger'`)
		}
		s := reopen(t, url)
		p, err := s.Resolve(t.Context(), gate.Proven(gate.ByBearer, "token"))
		if err != nil || p.User.Name != "Ärger" || p.Session.ExpiresAt.Before(time.Now()) {
			t.Errorf("%s: %+v, %v", mode, p, err)
		}
		if _, err := s.Resolve(t.Context(), gate.Proven(gate.ByBearer, "☃")); !errors.Is(err, gate.ErrNoSession) {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
