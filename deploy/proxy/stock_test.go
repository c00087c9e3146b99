package proxy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// stock is how a proxy that runs here is asked to read a configuration, and to start with it.
type stock struct {
	kind, mode, part string
	check            []string // nil: only its start says
	start            []string
}

func stocks() []stock {
	return []stock{
		{"envoy", "grpc", "envoy", []string{"--mode", "validate", "-c", "envoy.yaml"}, []string{"--disable-hot-restart", "-c", "envoy.yaml"}},
		{"envoy", "http", "envoy", []string{"--mode", "validate", "-c", "envoy-http.yaml"}, []string{"--disable-hot-restart", "-c", "envoy-http.yaml"}},
		{"traefik", "", "traefik", nil, []string{"--configFile=traefik.yml"}},
		{"nginx", "", "nginx", []string{"-e", "stderr", "-t", "-p", ".", "-c", "nginx.conf"}, []string{"-e", "stderr", "-p", ".", "-c", "nginx.conf", "-g", "daemon off;"}},
		{"caddy", "", "caddy", []string{"validate", "--config", "Caddyfile", "--adapter", "caddyfile"}, []string{"run", "--config", "Caddyfile", "--adapter", "caddyfile"}},
		{"haproxy", "", "haproxy", []string{"-c", "-f", "haproxy.cfg"}, []string{"-W", "-f", "haproxy.cfg"}},
	}
}

// TestStockProxiesAccept hands every variant to the real proxy's own checker.
func TestStockProxiesAccept(t *testing.T) {
	for _, s := range stocks() {
		if s.check == nil {
			continue
		}
		for _, f := range families() {
			if f.Name != s.kind {
				continue
			}
			for name, p := range variants(t, f) {
				if p.Mode == "" {
					p.Mode = s.mode
				} else if s.mode != "" && p.Mode != s.mode {
					continue
				}
				t.Run(s.kind+s.mode+"/"+name, func(t *testing.T) {
					command := exec.CommandContext(t.Context(), testenv.Part(t, s.part), s.check...)
					command.Dir = write(t, s.kind, p)
					command.Env = append(os.Environ(), "XDG_DATA_HOME="+command.Dir, "XDG_CONFIG_HOME="+command.Dir)
					out, err := command.CombinedOutput()
					if err != nil || s.kind != "caddy" && strings.Contains(strings.ToLower(string(out)), "warn") {
						t.Errorf("%v\n%s", err, out)
					}
				})
			}
		}
	}
}

// TestStockProxiesStartAndStayClosed starts what is printed where no gate answers: the backend must not hear of it.
func TestStockProxiesStartAndStayClosed(t *testing.T) {
	for _, s := range stocks() {
		t.Run(s.kind+s.mode, func(t *testing.T) {
			t.Parallel()
			backend := testenv.EchoBackend(t)
			p := Params{
				Mode: s.mode, Upstream: backend.Address,
				Listen: fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t)), Gate: fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t)),
			}
			dir := write(t, s.kind, p)
			proxy := testenv.Start(t, testenv.Command{
				Path: testenv.Part(t, s.part), Args: s.start, Dir: dir, Env: append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir),
			})
			proxy.WaitListening(t, p.Listen)
			answer := testenv.RawResponse{Status: 404}
			for deadline := time.Now().Add(30 * time.Second); answer.Status == 404 && time.Now().Before(deadline); {
				time.Sleep(20 * time.Millisecond) // Traefik listens before it knows its routes
				answer = testenv.RawHTTP(t, p.Listen, "GET /x HTTP/1.1\r\nHost: app.test\r\nX-User-Id: evil\r\nConnection: close\r\n\r\n")
			}
			if answer.Status < 500 || backend.Count() > 0 {
				t.Errorf("%d %s; the backend heard %v", answer.Status, answer.Body, backend.Requests())
			}
			if s.kind != "traefik" && answer.Status != 503 {
				t.Errorf("%d, want 503", answer.Status)
			}
		})
	}
}

func write(t *testing.T, kind string, p Params) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range render(t, kind, p) {
		must(t, os.WriteFile(filepath.Join(dir, file.Name), []byte(file.Content), 0o644))
	}
	return dir
}
