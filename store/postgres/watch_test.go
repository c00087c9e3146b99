package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
)

// soon is the second within which a loss must be known, and what a busy machine adds.
const soon = time.Second + 500*time.Millisecond

// populated is a database on a server with a session, and its triggers.
func populated(t testing.TB, server *testenv.PostgresServer) postgres.Config {
	t.Helper()
	c := postgres.Config{URL: server.NewDatabase(t)}
	one(t, c.URL).Close()
	if _, err := postgres.InstallRevocation(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNothingIsMissedWhenTheListenerIsCut: whoever cuts the connection in the middle of a stream of changes cannot make
// one of them go untold: either it is told, or everything is after it.
func TestNothingIsMissedWhenTheListenerIsCut(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	_, e := listen(t, c)
	e.awaitComplete(t)
	conn := connect(t, c.URL)
	defer conn.Close(t.Context())
	const rounds, each = 6, 40
	for round := range rounds {
		var flushed int
		e.mu.Lock()
		e.tags, flushed = make(map[store.Tag]bool), e.all
		e.mu.Unlock()
		tags := make(map[store.Tag]int) // after which flush each was acknowledged
		for i := range each {
			id := fmt.Sprintf("r%d-%d", round, i)
			if i == each/2 {
				execute(t, c.URL, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'usher revocation' and datname = current_database()")
			}
			if _, err := conn.Exec(t.Context(), fmt.Sprintf(`insert into "user" ("id", "name", "email", "emailVerified") values ('%s', 'A', '%[1]s', true)`, id)).ReadAll(); err != nil {
				t.Fatal(err)
			}
			e.mu.Lock()
			tags[store.UserTag(id)] = e.all
			e.mu.Unlock()
		}
		e.await(t, "another complete", slack, func() bool { return e.all > flushed })
		e.awaitComplete(t)
		e.mu.Lock()
		for tag, flushes := range tags {
			if !e.tags[tag] && e.all == flushes {
				t.Errorf("a change went untold")
			}
		}
		if len(e.why) == 0 {
			t.Error("nothing was said of the loss")
		}
		e.mu.Unlock()
	}
}

func TestPausedServerIsNoticed(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	c := populated(t, server)
	s, e := listen(t, c)
	e.awaitComplete(t)
	for range 2 {
		server.Pause()
		paused := time.Now()
		e.awaitIncomplete(t, soon, "did not answer within")
		e.mu.Lock()
		if until := e.until; until.After(paused.Add(10 * time.Millisecond)) {
			t.Errorf("complete until %v after the pause", until.Sub(paused))
		}
		e.mu.Unlock()
		time.Sleep(500 * time.Millisecond) // the attempts meanwhile, which a server that does not answer keeps waiting
		server.Resume()
		resumed := time.Now()
		e.awaitComplete(t)
		if took := time.Since(resumed); took > 2*time.Second+soon {
			t.Errorf("complete %v after the server's return", took)
		}
		must(t, together(t, s, 5, 5*time.Second))
	}
}

func TestRestartedServerIsListenedToAgain(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	c := populated(t, server)
	_, e := listen(t, c)
	e.awaitComplete(t)
	server.Kill()
	e.awaitIncomplete(t, soon, "")
	execs := connectLater(t, server, c)
	before := time.Now()
	e.awaitComplete(t)
	if took := time.Since(before); took > 2*time.Second+soon {
		t.Errorf("complete %v after the server's return", took)
	}
	e.forget()
	execs(`update "user" set "name" = 'after the restart'`)
	e.await(t, "a change after the restart", soon, func() bool { return e.tags[store.UserTag("u1")] })
}

// connectLater starts a killed server and returns what runs SQL on it.
func connectLater(t *testing.T, server *testenv.PostgresServer, c postgres.Config) func(sql string) {
	t.Helper()
	server.Start()
	return func(sql string) { t.Helper(); execute(t, c.URL, sql) }
}

// TestFailover: the primary dies, its standby is promoted, and the URL names both.
func TestFailover(t *testing.T) {
	t.Parallel()
	primary := testenv.StartPostgres(t)
	c := populated(t, primary)
	standby := primary.Standby(t)
	address := func(url string) string { return between(url, "@", "/") }
	both := c
	both.URL = strings.Replace(c.URL, address(c.URL), address(c.URL)+","+address(standby.URL("x")), 1) + "&target_session_attrs=primary"
	s, e := listen(t, both)
	e.awaitComplete(t)
	must(t, together(t, s, 20, 5*time.Second))

	// Alone, a standby is read but not listened to.
	alone := postgres.Config{URL: strings.Replace(c.URL, address(c.URL), address(standby.URL("x")), 1)}
	_, deaf := listen(t, alone)
	deaf.awaitIncomplete(t, slack, "hot standby")

	primary.Kill()
	e.awaitIncomplete(t, soon, "")
	e.forget()
	standby.Promote()
	promoted := time.Now()
	must(t, together(t, s, 1, 2*time.Second))
	e.awaitComplete(t)
	if took := time.Since(promoted); took > 2*time.Second+soon {
		t.Errorf("complete %v after the promotion", took)
	}
	e.mu.Lock()
	if e.all == 0 {
		t.Error("what was remembered from before is still known")
	}
	e.mu.Unlock()
	execute(t, alone.URL, `update "user" set "name" = 'after the failover'`)
	e.await(t, "a change after the failover", soon, func() bool { return e.tags[store.UserTag("u1")] })
	must(t, together(t, s, 20, 5*time.Second))
	deaf.awaitComplete(t)
}

// TestTwoPrimaries: the standby took over from a primary that lives on and does not know. Once the listener has found the
// new one, nobody asks the old one any more, though the pool's connections to it are well.
func TestTwoPrimaries(t *testing.T) {
	t.Parallel()
	primary := testenv.StartPostgres(t)
	c := populated(t, primary)
	standby := primary.Standby(t)
	old, promoted := between(c.URL, "@", "/"), between(standby.URL("x"), "@", "/")
	var shut atomic.Bool
	way := relay(t, old, &shut, func(byte) bool { return true })
	both := postgres.Config{URL: strings.Replace(c.URL, old, way+","+promoted, 1) + "&target_session_attrs=primary"}
	s, e := listen(t, both)
	e.awaitComplete(t)
	must(t, together(t, s, 40, 5*time.Second)) // several connections
	// Others ask all the time, so that connections are in use when they should be left.
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	defer asking.Wait()
	defer stop()
	for range 8 {
		asking.Go(func() {
			for ctx.Err() == nil {
				_, _ = s.Resolve(ctx, gate.Proven(gate.ByCookie, "token"))
			}
		})
	}

	standby.Promote()
	shut.Store(true)
	execute(t, c.URL, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'usher revocation'")
	e.awaitIncomplete(t, soon, "")
	e.awaitComplete(t)
	execute(t, strings.Replace(c.URL, old, promoted, 1), `delete from "session"`)
	for i := range 40 {
		if _, err := s.Resolve(t.Context(), gate.Proven(gate.ByCookie, "token")); !errors.Is(err, gate.ErrNoSession) {
			t.Fatalf("lookup %d of a session that was deleted: %v", i, err)
		}
	}
}

// TestALookupThatOutlivesItsPrimary: the one connection to a primary that is none any more is busy while the listener
// finds the new one, so that nobody can close it. When it comes back, nobody is answered from it.
func TestALookupThatOutlivesItsPrimary(t *testing.T) {
	t.Parallel()
	primary := testenv.StartPostgres(t)
	c := populated(t, primary)
	standby := primary.Standby(t)
	old, promoted := between(c.URL, "@", "/"), between(standby.URL("x"), "@", "/")
	var shut, holding atomic.Bool
	held, release := make(chan struct{}, 1), make(chan struct{})
	way := relay(t, old, &shut, func(byte) bool {
		if holding.CompareAndSwap(true, false) {
			held <- struct{}{}
			<-release
		}
		return true
	})
	s, err := postgres.Open(t.Context(), postgres.Config{URL: strings.Replace(c.URL, old, way+","+promoted, 1) + "&target_session_attrs=primary"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	must(t, together(t, s, 1, 5*time.Second))
	holding.Store(true)
	outlived := make(chan error, 1)
	go func() { outlived <- lookUp(t, s, slack) }()
	<-held

	standby.Promote()
	shut.Store(true)
	e := newEar()
	attach(t, s, e)
	e.awaitComplete(t)
	execute(t, strings.Replace(c.URL, old, promoted, 1), `delete from "session"`)
	close(release)
	if err := <-outlived; err != nil {
		t.Fatalf("the lookup that began before: %v", err)
	}
	if _, err := s.Resolve(t.Context(), gate.Proven(gate.ByCookie, "token")); !errors.Is(err, gate.ErrNoSession) {
		t.Fatalf("a session that was deleted: %v", err)
	}
}

// TestOneNameAnotherServer: a name, or an address in front of the servers, leads to the new primary, while the pool's
// connections to the old one are well.
func TestOneNameAnotherServer(t *testing.T) {
	t.Parallel()
	primary := testenv.StartPostgres(t)
	c := populated(t, primary)
	standby := primary.Standby(t)
	old, promoted := between(c.URL, "@", "/"), between(standby.URL("x"), "@", "/")
	var leads atomic.Value
	leads.Store(old)
	name := accept(t, func(client net.Conn) { forward(client, leads.Load().(string)) })
	s, e := listen(t, postgres.Config{URL: strings.Replace(c.URL, old, name, 1)})
	e.awaitComplete(t)
	must(t, together(t, s, 40, 5*time.Second)) // several connections

	standby.Promote()
	leads.Store(promoted)
	execute(t, c.URL, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'usher revocation'")
	e.awaitIncomplete(t, soon, "")
	e.awaitComplete(t)
	execute(t, strings.Replace(c.URL, old, promoted, 1), `delete from "session"`)
	for i := range 40 {
		if _, err := s.Resolve(t.Context(), gate.Proven(gate.ByCookie, "token")); !errors.Is(err, gate.ErrNoSession) {
			t.Fatalf("lookup %d of a session that was deleted: %v", i, err)
		}
	}
}

func between(text, start, end string) string {
	_, text, _ = strings.Cut(text, start)
	text, _, _ = strings.Cut(text, end)
	return text
}

func TestSeveralServersNeedAPrimary(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	address := between(c.URL, "@", "/")
	for parameters, ok := range map[string]bool{"": false, "&target_session_attrs=any": false, "&target_session_attrs=prefer-standby": false, "&target_session_attrs=read-write": true} {
		several := postgres.Config{URL: strings.Replace(c.URL, address, fmt.Sprintf("%s,127.0.0.1:%d", address, testenv.FreePort(t)), 1) + parameters}
		_, e := listen(t, several)
		if ok {
			e.awaitComplete(t)
		} else {
			e.awaitIncomplete(t, slack, "add target_session_attrs=primary")
		}
	}
}

// TestTriggersThatGoAreNoticed, and those that come back, without another connection.
func TestTriggersThatGoAreNoticed(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	_, e := listen(t, c)
	e.awaitComplete(t)
	for _, damage := range []string{
		`drop trigger usher_revocation on "session"`,
		`alter table "member" disable trigger usher_revocation`,
		`alter table "session" disable trigger all`,
		`alter function usher_revocation_session() rename to usher_revocation_gone`,
		`create or replace function usher_revocation_session() returns trigger language plpgsql as 'begin return null; end'`,
		`alter table "user" drop column "role"`,
		`alter table "user" add column "role" text`,
		`alter table "user" rename column "banned" to "barred"`,
		`alter table "user" rename column "barred" to "banned"`,
		`alter table "team" rename to "was"; create table "team" (like "was"); drop table "was" cascade`,
	} {
		execute(t, c.URL, damage)
		e.awaitIncomplete(t, soon, "run `usher schema apply -revocation`")
		install(t, c, false)
		e.await(t, "complete after "+damage, soon, func() bool { return e.complete })
	}
	remove(t, c, false)
	e.awaitIncomplete(t, soon, "the revocation triggers are not installed; run `usher schema apply -revocation`")
	execute(t, c.URL, `drop table "session"`)
	e.awaitIncomplete(t, soon, `no table "session"`)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, why := range e.why {
		if strings.Contains(why, "lost") {
			t.Errorf("the connection was lost: %s", why)
		}
	}
}

// TestTriggersThatWereAway: what changed between two proofs while a trigger was disabled, as a restore or a script of one
// transaction does it, was told by nobody. So nothing is known any more.
func TestTriggersThatWereAway(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	_, e := watch(t, c)
	execute(t, c.URL, `begin; alter table "session" disable trigger all; delete from "session"; alter table "session" enable trigger all;
		alter table "session" enable always trigger usher_revocation; alter table "session" enable always trigger usher_revocation_truncate; commit`)
	e.awaitComplete(t)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == 0 {
		t.Errorf("a session was deleted, and nothing was told; reasons %q", e.why)
	}
}

// TestWatchNeedsNoRights but those of the lookups.
func TestWatchNeedsNoRights(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	execute(t, c.URL, `create role watch_reader login; grant select on "user", "session", "organization", "member", "team", "teamMember" to watch_reader`)
	t.Cleanup(func() { execute(t, c.URL, `drop owned by watch_reader; drop role watch_reader`) })
	_, e := listen(t, postgres.Config{URL: strings.Replace(c.URL, "postgres@", "watch_reader@", 1)})
	e.awaitComplete(t)
	execute(t, c.URL, `update "user" set "name" = 'B'`)
	e.await(t, "a change", soon, func() bool { return e.tags[store.UserTag("u1")] })
}

// TestEveryModeOfTheConnection: what a pooler that loses prepared statements is served with serves the listener, too.
func TestEveryModeOfTheConnection(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	for _, mode := range []string{"exec", "cache_describe", "describe_exec", "simple_protocol"} {
		_, e := listen(t, postgres.Config{URL: c.URL + "&default_query_exec_mode=" + mode})
		e.awaitComplete(t)
	}
}

// TestStrangeNotices: whoever may connect may notify. The worst that comes of it is a cache that is filled anew.
func TestStrangeNotices(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	_, e := listen(t, c)
	_, other := listen(t, c) // another replica, whose probes arrive here
	e.awaitComplete(t)
	other.awaitComplete(t)
	conn := connect(t, c.URL)
	defer conn.Close(t.Context())
	hex := strings.Repeat("0a", 16)
	for payload, everything := range map[string]bool{
		"probe x": false, "probe ": false, "*": true, "": true, "{}": true, hex: true, hex + " ": true, hex + " x": true, hex[1:] + " 1": true, hex + "  1": true, "probe": true,
	} {
		e.forget()
		if _, err := conn.Exec(t.Context(), "select pg_notify('usher_revocation', '"+payload+"')").ReadAll(); err != nil {
			t.Fatal(err)
		}
		if everything {
			e.demand(t, conn, payload, "*")
		} else {
			e.demand(t, conn, payload)
		}
	}
}

// TestPoolerThatLosesNotifications is told from its effect.
func TestPoolerThatLosesNotifications(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	address := between(c.URL, "@", "/")
	var shut, hears atomic.Bool
	c.URL = strings.Replace(c.URL, address, relay(t, address, &shut, func(kind byte) bool { return kind != 'A' || hears.Load() }), 1)
	s, e := listen(t, c)
	e.awaitIncomplete(t, slack, "a pooler stands between")
	must(t, together(t, s, 20, 5*time.Second))
	e.mu.Lock()
	if e.all > 0 {
		t.Error("for a while it was complete")
	}
	e.mu.Unlock()
	hears.Store(true)
	e.awaitComplete(t)
}

// TestCompleteUntilTheQuestion: what was committed after the server had answered, and before the answer came, may not
// have been heard.
func TestCompleteUntilTheQuestion(t *testing.T) {
	t.Parallel()
	const delay = 300 * time.Millisecond
	c := populated(t, testenv.Postgres(t))
	address := between(c.URL, "@", "/")
	var shut, slow atomic.Bool
	c.URL = strings.Replace(c.URL, address, relay(t, address, &shut, func(kind byte) bool {
		if kind == 'Z' && slow.Load() { // the end of an answer
			time.Sleep(delay)
		}
		return true
	}), 1)
	_, e := listen(t, c)
	e.awaitComplete(t)
	slow.Store(true)
	e.awaitComplete(t) // the last answer that may have come in time
	e.forget()
	e.awaitComplete(t)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.complete || e.behind < delay {
		t.Errorf("complete until %v before it was said; the answer took %v", e.behind, delay)
	}
}

// TestWatchEnds promptly, whatever it is doing.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	s, err := postgres.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond} {
		ctx, cancel := context.WithCancel(t.Context()) // without a deadline, which a dialer meets earlier than everybody else
		time.AfterFunc(after, cancel)
		e := newEar()
		before := time.Now()
		s.Watch(ctx, e)
		cancel()
		if took := time.Since(before); took > after+soon {
			t.Errorf("after %v it took %v to end", after, took)
		}
		if len(e.why) > 0 {
			t.Errorf("after %v: %q", after, e.why)
		}
	}
	var left int
	deadline := time.Now().Add(slack)
	for left = 1; left > 0 && time.Now().Before(deadline); {
		query(t, c, "select count(*) from pg_stat_activity where application_name = 'usher revocation' and datname = current_database()", &left)
	}
	if left > 0 {
		t.Errorf("%d connections still listen", left)
	}
}

// TestWatchWhileThePoolIsExhausted: the pool's misery is not the listener's.
func TestWatchWhileThePoolIsExhausted(t *testing.T) {
	t.Parallel()
	c := populated(t, testenv.Postgres(t))
	c.MaxConns = 2
	s, e := listen(t, c)
	e.awaitComplete(t)
	migration := connect(t, c.URL)
	defer migration.Close(t.Context())
	if _, err := migration.Exec(t.Context(), `begin; lock table "organization" in access exclusive mode`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	failed := make(chan error, 10)
	for range cap(failed) {
		go func() {
			_, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, "token"))
			failed <- err
		}()
	}
	e.forget()
	execute(t, c.URL, `update "user" set "name" = 'meanwhile'`)
	e.await(t, "a change", soon, func() bool { return e.tags[store.UserTag("u1")] })
	for range cap(failed) {
		if err := <-failed; err == nil {
			t.Error("answered in spite of the lock")
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.complete || len(e.why) > 0 {
		t.Errorf("complete %v, %q", e.complete, e.why)
	}
}
