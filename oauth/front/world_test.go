package front_test

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/account"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/front"
	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/organization"
	"github.com/usherauth/usher/oauth/page"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/oauth/session"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/storetest"
)

const secret = "front-secret-front-secret-front-secret-0123456789"

// world is the pages before a real API, on a real database, with a provider in this process.
type world struct {
	*testing.T
	url   string
	idp   *oauthtest.IdP
	db    *sql.DB
	store *accounts.Store
	log   *bytes.Buffer

	mu      sync.Mutex
	now     time.Time
	tooFast bool
}

// Take implements endpoint.Limiter: the test says when it is too much.
func (w *world) Take(context.Context, string, time.Duration, int) (bool, time.Duration) {
	return !w.tooFast, 10 * time.Second
}

func newWorld(t *testing.T) *world { return newWorldOn(t, "all-plugins") }

func newWorldOn(t *testing.T, schema string) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=synchronous(off)&_pragma=journal_mode(wal)&_pragma=foreign_keys(1)")
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.ExecContext(t.Context(), storetest.Harness{Dialect: betterauth.SQLite}.Schema(t, schema))
	must(t, err)
	w := &world{T: t, db: db, now: time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC), idp: oauthtest.Start(t), log: &bytes.Buffer{}}
	w.idp.Clock(w.time)
	w.store, err = accounts.Open(t.Context(), accounts.Config{URL: "sqlite://" + path, Now: w.time})
	must(t, err)
	t.Cleanup(w.store.Close)

	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	w.url = server.URL
	handler = w.serve()
	return w
}

// serve puts pages and API together as internal/boot does.
func (w *world) serve() http.Handler {
	w.Helper()
	var providers []provider.Provider
	var named []front.Provider
	for id, name := range map[string]string{"acme": "Acme", "quiet": "Quiet & Co"} {
		o := w.idp.Options()
		o.Name, o.DisableLogout = name, id == "quiet"
		p, err := provider.New(id, o, w.idp.Client(), w.time)
		must(w.T, err)
		providers, named = append(providers, p), append(named, front.Provider{ID: id, Name: name})
	}
	cookies, err := betterauth.NewCookies(betterauth.CookiesConfig{Secret: secret})
	must(w.T, err)
	reader, err := betterauth.NewReader(betterauth.Config{
		Secret: secret, CookieName: betterauth.CookieName("", "", false), DontRemember: betterauth.DontRememberName("", "", false),
	})
	must(w.T, err)
	origins, err := flow.NewOrigins(w.url, "https://app.example.com")
	must(w.T, err)
	log := slog.New(slog.NewTextHandler(w.log, nil))
	c := oauth.Config{
		BaseURL: w.url, BasePath: "/api/auth", Origins: origins, Keys: seal.NewKeys(secret, nil, 0), Cookies: cookies, Reader: reader, Store: w.store,
		Providers: providers, Now: w.time, Log: log, Limiter: w,
		Accounts: oauth.Accounts{DifferentEmails: true},
	}
	linked := account.New(account.Config{Store: w.store, Shape: w.store.Shape(), Providers: providers, BaseURL: w.url})
	c.Routes = slices.Concat(
		session.New(session.Config{Store: w.store, Shape: w.store.Shape(), EndSession: linked.EndSession}).Routes(),
		linked.Routes(),
		organization.New(organization.Config{Store: w.store, Shape: w.store.Shape()}).Routes(),
	)
	api, err := oauth.New(c)
	must(w.T, err)
	slices.SortFunc(named, func(a, b front.Provider) int { return strings.Compare(a.ID, b.ID) })
	pages, err := page.New(page.Brand{Name: "Example", Home: w.url + "/"})
	must(w.T, err)
	people, err := front.New(front.Config{
		API: api, BasePath: "/api/auth", Origin: w.url, Pages: pages, Providers: named, Now: w.time, Log: log,
		Trusts: func(url string) bool { _, err := origins.ReturnURL(url); return err == nil },
	})
	must(w.T, err)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if people.Serves(r.URL.Path) {
			people.ServeHTTP(rw, r)
			return
		}
		api.ServeHTTP(rw, r)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) time() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) pass(d time.Duration) { w.mu.Lock(); w.now = w.now.Add(d); w.mu.Unlock() }

func (w *world) exec(statement string, args ...any) {
	w.Helper()
	_, err := w.db.ExecContext(w.Context(), statement, args...)
	must(w.T, err)
}

// column is the first column of a question.
func (w *world) column(question string, args ...any) (found []string) {
	w.Helper()
	rows, err := w.db.QueryContext(w.Context(), question, args...)
	must(w.T, err)
	defer rows.Close()
	for rows.Next() {
		var one string
		must(w.T, rows.Scan(&one))
		found = append(found, one)
	}
	must(w.T, rows.Err())
	return found
}

// browser is somebody's, without a script.
type browser struct {
	*world
	http  *http.Client
	agent string
	seen  strings.Builder // every page, head and body
}

func (w *world) browser() *browser {
	w.Helper()
	jar, err := cookiejar.New(nil)
	must(w.T, err)
	return &browser{
		world: w, agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		http: &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

type answer struct {
	status         int
	body, location string
	header         http.Header
}

func (b *browser) ask(method, target string, form url.Values, headers ...string) answer {
	b.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.url + target
	}
	r, err := http.NewRequestWithContext(b.Context(), method, target, strings.NewReader(form.Encode()))
	must(b.T, err)
	r.Header.Set("User-Agent", b.agent)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.url)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	response, err := b.http.Do(r)
	must(b.T, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(b.T, err)
	b.seen.WriteString(target + "\n" + response.Header.Get("Location") + "\n" + string(text))
	return answer{response.StatusCode, string(text), response.Header.Get("Location"), response.Header}
}

func (b *browser) get(target string, headers ...string) answer {
	b.Helper()
	return b.ask(http.MethodGet, target, nil, headers...)
}

// press sends a form of the account page.
func (b *browser) press(do, id string, headers ...string) answer {
	b.Helper()
	return b.ask(http.MethodPost, "/account", url.Values{"do": {do}, "id": {id}}, headers...)
}

// signIn goes through a provider from a page's link, and returns where it ends.
func (b *browser) signIn(href string) string {
	b.Helper()
	a := b.get(href)
	if a.status != http.StatusFound {
		b.Fatalf("%s: %d %s", href, a.status, a.body)
	}
	return b.consent(a.location)
}

// consent comes back from the provider.
func (b *browser) consent(at string) string {
	b.Helper()
	back, err := b.idp.Consent(at)
	must(b.T, err)
	return b.get(back.String()).location
}
