package boot_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
	"github.com/usherauth/usher/oauth/oauthtest"
)

// A schema in which no account can be made stops signing in and nothing else, until somebody mends it.
func TestASchemaThatCannotBeWrittenIsNoConcernOfTheGate(t *testing.T) {
	t.Parallel()
	idp := oauthtest.Start(t)
	c, path := companionConfig(t, idp)
	withIssuer(t, c, path)
	signIn(t, path, "ada")
	r := run(t, c, "")
	until(t, 2*time.Second, "a line in the log", func() bool {
		return strings.Contains(r.log.String(), "signing in through Usher is off until this is mended")
	})
	if !strings.Contains(r.log.String(), "issuer") {
		t.Errorf("the log does not name the column: %s", r.log)
	}
	if got := ask(t, r.HTTP, "ada"); got != http.StatusOK {
		t.Errorf("the gate: %d", got)
	}
	if status, said := r.readyz(t); status != http.StatusOK || !strings.Contains(said["companion"], "issuer") {
		t.Errorf("/readyz: %d %v", status, said)
	}
	for _, path := range []string{"/api/auth/get-session", "/api/auth/callback/acme?state=x&code=y", "/sign-in", "/account"} {
		response, body := get(t, "http://"+r.HTTP+path)
		page := strings.HasPrefix(response.Header.Get("Content-Type"), "text/html")
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || page == strings.HasPrefix(path, "/api/") {
			t.Errorf("%s: %d %v %.100s", path, response.StatusCode, response.Header, body)
		}
		if response.Header.Values("Set-Cookie") != nil || strings.Contains(body, "issuer") {
			t.Errorf("%s: %v %s", path, response.Header, body)
		}
	}
	execute(t, path, `alter table "account" drop column "issuer"`)
	until(t, 4*time.Second, "healed without a restart", func() bool { _, said := r.readyz(t); return said["companion"] == "serving" })
	if response, body := get(t, "http://"+r.HTTP+"/api/auth/get-session"); response.StatusCode != http.StatusOK || body != "null" {
		t.Errorf("healed: %d %s", response.StatusCode, body)
	}
}

// Alone there is nothing to keep up for: it ends, and says why.
func TestAloneASchemaThatCannotBeWrittenEndsIt(t *testing.T) {
	t.Parallel()
	idp := oauthtest.Start(t)
	c, path := companionConfig(t, idp)
	withIssuer(t, c, path)
	r := run(t, c, "oauth")
	select {
	case err := <-r.ended:
		if err == nil || !strings.Contains(err.Error(), "issuer") {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it still runs")
	}
}

// Once it serves, it goes on saying whether it can: a table that is gone shows, and so does its return.
func TestReadinessFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	for _, only := range []string{"", "oauth"} {
		t.Run("only "+only, func(t *testing.T) {
			idp := oauthtest.Start(t)
			c, path := companionConfig(t, idp)
			if _, err := boot.ApplySchema(t.Context(), c, false); err != nil {
				t.Fatal(err)
			}
			r := run(t, c, only)
			good := map[string]string{"": "serving", "oauth": "ok"}[only]
			until(t, 3*time.Second, "serving", func() bool { _, said := r.readyz(t); return said["companion"] == good })
			if (r.GRPC != "") || r.Ops == "" {
				t.Errorf("gRPC %q, ops %q", r.GRPC, r.Ops)
			}
			execute(t, path, `alter table "verification" rename to "elsewhere"`)
			until(t, 6*time.Second, "the table that is gone is named", func() bool { _, said := r.readyz(t); return strings.Contains(said["companion"], "verification") })
			status, _ := r.readyz(t)
			if want := map[string]int{"": http.StatusOK, "oauth": http.StatusServiceUnavailable}[only]; status != want {
				t.Errorf("/readyz: %d, want %d", status, want)
			}
			if response, _ := get(t, "http://"+r.HTTP+"/api/auth/ok"); response.StatusCode != http.StatusOK {
				t.Errorf("what needs no database: %d", response.StatusCode)
			}
			execute(t, path, `alter table "elsewhere" rename to "verification"`)
			until(t, 6*time.Second, "back", func() bool { _, said := r.readyz(t); return said["companion"] == good })
			if log := r.log.String(); strings.Count(log, "verification") == 0 || strings.Contains(log, "panic") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

// What says nothing to serve says what to do about it.
func TestAloneWithNothingToServe(t *testing.T) {
	t.Parallel()
	idp := oauthtest.Start(t)
	for name, change := range map[string]func(c *config.Config) (word string){
		"no provider":         func(c *config.Config) string { c.OAuth.Providers = nil; return "oauth.providers" },
		"AUTH_ENABLED=false":  func(c *config.Config) string { c.Enabled = false; return "AUTH_ENABLED" },
		"oauth.enabled false": func(c *config.Config) string { c.OAuth.Enabled = false; return "oauth.enabled" },
		"no URL":              func(c *config.Config) string { c.BetterAuth.URL = ""; return "better_auth.url" },
		"Redis alone":         func(c *config.Config) string { c.Store.URL = config.NewURL("redis://127.0.0.1:1"); return "store.url" },
	} {
		c, _ := companionConfig(t, idp)
		word := change(c)
		_, err := boot.Open(t.Context(), c, boot.Options{Log: slog.New(slog.DiscardHandler), Only: "oauth"})
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %s named", name, err, word)
		}
	}
}

// AUTH_ENABLED=false serves no sign-in: its paths are the gate's like any other.
func TestSwitchedOffNobodySignsIn(t *testing.T) {
	t.Parallel()
	idp := oauthtest.Start(t)
	c, _ := companionConfig(t, idp)
	c.Enabled = false
	r := run(t, c, "")
	if response, body := get(t, "http://"+r.HTTP+"/sign-in"); response.StatusCode != http.StatusNotFound {
		t.Errorf("/sign-in: %d %s", response.StatusCode, body)
	}
	if status, said := r.readyz(t); status != http.StatusOK || said["companion"] != "" {
		t.Errorf("/readyz: %d %v", status, said)
	}
}

// Who is at the provider's mercy when the service is told to end is answered, and everybody's rows are whole.
func TestACallbackUnderWayIsAnsweredWhileTheServiceEnds(t *testing.T) {
	t.Parallel()
	idp := oauthtest.Start(t)
	c, path := companionConfig(t, idp)
	if _, err := boot.ApplySchema(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	r := run(t, c, "")
	until(t, 3*time.Second, "serving", func() bool { _, said := r.readyz(t); return said["companion"] == "serving" })
	back, cookie := begin(t, r, idp)
	idp.Break(oauthtest.Token, oauthtest.Fault{Slow: time.Second})
	done := make(chan *http.Response, 1)
	go func() { done <- finish(t, r, back, cookie) }()
	until(t, 2*time.Second, "the provider is asked", func() bool { return idp.Calls(oauthtest.Token) > 0 })
	r.stop()
	response := <-done
	if response.StatusCode != http.StatusFound || response.Header.Get("Location") != "/welcome" {
		t.Errorf("%d to %q", response.StatusCode, response.Header.Get("Location"))
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	if got := count(t, path, "user") + count(t, path, "account") + count(t, path, "session"); got != 3 {
		t.Errorf("%d rows of three", got)
	}
}

// Every page leads back to the site, also the one that says that signing in does not work now.
func TestPagesLeadHome(t *testing.T) {
	t.Parallel()
	idp := oauthtest.Start(t)
	c, path := companionConfig(t, idp)
	c.BetterAuth.URL = "http://app.test:80/api/auth"
	withIssuer(t, c, path)
	r := run(t, c, "")
	home := func(path string) bool {
		_, body := get(t, "http://"+r.HTTP+path)
		return strings.Contains(body, `<header><a href="http://app.test/">`)
	}
	until(t, 3*time.Second, "a page", func() bool { return home("/account") })
	execute(t, path, `alter table "account" drop column "issuer"`)
	until(t, 4*time.Second, "healed", func() bool { _, said := r.readyz(t); return said["companion"] == "serving" })
	for _, path := range []string{"/sign-in", "/api/auth/error?error=x"} {
		if !home(path) {
			t.Errorf("%s does not lead home", path)
		}
	}
}
