package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/internal/testenv"
)

// storage is one way for Better Auth to keep sessions.
type storage struct {
	name   string
	rounds int  // of every act
	hears  bool // the gates hear of changes on connections, which can be lost
	silent bool // nobody tells the gates of changes: an answer is remembered for cache.ttl_unnotified
	open   func(t *testing.T) *place
}

// place is a storage with the real Better Auth on it.
type place struct {
	auth     *testenv.BetterAuthServer
	database string // its URL
	store    string // the gate's configuration

	// cut ends the connections on which gates hear of changes, and says how many there were. Nil where there are none.
	cut func(t testing.TB) int
}

// storages are all that a revocation must reach every replica from. A new one is one more row.
func storages() []storage {
	return []storage{
		{"PostgreSQL", 20, true, false, func(t *testing.T) *place { return onPostgres(t, true) }},
		{"SQLite", 10, false, false, onSQLite},
		{"Better Auth, asked over HTTP", 2, false, true, onBetterAuth},
		{"Redis, with people in PostgreSQL", 10, true, false, func(t *testing.T) *place { return onRedis(t, nil) }},
		{"Redis before PostgreSQL", 5, true, false, func(t *testing.T) *place {
			return onRedis(t, map[string]any{"storeSessionInDatabase": true})
		}},
		{"Redis, and PostgreSQL as an archive", 5, true, false, func(t *testing.T) *place {
			return onRedis(t, map[string]any{"storeSessionInDatabase": true, "preserveSessionInDatabase": true})
		}},
	}
}

// onPostgres is a database of its own; told says whether it tells what changes.
func onPostgres(t *testing.T, told bool) *place {
	t.Helper()
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	p := &place{
		auth:     testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL}),
		database: databaseURL,
		store:    fmt.Sprintf("store: { url: %q }", databaseURL),
	}
	if told {
		applyNotices(t, p.auth, databaseURL)
		p.cut = func(t testing.TB) int { return cutListeners(t, databaseURL) }
	}
	return p
}

func onSQLite(t *testing.T) *place {
	t.Helper()
	databaseURL := "sqlite://" + filepath.Join(t.TempDir(), "app.db")
	return &place{
		auth:     testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL}),
		database: databaseURL,
		store:    fmt.Sprintf("store: { url: %q }", databaseURL),
	}
}

// onBetterAuth lets the gate ask Better Auth itself, which tells nobody what changes. What it is remembered for is a quarter
// of the usual here, for time's sake.
func onBetterAuth(t *testing.T) *place {
	t.Helper()
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: testenv.Postgres(t).NewDatabase(t)})
	return &place{auth: auth, store: fmt.Sprintf("store: { url: %q }\ncache: { ttl_unnotified: 500ms }", auth.BaseURL+"/api/auth")}
}

// onRedis keeps sessions in Redis, with these members of Better Auth's option session, and everything else in PostgreSQL.
func onRedis(t *testing.T, session map[string]any) *place {
	t.Helper()
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	server := testenv.StartRedis(t)
	config := testenv.BetterAuthConfig{DatabaseURL: databaseURL, RedisURL: server.URL()}
	if session != nil {
		config.Options = map[string]any{"session": session}
	}
	auth := testenv.BetterAuth(t, config)
	both, archive := session["storeSessionInDatabase"] == true, session["preserveSessionInDatabase"] == true
	applyNotices(t, auth, databaseURL, secondaryEnv(server.URL(), both)...)
	return &place{
		auth: auth, database: databaseURL,
		store: fmt.Sprintf("store: { url: %q, secondary: { url: %q, store_session_in_database: %v, preserve_session_in_database: %v } }",
			databaseURL, server.URL(), both, archive),
		cut: func(t testing.TB) int { return cutListeners(t, databaseURL) + cutRedis(t, server.URL()) },
	}
}

// secondaryEnv tells a command that sessions are in Redis, and whether they are rows, too: without, there is no such table.
func secondaryEnv(url string, both bool) []string {
	return []string{"USHER_STORE_SECONDARY_URL=" + url, fmt.Sprintf("USHER_STORE_SECONDARY_STORE_SESSION_IN_DATABASE=%v", both)}
}

// applyNotices runs `usher schema apply -revocation`, as an operator does; more are variables of the configuration.
func applyNotices(t *testing.T, auth *testenv.BetterAuthServer, databaseURL string, more ...string) {
	t.Helper()
	applySchema(t, "-revocation", auth, databaseURL, more...)
}

func applySchema(t *testing.T, flag string, auth *testenv.BetterAuthServer, databaseURL string, more ...string) {
	t.Helper()
	command := exec.Command(binary, "schema", "apply", flag)
	command.Env = append(more,
		"PATH="+os.Getenv("PATH"), "BETTER_AUTH_SECRET="+auth.Secret, "BETTER_AUTH_URL="+auth.BaseURL, "DATABASE_URL="+databaseURL)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("usher schema apply %s: %v\n%s", flag, err, out)
	}
}

// listener is the application_name of the connection on which a gate hears of changes.
const listener = "usher revocation"

// cutListeners ends the gates' listening connections from the server's side.
func cutListeners(t testing.TB, databaseURL string) int {
	t.Helper()
	return terminate(t, databaseURL, listener)
}

// terminate ends connections by their application_name.
func terminate(t testing.TB, databaseURL, name string) (ended int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer conn.Close(ctx)
	const sql = `select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity where application_name = $1 and datname = current_database()`
	if err := conn.QueryRow(ctx, sql, name).Scan(&ended); err != nil {
		t.Error(err)
	}
	return ended
}

// cutRedis ends every connection that hears of changes: those of subscribers, and those with client tracking. Better
// Auth's own is neither.
func cutRedis(t testing.TB, url string) (ended int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	client := redis.NewClient(options)
	defer client.Close()
	list, err := client.ClientList(ctx).Result()
	if err != nil {
		t.Error(err)
		return 0
	}
	for line := range strings.Lines(list) {
		fields := map[string]string{}
		for field := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = value
		}
		// P subscribes, t tracks (CLIENT LIST).
		if !strings.ContainsAny(fields["flags"], "Pt") {
			continue
		}
		n, err := client.ClientKillByFilter(ctx, "ID", fields["id"]).Result()
		if err != nil {
			t.Error(err)
		}
		ended += int(n)
	}
	return ended
}

// quiet keeps decisions out of the log, all but those that could not be made.
const quiet = "log: { level: info, format: json, decisions: { allowed: 0, refused: 0 } }"

// replica is one of several gates on one storage, and how it is asked here.
type replica struct {
	*usher
	asker
	edge string
}

// replicas starts three gates. Two are asked over HTTP, one over gRPC.
func (p *place) replicas(t *testing.T, more ...string) []replica {
	t.Helper()
	var all []replica
	for i := range 3 {
		u := startUsherOn(t, p.auth, nil, append([]string{p.store, quiet}, more...)...)
		r := replica{u, u.overHTTP(t), "HTTP"}
		if i == 2 {
			r.asker, r.edge = u.overGRPC(t), "gRPC"
		}
		all = append(all, r)
	}
	for _, r := range all {
		r.waitReady(t, 200)
	}
	return all
}

// awaitComplete waits until every replica says that it hears of every change.
func awaitComplete(t *testing.T, all []replica) {
	t.Helper()
	for _, r := range all {
		r.awaitRevocation(t, "complete")
	}
}
