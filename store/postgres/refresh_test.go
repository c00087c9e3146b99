package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/storetest"
)

func TestRefresher(t *testing.T) {
	t.Parallel()
	for _, parameters := range []string{"", "&default_query_exec_mode=simple_protocol", "&default_query_exec_mode=exec"} {
		t.Run(parameters, func(t *testing.T) {
			t.Parallel()
			database := testenv.Postgres(t).NewDatabase(t)
			var made atomic.Int32
			storetest.RunRefresher(t, func(t *testing.T) (storetest.Harness, storetest.OpenRefresher) {
				name := fmt.Sprint("s", made.Add(1))
				execute(t, database, "create schema "+name)
				url := database + parameters + "&search_path=" + name
				return harness(t, url), func(t testing.TB, tables betterauth.Tables) (gate.Refresher, error) {
					r, err := postgres.OpenRefresher(t.Context(), postgres.Config{URL: url, Tables: tables})
					if err != nil {
						return nil, err
					}
					t.Cleanup(r.Close)
					return r, nil
				}
			})
		})
	}
}

// mover is a refresher, and a session it can move by a millisecond each time.
type mover struct {
	*postgres.Refresher
	session gate.Session
}

const oneSession = `insert into "user" ("id", "name", "email", "emailVerified") values ('u1', 'U', 'u@example.com', true);
	insert into "session" ("id", "token", "userId", "expiresAt", "updatedAt") values ('s1', 'token', 'u1', '2026-11-28T20:42:28.618Z', now())`

func openMover(t *testing.T, url string) *mover {
	t.Helper()
	r, err := postgres.OpenRefresher(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return &mover{r, gate.Session{ID: "s1", ExpiresAt: time.Date(2026, 11, 28, 20, 42, 28, 618e6, time.UTC)}}
}

func (m *mover) move(t *testing.T, within time.Duration) (bool, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	before := time.Now()
	renewed, err := m.Refresh(ctx, gate.Proven(gate.ByCookie, "token"), &m.session, before.Truncate(time.Millisecond), m.session.ExpiresAt.Add(time.Millisecond))
	if took := time.Since(before); took > within+10*time.Second {
		t.Errorf("took %v of %v", took, within)
	}
	if renewed {
		m.session.ExpiresAt = m.session.ExpiresAt.Add(time.Millisecond)
	}
	return renewed, err
}

func TestRefreshSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	superuser := testenv.Postgres(t).NewDatabase(t)
	if _, err := postgres.Apply(t.Context(), postgres.Config{URL: superuser}, betterauth.Plugins{}, false); err != nil {
		t.Fatal(err)
	}
	execute(t, superuser, oneSession+`; create role reader login; grant select on all tables in schema public to reader`)
	t.Cleanup(func() { execute(t, superuser, `drop owned by reader; drop role reader`) })
	reader := strings.Replace(superuser, "postgres@", "reader@", 1)
	lacks := func(err error) bool {
		return err != nil && strings.Contains(err.Error(), `grant update ("expiresAt", "updatedAt") on "public"."session" to the role of store.url`) && !store.Permanent(err)
	}
	open := func() error {
		r, err := postgres.OpenRefresher(t.Context(), postgres.Config{URL: reader})
		if err == nil {
			r.Close()
		}
		return err
	}
	if err := open(); !lacks(err) {
		t.Errorf("without a grant: %v", err)
	}
	execute(t, superuser, `grant update ("expiresAt") on "session" to reader`)
	if err := open(); !lacks(err) {
		t.Errorf("with half a grant: %v", err)
	}
	execute(t, superuser, `grant update ("updatedAt") on "session" to reader`)
	m := openMover(t, reader)
	if renewed, err := m.move(t, 5*time.Second); !renewed || err != nil {
		t.Errorf("with the grant that was asked for: %v, %v", renewed, err)
	}
	execute(t, superuser, `revoke update ("updatedAt") on "session" from reader`)
	if _, err := m.move(t, 5*time.Second); err == nil || !strings.Contains(err.Error(), "permission denied") || strings.Contains(err.Error(), "token") {
		t.Errorf("revoked: %v", err)
	}
	if err := m.Ping(t.Context()); !lacks(err) {
		t.Errorf("ping, revoked: %v", err)
	}
	if _, err := postgres.OpenRefresher(t.Context(), postgres.Config{URL: superuser + "&options=-c%20default_transaction_read_only%3Don"}); err == nil || !strings.Contains(err.Error(), "replica") {
		t.Errorf("read-only: %v", err)
	}
}

// TestRefreshOnAServerInTrouble: short waits, and recovery without help.
func TestRefreshOnAServerInTrouble(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	url := server.NewDatabase(t)
	if _, err := postgres.Apply(t.Context(), postgres.Config{URL: url}, betterauth.Plugins{}, false); err != nil {
		t.Fatal(err)
	}
	execute(t, url, oneSession)
	m := openMover(t, url)

	execute(t, url, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
	if renewed, err := m.move(t, 5*time.Second); !renewed || err != nil {
		t.Errorf("connections cut: %v, %v", renewed, err)
	}
	locker := connect(t, url)
	if _, err := locker.Exec(t.Context(), `begin; select from "session" for update`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	if renewed, err := m.move(t, 300*time.Millisecond); renewed || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("row locked: %v, %v", renewed, err)
	}
	if err := locker.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	if renewed, err := m.move(t, 300*time.Millisecond); renewed || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("paused: %v, %v", renewed, err)
	}
	server.Resume()
	if renewed, err := m.move(t, 20*time.Second); err != nil {
		t.Errorf("resumed: %v, %v", renewed, err) // the one before may have been done after all
	}
	server.Kill()
	if renewed, err := m.move(t, 300*time.Millisecond); renewed || err == nil {
		t.Errorf("killed: %v, %v", renewed, err)
	}
	server.Start()
	if _, err := m.move(t, 20*time.Second); err != nil {
		t.Errorf("back: %v", err)
	}
}
