package companion

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// TestRedisWithTheSessionsIsGone: who is signed in is not told otherwise, who comes back from a provider is not signed in
// by halves, and two seconds after its return everything is as before.
func TestRedisWithTheSessionsIsGone(t *testing.T) {
	t.Parallel()
	redis := testenv.StartRedis(t)
	in := storages()[2]
	in.redis = func(*testing.T) string { return redis.URL() }
	s := newSite(t, in, []string{"cache: { size: 0 }"}, nil)
	b := s.browser(t)
	if done := b.do(http.MethodGet, b.visit(b.begin("/welcome"), ada.Sub), ""); done.Header.Get("Location") != "/welcome" {
		t.Fatalf("%d to %q", done.StatusCode, done.Header.Get("Location"))
	}
	late := s.browser(t)
	back := late.visit(late.begin("/welcome"), ada.Sub)
	for _, fault := range []struct {
		name        string
		break_, end func()
	}{{"paused", redis.Pause, redis.Resume}, {"killed", redis.Kill, redis.Start}} {
		fault.break_()
		for _, path := range []string{"/api/auth/get-session", "/api/auth/list-sessions"} {
			start := time.Now()
			a := b.do(http.MethodGet, path, "")
			if a.StatusCode < 500 || a.Header.Values("Set-Cookie") != nil {
				t.Errorf("%s: %s: %d %v %s", fault.name, path, a.StatusCode, a.Header.Values("Set-Cookie"), a.body)
			}
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("%s: %s after %v", fault.name, path, took)
			}
		}
		if a := b.do(http.MethodPost, "/api/auth/sign-in/social", `{"provider":"acme"}`); a.StatusCode < 500 {
			t.Errorf("%s: sign-in/social: %d %s", fault.name, a.StatusCode, a.body)
		}
		if fault.name == "killed" { // what Redis held is gone with it, so this is the last that is asked
			done := late.do(http.MethodGet, back, "")
			for _, cookie := range done.Header.Values("Set-Cookie") {
				if strings.Contains(cookie, "session_token") {
					t.Errorf("%s: a session from nowhere: %s", fault.name, cookie)
				}
			}
			if to := done.Header.Get("Location"); !strings.Contains(to, "error=internal_server_error") && done.StatusCode < 500 {
				t.Errorf("%s: callback: %d to %q", fault.name, done.StatusCode, to)
			}
		}
		fault.end()
		within(t, 3*time.Second, "asked again", func() bool { return b.do(http.MethodGet, "/api/auth/get-session", "").StatusCode == http.StatusOK })
		if fault.name == "paused" && b.who() != "ada@example.com" {
			t.Errorf("%s: signed out", fault.name)
		}
	}
}

// TestLimitsAreSharedThroughRedis: two replicas together allow what one allows, and while Redis is away each counts by
// itself: nobody is refused who is within the limit.
func TestLimitsAreSharedThroughRedis(t *testing.T) {
	t.Parallel()
	redis := testenv.StartRedis(t)
	s := newSite(t, storages()[1], []string{fmt.Sprintf("redis: { url: %q }", redis.URL())}, nil)
	limited := func(line string) string {
		return strings.Replace(line, "better_auth: {", "better_auth: { rate_limit: { enabled: true },", 1)
	}
	replicas := []replica{s.another(t, limited, "people sign in here"), s.another(t, limited, "people sign in here")}
	b := s.browser(t)
	limits := func(said string) {
		t.Helper()
		for _, r := range replicas {
			within(t, 5*time.Second, said, func() bool {
				return strings.Contains(b.do(http.MethodGet, r.ops+"/readyz", "").body, `"rate_limits":"`+said)
			})
		}
	}
	limits("shared")
	asks := func(times int) (passed int) {
		for i := range times {
			a := b.do(http.MethodPost, replicas[i%2].url.String()+"/api/auth/sign-in/social", `{"provider":"acme"}`)
			switch {
			case a.StatusCode == http.StatusOK:
				passed++
			case a.StatusCode != http.StatusTooManyRequests || a.Header.Get("X-Retry-After") == "":
				t.Errorf("%d %v %s", a.StatusCode, a.Header, a.body)
			}
		}
		return passed
	}
	if passed := asks(8); passed != 3 { // Better Auth's own limit of these routes: 3 in 10 s
		t.Errorf("%d of 8 pass, on two replicas that share a limit of 3", passed)
	}
	redis.Kill()
	limits("counted in this process alone")
	if passed := asks(8); passed != 6 {
		t.Errorf("%d of 8 pass, on two replicas that count alone to 3", passed)
	}
}
