package boot_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
)

// site is a service in which people sign in, and everything that it logs.
type site struct {
	*testing.T
	http, path string

	mu  sync.Mutex
	log bytes.Buffer
}

func (s *site) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

func (s *site) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

const origin = "http://app.test"

func newSite(t *testing.T, only string, change func(*config.Config)) *site {
	t.Helper()
	s := &site{T: t, path: filepath.Join(t.TempDir(), "app.db")}
	c := config.Default()
	c.Listen = config.Listen{HTTP: "127.0.0.1:0"}
	c.BetterAuth.URL, c.BetterAuth.Secret = origin, config.NewSecret(secret)
	c.BetterAuth.RateLimit.Enabled = config.Off
	c.Store.URL = config.NewURL("sqlite://" + s.path)
	c.OAuth.Enabled = true
	c.OAuth.Providers = map[string]config.Provider{"github": {ClientID: "id", ClientSecret: config.NewSecret("client-secret-0")}}
	if _, err := boot.ApplySchema(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(c)
	}
	log := slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
	app, err := boot.Open(t.Context(), c, boot.Options{Log: log, Only: only})
	if err != nil {
		t.Fatal(err)
	}
	s.http = app.HTTP
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// ready waits until people can sign in.
func (s *site) ready() *site {
	s.Helper()
	for end := time.Now().Add(10 * time.Second); s.send("GET", "/api/auth/ok", "").StatusCode != http.StatusOK; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatal("nobody can sign in")
		}
	}
	return s
}

// send asks for a target exactly as it is written, as no client library would.
func (s *site) send(method, target, body string, headers ...string) *http.Response {
	s.Helper()
	conn, err := net.Dial("tcp", s.http)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nContent-Length: %d\r\n", method, target, len(body))
	for i := 0; i+1 < len(headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	if _, err := io.WriteString(conn, b.String()+"\r\n"+body); err != nil {
		s.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	return response
}

func (s *site) exec(statement string) {
	s.Helper()
	db, err := sql.Open("sqlite", s.path)
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.Context(), statement); err != nil {
		s.Fatal(err)
	}
}

func text(r *http.Response) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

func cookie(token string) string { return "better-auth.session_token=" + betterauth.Sign(secret, token) }

// Whatever a proxy may have taken a path for, on the way to the other half of this listener it is not found: nothing is
// decoded, cleaned, completed or redirected.
func TestPathsThatAreReadInTwoWays(t *testing.T) {
	s := newSite(t, "", nil).ready()
	signIn(t, s.path, "ada")
	forwarded := []string{
		"X-Forwarded-Method", "GET", "X-Forwarded-Proto", "http", "X-Forwarded-Host", "app.test", "X-Forwarded-Uri", "/", "Cookie", cookie("ada"),
	}
	if r := s.send("GET", "/gate/traefik", "", forwarded...); r.StatusCode != http.StatusOK {
		t.Fatalf("the gate: %d", r.StatusCode)
	}
	for _, target := range []string{
		"//api/auth/get-session", "/API/AUTH/get-session", "/api/auth/get-session/", "/api/auth//get-session", "/api/auth/./get-session",
		"/api/auth/../auth/get-session", "/api%2fauth/get-session", "/api/auth%2fget-session", "/api/auth/get%2dsession", "/api/auth/get-session;x",
		"/x/../api/auth/get-session", "/api/auth", "/api/auth/", "/api/authget-session",
		"/sign-in/", "//sign-in", "/Sign-In", "/sign-in/.", "/x/../sign-in", "/account/", "/account/x", "//account",
		"/api/auth/../../gate/traefik", "/api/auth/..%2f..%2fgate/traefik", "/sign-in/../gate/traefik", "/%67ate/traefik", "//gate/traefik",
		"/GATE/traefik", "/gate/../gate/traefik", "/gate%2ftraefik", "/./gate/traefik",
	} {
		r := s.send("GET", target, "", forwarded...)
		if r.StatusCode != http.StatusNotFound || r.Header.Get("Location") != "" || r.Header.Get("X-User-Id") != "" || len(r.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %d %v", target, r.StatusCode, r.Header)
		}
	}
}

// A form of another site does nothing, however it is sent.
func TestFormsOfOtherSites(t *testing.T) {
	s := newSite(t, "", nil).ready()
	signIn(t, s.path, "ada")
	const form = "application/x-www-form-urlencoded"
	for _, sender := range [][]string{
		{"Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"}, {"Origin", "null", "Sec-Fetch-Site", "cross-site"},
		{"Origin", "http://evil.app.test", "Sec-Fetch-Site", "same-site"}, {"Origin", "null"}, {"Origin", "https://evil.test"},
		{"Origin", "http://app.test.evil.test"}, {"Origin", "http://app.test:81"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
	} {
		for path, body := range map[string]string{
			"/account": "do=sign-out", "/api/auth/sign-out": "{}", "/api/auth/revoke-sessions": "{}", "/api/auth/update-user": `{"name":"x"}`,
		} {
			for _, kind := range []string{form, "text/plain", "application/json", "multipart/form-data; boundary=x"} {
				headers := append([]string{"Cookie", cookie("ada"), "Content-Type", kind, "X-HTTP-Method-Override", "POST"}, sender...)
				for _, method := range []string{"POST", "GET", "PUT"} {
					r := s.send(method, path, body, headers...)
					if r.StatusCode < 400 && method != "GET" {
						t.Errorf("%s %s %s %v: %d", method, path, kind, sender, r.StatusCode)
					}
				}
			}
		}
	}
	if ask(t, s.http, "ada") != http.StatusOK {
		t.Error("ada was signed out")
	}
	if r := s.send("GET", "/api/auth/get-session", "", "Cookie", cookie("ada")); !strings.Contains(text(r), `"name":"ada"`) {
		t.Error("ada has another name")
	}
}

// What ends here is over at the gate at once: it does not wait until its memory is old.
func TestTheGateForgetsWhatEndsHere(t *testing.T) {
	s := newSite(t, "", nil).ready()
	for _, end := range []struct{ token, path, kind, body string }{
		{"ada", "/api/auth/sign-out", "application/json", "{}"},
		{"grace", "/account", "application/x-www-form-urlencoded", "do=sign-out"},
		{"joan", "/api/auth/revoke-sessions", "application/json", "{}"},
	} {
		signIn(t, s.path, end.token)
		for range 3 {
			if got := ask(t, s.http, end.token); got != http.StatusOK {
				t.Fatalf("%s: %d", end.token, got)
			}
		}
		if r := s.send("POST", end.path, end.body, "Cookie", cookie(end.token), "Content-Type", end.kind, "Origin", origin, "Sec-Fetch-Site", "same-origin"); r.StatusCode >= 400 {
			t.Fatalf("%s: %d %s", end.path, r.StatusCode, text(r))
		}
		if got := ask(t, s.http, end.token); got != http.StatusUnauthorized {
			t.Errorf("after %s: %d", end.path, got)
		}
	}
}

// Where nobody signs in, nobody is told that they could; and where it does not work now, no request falls through to the
// gate.
func TestWhereNobodySignsIn(t *testing.T) {
	paths := []string{"/sign-in", "/account", "/api/auth/get-session", "/api/auth/ok", "/api/auth/signin/github", "/api/auth/error", "/api/auth"}
	for name, c := range map[string]struct {
		only   string
		change func(*config.Config)
		want   int
	}{
		"AUTH_ENABLED=false":  {"", func(c *config.Config) { c.Enabled = false }, http.StatusNotFound},
		"-only gate":          {"gate", nil, http.StatusNotFound},
		"oauth.enabled=false": {"", func(c *config.Config) { c.OAuth.Enabled = false }, http.StatusNotFound},
		"no table to write": {"", func(c *config.Config) {
			db, err := sql.Open("sqlite", strings.TrimPrefix(c.Store.URL.Reveal(), "sqlite://"))
			if err == nil {
				_, err = db.Exec(`drop table "verification"`)
				_ = db.Close()
			}
			if err != nil {
				panic(err)
			}
		}, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, c.only, c.change)
			for _, path := range paths {
				r := s.send("GET", path, "", "X-Forwarded-Method", "GET", "X-Forwarded-Proto", "http", "X-Forwarded-Host", "app.test", "X-Forwarded-Uri", "/")
				if r.StatusCode != c.want || r.Header.Get("Location") != "" || r.Header.Get("X-User-Id") != "" {
					t.Errorf("%s: %d %v", path, r.StatusCode, r.Header)
				}
			}
		})
	}
}

// The log of a real run, at its most talkative, holds nothing that opens anything.
func TestTheLogOpensNothing(t *testing.T) {
	s := newSite(t, "", nil).ready()
	signIn(t, s.path, "ada")
	s.exec(`update "session" set "token" = 'ada-token-0123456789'`)
	ours := []string{"Cookie", cookie("ada-token-0123456789"), "Origin", origin, "Content-Type", "application/json"}
	secrets := []string{secret, "client-secret-0", "ada-token-0123456789", betterauth.Sign(secret, "ada-token-0123456789"), "code-0123456789", "idtoken-0123"}
	r := s.send("POST", "/api/auth/sign-in/social", `{"provider":"github","callbackURL":"/dash"}`, "Content-Type", "application/json")
	_, state, _ := strings.Cut(r.Header.Get("Location"), "state=")
	state, _, _ = strings.Cut(state, "&")
	if state == "" {
		t.Fatal(r.StatusCode, text(r))
	}
	secrets = append(secrets, state)
	for _, set := range r.Header["Set-Cookie"] {
		_, value, _ := strings.Cut(strings.SplitN(set, ";", 2)[0], "=")
		secrets = append(secrets, value)
	}
	s.send("GET", "/api/auth/callback/github?code=code-0123456789&state=wrong", "")
	s.send("GET", "/api/auth/callback/github?error=access_denied&error_description=code-0123456789&state="+state, "", "Cookie", strings.SplitN(r.Header.Get("Set-Cookie"), ";", 2)[0])
	s.send("POST", "/api/auth/sign-in/social", `{"provider":"github","idToken":{"token":"idtoken-0123"}}`, "Content-Type", "application/json")
	for _, path := range []string{"/api/auth/get-session", "/api/auth/list-sessions", "/account", "/sign-in?callbackURL=/x%3Ftoken=code-0123456789"} {
		s.send("GET", path, "", ours...)
	}
	s.send("POST", "/api/auth/link-social", `{"provider":"github"}`, ours...)
	s.send("POST", "/api/auth/revoke-session", `{"token":"ada-token-0123456789"}`, ours...)
	ask(t, s.http, "ada-token-0123456789")
	log := s.logged()
	if !strings.Contains(log, "audit") {
		t.Fatalf("nothing was logged: %s", log)
	}
	for _, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}
