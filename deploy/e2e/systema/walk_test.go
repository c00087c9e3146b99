package systema

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/internal/testenv"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(testenv.RunWithUsher(m, &binary)) }

// system is what stands at the end of the page.
type system struct {
	*testenv.Page
	auth     *testenv.BetterAuthServer
	database string
	ada, bob *testenv.Person // whose tokens the page uses: of somebody known, and of somebody new
	acme     testenv.Org     // Ada's
	old      string          // where the API is that the page takes leave of
	api      string          // the new one's own address
	proxies  map[string]string
	tap      *tap
}

// tap stands between the proxies and the API, and keeps what passes.
type tap struct {
	mu       sync.Mutex
	received []http.Header
}

func newTap(t *testing.T, to string) (*tap, string) {
	t.Helper()
	var p tap
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.received = append(p.received, r.Header.Clone())
		p.mu.Unlock()
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return &p, strings.TrimPrefix(server.URL, "http://")
}

func (p *tap) all() []http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]http.Header(nil), p.received...)
}

// walk does the page. More are further replacements in it.
func walk(t *testing.T, more ...string) *system {
	t.Helper()
	s := &system{database: testenv.Postgres(t).NewDatabase(t)}
	s.auth = testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: s.database})
	s.ada, s.bob = s.auth.SignUp(t, "Ada Lovelace", "ada@example.com"), s.auth.SignUp(t, "Bob", "bob@example.com")
	s.acme = s.auth.CreateOrganization(t, s.ada, "Acme", "acme")

	port := func() int { return testenv.FreePort(t) }
	old, api, traefik, envoy := port(), port(), port(), port()
	address := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	s.old, s.api = address(old), address(api)
	s.proxies = map[string]string{"Traefik": address(traefik), "Envoy": address(envoy)}
	var tapped string
	s.tap, tapped = newTap(t, s.api)
	var path []string
	for _, part := range []string{"fastapi", "postgres", "envoy"} {
		path = append(path, filepath.Dir(testenv.Part(t, part)))
	}
	programs := t.TempDir() // Traefik's program is not called traefik
	if err := os.Symlink(testenv.Part(t, "traefik"), filepath.Join(programs, "traefik")); err != nil {
		t.Fatal(err)
	}
	s.Page = &testenv.Page{
		Dir: testenv.PageDir(t),
		Env: []string{"PATH=" + strings.Join(append([]string{filepath.Dir(binary), programs}, append(path, os.Getenv("PATH"))...), ":")},
		Replace: strings.NewReplacer(append(more,
			"-upstream 127.0.0.1:8001", "-upstream "+tapped,
			"http://localhost:3000", s.auth.URL,
			":8000", fmt.Sprint(":", old), "--port 8000", fmt.Sprint("--port ", old), "--port 8001", fmt.Sprint("--port ", api),
			":8080", fmt.Sprint(":", traefik), ":8090", fmt.Sprint(":", envoy),
			":4480", fmt.Sprint(":", port()), ":4481", fmt.Sprint(":", port()), ":4482", fmt.Sprint(":", port()),
			// Several Envoys on one machine are told apart by hand, and need no thread for each processor.
			"envoy -c envoy.yaml", "envoy --disable-hot-restart --concurrency 1 -c envoy.yaml",
			"postgres://app:password@localhost:5432/app", s.database,
			"the-secret-of-your-better-auth-app", s.auth.Secret,
			"the-token-of-your-session", s.ada.Token, "your-id-in-better-auth", s.ada.UserID, "the-token-of-somebody-new", s.bob.Token,
		)...),
	}
	s.Ready = map[string]func(*testenv.Proc, string){
		"python": func(p *testenv.Proc, command string) {
			if strings.Contains(command, "8000") {
				p.WaitListening(t, s.old)
			} else {
				p.WaitListening(t, s.api)
			}
		},
		"usher": func(p *testenv.Proc, _ string) {
			s.Await(t, p, ":4480")
			s.Await(t, p, ":4481")
			s.waitReady(t)
		},
		"traefik": func(p *testenv.Proc, _ string) {
			s.Await(t, p, ":8080")
			for begun := time.Now(); get(t, s.proxies["Traefik"], "/health").status == http.StatusNotFound; time.Sleep(20 * time.Millisecond) {
				if time.Since(begun) > 30*time.Second { // it listens before it has read its routes
					t.Fatal("Traefik has no routes")
				}
			}
		},
		"envoy": func(p *testenv.Proc, _ string) { s.Await(t, p, ":8090") },
	}
	s.Do(t, "../../../docs/fastapi.md", 20)
	return s
}

// waitReady waits until the gate hears what changes, and all its databases answer.
func (s *system) waitReady(t *testing.T) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		a := get(t, "127.0.0.1"+s.Replace.Replace(":4482"), "/readyz")
		if a.status == http.StatusOK && strings.Contains(a.body, `"business":"ok"`) && strings.Contains(a.body, `"revocation":"complete"`) {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("/readyz: %d %s", a.status, a.body)
		}
	}
}

// answer is what came back, and if that was the API, who asked by its rows.
type answer struct {
	status       int
	reason, body string
	User         *row
	Organization *row
}

type row struct{ ID, Email, Name, Slug string }

// get asks an address, with header lines.
func get(t *testing.T, address, path string, lines ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	response, err := client.Do(r)
	if err != nil {
		t.Error(err) // not Fatal: some ask from goroutines of their own
		return answer{}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	a := answer{status: response.StatusCode, reason: response.Header.Get("X-Usher-Reason"), body: string(body)}
	if path == "/me" && a.status == http.StatusOK {
		if err := json.Unmarshal(body, &a); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	return a
}

// each asks through both proxies.
func (s *system) each(t *testing.T, check func(t *testing.T, me func(lines ...string) answer)) {
	t.Helper()
	for name, address := range s.proxies {
		t.Run(name, func(t *testing.T) {
			check(t, func(lines ...string) answer {
				t.Helper()
				return get(t, address, "/me", lines...)
			})
		})
	}
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// is fails unless the API was asked by this person, in an organization of this slug.
func (a answer) is(t *testing.T, p *testenv.Person, slug string) {
	t.Helper()
	switch {
	case a.status != http.StatusOK || a.User == nil || a.User.Email != p.Email:
		t.Errorf("%d %s %s, want %s", a.status, a.reason, a.body, p.Email)
	case slug == "" && a.Organization != nil || slug != "" && (a.Organization == nil || a.Organization.Slug != slug):
		t.Errorf("%s, want it in %q", a.body, slug)
	}
}

// refused fails unless the gate refused, for this reason.
func (a answer) refused(t *testing.T, status int, reason string) {
	t.Helper()
	if a.status != status || a.reason != reason {
		t.Errorf("%d %s %s, want %d %s", a.status, a.reason, a.body, status, reason)
	}
}

// sql runs statements.
func (s *system) sql(t *testing.T, statements string, args ...any) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), s.database)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(t.Context())
	if _, err := connection.Exec(t.Context(), statements, args...); err != nil {
		t.Fatal(err)
	}
}

// value is one text out of the database.
func (s *system) value(t *testing.T, query string, args ...any) (text string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), s.database)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(t.Context())
	if err := connection.QueryRow(t.Context(), query, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}
