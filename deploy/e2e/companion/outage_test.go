package companion

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// onPostgres is a storage in a server of the test's own, which it may kill.
func onPostgres(t *testing.T) (*testenv.PostgresServer, string, storage) {
	t.Helper()
	server := testenv.StartPostgres(t)
	database := server.NewDatabase(t)
	return server, database, storage{name: "PostgreSQL", database: func(*testing.T) string { return database }}
}

// within waits for what takes a while, and not longer than limit.
func within(t *testing.T, limit time.Duration, what string, happened func() bool) {
	t.Helper()
	start := time.Now()
	for !happened() {
		if time.Since(start) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestPostgresFailsInTheMiddleOfSignIns kills and pauses the database while people come back from their provider: each
// gets a documented answer, nothing is half written, and two seconds later people sign in again.
func TestPostgresFailsInTheMiddleOfSignIns(t *testing.T) {
	server, database, in := onPostgres(t)
	s := newSite(t, in, []string{"cache: { size: 0 }"}, nil)
	signedIn := s.browser(t)
	if done := signedIn.do(http.MethodGet, signedIn.visit(signedIn.begin("/welcome"), "sub-bob"), ""); done.Header.Get("Location") != "/welcome" {
		t.Fatalf("%d %s", done.StatusCode, done.body)
	}
	for _, fault := range []struct {
		name        string
		break_, end func()
		longest     time.Duration
	}{
		{"killed", server.Kill, server.Start, 3 * time.Second},
		{"paused", server.Pause, server.Resume, 14 * time.Second},
	} {
		const people = 8
		var backs [people]string
		var browsers [people]*browser
		for i := range people {
			browsers[i] = s.browser(t)
			backs[i] = browsers[i].visit(browsers[i].begin("/welcome"), ada.Sub)
		}
		var group sync.WaitGroup
		for i := range people {
			group.Go(func() {
				start := time.Now()
				done, err := browsers[i].come(backs[i])
				if err != nil {
					t.Errorf("%s: %v", fault.name, err)
					return
				}
				to := done.Header.Get("Location")
				switch {
				case done.StatusCode == http.StatusFound && (to == "/welcome" || strings.Contains(to, "error=internal_server_error") || strings.Contains(to, "error=unable_to_create_session")):
				case done.StatusCode >= 500 && done.body == "":
				default:
					t.Errorf("%s: %d to %q: %s", fault.name, done.StatusCode, to, done.body)
				}
				if took := time.Since(start); took > fault.longest {
					t.Errorf("%s: answered after %v", fault.name, took)
				}
			})
			if i == people/2 {
				time.Sleep(30 * time.Millisecond) // some are in the middle
				fault.break_()
			}
		}
		if a := signedIn.do(http.MethodGet, "/api/auth/get-session", ""); a.StatusCode < 500 || a.Header.Values("Set-Cookie") != nil {
			t.Errorf("%s: get-session: %d %v %s", fault.name, a.StatusCode, a.Header, a.body)
		}
		group.Wait()
		fault.end()
		start := time.Now()
		within(t, 2*time.Second, "the session is read again", func() bool {
			a := signedIn.do(http.MethodGet, "/api/auth/get-session", "")
			return a.StatusCode == http.StatusOK && strings.Contains(a.body, "bob@example.com")
		})
		t.Logf("%s: back after %v", fault.name, time.Since(start))
		late := s.browser(t)
		if done := late.do(http.MethodGet, late.visit(late.begin("/welcome"), ada.Sub), ""); done.Header.Get("Location") != "/welcome" {
			t.Errorf("%s: afterwards: %d to %q", fault.name, done.StatusCode, done.Header.Get("Location"))
		}
		whole(t, database)
		if n := number(t, database, `select count(*) from "user"`); n != 2 {
			t.Errorf("%s: %d users, of two people", fault.name, n)
		}
	}
}

// TestARoleThatMayNotWrite: the gate goes on, and whoever looks is told which grant is missing. It heals without a
// restart.
func TestARoleThatMayNotWrite(t *testing.T) {
	t.Parallel()
	_, database, in := onPostgres(t)
	s := newSite(t, in, nil, nil)
	execute(t, database, `create role reader login password 'p'`, `grant usage on schema public to reader`,
		`grant select on all tables in schema public to reader`)
	reader := *parse(t, database)
	reader.User = url.UserPassword("reader", "p")
	poor := s.another(t, func(line string) string { return strings.ReplaceAll(line, database, reader.String()) },
		"signing in through Usher is off until this is mended")
	b := s.browser(t)
	if done := b.do(http.MethodGet, b.visit(b.begin("/welcome"), ada.Sub), ""); done.Header.Get("Location") != "/welcome" {
		t.Fatalf("before: %d to %q", done.StatusCode, done.Header.Get("Location"))
	}
	s.sides[goSide] = poor.url
	s.at(goSide)
	const missing = `grant insert, update on \"public\".\"user\" to the role of store.url`
	if !strings.Contains(poor.proc.Output(), missing) {
		t.Errorf("the log does not name the grant: %s", poor.proc.Output())
	}
	if a := b.do(http.MethodGet, poor.ops+"/readyz", ""); a.StatusCode != http.StatusOK || !strings.Contains(a.body, missing) || !strings.Contains(a.body, `"store":"ok"`) {
		t.Errorf("/readyz: %d %s", a.StatusCode, a.body)
	}
	if a := b.do(http.MethodGet, "/api/auth/get-session", ""); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("get-session: %d %v", a.StatusCode, a.Header)
	}
	if a := b.asTraefik(poor.url); a.StatusCode != http.StatusOK || a.Header.Get("X-User-Email") != "ada@example.com" {
		t.Errorf("the gate: %d %v %s", a.StatusCode, a.Header, a.body)
	}
	execute(t, database, `grant insert, update on "user" to reader`, `grant insert, update, delete on account, session, verification to reader`)
	within(t, 4*time.Second, "healed", func() bool { return b.do(http.MethodGet, "/api/auth/get-session", "").StatusCode == http.StatusOK })
	if done := b.do(http.MethodGet, b.visit(b.begin("/welcome"), ada.Sub), ""); done.Header.Get("Location") != "/welcome" {
		t.Errorf("healed: %d to %q", done.StatusCode, done.Header.Get("Location"))
	}
	execute(t, database, `revoke insert on account from reader`)
	within(t, 4*time.Second, "a grant taken away shows", func() bool {
		return strings.Contains(b.do(http.MethodGet, poor.ops+"/readyz", "").body, `grant insert on \"public\".\"account\"`)
	})
	whole(t, database)
}

// TestTheSignInServerStartsBeforeItsDatabase, beside the gate and alone, and is told to reload and to end.
func TestTheSignInServerStartsBeforeItsDatabase(t *testing.T) {
	t.Parallel()
	server, _, in := onPostgres(t)
	s := newSite(t, in, nil, nil)
	server.Kill()
	same := func(line string) string { return line }
	off := "signing in through Usher is off until this is mended"
	all := map[string]replica{"beside the gate": s.another(t, same, off), "alone": s.another(t, same, off, "-only", "oauth")}
	b := s.browser(t)
	for name, r := range all {
		for _, path := range []string{"/api/auth/get-session", "/sign-in"} {
			if a := b.do(http.MethodGet, r.url.String()+path, ""); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Errorf("%s, before: %s: %d %s", name, path, a.StatusCode, a.body)
			}
		}
		if a := b.do(http.MethodGet, r.ops+"/readyz", ""); a.StatusCode != http.StatusServiceUnavailable || strings.Contains(a.body, "password") {
			t.Errorf("%s, before: /readyz: %d %s", name, a.StatusCode, a.body)
		}
	}
	server.Start()
	for name, r := range all {
		within(t, 5*time.Second, name+" serves", func() bool {
			return b.do(http.MethodGet, r.url.String()+"/api/auth/get-session", "").StatusCode == http.StatusOK &&
				b.do(http.MethodGet, r.ops+"/readyz", "").StatusCode == http.StatusOK
		})
	}
	alone := all["alone"]
	if a := b.do(http.MethodGet, alone.url.String()+"/gate/traefik", ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("alone: there is a gate: %d", a.StatusCode)
	}
	alone.proc.Signal(syscall.SIGHUP)
	alone.proc.WaitLine(t, "nothing to reload")
	if a := b.do(http.MethodGet, alone.url.String()+"/api/auth/get-session", ""); a.StatusCode != http.StatusOK {
		t.Errorf("after SIGHUP: %d", a.StatusCode)
	}
	for name, r := range all {
		r.proc.Signal(syscall.SIGTERM)
		if code := r.proc.ExitCode(t); code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
}

// TestManyCallbacksOfOneIdentityOnThreeServers: two replicas and the real Better Auth finish sign-ins of one identity at
// the same instant. With the unique index of `usher schema apply` there is one user and one account afterwards, and a
// session for everybody who was told that they are signed in, and for nobody else.
func TestManyCallbacksOfOneIdentityOnThreeServers(t *testing.T) {
	t.Parallel()
	_, database, in := onPostgres(t)
	s := newSite(t, in, nil, nil)
	execute(t, database, `create unique index "account_providerId_accountId_uidx" on account ("providerId", "accountId")`)
	second := s.another(t, func(line string) string { return line }, "people sign in here")
	const people = 18
	var browsers [people]*browser
	var backs [people]string
	for i := range people {
		browsers[i] = s.browser(t)
		backs[i] = browsers[i].visit(browsers[i].begin("/welcome"), ada.Sub)
	}
	servers := []string{s.sides[goSide].Host, second.url.Host, s.sides[js].Host}
	var mu sync.Mutex
	answered := map[string]int{}
	var group sync.WaitGroup
	for i := range people {
		group.Go(func() {
			done, err := browsers[i].comeTo(servers[i%3], backs[i])
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			answered[fmt.Sprint([]string{"first", "second", "Better Auth"}[i%3], " ", done.StatusCode, " ", done.Header.Get("Location"))]++
		})
	}
	group.Wait()
	whole(t, database)
	for _, one := range []string{"first", "second"} {
		if answered[one+" 302 /welcome"] != people/3 {
			t.Errorf("not everybody whom Usher answers is signed in: %v", answered)
		}
	}
	if users, accounts := number(t, database, `select count(*) from "user"`), number(t, database, `select count(*) from account`); users != 1 || accounts != 1 {
		t.Errorf("%d users, %d accounts: %v", users, accounts, answered)
	}
	welcome := 0
	for how, many := range answered {
		if strings.HasSuffix(how, " 302 /welcome") {
			welcome += many
		}
	}
	if sessions := number(t, database, `select count(*) from session`); sessions != welcome {
		t.Errorf("%d sessions of %d who are signed in: %v", sessions, welcome, answered)
	}
	for i, b := range browsers {
		if s.at([]side{goSide, js}[i%2]); b.has("better-auth.session_token") != (b.who() == "ada@example.com") {
			t.Errorf("browser %d has a cookie that nobody takes, or none", i)
		}
	}
	t.Log(answered)
}
