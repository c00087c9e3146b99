package postgres

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
)

func TestMain(m *testing.M) {
	// pgx says goodbye to a server that does not answer for 15 seconds, in the background.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgconn.(*PgConn).asyncClose.func1"))
}

// TestLookupsAreSentTogether: what arrives while all lanes are taken goes in one round trip, and everybody gets the
// answer to his own question, also when that round trip fails.
func TestLookupsAreSentTogether(t *testing.T) {
	t.Parallel()
	const people = 40
	for name, c := range map[string]struct {
		migration string
		most      int64 // connections taken from the pool
	}{
		"all is well": {"", mostLanes + 4},
		"somebody is in more organizations than are read at once": {`insert into "organization" ("id", "name", "slug", "createdAt") select i, i, i, now() from generate_series(1, 5000) i;
			insert into "member" ("id", "organizationId", "userId", "role", "createdAt") select i, i, '39', 'owner', now() - i * interval '1 second' from generate_series(1, 5000) i`, 10 * people},
		"the lookups fail":    {`alter table "session" drop column "activeTeamId"`, 10 * people},
		"connections are cut": {"select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()", 10 * people},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := Config{URL: testenv.Postgres(t).NewDatabase(t)}
			if _, err := Apply(t.Context(), config, betterauth.Plugins{Organization: true, Teams: true}, false); err != nil {
				t.Fatal(err)
			}
			other, err := pgx.Connect(t.Context(), config.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close(context.WithoutCancel(t.Context()))
			run := func(sql string) {
				t.Helper()
				if _, err := other.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			run(fmt.Sprintf(`insert into "user" ("id", "name", "email", "emailVerified") select i, i, i, true from generate_series(0, %d) i`, people))
			run(`insert into "session" ("id", "token", "userId", "expiresAt", "updatedAt") select "id", 'token-' || "id", "id", now(), now() from "user"`)
			s, err := Open(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()

			run(`begin; lock table "session" in access exclusive mode`)
			before := s.pool.Stat().AcquireCount()
			var wg sync.WaitGroup
			ask := func(id string, want error) {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					defer cancel()
					p, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, "token-"+id))
					if want == nil && (err != nil || p.User.ID != id || len(p.Memberships) > store.MaxMemberships) || err != want {
						t.Errorf("token-%s: %v, %v", id, p, err)
					}
				})
			}
			for i := range people {
				ask(fmt.Sprint(i), nil)
			}
			ask("of nobody", gate.ErrNoSession)
			until := func(free, waiting int) {
				t.Helper()
				for range 10_000 {
					s.lanes.mu.Lock()
					there := s.lanes.free == free && len(s.lanes.waiting) == waiting
					s.lanes.mu.Unlock()
					if there {
						return
					}
					time.Sleep(time.Millisecond)
				}
				t.Errorf("not %d lanes free and %d waiting", free, waiting)
			}
			until(0, people+1-mostLanes)
			if c.migration != "" {
				run(c.migration)
			}
			run("commit")
			wg.Wait()
			if taken := s.pool.Stat().AcquireCount() - before; taken > c.most {
				t.Errorf("%d connections were taken for %d lookups", taken, people+1)
			}
			until(mostLanes, 0)
		})
	}
}

// TestWaitersLeave: whoever waits for a lane goes when his time is up, and the next round trip is without him.
func TestWaitersLeave(t *testing.T) {
	t.Parallel()
	s := &Store{}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := s.resolve(ctx, question{sessionOf, "token"})
		left <- err
	}()
	cancel()
	if err := <-left; err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if next := s.next(); next != nil || s.lanes.free != 1 || len(s.lanes.waiting) > 0 {
		t.Errorf("next %v, lanes %+v", next, s.lanes.free)
	}
}
