package companion

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// shop is a site behind a real proxy: a backend that the gate guards, and the companion's pages beside it.
type shop struct {
	url    string
	proxy  string // host:port
	config string // file
	gate   *site
}

// mall is what shops share: a database, an identity provider, and Better Auth, which made the tables.
type mall struct {
	database string
	idp      *testenv.OIDCServer
	app      *testenv.BetterAuthServer
	backend  *testenv.Echo
	sites    []string
}

func newMall(t *testing.T, sites int) *mall {
	t.Helper()
	m := &mall{database: testenv.Postgres(t).NewDatabase(t), backend: testenv.EchoBackend(t)}
	client := testenv.OIDCClient{ID: "app", Secret: "the app's secret"}
	for range sites {
		at := fmt.Sprintf("http://127.0.0.1:%d", testenv.FreePort(t))
		m.sites = append(m.sites, at)
		client.RedirectURIs = append(client.RedirectURIs, at+"/api/auth/callback/acme")
	}
	m.idp = testenv.OIDC(t, testenv.OIDCConfig{Clients: []testenv.OIDCClient{client}, People: []testenv.OIDCPerson{
		ada, {Sub: "sub-bob", Email: "bob@example.com", EmailVerified: true, Name: "Bob"},
	}})
	m.app = testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: m.database})
	return m
}

// open starts a proxy of a kind as `usher proxy` prints it for this configuration, and Usher behind it.
func (m *mall) open(t *testing.T, kind string, more ...string) *shop {
	t.Helper()
	s := &shop{url: m.sites[0]}
	m.sites = m.sites[1:]
	s.proxy = strings.TrimPrefix(s.url, "http://")
	addresses := [3]string{}
	for i := range addresses {
		addresses[i] = fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	}
	s.config = filepath.Join(t.TempDir(), "usher.yaml")
	lines := append([]string{
		fmt.Sprintf("listen: { http: %q, grpc: %q, ops: %q }", addresses[0], addresses[1], addresses[2]),
		"log: { level: debug, format: json }",
		fmt.Sprintf("better_auth: { url: %q, secret: %q }", s.url, m.app.Secret),
		fmt.Sprintf("store: { url: %q }", m.database),
		fmt.Sprintf(`oauth: { brand: { name: Example Press }, providers: {
  acme: { name: Acme, discovery_url: %q, client_id: app, client_secret: "the app's secret", scopes: [openid, email, profile] },
  google: { client_id: x, client_secret: y }, github: { client_id: x, client_secret: y } } }`, m.idp.DiscoveryURL()),
	}, more...)
	if kind == "traefik" { // which asks about the pages too; `usher proxy traefik` says that these are missing
		lines = append(lines, `rules:
  - {host: 127.0.0.1, path: "/sign-in", access: public}
  - {host: 127.0.0.1, path: "/account", access: public}
  - {host: 127.0.0.1, path: "/api/auth/**", access: public}`)
	}
	if err := os.WriteFile(s.config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.gate = &site{url: s.url}
	s.gate.usher = testenv.Start(t, testenv.Command{Path: binary, Args: []string{"serve", "-config", s.config}, Env: []string{"PATH=" + os.Getenv("PATH")}})
	s.gate.usher.WaitLine(t, "people sign in here")
	for _, address := range addresses {
		s.gate.usher.WaitListening(t, address)
	}
	s.startProxy(t, kind, m.backend.Address)
	return s
}

func (s *shop) startProxy(t *testing.T, kind, backend string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "usher-companion-proxy-") // not t.TempDir: nginx's workers are nobody, and must get in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name, mode, _ := strings.Cut(kind, "-")
	args := []string{"proxy", name, "-o", dir, "-config", s.config, "-listen", s.proxy, "-upstream", backend}
	if mode != "" {
		args = append(args, "-mode", mode)
	}
	if out, err := exec.Command(binary, args...).CombinedOutput(); err != nil {
		t.Fatalf("usher proxy %s: %v\n%s", kind, err, out)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	command := testenv.Command{Dir: dir, Path: testenv.Part(t, name)}
	switch kind {
	case "traefik":
		command.Args = []string{"--configFile=traefik.yml"}
	case "envoy-grpc":
		command.Args = []string{"-c", file("envoy.yaml"), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"}
	case "envoy-http":
		command.Args = []string{"-c", file("envoy-http.yaml"), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"}
	case "nginx":
		command.Args = []string{"-p", dir, "-c", file("nginx.conf"), "-g", "daemon off;"}
	case "caddy":
		command.Args = []string{"run", "--config", file("Caddyfile"), "--adapter", "caddyfile"}
	case "haproxy":
		command.Args = []string{"-f", "haproxy.cfg"}
	default:
		t.Fatalf("no such proxy: %s", kind)
	}
	testenv.Start(t, command).WaitListening(t, s.proxy)
	deadline := time.Now().Add(30 * time.Second)
	for testenv.RawHTTP(t, s.proxy, "GET / HTTP/1.1\r\nHost: "+s.proxy+"\r\nConnection: close\r\n\r\n").Status == 404 { // Traefik before it has routes
		if time.Now().After(deadline) {
			t.Fatal("the proxy has no routes")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestThroughRealProxies is the whole way, through each proxy as `usher proxy` prints it: a page that is closed, the sign-in
// page, a provider nobody here wrote, and the page, with the person's identity at its backend. A real browser goes it
// through Traefik and Envoy.
func TestThroughRealProxies(t *testing.T) {
	kinds := []string{"traefik", "envoy-grpc", "envoy-http", "nginx", "caddy", "haproxy"}
	m := newMall(t, len(kinds))
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := m.open(t, kind)
			m.backend.Reset()
			s.leadsToThePages(t, m)
			if kind == "traefik" || kind == "envoy-grpc" {
				m.backend.Reset()
				s.letsABrowserIn(t, m)
			}
		})
	}
}

func (s *shop) letsABrowserIn(t *testing.T, m *mall) {
	t.Helper()
	c := newChromium(t)
	page := s.url + "/reports/2026?kind=all&x=%20y"
	c.open(page)
	if at, err := url.Parse(c.where()); err != nil || at.Path != "/sign-in" || at.Query().Get("callbackURL") != page {
		t.Fatalf("led to %s", c.where())
	}
	if text := c.text(); !strings.Contains(text, "/reports/2026") || m.backend.Count() != 0 {
		t.Fatalf("the backend was asked %d times; the page says:\n%s", m.backend.Count(), text)
	}
	c.press("Continue with Acme")
	c.press("Ada Lovelace")
	c.arrive(page)
	got := testenv.ParseEcho(t, c.text())
	if !slices.Equal(got.Headers["x-user-email"], []string{"ada@example.com"}) || !slices.Equal(got.Headers["x-user-name"], []string{"Ada Lovelace"}) ||
		len(got.Headers["x-user-id"]) != 1 || got.Path != "/reports/2026?kind=all&x=%20y" {
		t.Errorf("at the backend: %+v", got)
	}

	c.open(s.url + "/account")
	if text := c.text(); !strings.Contains(text, "Ada Lovelace") || !strings.Contains(text, "This device") || !strings.Contains(text, "Acme") {
		t.Errorf("the account page:\n%s", text)
	}
	c.press("Sign out")
	c.arrive(m.idp.URL + "/session/end?") // the provider asks whether to sign out there too
	if text := c.text(); !strings.Contains(text, "sign-out") {
		t.Errorf("the provider does not end its session:\n%s", text)
	}
	c.open(page)
	if at := c.where(); !strings.HasPrefix(at, s.url+"/sign-in?") {
		t.Errorf("after signing out: %s", at)
	}
	c.mustBeQuiet(s.url)
}

// leadsToThePages asks for the companion's places, and for spellings of them that must not reach the backend unasked; then
// signs a script in.
func (s *shop) leadsToThePages(t *testing.T, m *mall) {
	t.Helper()
	b := s.gate.browser(t)
	ask := func(target string) testenv.RawResponse {
		return testenv.RawHTTP(t, s.proxy, "GET "+target+" HTTP/1.1\r\nHost: "+s.proxy+"\r\nConnection: close\r\nX-User-Id: forged\r\nAccept: text/html\r\n\r\n")
	}
	for target, want := range map[string]int{
		"/sign-in": 200, "/account": 303, "/api/auth/ok": 200, "/api/auth/get-session": 200, "/api/auth/error": 200,
		"/api/auth/nothing-of-ours": 404, "/sign-in?callbackURL=%2Fx": 200,
	} {
		if got := ask(target); got.Status != want || strings.Contains(got.Body, "x-user-id") {
			t.Errorf("%s: %d, want %d\n%.300s", target, got.Status, want, got.Body)
		}
	}
	for _, target := range []string{
		"/", "/sign-in/", "/sign-in/x", "/account/settings", "/api/authx", "/accounts", "/api/auth/../../secret", "/api/auth/%2e%2e/%2e%2e/secret",
		"/api/auth/..%2f..%2fsecret", "/sign-in/../secret", "/sign-in;/secret", "/secret/../sign-in/../secret", "//sign-in", "/api/auth//../../secret",
		"/sign-in%2f..%2fsecret", "/SIGN-IN", "/api//auth/ok", "/api/auth/..;/..;/secret",
	} {
		if got := ask(target); got.Status == 200 && !strings.Contains(got.Body, "<h1>Sign in</h1>") && got.Body != `{"ok":true}` {
			t.Errorf("%s: %d\n%.300s", target, got.Status, got.Body)
		}
	}
	if n := m.backend.Count(); n != 0 {
		t.Errorf("the backend was asked %d times: %+v", n, m.backend.Requests())
	}
	// A script's sign-in, and the cookies it gets, on the same way.
	back := b.do("GET", b.visit(b.begin(s.url+"/reports"), ada.Sub), "")
	if b.who() != "ada@example.com" || back.Header.Get("Location") != s.url+"/reports" {
		t.Errorf("%d %q", back.StatusCode, back.Header.Get("Location"))
	}
	if got := b.do("GET", "/reports", ""); !strings.Contains(got.body, "ada@example.com") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
