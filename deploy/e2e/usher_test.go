package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	code := testenv.RunWithUsher(m, &binary)
	if os.Getenv("USHER_OUTAGE") != "" {
		outages.print(os.Stdout)
	}
	os.Exit(code)
}

// usher is one running gate.
type usher struct {
	http, grpc, ops string
	config          string // its file
	proc            *testenv.Proc
}

// startUsher runs `usher serve` with a configuration file made of these lines, and waits until it listens.
func startUsher(t *testing.T, betterAuth *testenv.BetterAuthServer, databaseURL string, more ...string) *usher {
	t.Helper()
	return startUsherWith(t, betterAuth, databaseURL, nil, more...)
}

// startUsherWith also says how the Better Auth app is configured, in keys of better_auth.
func startUsherWith(t *testing.T, betterAuth *testenv.BetterAuthServer, databaseURL string, options []string, more ...string) *usher {
	t.Helper()
	return startUsherOn(t, betterAuth, options, append([]string{
		fmt.Sprintf("store: { url: %q }", databaseURL),
		"log: { level: debug, format: json, decisions: { allowed: 1, refused: 1 } }",
	}, more...)...)
}

// startUsherOn leaves the store, and what is logged, to the lines.
func startUsherOn(t *testing.T, betterAuth *testenv.BetterAuthServer, options []string, more ...string) *usher {
	t.Helper()
	u := &usher{http: freeAddress(t), grpc: freeAddress(t), ops: freeAddress(t)}
	lines := append([]string{
		fmt.Sprintf("listen: { http: %q, grpc: %q, ops: %q }", u.http, u.grpc, u.ops),
		fmt.Sprintf("better_auth: { %s }", strings.Join(append(options, fmt.Sprintf("url: %q, secret: %q", betterAuth.BaseURL, betterAuth.Secret)), ", ")),
	}, more...)
	file := filepath.Join(t.TempDir(), "usher.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u.config = file
	u.proc = testenv.Start(t, testenv.Command{
		Path: binary, Args: []string{"serve", "-config", file}, Env: []string{"PATH=" + os.Getenv("PATH")},
	})
	for _, address := range []string{u.http, u.grpc, u.ops} {
		u.proc.WaitListening(t, address)
	}
	return u
}

// waitReady waits until /readyz says what is wanted.
func (u *usher) waitReady(t *testing.T, want int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		response, err := http.Get("http://" + u.ops + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == want {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz did not become %d in time", want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
}

// printed runs `usher proxy` and returns the folder of its files.
func printed(t *testing.T, kind string, args ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "usher-e2e-proxy-") // not t.TempDir: nginx's workers are nobody, and must get in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, append([]string{"proxy", kind, "-o", dir}, args...)...)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("usher proxy %s: %v\n%s", kind, err, out)
	}
	return dir
}
