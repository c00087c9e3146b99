package endpoint

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
)

const day = 24 * time.Hour

var cleared = []string{
	"better-auth.session_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
	"better-auth.session_data=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
	"better-auth.dont_remember=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
}

// whose answers the id of the session, or nobody.
func whose(c *Call) error {
	s, _, err := c.Session()
	switch {
	case errors.Is(err, ErrGone):
		return c.JSON(200, []byte("gone"))
	case err != nil:
		return err
	case s == nil:
		return c.JSON(200, []byte("nobody"))
	}
	if again, _, _ := c.Session(); again != s {
		return errors.New("looked up twice")
	}
	return c.JSON(200, []byte(s.Token+" until "+record.Time(s.ExpiresAt)))
}

func TestCurrentSession(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "GET", Path: "/whose", Handler: whose})
	young := w.signIn("young", time.Hour)
	old := w.signIn("old", day)
	const until, renewed = " until 2026-12-02T11:00:00.000Z", " until 2026-12-02T12:00:00.000Z"
	value := func(cookie string) string { _, v, _ := strings.Cut(cookie, "="); return v }
	quit := "; better-auth.dont_remember=" + betterauth.Sign(secret, "true")
	handedOut := "better-auth.session_token=" + betterauth.Sign(secret, "old") + "; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"
	raw := strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace
	for _, c := range []struct {
		name, query string
		headers     []string
		want        string
		cookies     []string
	}{
		{"nothing", "", nil, "nobody", nil},
		{"a cookie", "", []string{"Cookie", young}, "young" + until, nil},
		{"a cookie that proves nothing", "", []string{"Cookie", "better-auth.session_token=young"}, "nobody", nil},
		{"an unknown token", "", []string{"Cookie", "better-auth.session_token=" + betterauth.Sign(secret, "unknown")}, "nobody", cleared},
		{"a bearer", "", []string{"Authorization", "Bearer young"}, "young" + until, nil},
		{"a signed bearer", "", []string{"Authorization", "bearer " + raw(value(young))}, "young" + until, nil},
		{"a bearer takes the cookie's place", "", []string{"Cookie", young, "Authorization", "Bearer unknown"}, "nobody", cleared},
		{"a bad bearer does not", "", []string{"Cookie", young, "Authorization", "Bearer young.forged"}, "young" + until, nil},
		{"nor another scheme", "", []string{"Cookie", young, "Authorization", "Basic eW91bmc6"}, "young" + until, nil},
		{"a service is nobody", "", []string{"Authorization", "Bearer ushi_0123456789"}, "nobody", nil},
		{"a service is nobody, whatever its cookie", "", []string{"Cookie", young, "Authorization", "BEARER  ushi_0123456789"}, "nobody", nil},
		{"due", "", []string{"Cookie", old}, "old" + renewed, []string{handedOut}},
		{"due, by bearer", "", []string{"Authorization", "Bearer old"}, "old" + renewed, []string{handedOut}},
		{"due, not to be renewed", "disableRefresh=false", []string{"Cookie", old}, "old until 2026-12-01T12:00:00.000Z", nil},
		{"due, told nothing", "disableRefresh=", []string{"Cookie", old}, "old" + renewed, []string{handedOut}},
		{"due, until the browser is quit", "", []string{"Cookie", old + quit}, "old until 2026-12-01T12:00:00.000Z", nil},
		{"a cache", "", []string{"Cookie", young + "; better-auth.session_data=x; better-auth.session_data.1=y; better-auth.session_data.x=z"}, "young" + until, []string{
			cleared[1], strings.Replace(cleared[1], "data=", "data.1=", 1),
		}},
	} {
		w.signIn("old", day)
		r := w.ask("GET", "/api/auth/whose?"+c.query, "", c.headers...)
		if got := text(t, r); got != c.want || !slices.Equal(r.Header["Set-Cookie"], c.cookies) {
			t.Errorf("%s: %s\n%q\nwant %s\n%q", c.name, got, r.Header["Set-Cookie"], c.want, c.cookies)
		}
		token := ""
		if slices.Contains(c.cookies, handedOut) {
			token = raw(betterauth.Sign(secret, "old"))
		}
		if got := r.Header.Get("Set-Auth-Token"); got != token {
			t.Errorf("%s: set-auth-token %q, want %q", c.name, got, token)
		}
		if got := r.Header.Get("Access-Control-Expose-Headers"); (got == "set-auth-token") != (token != "") {
			t.Errorf("%s: exposed %q", c.name, got)
		}
	}
}

func TestDueToTheMillisecond(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "GET", Path: "/whose", Handler: whose})
	for age, due := range map[time.Duration]bool{day - time.Millisecond: false, day: true, day + time.Millisecond: true} {
		r := w.ask("GET", "/api/auth/whose", "", "Cookie", w.signIn("s", age))
		if (len(r.Header["Set-Cookie"]) == 1) != due {
			t.Errorf("%v old: %q", age, r.Header["Set-Cookie"])
		}
	}
	every := newWorld(t, func(c *Config) { c.UpdateAge = -1 }, Route{Method: "GET", Path: "/whose", Handler: whose})
	if r := every.ask("GET", "/api/auth/whose", "", "Cookie", every.signIn("s", 0)); len(r.Header["Set-Cookie"]) != 1 {
		t.Errorf("with every use: %q", r.Header["Set-Cookie"])
	}
}

func TestExpiry(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "GET", Path: "/whose", Handler: whose})
	cookie := w.signIn("s", 7*day)
	if got := text(t, w.ask("GET", "/api/auth/whose?disableRefresh=1", "", "Cookie", cookie)); !strings.HasPrefix(got, "s ") {
		t.Errorf("in its last moment: %s", got)
	}
	w.now = w.now.Add(time.Millisecond)
	r := w.ask("GET", "/api/auth/whose", "", "Cookie", cookie)
	if got := text(t, r); got != "nobody" || !slices.Equal(r.Header["Set-Cookie"], cleared) || len(w.sessions) != 0 {
		t.Errorf("after it: %s %q, %d rows", got, r.Header["Set-Cookie"], len(w.sessions))
	}
}

// A store that cannot be asked is never nobody: a client would forget its session.
func TestAStoreThatFails(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "GET", Path: "/whose", Handler: whose}, Route{Method: "GET", Path: "/need", Handler: func(c *Call) error {
		_, _, err := c.Need()
		return err
	}})
	cookie := w.signIn("s", 0)
	w.down = errors.New("no database")
	for _, path := range []string{"/whose", "/need"} {
		r := w.ask("GET", "/api/auth"+path, "", "Cookie", cookie)
		if got := text(t, r); r.StatusCode != 500 || got != `{"message":"Failed to get session","code":"FAILED_TO_GET_SESSION"}` || r.Header["Set-Cookie"] != nil {
			t.Errorf("%s: %d %s %q", path, r.StatusCode, got, r.Header["Set-Cookie"])
		}
	}
	if log := w.log.String(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "no database") || strings.Contains(log, betterauth.Sign(secret, "s")) {
		t.Errorf("logged %q", log)
	}
	if got := text(t, w.ask("GET", "/api/auth/whose", "")); got != "nobody" {
		t.Errorf("without a cookie: %s", got)
	}
	if got := text(t, w.ask("GET", "/api/auth/whose", "", "Cookie", cookie, "Authorization", "Bearer ushi_0123456789")); got != "nobody" {
		t.Errorf("a service: %s", got)
	}
}

func TestFreshness(t *testing.T) {
	fresh := Route{Method: "GET", Path: "/fresh", Handler: func(c *Call) error {
		if _, _, err := c.Fresh(); err != nil {
			return err
		}
		return c.JSON(200, []byte("fresh"))
	}}
	w := newWorld(t, nil, fresh)
	for age, want := range map[time.Duration]string{
		day - time.Second: "fresh",
		day:               `{"message":"Session is not fresh","code":"SESSION_NOT_FRESH"}`,
	} {
		if got := text(t, w.ask("GET", "/api/auth/fresh", "", "Cookie", w.signIn("s", age))); got != want {
			t.Errorf("%v old: %s", age, got)
		}
	}
	r := w.ask("GET", "/api/auth/fresh", "")
	if got := text(t, r); r.StatusCode != http.StatusUnauthorized || got != `{"message":"Unauthorized","code":"UNAUTHORIZED"}` {
		t.Errorf("nobody: %d %s", r.StatusCode, got)
	}
	never := newWorld(t, func(c *Config) { c.FreshAge = -1 }, fresh)
	if got := text(t, never.ask("GET", "/api/auth/fresh", "", "Cookie", never.signIn("s", 6*day))); got != "fresh" {
		t.Errorf("without a limit: %s", got)
	}
}

// A neighbour on the same domain may put a cookie of its own before ours (cookie tossing): as at the gate, each is tried.
func TestTossedCookies(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "GET", Path: "/whose", Handler: whose})
	cookie := w.signIn("s", 0)
	for _, tossed := range []string{"better-auth.session_token=junk", "better-auth.session_token=", "better-auth.session_token=" + betterauth.Sign("another secret", "s")} {
		if got := text(t, w.ask("GET", "/api/auth/whose", "", "Cookie", tossed+"; "+cookie)); !strings.HasPrefix(got, "s ") {
			t.Errorf("%s: %s", tossed, got)
		}
	}
}

func TestASessionThatEndsWhileItIsRenewed(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "GET", Path: "/whose", Handler: whose}, Route{Method: "GET", Path: "/need", Handler: func(c *Call) error {
		_, _, err := c.Need()
		return err
	}})
	w.vanish = true
	for path, want := range map[string]string{"/whose": "gone", "/need": `{"message":"Unauthorized","code":"UNAUTHORIZED"}`} {
		r := w.ask("GET", "/api/auth"+path, "", "Cookie", w.signIn("s", 2*day))
		if got := text(t, r); got != want || !slices.Equal(r.Header["Set-Cookie"], cleared) || len(w.sessions) != 0 {
			t.Errorf("%s: %s %q", path, got, r.Header["Set-Cookie"])
		}
	}
}
