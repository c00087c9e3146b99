package boot_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
	"github.com/usherauth/usher/internal/telemetry"
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
	log, err := telemetry.NewLogger(r.log, telemetry.LogConfig{Level: c.Log.Level, Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	app, err := boot.Open(t.Context(), c, boot.Options{Log: log, Only: only})
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
	return send(t, r)
}

func send(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
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
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)") // the service may write
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
