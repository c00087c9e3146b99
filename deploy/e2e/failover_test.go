package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// TestPostgresFailsOver kills the primary under load and promotes its standby. The gate knows both from one URL, and hears
// afterwards what is revoked on the new one.
func TestPostgresFailsOver(t *testing.T) {
	primary := testenv.StartPostgres(t)
	standby := primary.Standby(t)
	s := breakablePostgres(t, primary)
	second := sameDatabaseAt(t, s.owner, standby)
	a := aim(t, s.auth, 1, fmt.Sprintf("store: { url: %q }",
		strings.Replace(s.url, host(t, s.url), host(t, s.url)+","+host(t, second), 1)+"&target_session_attrs=primary"))
	suffer(t, a, []fault{{
		name:  "failed over",
		begin: func(*testing.T) { primary.Kill() }, end: func(*testing.T) { standby.Promote() },
		silent: true, ready: 503, warns: "store lost", reason: "STORE_UNAVAILABLE",
	}})

	moved := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: second, SkipMigrations: true})
	p := moved.SignUp(t, "Late", "late@example.com")
	a.gates[0].awaitRevocation(t, "complete")
	took := measure(t, a.edges, "signs out after the failover", ends(p, func(t *testing.T) { moved.SignOut(t, p) }))
	if took > time.Second {
		t.Errorf("a revocation on the new primary took %v", took)
	}
	t.Logf("a revocation on the new primary showed after %v", took)
}

// TestRedisFailsOver kills the master with the sessions under load, and whoever the Sentinels make the next one.
func TestRedisFailsOver(t *testing.T) {
	sentinels := testenv.StartRedisSentinels(t)
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL, RedisURL: sentinels.Servers[0].URL()})
	applyNotices(t, auth, databaseURL, secondaryEnv(sentinels.URL(), false)...)
	a := aim(t, auth, 1, fmt.Sprintf("store: { url: %q, secondary: { url: %q } }", databaseURL, sentinels.URL()))
	suffer(t, a, []fault{redisFailover(sentinels)})

	moved := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL, RedisURL: sentinels.Master(t).URL(), SkipMigrations: true})
	p := moved.SignUp(t, "Late", "late@example.com")
	a.gates[0].awaitRevocation(t, "complete")
	took := measure(t, a.edges, "signs out after the failover", ends(p, func(t *testing.T) { moved.SignOut(t, p) }))
	if took > time.Second {
		t.Errorf("a revocation on the new master took %v", took)
	}
	t.Logf("a revocation on the new master showed after %v", took)
}

// TestRedisFailsOverBehindTheDatabase does the same to the cache that replicas share: nobody may notice.
func TestRedisFailsOverBehindTheDatabase(t *testing.T) {
	sentinels := testenv.StartRedisSentinels(t)
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	applyNotices(t, auth, databaseURL)
	a := aim(t, auth, 2, fmt.Sprintf("store: { url: %q }", databaseURL), fmt.Sprintf("redis: { url: %q }", sentinels.URL()))
	f := redisFailover(sentinels)
	f.harmless, f.heard, f.ready, f.leaving = true, true, 200, time.Second
	suffer(t, a, []fault{f})
}

// sameDatabaseAt is the URL of a database on another server.
func sameDatabaseAt(t *testing.T, databaseURL string, server *testenv.PostgresServer) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	return server.URL(strings.TrimPrefix(u.Path, "/"))
}

func host(t *testing.T, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
