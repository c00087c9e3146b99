package testenv

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BetterAuthConfig says how the real Better Auth should run. Only DatabaseURL is required.
type BetterAuthConfig struct {
	Version          string            // "1.7" or "1.4"; "": "1.7"
	DatabaseURL      string            // postgres://… or sqlite:///path, empty or with Better Auth's tables
	RedisURL         string            // sessions in Redis too, through Better Auth's own adapter; "": none
	RedisPrefix      *string           // before every key there; nil: the adapter's own
	Secret           string            // "": TestSecret
	BaseURL          string            // "": its own URL
	TrustedOrigins   []string          // beside the one of BaseURL
	CookiePrefix     string            // "": better-auth
	UseSecureCookies *bool             // nil: as BaseURL's scheme says
	RequireSignature bool              // of the bearer plugin
	GenerateID       string            // "", "uuid" or "serial"
	ExpiresIn        time.Duration     // of a session; 0: seven days
	SkipMigrations   bool              // leave the tables as they are
	Without          []string          // plugins to leave out: organization, bearer, admin
	Port             int               // 0: any; a server that is started anew after Kill needs the same again
	Generic          []map[string]any  // providers of the generic OAuth plugin
	Hosts            map[string]string // where to find hosts that a test stands in for: {"oauth2.googleapis.com": "http://…"}
	Options          map[string]any    // any other option that JSON can say, at its path, merged over all of the above
}

// TestSecret is Better Auth's secret unless a test names another.
const TestSecret = "testenv-secret-0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// BetterAuthServer is the real Better Auth with the plugins organization (with teams), bearer and admin, or without some.
type BetterAuthServer struct {
	URL     string // where it answers, http://127.0.0.1:port
	BaseURL string // what it believes to be; equal to URL unless configured
	Origin  string // the origin of BaseURL, which it trusts
	Secret  string
	proc    *Proc
}

// BetterAuth starts Better Auth until the test ends, with its tables in place.
func BetterAuth(t testing.TB, c BetterAuthConfig) *BetterAuthServer {
	t.Helper()
	if c.Secret == "" {
		c.Secret = TestSecret
	}
	p := Start(t, Command{
		Path: Part(t, "node"),
		Args: []string{RigScript(t, "server.mjs")},
		// Not the environment of the test: Better Auth reads BETTER_AUTH_… and others from it.
		Env: []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "RIG_OPTIONS=" + c.json(t)},
	})
	var ready struct{ URL string }
	if err := json.Unmarshal([]byte(p.WaitLine(t, `{"url":`)), &ready); err != nil {
		t.Fatal(err)
	}
	s := &BetterAuthServer{URL: ready.URL, BaseURL: c.BaseURL, Secret: c.Secret, proc: p}
	if s.BaseURL == "" {
		s.BaseURL = s.URL
	}
	base, err := url.Parse(s.BaseURL)
	if err != nil {
		t.Fatal(err)
	}
	s.Origin = base.Scheme + "://" + base.Host
	return s
}

// Pid is the process id.
func (s *BetterAuthServer) Pid() int { return s.proc.Pid() }

// Stop ends the server before the test does.
func (s *BetterAuthServer) Stop() { s.proc.Stop() }

// Kill ends it the hard way.
func (s *BetterAuthServer) Kill() { s.proc.Kill() }

// Pause freezes the server: connections stay open, new ones are accepted by the kernel, and nothing answers.
func (s *BetterAuthServer) Pause() { s.proc.Signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (s *BetterAuthServer) Resume() { s.proc.Signal(syscall.SIGCONT) }

// RigScript puts the scripts of this checkout's rig beside the packages in the cache, where their imports find them, and
// returns the path of one of them.
func RigScript(t testing.TB, name string) string {
	t.Helper()
	source, err := partsFile("betterauth")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(Part(t, "betterauth"), "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob(filepath.Join(source, "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range scripts {
		script, err := os.ReadFile(one)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(one)), script, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, name)
}

// json writes the options the way server.mjs describes them.
func (c BetterAuthConfig) json(t testing.TB) string {
	t.Helper()
	text, err := json.Marshal(struct {
		Version          string            `json:"version,omitempty"`
		Database         string            `json:"database"`
		Redis            string            `json:"redis,omitempty"`
		RedisPrefix      *string           `json:"redisPrefix,omitempty"`
		Secret           string            `json:"secret"`
		BaseURL          string            `json:"baseURL,omitempty"`
		TrustedOrigins   []string          `json:"trustedOrigins,omitempty"`
		CookiePrefix     string            `json:"cookiePrefix,omitempty"`
		UseSecureCookies *bool             `json:"useSecureCookies,omitempty"`
		RequireSignature bool              `json:"requireSignature,omitempty"`
		GenerateID       string            `json:"generateId,omitempty"`
		ExpiresIn        int               `json:"expiresIn,omitempty"`
		SkipMigrations   bool              `json:"skipMigrations,omitempty"`
		Without          []string          `json:"without,omitempty"`
		Port             int               `json:"port,omitempty"`
		Generic          []map[string]any  `json:"generic,omitempty"`
		Hosts            map[string]string `json:"hosts,omitempty"`
		Options          map[string]any    `json:"options,omitempty"`
	}{
		c.Version, c.DatabaseURL, c.RedisURL, c.RedisPrefix, c.Secret, c.BaseURL, c.TrustedOrigins, c.CookiePrefix, c.UseSecureCookies,
		c.RequireSignature, c.GenerateID, int(c.ExpiresIn / time.Second), c.SkipMigrations, c.Without, c.Port, c.Generic, c.Hosts, c.Options,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
