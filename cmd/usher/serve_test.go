package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// buildBinary makes the real binary: signals and exit codes are those of a process.
func buildBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "usher")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// served is a running `usher serve` on a SQLite database of the real Better Auth.
type served struct {
	http, ops, config string
	proc              *testenv.Proc
	ada, bea          *testenv.Person
}

func startServe(t *testing.T, rules string) *served {
	t.Helper()
	database := filepath.Join(t.TempDir(), "app.db")
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: "sqlite://" + database})
	s := &served{
		http: fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t)), ops: fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t)),
		config: filepath.Join(t.TempDir(), "usher.yaml"), ada: auth.SignUp(t, "Ada", "ada@example.com"),
		bea: auth.SignUp(t, "Bea", "bea@example.com"),
	}
	if !strings.Contains(rules, "log:") {
		rules = "log: { format: json, decisions: { allowed: 1 } }\n" + rules
	}
	s.write(t, fmt.Sprintf("listen: { http: %q, grpc: \"off\", ops: %q }\nbetter_auth: { url: %q }\n%s", s.http, s.ops, auth.BaseURL, rules))
	s.proc = testenv.Start(t, testenv.Command{
		Path: buildBinary(t), Args: []string{"serve", "-config", s.config},
		Env: []string{"PATH=" + os.Getenv("PATH"), "BETTER_AUTH_SECRET=" + auth.Secret, "DATABASE_URL=sqlite://" + database},
	})
	s.proc.WaitListening(t, s.http)
	s.proc.WaitListening(t, s.ops)
	return s
}

func (s *served) write(t *testing.T, yaml string) {
	t.Helper()
	if err := os.WriteFile(s.config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask asks as Traefik would.
func (s *served) ask(t *testing.T, target, cookie string) *http.Response {
	t.Helper()
	return s.askWith(t, target, map[string]string{"Cookie": cookie})
}

func (s *served) askWith(t *testing.T, target string, headers map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.http+"/gate/traefik", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "app.test", "X-Forwarded-Uri": target,
	} {
		r.Header.Set(name, value)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response
}

// awaitStatus asks until the answer is as wanted.
func (s *served) awaitStatus(t *testing.T, status int, ask func() *http.Response) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		got := ask()
		if got.StatusCode == status {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d %s, want %d", got.StatusCode, got.Header.Get("X-Usher-Reason"), status)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *served) get(t *testing.T, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + s.ops + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	s := startServe(t, "rules:\n  - { path: /reset/**, access: public }\n")
	if got := s.ask(t, "/private?code=s3cr3t-in-the-query", s.ada.Cookie); got.StatusCode != 200 || got.Header.Get("X-User-Id") != s.ada.UserID {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	if got := s.ask(t, "/private", ""); got.StatusCode != 401 || got.Header.Get("X-Usher-Reason") != "NO_CREDENTIAL" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	s.ask(t, "/x", "better-auth.session_token="+s.ada.Token+".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")

	t.Run("the ops listener", func(t *testing.T) {
		if code, body := s.get(t, "/healthz"); code != 200 || !strings.Contains(body, "ok") {
			t.Errorf("/healthz: %d %s", code, body)
		}
		if code, body := s.get(t, "/readyz"); code != 200 || !strings.Contains(body, `"store":"ok"`) {
			t.Errorf("/readyz: %d %s", code, body)
		}
		_, metrics := s.get(t, "/metrics")
		for _, line := range []string{
			`usher_decisions_total{edge="traefik",reason="SIGNED_IN",verdict="allow"} 1`,
			`usher_decisions_total{edge="traefik",reason="NO_CREDENTIAL",verdict="sign-in"} 1`,
			`usher_decisions_total{edge="traefik",reason="BAD_COOKIE",verdict="sign-in"} 1`,
			`usher_store_requests_total{result="found"} 1`,
			`usher_decision_duration_seconds_count{edge="traefik"} 3`,
		} {
			if !strings.Contains(metrics, line+"\n") {
				t.Errorf("/metrics lacks %s", line)
			}
		}
		if code, _ := s.get(t, "/gate/traefik"); code != 404 {
			t.Errorf("the ops listener answers checks: %d", code)
		}
	})
	t.Run("one line a decision, and nothing secret", func(t *testing.T) {
		s.proc.WaitLine(t, "BAD_COOKIE") // the last of the three; what is written takes a moment to be read
		log := s.proc.Output()
		for _, secret := range []string{s.ada.Token, testenv.TestSecret, "s3cr3t-in-the-query", s.ada.Cookie} {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds %.8s…", secret)
			}
		}
		decisions := 0
		for line := range strings.Lines(log) {
			var fields map[string]any
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Errorf("not JSON: %s", line)
			}
			if fields["msg"] == "decision" {
				decisions++
				if decisions == 1 && (fields["user_id"] != s.ada.UserID || fields["reason"] != "SIGNED_IN" || fields["path"] != "/private") {
					t.Errorf("%s", line)
				}
			}
		}
		if decisions != 3 {
			t.Errorf("%d lines for 3 decisions", decisions)
		}
	})
	t.Run("SIGHUP reloads the rules, or keeps the last good ones", func(t *testing.T) {
		old, err := os.ReadFile(s.config)
		if err != nil {
			t.Fatal(err)
		}
		s.write(t, string(old)+"  - { path: /opened, access: public }\n")
		s.proc.Signal(syscall.SIGHUP)
		s.proc.WaitLine(t, "rules reloaded")
		if got := s.ask(t, "/opened", ""); got.StatusCode != 200 {
			t.Errorf("the new rule: %d", got.StatusCode)
		}
		s.write(t, string(old)+"  - { path: no-slash, access: public }\n")
		s.proc.Signal(syscall.SIGHUP)
		s.proc.WaitLine(t, "reload refused")
		if got := s.ask(t, "/opened", ""); got.StatusCode != 200 {
			t.Errorf("after a bad file: %d", got.StatusCode)
		}
	})
	t.Run("SIGTERM drains", func(t *testing.T) {
		s.proc.Signal(syscall.SIGTERM)
		for code, body := 0, ""; !strings.Contains(body, "draining"); {
			if code, body = s.get(t, "/readyz"); code != 200 && code != 503 {
				t.Fatalf("/readyz: %d %s", code, body)
			}
		}
		// Whoever has not noticed yet is answered, also about a session that is not in memory.
		if got := s.ask(t, "/private", s.bea.Cookie); got.StatusCode != 200 || got.Header.Get("X-User-Id") != s.bea.UserID {
			t.Errorf("while draining: %d %s", got.StatusCode, got.Header.Get("X-Usher-Reason"))
		}
		if code := s.proc.ExitCode(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if !strings.Contains(s.proc.Output(), "usher stopped") {
			t.Errorf("no last line: %s", s.proc.Output())
		}
	})
}

func TestServeSaysWhatIsWrong(t *testing.T) {
	binary := buildBinary(t)
	run := func(want int, env ...string) string {
		t.Helper()
		p := testenv.Start(t, testenv.Command{Path: binary, Args: []string{"serve"}, Env: append([]string{
			"USHER_LISTEN_HTTP=127.0.0.1:0", "USHER_LISTEN_GRPC=127.0.0.1:0", "USHER_LISTEN_OPS=127.0.0.1:0",
			"BETTER_AUTH_URL=http://localhost:3000", "BETTER_AUTH_SECRET=" + testenv.TestSecret,
		}, env...)})
		if code := p.ExitCode(t); code != want {
			t.Errorf("exit code %d, want %d: %s", code, want, p.Output())
		}
		return p.Output()
	}
	if out := run(exitUsage); !strings.Contains(out, "store.url") {
		t.Errorf("without a store: %s", out)
	}
	if out := run(exitUsage, "USHER_TRUSTED_PROXIES=0.0.0.0/0", "DATABASE_URL=sqlite:///x.db"); !strings.Contains(out, "USHER_TRUSTED_PROXIES") {
		t.Errorf("trusting everybody: %s", out)
	}
	empty := testenv.Postgres(t).NewDatabase(t)
	if out := run(exitFailed, "DATABASE_URL="+empty); !strings.Contains(out, `"session"`) && !strings.Contains(out, `\"session\"`) {
		t.Errorf("a database without tables: %s", out)
	}
	taken := testenv.EchoBackend(t)
	database := filepath.Join(t.TempDir(), "app.db")
	testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: "sqlite://" + database}).Stop()
	if out := run(exitFailed, "DATABASE_URL=sqlite://"+database, "USHER_LISTEN_HTTP="+taken.Address); !strings.Contains(out, "listen.http") {
		t.Errorf("an address in use: %s", out)
	}
}

func TestSwitchedOff(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	p := testenv.Start(t, testenv.Command{Path: buildBinary(t), Args: []string{"serve"}, Env: []string{
		"AUTH_ENABLED=false", "USHER_LISTEN_HTTP=" + address, "USHER_LISTEN_GRPC=off", "USHER_LISTEN_OPS=127.0.0.1:0",
	}})
	p.WaitListening(t, address)
	p.WaitLine(t, "EVERY REQUEST PASSES AS ANONYMOUS")
	s := &served{http: address}
	if got := s.ask(t, "/private", ""); got.StatusCode != 200 || got.Header.Get("X-User-Id") != "" || got.Header.Get("X-Usher-Reason") != "DISABLED" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	start := time.Now()
	p.Signal(syscall.SIGTERM)
	if code := p.ExitCode(t); code != 0 || time.Since(start) > 10*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(start))
	}
}
