package boot_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
	"github.com/usherauth/usher/oauth/oauthtest"
)

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// running is an App that runs until the test ends.
type running struct {
	*boot.App
	log   *lines
	stop  context.CancelFunc
	ended chan error
}

// companionConfig is that of a sign-in server beside the gate, on an SQLite file that is not made yet.
func companionConfig(t *testing.T, idp *oauthtest.IdP) (c *config.Config, path string) {
	t.Helper()
	c = config.Default()
	c.Listen = config.Listen{HTTP: "127.0.0.1:0", Ops: "127.0.0.1:0"}
	c.BetterAuth.URL = "http://app.test"
	c.BetterAuth.Secret = config.NewSecret(secret)
	path = filepath.Join(t.TempDir(), "app.db")
	c.Store.URL = config.NewURL("sqlite://" + path)
	c.OAuth.Providers = map[string]config.Provider{"acme": {
		Name: "Acme", DiscoveryURL: idp.Options().DiscoveryURL, ClientID: oauthtest.ClientID, ClientSecret: config.NewSecret(oauthtest.ClientSecret),
	}}
	return c, path
}

func run(t *testing.T, c *config.Config, only string) *running {
	t.Helper()
	r := &running{log: &lines{}, ended: make(chan error, 1)}
	app, err := boot.Open(t.Context(), c, boot.Options{Log: slog.New(slog.NewJSONHandler(r.log, nil)), Only: only})
	if err != nil {
		t.Fatal(err)
	}
	r.App = app
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r.stop = stop
	go func() { r.ended <- app.Run(ctx); close(r.ended) }()
	t.Cleanup(func() { stop(); <-r.ended })
	return r
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// readyz is the status of /readyz, and what it says by name, checks included.
func (r *running) readyz(t *testing.T) (int, map[string]string) {
	t.Helper()
	response, body := get(t, "http://"+r.Ops+"/readyz")
	var all map[string]any
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for name, v := range all {
		switch v := v.(type) {
		case string:
			said[name] = v
		case map[string]any:
			for check, state := range v {
				said[check], _ = state.(string)
			}
		}
	}
	return response.StatusCode, said
}

// until waits for what takes a while, and not longer than limit.
func until(t *testing.T, limit time.Duration, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !happened(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func withIssuer(t *testing.T, c *config.Config, path string) {
	t.Helper()
	if _, err := boot.ApplySchema(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	execute(t, path,
		`create table "other" as select * from "account"`, `drop table "account"`,
		`create table "account" ("id" text primary key, "accountId" text not null, "providerId" text not null, "userId" text not null,
		"accessToken" text, "refreshToken" text, "idToken" text, "accessTokenExpiresAt" date, "refreshTokenExpiresAt" date, "scope" text,
		"password" text, "createdAt" date not null, "updatedAt" date not null, "issuer" text not null)`)
}

// A schema in which no account can be made stops signing in and nothing else, until somebody mends it.
func TestASchemaThatCannotBeWrittenIsNoConcernOfTheGate(t *testing.T) {
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

func count(t *testing.T, path, table string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), `select count(*) from "`+table+`"`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// begin starts a sign-in and agrees at the provider; it returns where that leads back to, path and query, and the state's
// cookie.
func begin(t *testing.T, r *running, idp *oauthtest.IdP) (back, cookie string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.HTTP+"/api/auth/sign-in/social",
		strings.NewReader(`{"provider":"acme","callbackURL":"/welcome","errorCallbackURL":"/failed"}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Origin", "http://app.test")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var to struct{ URL string }
	if err := json.NewDecoder(response.Body).Decode(&to); err != nil || to.URL == "" {
		t.Fatalf("sign-in/social: %d %v", response.StatusCode, err)
	}
	led, err := idp.Consent(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookie, _, _ = strings.Cut(response.Header.Get("Set-Cookie"), ";")
	return led.RequestURI(), cookie
}

// finish opens the callback. A connection that breaks is an answer with status 0.
func finish(t *testing.T, r *running, back, cookie string) *http.Response {
	q, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "http://"+r.HTTP+back, nil)
	if err != nil {
		t.Error(err)
		return &http.Response{}
	}
	q.Header.Set("Cookie", cookie)
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(q)
	if err != nil {
		t.Error(err)
		return &http.Response{}
	}
	response.Body.Close()
	return response
}

// A provider that is down, slow or talks junk spoils the sign-in with it, and nothing else.
func TestABrokenProviderSpoilsItsOwnSignInsOnly(t *testing.T) {
	idp := oauthtest.Start(t)
	idp.Break(oauthtest.Discovery, oauthtest.Fault{Down: true})
	c, path := companionConfig(t, idp)
	if _, err := boot.ApplySchema(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	r := run(t, c, "oauth")
	until(t, 3*time.Second, "it serves although discovery fails", func() bool { status, _ := r.readyz(t); return status == http.StatusOK })
	idp.Mend()
	for name, one := range map[string]struct {
		at    oauthtest.Endpoint
		fault oauthtest.Fault
		want  string
	}{
		"down":             {oauthtest.Token, oauthtest.Fault{Down: true}, "/failed?error=invalid_code"},
		"refusing":         {oauthtest.Token, oauthtest.Fault{Status: http.StatusInternalServerError}, "/failed?error=invalid_code"},
		"junk":             {oauthtest.Token, oauthtest.Fault{Body: "<html>"}, "/failed?error=invalid_code"},
		"far too much":     {oauthtest.Token, oauthtest.Fault{Huge: true}, "/failed?error=invalid_code"},
		"leads elsewhere":  {oauthtest.Token, oauthtest.Fault{Redirect: "http://127.0.0.1:1/"}, "/failed?error=invalid_code"},
		"slower than 10 s": {oauthtest.Token, oauthtest.Fault{Slow: time.Minute}, "/failed?error=invalid_code"},
	} {
		back, cookie := begin(t, r, idp)
		idp.Break(one.at, one.fault)
		asked, start := idp.Calls(one.at), time.Now()
		done := make(chan *http.Response, 1)
		go func() { done <- finish(t, r, back, cookie) }()
		until(t, 3*time.Second, "the provider is asked", func() bool { return idp.Calls(one.at) > asked })
		if response, body := get(t, "http://"+r.HTTP+"/api/auth/get-session"); response.StatusCode != http.StatusOK || body != "null" || time.Since(start) > 3*time.Second {
			t.Errorf("%s: others meanwhile: %d %s after %v", name, response.StatusCode, body, time.Since(start))
		}
		response := <-done
		if took := time.Since(start); response.StatusCode != http.StatusFound || response.Header.Get("Location") != one.want || took > 12*time.Second {
			t.Errorf("%s: %d to %q after %v, want %s", name, response.StatusCode, response.Header.Get("Location"), took, one.want)
		}
		idp.Mend()
		if got := count(t, path, "user") + count(t, path, "account") + count(t, path, "session"); got != 0 {
			t.Errorf("%s: %d rows of nobody", name, got)
		}
	}
	if back, cookie := begin(t, r, idp); finish(t, r, back, cookie).Header.Get("Location") != "/welcome" {
		t.Error("mended, and nobody can sign in")
	}
}
