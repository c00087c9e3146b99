package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// proxied is one real proxy between the client and the backend.
type proxied struct {
	name    string
	address string
	proc    *testenv.Proc
}

// proxyKinds are all we print a configuration for and can run here.
var proxyKinds = []string{"envoy-grpc", "envoy-http", "traefik", "nginx", "caddy", "haproxy"}

// startProxy runs a proxy exactly as `usher proxy` prints it; only addresses are chosen.
func startProxy(t *testing.T, name string, u *usher, backend string) *proxied {
	t.Helper()
	p := &proxied{name: name, address: freeAddress(t)}
	common := []string{"-config", u.config, "-listen", p.address, "-upstream", backend}
	over := func(gate string, more ...string) []string { return append(append(common, "-gate", gate), more...) }
	var command testenv.Command
	switch name {
	case "envoy-grpc":
		command = envoyCommand(t, filepath.Join(printed(t, "envoy", over(u.grpc)...), "envoy.yaml"))
	case "envoy-http":
		command = envoyCommand(t, filepath.Join(printed(t, "envoy", over(u.http, "-mode", "http")...), "envoy-http.yaml"))
	case "traefik":
		dir := printed(t, "traefik", over(u.http)...)
		command = testenv.Command{Path: testenv.Part(t, "traefik"), Args: []string{"--configFile=traefik.yml"}, Dir: dir}
	case "nginx":
		dir := printed(t, "nginx", over(u.http)...)
		command = testenv.Command{
			Path: testenv.Part(t, "nginx"), Args: []string{"-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off;"},
		}
	case "caddy":
		dir := printed(t, "caddy", over(u.http)...)
		command = testenv.Command{
			Path: testenv.Part(t, "caddy"), Args: []string{"run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile"},
		}
	case "haproxy":
		dir := printed(t, "haproxy", over(u.http)...)
		command = testenv.Command{Path: testenv.Part(t, "haproxy"), Args: []string{"-f", "haproxy.cfg"}, Dir: dir}
	default:
		t.Fatalf("no such proxy: %s", name)
	}
	p.proc = testenv.Start(t, command)
	p.proc.WaitListening(t, p.address)
	if name == "traefik" {
		p.waitRouted(t)
	}
	return p
}

// waitRouted waits until Traefik has read its routes: it listens before, and answers 404 to everything.
func (p *proxied) waitRouted(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for testenv.RawHTTP(t, p.address, request{}.bytes(p.address)).Status == 404 {
		if time.Now().After(deadline) {
			t.Fatal("traefik has no routes")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func envoyCommand(t *testing.T, file string) testenv.Command {
	t.Helper()
	return testenv.Command{
		Path: testenv.Part(t, "envoy"),
		Args: []string{"-c", file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"},
	}
}

// startProxies runs them all in front of one backend.
func startProxies(t *testing.T, u *usher, backend string) []*proxied {
	t.Helper()
	var all []*proxied
	for _, name := range proxyKinds {
		all = append(all, startProxy(t, name, u, backend))
	}
	return all
}
