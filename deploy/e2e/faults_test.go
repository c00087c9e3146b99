package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// TestADeadDatabaseIsNoAnswer kills the database and brings it back: 503 meanwhile, never a pass, never a sign-out, and
// no restart of anything afterwards. Nothing is remembered here; TestPostgresFails has the same with a memory.
func TestADeadDatabaseIsNoAnswer(t *testing.T) {
	postgres := testenv.StartPostgres(t)
	databaseURL := postgres.NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	ada := auth.SignUp(t, "Ada", "ada@example.com")
	backend := testenv.EchoBackend(t)
	gate := startUsher(t, auth, databaseURL, rules, forgetful)
	proxies := startProxies(t, gate, backend.Address)
	gate.waitReady(t, 200)

	everywhere := func(what string, q request, want int, reason string) {
		t.Helper()
		for _, p := range proxies {
			x := p.send(t, backend, q)
			x.nothingChosen(t)
			if x.Status != want || x.reached() != (want == 200) {
				t.Errorf("%s, %s: status %d, backend asked %v, want %d; body %.200s", what, p.name, x.Status, x.reached(), want, x.Body)
			}
			// Envoy's HTTP service keeps nothing but the status of a 5xx (proxies.md, section 2.2).
			if want == 503 && p.name != "envoy-http" && (x.Header.Get("Retry-After") == "" || x.Header.Get("X-Usher-Reason") != reason) {
				t.Errorf("%s, %s: Retry-After %q, X-Usher-Reason %q, want %s", what, p.name, x.Header.Get("Retry-After"), x.Header.Get("X-Usher-Reason"), reason)
			}
		}
	}
	signedIn := request{lines: []string{cookie(ada)}}
	browser := request{lines: []string{cookie(ada), "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}}

	everywhere("before", signedIn, 200, "")
	postgres.Kill()
	everywhere("killed", signedIn, 503, "STORE_UNAVAILABLE")
	everywhere("killed, a browser", browser, 503, "STORE_UNAVAILABLE")
	everywhere("killed, optional", request{target: "/optional/x", lines: []string{cookie(ada)}}, 503, "STORE_UNAVAILABLE")
	everywhere("killed, public", request{target: "/public/x", lines: []string{cookie(ada)}}, 200, "")
	everywhere("killed, nobody", request{}, 401, "")
	everywhere("killed, forged", request{lines: []string{"Cookie: better-auth.session_token=a.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}, 401, "")
	gate.waitReady(t, 503)
	postgres.Start()
	gate.waitReady(t, 200)
	everywhere("back", signedIn, 200, "")

	postgres.Pause()
	everywhere("paused", signedIn, 503, "STORE_TIMEOUT")
	postgres.Resume()
	gate.waitReady(t, 200)
	everywhere("resumed", signedIn, 200, "")
}

// TestUsherStartsBeforeItsDatabase is a cold start of everything at once.
func TestUsherStartsBeforeItsDatabase(t *testing.T) {
	postgres := testenv.StartPostgres(t)
	databaseURL := postgres.NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	ada := auth.SignUp(t, "Ada", "ada@example.com")
	postgres.Kill()
	backend := testenv.EchoBackend(t)
	gate := startUsher(t, auth, databaseURL)
	p := startProxy(t, "traefik", gate, backend.Address)
	signedIn := request{lines: []string{cookie(ada)}}
	if x := p.send(t, backend, signedIn); x.Status != 503 || x.reached() {
		t.Errorf("without a database: status %d", x.Status)
	}
	postgres.Start()
	gate.waitReady(t, 200)
	if x := p.send(t, backend, signedIn); x.Status != 200 || x.identity(t, "x-user-id") != ada.UserID {
		t.Errorf("with it: status %d", x.Status)
	}
}

// TestADeadGateIsNoAnswer is D08 and D09: a gate that is gone, or silent, lets nothing pass.
func TestADeadGateIsNoAnswer(t *testing.T) {
	s := setStage(t)
	signedIn := request{lines: []string{cookie(s.ada)}}
	everywhere := func(what string) {
		t.Helper()
		for _, p := range s.proxies {
			for _, q := range []request{signedIn, {target: "/public/x", lines: []string{"X-User-Id: evil"}}} {
				start := time.Now()
				x := p.send(t, s.backend, q)
				x.nothingChosen(t)
				if x.reached() || x.Status < 500 {
					t.Errorf("%s, %s: status %d, backend asked %v", what, p.name, x.Status, x.reached())
				}
				if took := time.Since(start); took > 15*time.Second {
					t.Errorf("%s, %s: %v until the answer", what, p.name, took)
				}
			}
		}
	}
	all := s.proxies
	s.gate.proc.Signal(syscall.SIGSTOP)
	for i, p := range all {
		if p.name == "traefik" { // waits 30 s, which no key of it changes (proxies.md, section 7)
			s.proxies = append(append([]*proxied{}, all[:i]...), all[i+1:]...)
		}
	}
	everywhere("silent")
	s.proxies = all
	s.gate.proc.Signal(syscall.SIGCONT)
	for _, p := range all {
		if x := p.send(t, s.backend, signedIn); x.Status != 200 {
			t.Errorf("awake again, %s: status %d", p.name, x.Status)
		}
	}
	s.gate.proc.Kill()
	everywhere("gone")
}
