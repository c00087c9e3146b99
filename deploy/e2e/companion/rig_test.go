package companion

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(testenv.RunWithUsher(m, &binary)) }

// side is who answers what the site's visitors ask.
type side string

const (
	js     side = "js"
	goSide side = "go"
)

// site is one address that people know, behind which either side can answer: to begin on one and finish on the other.
type site struct {
	url    string
	idp    *testenv.OIDCServer
	sides  map[side]*url.URL
	turn   atomic.Pointer[url.URL]
	usher  *testenv.Proc
	env    []string // further variables of usher
	http   string   // where it listens; empty: anywhere
	people []testenv.OIDCPerson
	lines  []string // of Usher's configuration, besides addresses
}

// storage is where both sides keep their rows.
type storage struct {
	name     string
	database func(t *testing.T) string
	redis    func(t *testing.T) string // nil: sessions are rows
	inRows   bool                      // storeSessionInDatabase
}

func storages() []storage {
	sqlite := func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "app.db") }
	postgres := func(t *testing.T) string { return testenv.Postgres(t).NewDatabase(t) }
	redis := func(t *testing.T) string { return testenv.StartRedis(t).URL() }
	return []storage{
		{name: "PostgreSQL", database: postgres},
		{name: "SQLite", database: sqlite},
		{name: "SQLite and Redis", database: sqlite, redis: redis},
		{name: "PostgreSQL and Redis, both", database: postgres, redis: redis, inRows: true},
	}
}

var ada = testenv.OIDCPerson{Sub: "sub-ada", Email: "Ada@Example.com", EmailVerified: true, Name: "Ada Lovelace", Picture: "https://example.com/ada.png"}

// newSite starts everything. more are lines of Usher's configuration, options those of Better Auth.
func newSite(t *testing.T, in storage, more []string, options map[string]any) *site {
	t.Helper()
	s := &site{sides: map[side]*url.URL{}, people: []testenv.OIDCPerson{
		ada,
		{Sub: "sub-bob", Email: "bob@example.com", EmailVerified: true, Name: "Bob"},
		{Sub: "sub-eve", Email: "eve@example.com", EmailVerified: false, Name: "Eve"},
		{Sub: "sub-renee", Email: "ren\u00e9e@example.com", EmailVerified: true, Name: "Ren\u00e9e"},
	}}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(s.turn.Load())
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
	})
	t.Cleanup(front.Close)
	s.url = front.URL
	client := testenv.OIDCClient{
		ID: "app", Secret: "the app's secret", RedirectURIs: []string{s.url + "/api/auth/callback/acme"}, PostLogoutRedirectURIs: []string{s.url + "/"},
	}
	s.idp = testenv.OIDC(t, testenv.OIDCConfig{Clients: []testenv.OIDCClient{client}, People: s.people})
	database := in.database(t)
	better := testenv.BetterAuthConfig{
		DatabaseURL: database, BaseURL: s.url, Options: options,
		Generic: []map[string]any{{
			"providerId": "acme", "discoveryUrl": s.idp.DiscoveryURL(), "clientId": client.ID, "clientSecret": client.Secret,
			"scopes": []string{"openid", "email", "profile"},
		}},
	}
	store := fmt.Sprintf("store: { url: %q }", database)
	if in.redis != nil {
		better.RedisURL = in.redis(t)
		store = fmt.Sprintf("store: { url: %q, secondary: { url: %q, store_session_in_database: %v } }", database, better.RedisURL, in.inRows)
		if in.inRows {
			if better.Options == nil {
				better.Options = map[string]any{}
			}
			better.Options["session"] = map[string]any{"storeSessionInDatabase": true}
		}
	}
	app := testenv.BetterAuth(t, better)
	s.sides[js] = parse(t, app.URL)
	s.startUsher(t, append([]string{
		fmt.Sprintf("better_auth: { url: %q, secret: %q }", s.url, app.Secret), store,
		fmt.Sprintf("oauth: { providers: { acme: { name: Acme, discovery_url: %q, client_id: app, client_secret: %q, scopes: [openid, email, profile] } } }",
			s.idp.DiscoveryURL(), client.Secret),
	}, more...)...)
	s.at(goSide)
	return s
}

func (s *site) startUsher(t *testing.T, lines ...string) {
	t.Helper()
	s.lines = lines
	addresses := [3]string{}
	for i := range addresses {
		addresses[i] = fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	}
	if s.http != "" {
		addresses[0] = s.http
	}
	file := filepath.Join(t.TempDir(), "usher.yaml")
	content := fmt.Sprintf("listen: { http: %q, grpc: %q, ops: %q }\nlog: { level: debug, format: json }\n", addresses[0], addresses[1], addresses[2])
	if err := os.WriteFile(file, []byte(content+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.usher = testenv.Start(t, testenv.Command{Path: binary, Args: []string{"serve", "-config", file}, Env: append([]string{"PATH=" + os.Getenv("PATH")}, s.env...)})
	for _, address := range addresses {
		s.usher.WaitListening(t, address)
	}
	s.usher.WaitLine(t, "people sign in here")
	s.sides[goSide] = parse(t, "http://"+addresses[0])
}

// run starts a program with these variables and no other but PATH, and fails unless it succeeds.
func run(t *testing.T, env ...string) func(program string, args ...string) {
	t.Helper()
	return func(program string, args ...string) {
		t.Helper()
		command := exec.Command(program, args...)
		command.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", filepath.Base(program), args, err, out)
		}
	}
}

// at lets a side answer from now on.
func (s *site) at(who side) { s.turn.Store(s.sides[who]) }

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// browser is somebody's, with a jar of its own.
type browser struct {
	*http.Client
	t    *testing.T
	site *site
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, site: s, Client: &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response that was read.
type answer struct {
	*http.Response
	body string
}

func (b *browser) do(method, url, body string) answer {
	b.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = b.site.url + url
	}
	r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Origin", b.site.url)
		r.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(body, "sub=") || strings.HasPrefix(body, "do=") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	return b.send(r)
}

func (b *browser) send(r *http.Request) answer {
	b.t.Helper()
	response, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response, string(text)}
}

// begin asks for a sign-in and returns where the provider is.
func (b *browser) begin(callbackURL string) string {
	b.t.Helper()
	a := b.do(http.MethodPost, "/api/auth/sign-in/social", fmt.Sprintf(`{"provider":"acme","callbackURL":%q,"errorCallbackURL":"/failed"}`, callbackURL))
	var to struct{ URL string }
	if err := json.Unmarshal([]byte(a.body), &to); err != nil || to.URL == "" {
		b.t.Fatalf("sign-in/social: %d %s", a.StatusCode, a.body)
	}
	return to.URL
}

// visit goes to the provider, signs in there as somebody, and returns the URL that it leads back to, not yet opened.
func (b *browser) visit(to, sub string) string {
	b.t.Helper()
	for range 12 {
		a := b.do(http.MethodGet, to, "")
		switch {
		case a.StatusCode == http.StatusOK && strings.Contains(a.body, `name="sub"`):
			a = b.do(http.MethodPost, to, "sub="+sub)
		case a.StatusCode/100 != 3:
			b.t.Fatalf("%s: %d %.400s", to, a.StatusCode, a.body)
		}
		next, err := a.Location()
		if err != nil {
			b.t.Fatalf("%s: %d without a Location: %.400s", to, a.StatusCode, a.body)
		}
		if to = next.String(); strings.HasPrefix(to, b.site.url+"/") {
			return to
		}
	}
	b.t.Fatal("the provider leads around in circles")
	return ""
}

// who is what get-session says: an e-mail address, or nothing.
func (b *browser) who() string {
	b.t.Helper()
	a := b.do(http.MethodGet, "/api/auth/get-session", "")
	var me *struct{ User struct{ Email string } }
	if err := json.Unmarshal([]byte(a.body), &me); err != nil || a.StatusCode != http.StatusOK {
		b.t.Fatalf("get-session: %d %s", a.StatusCode, a.body)
	}
	if me == nil {
		return ""
	}
	return me.User.Email
}
