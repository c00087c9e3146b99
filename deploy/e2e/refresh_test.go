package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/usherauth/usher/internal/testenv"
)

const (
	lasts  = 7 * 24 * time.Hour // Better Auth's defaults
	settle = 24 * time.Hour
	day    = 24 * time.Hour
)

// rows changes and reads session rows as somebody beside Better Auth and the gate would.
type rows struct {
	url    string
	sqlite bool
}

// exec runs one statement; instants in it are parameters.
func (r rows) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	ctx := context.Background()
	if r.sqlite {
		db := r.open(t)
		defer db.Close()
		for i, arg := range args {
			if at, ok := arg.(time.Time); ok {
				args[i] = at.UTC().Format("2006-01-02T15:04:05.000Z")
			}
		}
		if _, err := db.ExecContext(ctx, statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		return
	}
	conn, err := pgx.Connect(ctx, r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (r rows) open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(r.url, "sqlite://")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// row is when a session ends, and when it was last updated.
type row struct{ ends, updated time.Time }

func (r rows) read(t *testing.T, token string) (found row) {
	t.Helper()
	if !r.sqlite {
		r.one(t, `select "expiresAt", "updatedAt" from "session" where "token" = $1`, []any{token}, &found.ends, &found.updated)
		return found
	}
	var ends, updated string
	r.one(t, `select +"expiresAt", +"updatedAt" from "session" where "token" = ?`, []any{token}, &ends, &updated)
	for text, at := range map[string]*time.Time{ends: &found.ends, updated: &found.updated} {
		var err error
		if *at, err = time.Parse("2006-01-02T15:04:05.000Z", text); err != nil {
			t.Fatalf("not Better Auth's form: %v", err)
		}
	}
	return found
}

// one reads the one row of a query.
func (r rows) one(t *testing.T, query string, args []any, into ...any) {
	t.Helper()
	ctx := context.Background()
	var err error
	if r.sqlite {
		db := r.open(t)
		defer db.Close()
		err = db.QueryRowContext(ctx, query, args...).Scan(into...)
	} else {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, r.url); err == nil {
			defer conn.Close(ctx)
			err = conn.QueryRow(ctx, query, args...).Scan(into...)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// set makes a session of this age and with this left of its life; it was updated when it was made.
func (r rows) set(t *testing.T, token string, age, left time.Duration) row {
	t.Helper()
	now := time.Now().Truncate(time.Millisecond)
	r.exec(t, `update "session" set "createdAt" = $1, "updatedAt" = $1, "expiresAt" = $2 where "token" = $3`, now.Add(-age), now.Add(left), token)
	return r.read(t, token)
}

// due is set for a session that Better Auth would refresh.
func (r rows) due(t *testing.T, token string) row { return r.set(t, token, 5*day, 2*day) }

// moved demands that the row was refreshed after began.
func (r rows) moved(t *testing.T, token string, began time.Time) row {
	t.Helper()
	now := r.read(t, token)
	if now.updated.Before(began.Add(-time.Second)) || now.updated.After(time.Now()) || !now.ends.Equal(now.updated.Add(lasts)) {
		t.Errorf("the row was not refreshed: %+v", now)
	}
	return now
}

// stayed demands that it was not.
func (r rows) stayed(t *testing.T, token string, before row) {
	t.Helper()
	if now := r.read(t, token); !now.ends.Equal(before.ends) || !now.updated.Equal(before.updated) {
		t.Errorf("the row has changed: %+v, was %+v", now, before)
	}
}

// cookieBackend is a backend that sets cookies, and lets everybody keep its answers.
func cookieBackend(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if own := r.Header.Get("Answer-Cookie"); own != "" {
			w.Header().Add("Set-Cookie", own)
		}
		w.Header().Add("Set-Cookie", "theme=light; Path=/")
		w.Header().Add("Set-Cookie", "csrf=1; Path=/; HttpOnly")
		w.Header().Set("Cache-Control", "public, max-age=60")
		fmt.Fprint(w, r.Header.Get("X-User-Id"))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

var backendCookies = []string{"theme=light; Path=/", "csrf=1; Path=/; HttpOnly"}

// renewal is what a client got, with its cookies apart.
type renewal struct {
	testenv.RawResponse
	cookies []string
}

func (p *proxied) ask(t *testing.T, lines ...string) renewal {
	t.Helper()
	response := testenv.RawHTTP(t, p.address, request{lines: lines}.bytes(p.address))
	return renewal{response, response.Header.Values("Set-Cookie")}
}

// passed demands that the request reached the backend as somebody, and that the client got these cookies besides the
// backend's own.
func (a renewal) passed(t *testing.T, p *testenv.Person, cookies ...string) {
	t.Helper()
	if a.Status != 200 || a.Body != p.UserID {
		t.Fatalf("status %d, body %.200s", a.Status, a.Body)
	}
	got := slices.Clone(a.cookies)
	want := slices.Concat(backendCookies, cookies)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the client got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// itself is the one Set-Cookie with which Better Auth answers get-session.
func itself(t *testing.T, auth *testenv.BetterAuthServer, p *testenv.Person) string {
	t.Helper()
	response := auth.Call(t, p, "GET", "/get-session", nil)
	cookies := response.Header.Values("Set-Cookie")
	if response.Status != 200 || len(cookies) != 1 {
		t.Fatalf("Better Auth's own refresh: %d %q", response.Status, cookies)
	}
	return cookies[0]
}

// TestSlidingExpiry: a gate with session.refresh does what Better Auth's get-session would have done, through every
// proxy, on both databases.
func TestSlidingExpiry(t *testing.T) {
	for _, kind := range []string{"PostgreSQL", "SQLite"} {
		t.Run(kind, func(t *testing.T) {
			r := rows{url: "sqlite://" + filepath.Join(t.TempDir(), "app.db"), sqlite: kind == "SQLite"}
			if !r.sqlite {
				r.url = testenv.Postgres(t).NewDatabase(t)
			}
			slidingExpiry(t, r)
		})
	}
}

func slidingExpiry(t *testing.T, r rows) {
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: r.url})
	ada := auth.SignUp(t, "Ada", "ada@example.com")
	zoe := auth.SignUp(t, "Zoë", "zoe@example.com")
	auth.MakeAdmin(t, ada)
	gate := startUsherWith(t, auth, r.url, []string{"session: { refresh: true }"})
	gate.proc.WaitLine(t, `"sessions are refreshed when they are due"`)
	backend := cookieBackend(t)

	for _, name := range proxyKinds {
		t.Run(name, func(t *testing.T) {
			p := startProxy(t, name, gate, backend)

			t.Run("due", func(t *testing.T) {
				browser := auth.SignIn(t, zoe)
				r.due(t, browser.Token)
				want := itself(t, auth, browser)
				r.due(t, browser.Token)
				began := time.Now()
				a := p.ask(t, cookie(browser))
				if name == "traefik" { // writes every cookie of such an answer anew, in an order of its own
					want = strings.Replace(want, "; Max-Age=604800; Path=/;", "; Path=/; Max-Age=604800;", 1)
				}
				a.passed(t, zoe, want)
				after := r.moved(t, browser.Token, began)
				cache := a.Header.Values("Cache-Control")
				switch name {
				case "traefik": // cannot
				case "nginx": // adds a line, which forbids what the other allows
					if !slices.Contains(cache, "no-store") {
						t.Errorf("Cache-Control %q", cache)
					}
				default:
					if !slices.Equal(cache, []string{"no-store"}) {
						t.Errorf("Cache-Control %q", cache)
					}
				}

				a = p.ask(t, cookie(browser)) // not due any more
				a.passed(t, zoe)
				r.stayed(t, browser.Token, after)
				if cache := a.Header.Values("Cache-Control"); !slices.Equal(cache, []string{"public, max-age=60"}) {
					t.Errorf("Cache-Control of an answer without our cookie: %q", cache)
				}
			})
			t.Run("not due", func(t *testing.T) {
				browser := auth.SignIn(t, zoe)
				before := r.set(t, browser.Token, 5*day, lasts-settle+time.Minute)
				p.ask(t, cookie(browser)).passed(t, zoe)
				r.stayed(t, browser.Token, before)
			})
			t.Run("bearer", func(t *testing.T) {
				client := auth.SignIn(t, zoe)
				r.due(t, client.Token)
				began := time.Now()
				p.ask(t, "Authorization: Bearer "+client.Token).passed(t, zoe)
				r.moved(t, client.Token, began)
			})
			t.Run("impersonated", func(t *testing.T) {
				admin := auth.SignIn(t, ada)
				var started struct{ Session struct{ Token string } }
				call(t, auth, admin, "/admin/impersonate-user", map[string]any{"userId": zoe.UserID}, &started)
				before := r.due(t, started.Session.Token)
				p.ask(t, cookie(admin)).passed(t, zoe)
				p.ask(t, "Authorization: Bearer "+started.Session.Token).passed(t, zoe)
				r.stayed(t, started.Session.Token, before)
			})
			t.Run("not to be remembered", func(t *testing.T) {
				guest := &testenv.Person{}
				var entered struct{ Token string }
				call(t, auth, guest, "/sign-in/email", map[string]any{"email": zoe.Email, "password": zoe.Password, "rememberMe": false}, &entered)
				if !strings.Contains(guest.Cookie, "dont_remember=") {
					t.Fatalf("no such cookie: %s", cookieNames(guest.Cookie))
				}
				before := r.due(t, entered.Token) // only the cookie tells
				p.ask(t, cookie(guest)).passed(t, zoe)
				r.stayed(t, entered.Token, before)
				before = r.set(t, entered.Token, 20*time.Hour, 4*time.Hour) // only the row tells
				p.ask(t, "Authorization: Bearer "+entered.Token).passed(t, zoe)
				r.stayed(t, entered.Token, before)
			})
			t.Run("the backend's own session cookie", func(t *testing.T) {
				browser := auth.SignIn(t, zoe)
				r.due(t, browser.Token)
				own := cookieName(browser.Cookie) + "=other; Path=/"
				began := time.Now()
				a := p.ask(t, cookie(browser), "Answer-Cookie: "+own)
				r.moved(t, browser.Token, began)
				var ours []string
				for _, line := range a.cookies {
					if strings.HasPrefix(line, cookieName(browser.Cookie)+"=") {
						ours = append(ours, line)
					}
				}
				switch name {
				case "caddy": // the last one counts
					if len(ours) != 2 || ours[1] != own {
						t.Errorf("%q", ours)
					}
				case "nginx", "haproxy":
					if !slices.Equal(ours, []string{own}) {
						t.Errorf("%q", ours)
					}
				}
			})
			t.Run("nobody", func(t *testing.T) {
				if a := p.ask(t); a.Status != 401 || len(a.cookies) != 0 {
					t.Errorf("status %d, %q", a.Status, a.cookies)
				}
			})
			t.Run("many at once", func(t *testing.T) {
				browser := auth.SignIn(t, zoe)
				r.due(t, browser.Token)
				began := time.Now()
				var mu sync.Mutex
				handed := 0
				var wg sync.WaitGroup
				for range 40 {
					wg.Go(func() {
						a := p.ask(t, cookie(browser))
						mu.Lock()
						defer mu.Unlock()
						if a.Status != 200 {
							t.Errorf("status %d", a.Status)
						}
						handed += len(a.cookies) - len(backendCookies)
					})
				}
				wg.Wait()
				if handed != 1 {
					t.Errorf("%d of the answers have the cookie", handed)
				}
				r.moved(t, browser.Token, began)
			})
		})
	}
}

// call is for what testenv has no word for.
func call(t *testing.T, auth *testenv.BetterAuthServer, p *testenv.Person, path string, body, result any) {
	t.Helper()
	response := auth.Call(t, p, "POST", path, body)
	if response.Status != 200 {
		t.Fatalf("Better Auth: %s: %d %s", path, response.Status, response.Body)
	}
	if err := json.Unmarshal(response.Body, result); err != nil {
		t.Fatal(err)
	}
}

// cookieNames keeps values out of messages.
func cookieNames(line string) (names []string) {
	for pair := range strings.SplitSeq(line, "; ") {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	return names
}

// TestRefreshForbidden: a role that may only read lets people pass as before, and the log says which grant is missing.
func TestRefreshForbidden(t *testing.T) {
	r := rows{url: testenv.Postgres(t).NewDatabase(t)}
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: r.url})
	zoe := auth.SignUp(t, "Zoë", "zoe@example.com")
	role := fmt.Sprintf("usher_reader_%d", time.Now().UnixNano())
	r.exec(t, `create role `+role+` login`)
	t.Cleanup(func() { r.exec(t, `drop owned by `+role); r.exec(t, `drop role `+role) })
	r.exec(t, `grant select on all tables in schema public to `+role)
	reader := strings.Replace(r.url, "postgres@", role+"@", 1)
	backend := cookieBackend(t)

	gate := startUsherWith(t, auth, reader, []string{"session: { refresh: true }"})
	gate.proc.WaitLine(t, `grant update (\"expiresAt\", \"updatedAt\") on \"public\".\"session\"`)
	p := startProxy(t, "envoy-grpc", gate, backend)
	before := r.due(t, zoe.Token)
	p.ask(t, cookie(zoe)).passed(t, zoe)
	r.stayed(t, zoe.Token, before)

	r.exec(t, `grant update ("expiresAt", "updatedAt") on "session" to `+role)
	gate = startUsherWith(t, auth, reader, []string{"session: { refresh: true }"})
	gate.proc.WaitLine(t, `"sessions are refreshed when they are due"`)
	p = startProxy(t, "envoy-grpc", gate, backend)
	r.exec(t, `revoke update ("updatedAt") on "session" from `+role)
	before = r.due(t, zoe.Token)
	p.ask(t, cookie(zoe)).passed(t, zoe)
	r.stayed(t, zoe.Token, before)
	gate.proc.WaitLine(t, "permission denied")

	again := auth.SignIn(t, zoe)
	r.due(t, again.Token)
	locker, err := pgx.Connect(t.Context(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer locker.Close(context.Background())
	r.exec(t, `grant update ("updatedAt") on "session" to `+role)
	if _, err := locker.Exec(t.Context(), `begin; select from "session" for update`); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // the gate leaves a store that has just failed alone for a second
	began := time.Now()
	p.ask(t, cookie(again)).passed(t, zoe)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a row that is locked held the request up for %v", took)
	}
	gate.proc.WaitLine(t, "deadline exceeded")
}

// TestRefreshedCookies: what changes the bytes of the cookie, and of those that hold it back.
func TestRefreshedCookies(t *testing.T) {
	for _, c := range []struct {
		name   string
		auth   testenv.BetterAuthConfig
		config []string
	}{
		{"an https site", testenv.BetterAuthConfig{BaseURL: "https://app.test"}, nil},
		{"a prefix and a secret beyond ASCII", testenv.BetterAuthConfig{CookiePrefix: "my-app", Secret: "gehéim-ключ-秘密-0123456789-abcdefghij"}, []string{"cookie_prefix: my-app"}},
		{"sub-domains", testenv.BetterAuthConfig{BaseURL: "https://auth.app.test", Options: advanced(map[string]any{
			"crossSubDomainCookies": map[string]any{"enabled": true},
		})}, []string{"cross_sub_domain_cookies: { enabled: true }"}},
		{"a domain", testenv.BetterAuthConfig{Options: advanced(map[string]any{
			"crossSubDomainCookies": map[string]any{"enabled": true, "domain": ".app.test"},
		})}, []string{"cross_sub_domain_cookies: { enabled: true, domain: .app.test }"}},
		{"default attributes", testenv.BetterAuthConfig{Options: advanced(map[string]any{
			"defaultCookieAttributes": map[string]any{"sameSite": "none", "httpOnly": false, "path": "/app", "domain": "app.test", "maxAge": 5},
		})}, []string{"default_cookie_attributes: { same_site: none, http_only: false, path: /app, domain: app.test }"}},
		{"attributes of its own, over the default ones", testenv.BetterAuthConfig{Options: advanced(map[string]any{
			"defaultCookieAttributes": map[string]any{"sameSite": "strict", "secure": true},
			"cookies": map[string]any{
				"session_token": map[string]any{"name": "sid", "attributes": map[string]any{"sameSite": "lax", "partitioned": true}},
				"dont_remember": map[string]any{"name": "forget"},
			},
		})}, []string{
			"default_cookie_attributes: { same_site: strict, secure: true }",
			"cookies: { session_token: { name: sid, attributes: { same_site: lax, partitioned: true } }, dont_remember: { name: forget } }",
		}},
		{"the host prefix", testenv.BetterAuthConfig{Options: advanced(map[string]any{
			"crossSubDomainCookies": map[string]any{"enabled": true, "domain": "app.test"},
			"cookies":               map[string]any{"session_token": map[string]any{"name": "__Host-sid"}},
		})}, []string{"cross_sub_domain_cookies: { enabled: true, domain: app.test }", "cookies: { session_token: { name: __Host-sid } }"}},
		{"another life", testenv.BetterAuthConfig{Options: map[string]any{"session": map[string]any{"expiresIn": 1000, "updateAge": 100}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rows{url: "sqlite://" + filepath.Join(t.TempDir(), "app.db"), sqlite: true}
			c.auth.DatabaseURL = r.url
			auth := testenv.BetterAuth(t, c.auth)
			zoe := auth.SignUp(t, "Zoë", "zoe@example.com")
			options, left := append(c.config, "session: { refresh: true }"), 2*day
			if c.name == "another life" {
				options, left = []string{"session: { refresh: true, expires_in: 1000s, update_age: 100s }"}, 899*time.Second
			}
			gate := startUsherWith(t, auth, r.url, options)
			gate.proc.WaitLine(t, `"sessions are refreshed when they are due"`)
			p := startProxy(t, "caddy", gate, cookieBackend(t))

			r.set(t, zoe.Token, 5*day, left)
			want := itself(t, auth, zoe)
			r.set(t, zoe.Token, 5*day, left)
			p.ask(t, cookie(zoe)).passed(t, zoe, want)

			guest := &testenv.Person{}
			var entered struct{ Token string }
			call(t, auth, guest, "/sign-in/email", map[string]any{"email": zoe.Email, "password": zoe.Password, "rememberMe": false}, &entered)
			before := r.set(t, entered.Token, 5*day, left)
			p.ask(t, cookie(guest)).passed(t, zoe)
			r.stayed(t, entered.Token, before)
			if c.name == "another life" {
				before = r.set(t, zoe.Token, 5*day, 903*time.Second) // three seconds before it is due
				p.ask(t, cookie(zoe)).passed(t, zoe)
				r.stayed(t, zoe.Token, before)
			}
		})
	}
}

func advanced(options map[string]any) map[string]any { return map[string]any{"advanced": options} }
