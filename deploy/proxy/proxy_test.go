package proxy

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/usherauth/usher/gate"
)

var update = flag.Bool("update", false, "rewrite deploy/NAME with what the templates render to")

// TestDeployHoldsWhatTheCommandPrints compares deploy/NAME with the defaults.
func TestDeployHoldsWhatTheCommandPrints(t *testing.T) {
	for _, f := range families() {
		folder := filepath.Join("..", f.Name)
		stale := make(map[string]bool)
		entries, err := os.ReadDir(folder)
		if err != nil && !*update {
			t.Errorf("%v; go test ./deploy/proxy -update makes it", err)
		}
		for _, e := range entries {
			stale[e.Name()] = true
		}
		var files []File
		for _, mode := range f.modes {
			if f.kubernetes && mode != f.modes[0] {
				continue // one file a folder, where both modes have the same name
			}
			files = append(files, render(t, f.Name, Params{Mode: mode})...)
		}
		for _, file := range files {
			path := filepath.Join(folder, file.Name)
			delete(stale, file.Name)
			if *update {
				must(t, os.MkdirAll(folder, 0o755))
				must(t, os.WriteFile(path, []byte(file.Content), 0o644))
			}
			if have, err := os.ReadFile(path); err != nil || string(have) != file.Content {
				t.Errorf("%s is not what `usher proxy %s` prints (%v); go test ./deploy/proxy -update", path, f.Name, err)
			}
		}
		for name := range stale {
			t.Errorf("%s/%s: no template renders it", folder, name)
		}
	}
}

// variants are parameters that touch every branch of every template.
func variants(t *testing.T, f family) map[string]Params {
	gateAt, upstream := "[::1]:4480", "[::1]:3000"
	if f.kubernetes {
		gateAt, upstream = "gate.auth.svc.cluster.local:9000", "web.shop:80"
	}
	longest := make(map[gate.Field]string)
	for i, name := range gate.FieldNames() {
		field, _ := gate.ParseField(name)
		longest[field] = strings.Repeat("X", 62) + "-" + string(rune('A'+i))
	}
	out := map[string]Params{
		"defaults":               {},
		"behind":                 {Public: "https://app.example.com", Listen: "127.0.0.1:8081"},
		"own TLS":                {Public: "https://app.example.com", Listen: ":443"},
		"IPv6":                   {Public: "http://app.example.com:8443/", Listen: "[::1]:8082", Upstream: upstream, Gate: gateAt},
		"names":                  {Upstream: "localhost:3000", Cookies: []string{"better-auth.session_token", "__Secure-x"}, Remove: []string{"X-Debug_Info"}},
		"rule":                   {Rule: "admin_1", Mode: f.modes[len(f.modes)-1]},
		"longest":                {Headers: headers(t, longest, strings.Repeat("O", 64))},
		"callers":                {Callers: true, Mode: f.modes[0]},
		"callers over HTTP":      {Callers: true, Mode: f.modes[len(f.modes)-1], Headers: headers(t, map[gate.Field]string{gate.UserID: "X-Uid"}, "X-Org-Id")},
		"pages":                  {API: "/api/auth"},
		"pages of a public name": {API: "/my.auth/v1", Public: "https://app.example.com", Mode: f.modes[len(f.modes)-1]},
		"no org":                 {Headers: headers(t, map[gate.Field]string{gate.UserID: "X-Uid"}, "")},
	}
	for _, preset := range []string{"oauth2-proxy", "authelia", "authentik", "grafana"} {
		names, _ := gate.Preset(preset)
		out[preset] = Params{Headers: headers(t, names, "X-Org-Id")}
	}
	for _, mode := range f.modes {
		out["mode "+mode] = Params{Mode: mode}
	}
	return out
}

func TestEveryKindRenders(t *testing.T) {
	for _, f := range families() {
		for name, p := range variants(t, f) {
			t.Run(f.Name+"/"+name, func(t *testing.T) {
				files := render(t, f.Name, p)
				whole := ""
				for _, file := range files {
					checkText(t, file)
					whole += strings.ToLower(file.Content)
				}
				for _, header := range names(p) {
					if f.Name == "gateway-api" && p.Mode != "http" {
						break // the API has no list of them over gRPC: the gate's answer has
					}
					if !strings.Contains(whole, strings.ToLower(header)) {
						t.Errorf("nothing is said about %s", header)
					}
				}
				if first, _, _ := strings.Cut(files[0].Content, "static_resources"); !strings.Contains(first, "usher proxy "+f.Name) {
					t.Error("the head does not say which command printed it")
				}
			})
		}
	}
}

func checkText(t *testing.T, file File) {
	t.Helper()
	for i, line := range strings.Split(file.Content, "\n") {
		if line != strings.TrimRight(line, " \t") {
			t.Errorf("%s:%d: blanks at the end of %q", file.Name, i+1, line)
		}
	}
	if strings.Contains(file.Content, "\n\n\n") || !strings.HasSuffix(file.Content, "\n") || strings.Contains(file.Content, "<no value>") {
		t.Errorf("%s is badly laid out:\n%s", file.Name, file.Content)
	}
	if ext := filepath.Ext(file.Name); ext != ".yaml" && ext != ".yml" {
		return
	}
	for d, err := yaml.NewDecoder(strings.NewReader(file.Content)), error(nil); !errors.Is(err, io.EOF); {
		var document map[string]any
		if err = d.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("%s: %v", file.Name, err)
		}
	}
}

func TestWhatTheGateMayTouch(t *testing.T) {
	s, err := newSite(envoy(), Params{Remove: []string{"X-Debug"}})
	must(t, err)
	may := regexp.MustCompile("^(?:" + s.Mutable() + ")$").MatchString
	for _, name := range []string{"x-user-id", "x_user_id", "x.user~id", "x-org-id", "x-auth-user-id", "x-debug", "x-envoy-auth-partial-body"} {
		if !may(name) {
			t.Errorf("Envoy would answer 500 when the gate removes %s", name)
		}
	}
	for _, name := range []string{"host", ":path", ":method", "connection", "content-length", "cookie", "x-user-idx", "xx-user-id", "x-forwarded-for"} {
		if may(name) {
			t.Errorf("the gate could change %s", name)
		}
	}
}

func TestGateAddress(t *testing.T) {
	for _, c := range []struct {
		kind string
		p    Params
		want string
	}{
		{"envoy", Params{}, "127.0.0.1:4481"},
		{"envoy", Params{Mode: "http"}, "127.0.0.1:4480"},
		{"nginx", Params{}, "127.0.0.1:4480"},
		{"nginx", Params{HTTPListen: "0.0.0.0:9000"}, "127.0.0.1:9000"},
		{"nginx", Params{HTTPListen: "[::]:9000", GRPCListen: ":9001"}, "127.0.0.1:9000"},
		{"envoy", Params{HTTPListen: ":9000", GRPCListen: "10.1.2.3:9001"}, "10.1.2.3:9001"},
		{"nginx", Params{Gate: "usher:80", HTTPListen: ":9000"}, "usher:80"},
		{"istio", Params{GRPCListen: ":9001"}, "usher.usher.svc.cluster.local:9001"},
	} {
		for _, f := range families() {
			if f.Name != c.kind {
				continue
			}
			if s, err := newSite(f, c.p); err != nil || s.Gate.String() != c.want {
				t.Errorf("%s %+v: %v (%v), want %s", c.kind, c.p, s.Gate, err, c.want)
			}
		}
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	const everything = "envoy istio envoy-gateway gateway-api traefik nginx ingress-nginx caddy haproxy"
	for _, c := range []struct {
		kinds string
		p     Params
		want  string
	}{
		{everything, Params{Listen: "8080"}, "-listen"},
		{everything, Params{Listen: "localhost:8080"}, "-listen"},
		{everything, Params{Listen: ":0"}, "-listen"},
		{everything, Params{Listen: ":99999"}, "-listen"},
		{everything, Params{Listen: "[fe80::1%eth0]:80"}, "-listen"},
		{everything, Params{Listen: ":8080\n"}, "-listen"},
		{everything, Params{Upstream: "http://127.0.0.1:3000"}, "-upstream"},
		{everything, Params{Upstream: "127.0.0.1"}, "-upstream"},
		{everything, Params{Upstream: "app;return 200:80"}, "-upstream"},
		{everything, Params{Upstream: "app\n:80"}, "-upstream"},
		{everything, Params{Upstream: "app }:80"}, "-upstream"},
		{everything, Params{Upstream: `a"b:80`}, "-upstream"},
		{everything, Params{Upstream: "{env.HOME}:80"}, "-upstream"},
		{everything, Params{Upstream: "a..b:80"}, "-upstream"},
		{everything, Params{Upstream: "-a:80"}, "-upstream"},
		{everything, Params{Upstream: "0.0.0.0:80"}, "-upstream"},
		{everything, Params{Gate: "usher"}, "-gate"},
		{everything, Params{Gate: "us her.x:1"}, "-gate"},
		{everything, Params{Gate: "usher.ns:1#"}, "-gate"},
		{"istio envoy-gateway gateway-api ingress-nginx", Params{Gate: "10.0.0.1:4480"}, "-gate"},
		{"istio envoy-gateway gateway-api ingress-nginx", Params{Gate: "usher:4480"}, "-gate"},
		{everything, Params{Mode: "udp"}, "-mode"},
		{"nginx traefik caddy haproxy ingress-nginx", Params{Mode: "grpc"}, "-mode"},
		{everything, Params{Public: "app.example.com"}, "-public"},
		{everything, Params{Public: "https://app.example.com/path"}, "-public"},
		{everything, Params{Public: "https://app.example.com?x"}, "-public"},
		{everything, Params{Public: "https://me@app.example.com"}, "-public"},
		{everything, Params{Public: "ftp://app.example.com"}, "-public"},
		{everything, Params{Public: "https://app.example.com\";return 200;\""}, "-public"},
		{everything, Params{Public: "https://$host"}, "-public"},
		{everything, Params{Public: "https://app.example.com:port"}, "-public"},
		{everything, Params{Rule: "a b"}, "rule"},
		{everything, Params{Rule: "a/../b"}, "rule"},
		{"istio gateway-api", Params{Rule: "admin"}, "rule"},
		{everything, Params{Cookies: []string{"a;b"}}, "cookie"},
		{everything, Params{Cookies: []string{""}}, "cookie"},
		{everything, Params{Remove: []string{"x|.*"}}, "headers.remove"},
	} {
		for kind := range strings.FieldsSeq(c.kinds) {
			files, err := Render(kind, c.p)
			if err == nil || !strings.Contains(err.Error(), c.want) || len(files) > 0 {
				t.Errorf("%s %+v: %v, want a word about %s", kind, c.p, err, c.want)
			}
		}
	}
	_, err := Render("nginx", Params{Listen: "x", Upstream: "y", Public: "z"})
	for _, flag := range []string{"-listen", "-upstream", "-public"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%v does not name %s: every problem at once", err, flag)
		}
	}
	if _, err := Render("apache", Params{}); err == nil || !strings.Contains(err.Error(), "haproxy") {
		t.Errorf("%v does not say what there is", err)
	}
}

// FuzzParameters: whatever is accepted holds no character that means something in a configuration language.
func FuzzParameters(f *testing.F) {
	f.Add(":8080", "127.0.0.1:3000", "usher.auth:4480", "https://app.example.com", "admin", "session")
	f.Add("[::1]:80", "[::1]:80", "[::ffff:1.2.3.4]:80", "http://[::1]:8080/", "", "")
	f.Add("127.0.0.1:8080", "a_b:1", "a:1", "HTTPS://App.Example.com:443", "x", "y")
	f.Fuzz(func(t *testing.T, listen, upstream, gateAt, public, rule, cookie string) {
		safe := regexp.MustCompile(`^[A-Za-z0-9._:/\[\]-]*$`)
		for _, family := range families() {
			s, err := newSite(family, Params{Listen: listen, Upstream: upstream, Gate: gateAt, Public: public, Rule: rule, Cookies: []string{cookie}})
			if err != nil {
				continue
			}
			for _, text := range []string{s.Listen.String(), s.Upstream.String(), s.Gate.String(), s.Origin, s.Host, s.Rule, s.Cookies[0]} {
				if !safe.MatchString(text) {
					t.Errorf("%s accepts %q", family.Name, text)
				}
			}
		}
	})
}

func render(t *testing.T, kind string, p Params) []File {
	t.Helper()
	files, err := Render(kind, p)
	must(t, err)
	return files
}

func names(p Params) []string {
	if p.Headers != nil {
		return p.Headers.Names()
	}
	preset, _ := gate.Preset("usher")
	var out []string
	for _, name := range preset {
		out = append(out, name)
	}
	return out
}

func headers(t *testing.T, names map[gate.Field]string, organization string) *gate.Headers {
	t.Helper()
	h, err := gate.NewHeaders(gate.HeadersConfig{Names: names, Organization: organization})
	must(t, err)
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheCompanionIsReached looks for its three places in every file, and for the address that speaks HTTP. Where the gate is
// asked on the entry point, it stays there: a router that is added without a word is not open.
func TestTheCompanionIsReached(t *testing.T) {
	for _, f := range families() {
		for _, mode := range f.modes {
			p := Params{API: "/api/auth", Mode: mode, HTTPListen: ":9000", GRPCListen: ":9001"}
			with, without := render(t, f.Name, p)[0].Content, render(t, f.Name, Params{Mode: mode})[0].Content
			for _, want := range []string{"/sign-in", "/account", "/api/auth", "9000"} {
				if !strings.Contains(with, want) {
					t.Errorf("%s %s: nothing about %s", f.Name, mode, want)
				}
			}
			if on := "middlewares: [usher-words@file, usher@file]"; f.AsksAboutPages && (!strings.Contains(with, on) || !strings.Contains(without, on)) {
				t.Errorf("%s: not every router is asked about", f.Name)
			}
			if strings.Contains(without, "/api/auth") || strings.Contains(without, "usher_pages") {
				t.Errorf("%s %s: a companion nobody configured", f.Name, mode)
			}
		}
	}
}
