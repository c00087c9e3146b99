package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/internal/testenv"
)

// breakable is a PostgreSQL server of this test's own, with Better Auth on it and a role for the gate.
type breakable struct {
	server *testenv.PostgresServer
	auth   *testenv.BetterAuthServer
	owner  string // URL of the superuser
	url    string // URL of the gate's role
}

func breakablePostgres(t *testing.T, server *testenv.PostgresServer) *breakable {
	t.Helper()
	owner := server.NewDatabase(t)
	b := &breakable{
		server: server, owner: owner, url: strings.Replace(owner, "postgres@", "usher@", 1),
		auth: testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: owner}),
	}
	applyNotices(t, b.auth, owner)
	b.exec(t, `create role usher login`)
	b.exec(t, `grant select on "session", "user", "member", "organization", "team", "teamMember" to usher`) // docs/operations.md
	return b
}

func (b *breakable) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn := b.connect(t)
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (b *breakable) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, b.owner)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (b *breakable) faults() []fault {
	restart := func(*testing.T) { b.server.Kill(); b.server.Start() }
	var lock *pgx.Conn
	return []fault{
		{
			name:  "killed",
			begin: func(*testing.T) { b.server.Kill() }, end: func(*testing.T) { b.server.Start() },
			silent: true, ready: 503, warns: "store lost", reason: "STORE_UNAVAILABLE",
		},
		{
			name:  "paused",
			begin: func(*testing.T) { b.server.Pause() }, end: func(*testing.T) { b.server.Resume() },
			silent: true, ready: 503, warns: "store lost", reason: "STORE_TIMEOUT",
		},
		{
			name:  "restarted again and again",
			begin: restart,
			during: func(t *testing.T, length time.Duration) {
				for over := time.Now().Add(length); time.Now().Before(over); {
					time.Sleep(time.Second)
					restart(t)
				}
			},
		},
		{
			name:  "slow: awake for a tenth of the time",
			begin: func(*testing.T) {},
			during: func(_ *testing.T, length time.Duration) {
				for over := time.Now().Add(length); time.Now().Before(over); {
					b.server.Pause()
					time.Sleep(450 * time.Millisecond)
					b.server.Resume()
					time.Sleep(50 * time.Millisecond)
				}
			},
		},
		{
			name: "lookups that never end: somebody locks the table of sessions",
			begin: func(t *testing.T) {
				lock = b.connect(t)
				if _, err := lock.Exec(t.Context(), `begin; lock table "session" in access exclusive mode`); err != nil {
					t.Fatal(err)
				}
			},
			end: func(t *testing.T) {
				if err := lock.Close(context.Background()); err != nil {
					t.Fatal(err)
				}
			},
			heard: true, ready: 503, warns: "store lost", reason: "STORE_TIMEOUT",
		},
		{
			name: "slow queries: each lookup takes 300 ms",
			begin: func(t *testing.T) {
				// Else the policy would be asked of rows with the right token only: of an unknown one there are none.
				b.exec(t, `alter function pg_catalog.texteq(text, text) not leakproof`)
				b.exec(t, `create policy slow on "session" for select to usher using ((select pg_sleep(0.3)) is not null)`)
				b.exec(t, `alter table "session" enable row level security`)
				b.sleeps(t)
			},
			end: func(t *testing.T) {
				b.exec(t, `alter table "session" disable row level security`)
				b.exec(t, `drop policy slow on "session"`)
				b.exec(t, `alter function pg_catalog.texteq(text, text) leakproof`)
			},
			harmless: true, heard: true, ready: 200,
			leaving: time.Second,
		},
		{
			name: "no connections left for the gate's role",
			begin: func(t *testing.T) {
				b.exec(t, `alter role usher connection limit 0`)
				b.exec(t, `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'usher'`)
			},
			end:    func(t *testing.T) { b.exec(t, `alter role usher connection limit -1`) },
			silent: true, ready: 503, warns: "store lost", reason: "STORE_UNAVAILABLE",
			leaving: unnotified + time.Second,
		},
		{
			name:     "Better Auth itself is gone for good",
			begin:    func(*testing.T) { b.auth.Stop() },
			harmless: true, heard: true, ready: 200,
		},
	}
}

// sleeps demands that a lookup is slow for the gate's role, also of a token that nobody has.
func (b *breakable) sleeps(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, b.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	began := time.Now()
	if _, err := conn.Exec(ctx, `select from "session" where token = any(array['nobody''s'])`); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Fatalf("a lookup took %v: it is not slow", took)
	}
}

// redisFailover kills the master again and again: each time the other server has taken its place, and the one that was
// killed follows it.
func redisFailover(sentinels *testenv.RedisSentinels) fault {
	master, other := sentinels.Servers[0], sentinels.Servers[1]
	moved := 0
	move := func(t *testing.T) {
		sentinels.AwaitMaster(t, other)
		master.Start()
		master, other = other, master
		moved++
	}
	down := false
	return fault{
		name:  "failed over",
		begin: func(*testing.T) { master.Kill(); down = true },
		during: func(t *testing.T, length time.Duration) {
			for over := time.Now().Add(length); time.Now().Before(over); time.Sleep(50 * time.Millisecond) {
				switch {
				case down:
					move(t)
					down = false
				case sentinels.Paired():
					master.Kill()
					down = true
				}
			}
		},
		end: func(t *testing.T) {
			if down {
				move(t)
				down = false
			}
			t.Logf("%d times another became the master", moved)
		},
	}
}

// redisFaults are what breaks a Redis.
func redisFaults(server *testenv.RedisServer) []fault {
	restart := func(*testing.T) { server.Kill(); server.Start() }
	return []fault{
		{name: "killed", begin: func(*testing.T) { server.Kill() }, end: func(*testing.T) { server.Start() }, silent: true},
		{name: "paused", begin: func(*testing.T) { server.Pause() }, end: func(*testing.T) { server.Resume() }, silent: true},
		{
			name: "restarted again and again", begin: restart,
			during: func(t *testing.T, length time.Duration) {
				for over := time.Now().Add(length); time.Now().Before(over); {
					time.Sleep(time.Second)
					restart(t)
				}
			},
		},
	}
}
