package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/postgres"
)

// slack is how much later than its deadline a call may return on a machine that others use, too.
const slack = 10 * time.Second

// one is a database with Better Auth's tables, one user and the session "token", and a store on it.
func one(t testing.TB, url string) *postgres.Store {
	t.Helper()
	names, err := betterauth.Tables{}.Match(betterauth.Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range betterauth.DDL(betterauth.Postgres, betterauth.Plugins{Organization: true, Teams: true, Admin: true}, names) {
		execute(t, url, s.SQL)
	}
	execute(t, url, `insert into "user" ("id", "name", "email", "emailVerified") values ('u1', 'U', 'u@example.com', true);
		insert into "session" ("id", "token", "userId", "expiresAt", "updatedAt") values ('s1', 'token', 'u1', now() + interval '1 day', now());
		insert into "organization" ("id", "name", "slug", "createdAt") values ('o1', 'O', 'o', now());
		insert into "member" ("id", "userId", "organizationId", "role", "createdAt") values ('m1', 'u1', 'o1', 'owner', now())`)
	return reopen(t, url)
}

func reopen(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// lookUp resolves the token within a time.
func lookUp(t testing.TB, s *postgres.Store, within time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	before := time.Now()
	p, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, "token"))
	if took := time.Since(before); took > within+slack {
		t.Errorf("took %v of %v", took, within)
	}
	if err == nil && (p.User.ID != "u1" || len(p.Memberships) != 1) {
		t.Errorf("got %+v", p)
	}
	if errors.Is(err, gate.ErrNoSession) {
		t.Errorf("could not find out, and said that there is none: %v", err)
	}
	return err
}

// together resolves n times at once, so that the pool is full, and returns the errors.
func together(t testing.TB, s *postgres.Store, n int, within time.Duration) (failed []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := lookUp(t, s, within); err != nil {
				mu.Lock()
				failed = append(failed, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

func must(t testing.TB, failed []error) {
	t.Helper()
	for _, err := range failed {
		t.Fatalf("%d lookups failed: %v", len(failed), err)
	}
}

func TestServerKilledAndRestarted(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	s := one(t, server.NewDatabase(t))
	must(t, together(t, s, 40, 5*time.Second))
	if open := s.Stats().Open; open < 2 {
		t.Fatalf("%d connections are open; the test wants several", open)
	}

	server.Kill()
	for range 20 {
		if err := lookUp(t, s, 200*time.Millisecond); err == nil {
			t.Fatal("a dead server answered")
		}
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("ping of a dead server")
	}

	server.Start()
	if err := lookUp(t, s, 2*time.Second); err != nil {
		t.Errorf("the first lookup after the restart: %v", err)
	}
	must(t, together(t, s, 40, 5*time.Second))
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}

	// A restart that nobody noticed, because nobody asked meanwhile.
	server.Kill()
	server.Start()
	must(t, together(t, s, 40, 5*time.Second))
}

func TestServerPaused(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	s := one(t, server.NewDatabase(t))
	must(t, together(t, s, 40, 5*time.Second))

	server.Pause()
	for range 3 {
		failed := together(t, s, 30, 300*time.Millisecond)
		if len(failed) != 30 {
			t.Fatalf("%d of 30 failed", len(failed))
		}
		for _, err := range failed {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
		}
	}
	server.Resume()
	// Not after the 15 s that pgx waits for connections that it closes.
	if err := lookUp(t, s, 3*time.Second); err != nil {
		t.Errorf("the first lookup after the pause: %v", err)
	}
	must(t, together(t, s, 40, 5*time.Second))
}

func TestLockedTable(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t).NewDatabase(t)
	s := one(t, url)
	migration := connect(t, url)
	if _, err := migration.Exec(t.Context(), `begin; lock table "session" in access exclusive mode`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if failed := together(t, s, 20, 300*time.Millisecond); len(failed) != 20 {
			t.Errorf("%d of 20 failed", len(failed))
		}
	}
	if err := migration.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t, together(t, s, 20, 5*time.Second))
}

func TestConnectionsTerminated(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t).NewDatabase(t)
	s := one(t, url)
	for range 5 {
		must(t, together(t, s, 40, 5*time.Second))
		execute(t, url, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
		must(t, together(t, s, 40, 5*time.Second))
	}
}

// TestPreparedStatementsOutlived: a migration changes types under statements that every connection has prepared.
func TestPreparedStatementsOutlived(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_statement", "cache_describe"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			url := testenv.Postgres(t).NewDatabase(t) + "&default_query_exec_mode=" + mode
			s := one(t, url)
			for i, change := range []string{
				`alter table "session" alter column "expiresAt" type timestamp using "expiresAt" at time zone 'UTC'`,
				`alter table "session" alter column "expiresAt" type timestamptz using "expiresAt" at time zone 'UTC'`,
				`alter table "user" alter column "email" type varchar(200)`,
				`alter table "session" alter column "token" type varchar(200)`,
				`alter table "user" alter column "emailVerified" type integer using 1`,
				`drop index "member_userId_idx"`,
				`alter table "session" drop constraint "session_userId_fkey"; alter table "member" drop constraint "member_userId_fkey";
				 alter table "teamMember" drop constraint "teamMember_userId_fkey"; alter table "account" drop constraint "account_userId_fkey";
				 alter table "invitation" drop constraint "invitation_inviterId_fkey"; alter table "user" alter column "id" type varchar(40)`,
			} {
				must(t, together(t, s, 40, 5*time.Second))
				execute(t, url, change)
				if failed := together(t, s, 40, 5*time.Second); len(failed) > 0 {
					t.Fatalf("after change %d: %v", i, failed[0])
				}
			}
		})
	}
}

// TestStrangeTimes: what PostgreSQL can hold and Go cannot.
func TestStrangeTimes(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t).NewDatabase(t)
	s := one(t, url)
	for _, c := range []struct {
		value  string
		future bool
	}{{"infinity", true}, {"-infinity", false}, {"0044-03-15 BC", false}, {"200000-01-01", true}} {
		execute(t, url, fmt.Sprintf(`update "session" set "expiresAt" = '%s'; update "user" set "banExpires" = '%s'`, c.value, c.value))
		p, err := s.Resolve(t.Context(), gate.Proven(gate.ByCookie, "token"))
		if err != nil {
			t.Errorf("%s: %v", c.value, err)
			continue
		}
		if now := time.Now(); p.Session.ExpiresAt.After(now) != c.future || p.User.BanExpires.After(now) != c.future || p.User.BanExpires.IsZero() {
			t.Errorf("%s: session %v, ban %v", c.value, p.Session.ExpiresAt, p.User.BanExpires)
		}
	}
}
