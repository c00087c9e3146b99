package oauth_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/storetest"
)

const (
	secret = "rig-secret-rig-secret-rig-secret-0123456789"
	base   = "https://auth.example.com"
	api    = base + "/api/auth"
)

// world is one server with a real database, and everybody around it.
type world struct {
	*testing.T
	server  *oauth.Server
	store   *accounts.Store
	db      *sql.DB
	keys    *seal.Keys
	cookies *betterauth.Cookies
	idp     *oauthtest.IdP
	acme    provider.Provider // a real OIDC provider's driver, behind idp
	first   *scripted
	second  *scripted
	log     *lockedBuffer

	mu     sync.Mutex
	now    time.Time
	events []oauth.Event
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newWorld starts one; change may alter its configuration.
func newWorld(t *testing.T, change ...func(*oauth.Config)) *world {
	return newWorldOn(t, "core", change...)
}

func newWorldOn(t *testing.T, schema string, change ...func(*oauth.Config)) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=synchronous(off)&_pragma=journal_mode(wal)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), storetest.Harness{Dialect: betterauth.SQLite}.Schema(t, schema)); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, db: db, now: time.Date(2026, 11, 25, 3, 0, 0, 123_456_789, time.UTC), log: &lockedBuffer{}, idp: oauthtest.Start(t)}
	w.idp.Clock(w.time)
	if w.store, err = accounts.Open(t.Context(), accounts.Config{URL: "sqlite://" + path, Now: w.time}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	if w.acme, err = provider.New("acme", w.idp.Options(), w.idp.Client(), w.time); err != nil {
		t.Fatal(err)
	}
	w.first, w.second = newScripted("first"), newScripted("second")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.log)
		}
	})
	w.keys = seal.NewKeys(secret, nil, 0)
	if w.cookies, err = betterauth.NewCookies(betterauth.CookiesConfig{Secret: secret}); err != nil {
		t.Fatal(err)
	}
	reader, err := betterauth.NewReader(betterauth.Config{
		Secret: secret, CookieName: betterauth.CookieName("", "", false), DontRemember: betterauth.DontRememberName("", "", false),
	})
	if err != nil {
		t.Fatal(err)
	}
	origins, err := flow.NewOrigins(base, "https://app.example.com", "http://localhost:3000")
	if err != nil {
		t.Fatal(err)
	}
	c := oauth.Config{
		BaseURL: base, Origins: origins, Keys: w.keys, Cookies: w.cookies, Reader: reader, Store: w.store,
		Providers: []provider.Provider{w.acme, w.first, w.second}, Now: w.time, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Observe: func(e oauth.Event) { w.mu.Lock(); w.events = append(w.events, e); w.mu.Unlock() },
	}
	for _, f := range change {
		f(&c)
	}
	if w.server, err = oauth.New(c); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) told() []oauth.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]oauth.Event(nil), w.events...)
}

// count counts rows.
func (w *world) count(table string) (n int) {
	w.Helper()
	if err := w.db.QueryRowContext(w.Context(), `select count(*) from "`+table+`"`).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// row is the columns of a statement's one row as text; NULL is <nil>.
func (w *world) row(statement string, args ...any) map[string]string {
	w.Helper()
	rows, err := w.db.QueryContext(w.Context(), statement, args...)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		w.Fatal(err)
	}
	var found []map[string]string
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			w.Fatal(err)
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = fmt.Sprint(values[i])
			if at, ok := values[i].(time.Time); ok {
				row[name] = at.UTC().Format("2006-01-02T15:04:05.000Z")
			}
		}
		found = append(found, row)
	}
	if err := rows.Err(); err != nil || len(found) != 1 {
		w.Fatalf("%s: %d rows, %v", statement, len(found), err)
	}
	return found[0]
}

func (w *world) exec(statement string, args ...any) {
	w.Helper()
	if _, err := w.db.ExecContext(w.Context(), statement, args...); err != nil {
		w.Fatal(err)
	}
}

// browser keeps cookies by name.
type browser struct {
	w      *world
	jar    map[string]string
	header http.Header // sent with every request
}

func (w *world) browser() *browser { return &browser{w, map[string]string{}, http.Header{}} }

// answer is what came back.
type answer struct {
	Code     int
	Header   http.Header
	Body     string
	Location string
	Cookies  []string
}

func (b *browser) do(method, target, body string) answer {
	b.w.Helper()
	r := httptest.NewRequestWithContext(b.w.Context(), method, strings.TrimPrefix(target, base), strings.NewReader(body))
	r.Host, r.RemoteAddr = "auth.example.com", "203.0.113.9:1234"
	r.Header.Set("User-Agent", "rig/1.0")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if len(b.jar) > 0 {
		r.Header.Set("Origin", base)
		var pairs []string
		for name, value := range b.jar {
			pairs = append(pairs, name+"="+value)
		}
		r.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	rec := httptest.NewRecorder()
	b.w.server.ServeHTTP(rec, r)
	res := rec.Result()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.Error(err)
	}
	a := answer{res.StatusCode, res.Header, string(text), res.Header.Get("Location"), res.Header.Values("Set-Cookie")}
	for _, line := range a.Cookies {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		if delete(b.jar, name); !strings.Contains(attributes+";", " Max-Age=0;") {
			b.jar[name] = value
		}
	}
	return a
}

// begin starts a sign-in and answers its state.
func (b *browser) begin(body string) (state string) {
	b.w.Helper()
	a := b.do("POST", "/api/auth/sign-in/social", body)
	if a.Code != 200 {
		b.w.Fatalf("%d %s", a.Code, a.Body)
	}
	return stateOf(b.w, a.Location)
}

func stateOf(t *world, location string) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil || u.Query().Get("state") == "" {
		t.Fatalf("no state in %q", location)
	}
	return u.Query().Get("state")
}

// signIn goes through a scripted provider with a person's code.
func (b *browser) signIn(p *scripted, person provider.Identity) answer {
	b.w.Helper()
	code := p.issue(person)
	state := b.begin(`{"provider":"` + p.id + `","callbackURL":"/dash","errorCallbackURL":"/oops"}`)
	return b.do("GET", "/api/auth/callback/"+p.id+"?code="+code+"&state="+state, "")
}

// scripted is a provider whose codes are made by the test: each stands for an identity, once.
type scripted struct {
	id    string
	rules provider.AccountRules

	mu        sync.Mutex
	next      int
	codes     map[string]provider.Identity
	exchanges int
	asked     []provider.Exchange
	refresh   *string
	scopes    []string
}

func newScripted(id string) *scripted {
	r := "refresh-1"
	return &scripted{id: id, codes: map[string]provider.Identity{}, refresh: &r, scopes: []string{"a", "b"}}
}

func (p *scripted) issue(i provider.Identity) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	code := fmt.Sprintf("code-%s-%d", p.id, p.next)
	p.codes[code] = i
	return code
}

func (p *scripted) exchanged() int { p.mu.Lock(); defer p.mu.Unlock(); return p.exchanges }

func (p *scripted) ID() string                   { return p.id }
func (p *scripted) Name() string                 { return strings.ToUpper(p.id) }
func (p *scripted) Rules() provider.AccountRules { return p.rules }
func (p *scripted) Authorize(a provider.Authorization) (string, error) {
	q := "https://" + p.id + ".example/authorize?state=" + a.State + "&code_challenge=" + flow.Challenge(a.Verifier) + "&redirect_uri=" + url.QueryEscape(a.RedirectURI)
	if len(a.Scopes) > 0 {
		q += "&scope=" + url.QueryEscape(strings.Join(a.Scopes, " "))
	}
	if a.LoginHint != "" {
		q += "&login_hint=" + url.QueryEscape(a.LoginHint)
	}
	for _, p := range a.Additional {
		q += "&" + url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value)
	}
	return q, nil
}

func (p *scripted) Exchange(_ context.Context, e provider.Exchange) (*provider.Tokens, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exchanges++
	p.asked = append(p.asked, e)
	if _, ok := p.codes[e.Code]; !ok {
		return nil, fmt.Errorf("scripted: %w", provider.ErrExchange)
	}
	access, id := "access-"+e.Code, "id-"+e.Code
	return &provider.Tokens{Access: &access, Refresh: p.refresh, ID: &id, Scopes: p.scopes, ScopeText: strings.Join(p.scopes, ",")}, nil
}

func (p *scripted) Identify(_ context.Context, t *provider.Tokens, _ provider.Callback) (*provider.Identity, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := strings.TrimPrefix(*t.Access, "access-")
	i := p.codes[code]
	delete(p.codes, code)
	if i.AccountID == "" {
		return nil, fmt.Errorf("scripted: %w", provider.ErrUserInfo)
	}
	return &i, nil
}

// VerifyIDToken takes a code for a token.
func (p *scripted) VerifyIDToken(_ context.Context, token, nonce string) (*provider.Identity, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.codes[token]
	if !ok || nonce != "" && nonce != "nonce-of-"+token {
		return nil, fmt.Errorf("scripted: %w", provider.ErrIDToken)
	}
	return &i, nil
}

func ann() provider.Identity {
	image := "https://img.example/ann.png"
	return provider.Identity{AccountID: "sub-ann", Email: "Ann@Example.com", Name: "Ann", Image: &image, EmailVerified: true}
}

func queryEscape(s string) string { return url.QueryEscape(s) }

// aliceWith is the OIDC provider's person under another address, which it claims to have verified.
func (w *world) aliceWith(email string) oauthtest.Person {
	p := oauthtest.Alice()
	p.Sub, p.Email = "sub-"+email, email
	return p
}
