package account

import (
	"context"
	"database/sql"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/storetest"
)

const (
	day  = 24 * time.Hour
	base = roomtest.Base
)

// world is our routes on a real database, in the base path of the library.
type world struct {
	testing.TB
	url     string
	store   *accounts.Store
	address string // host:port
	idp     *scriptedIdP
	keys    *seal.Keys
	config  Config
	log     roomtest.Log

	mu        sync.Mutex
	now       time.Time // zero: the real one
	forgotten []string
	events    []Event
}

// newWorld starts one on a SQLite file of its own, with every plugin's columns.
func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(off)&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), storetest.Harness{Dialect: betterauth.SQLite}.Schema(t, "all-plugins")); err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, accounts.Config{URL: "sqlite://" + path}, newScriptedIdP(t), change)
}

func newWorldOn(t testing.TB, database accounts.Config, idp *scriptedIdP, change func(*Config)) *world {
	t.Helper()
	w := &world{TB: t, url: database.URL, idp: idp, keys: seal.NewKeys(testenv.TestSecret, nil, 0)}
	var err error
	if w.store, err = accounts.Open(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	w.config = Config{
		Store: w.store, Shape: w.store.Shape(), Keys: w.keys, Providers: w.providers(),
		Forget: func(token string) { w.mu.Lock(); w.forgotten = append(w.forgotten, token); w.mu.Unlock() },
		Audit:  func(_ context.Context, e Event) { w.mu.Lock(); w.events = append(w.events, e); w.mu.Unlock() },
	}
	if change != nil {
		change(&w.config)
	}
	w.address = roomtest.Serve(t, roomtest.Config{Store: w.store, Now: w.instant, Log: &w.log}, New(w.config).Routes()...)
	return w
}

// providers are acme, which is discovered, plain, which is not, gone, whose discovery fails, and three presets, of which
// Vercel renews nothing.
func (w *world) providers() []provider.Provider {
	w.Helper()
	var all []provider.Provider
	for id, o := range map[string]provider.Options{
		"acme":   {DiscoveryURL: w.idp.discovery()},
		"plain":  {AuthorizationURL: w.idp.url + "/authorize", TokenURL: w.idp.url + "/token", UserInfoURL: w.idp.url + "/userinfo"},
		"gone":   {DiscoveryURL: w.idp.url + "/nowhere"},
		"google": {}, "github": {}, "vercel": {},
	} {
		o.ClientIDs, o.ClientSecret = []string{"app"}, "app-secret"
		p, err := provider.New(id, o, &http.Client{Transport: w.idp}, w.time)
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now.IsZero() {
		return time.Now()
	}
	return w.now
}

func (w *world) instant() time.Time { return w.time().UTC().Truncate(time.Millisecond) }

// person makes somebody with an account of the password kind, as signing up in Better Auth does.
func (w *world) person(name string) *record.User {
	w.Helper()
	u := &record.User{Name: name, Email: name + "@example.com", EmailVerified: true, CreatedAt: w.instant(), UpdatedAt: w.instant()}
	w.must(w.store.Identify(w.Context(), "credential", name, u.Email, func(tx accounts.Tx) error { return tx.InsertUser(w.Context(), u) }))
	return u
}

// link gives somebody an account.
func (w *world) link(userID string, a record.Account) *record.Account {
	w.Helper()
	a.UserID = userID
	if a.AccountID == "" {
		a.AccountID = "at-provider-" + a.ID
	}
	if a.CreatedAt.IsZero() {
		a.CreatedAt = w.instant().Add(-time.Hour)
	}
	a.UpdatedAt = a.CreatedAt
	w.must(w.store.Identify(w.Context(), a.ProviderID, a.AccountID, "", func(tx accounts.Tx) error { return tx.InsertAccount(w.Context(), &a) }))
	return &a
}

// put makes a session of that age, valid for the usual week since.
func (w *world) put(u *record.User, token string, age time.Duration) *record.Session {
	w.Helper()
	s := &record.Session{
		ID: "id-of-" + token, Token: token, UserID: u.ID, UserAgent: new(string), IPAddress: new(string),
		CreatedAt: w.instant().Add(-age), ExpiresAt: w.instant().Add(7*day - age),
	}
	s.UpdatedAt = s.CreatedAt
	w.must(w.store.CreateSession(w.Context(), s, u))
	return s
}

func (w *world) account(userID, id string) *record.Account {
	w.Helper()
	all, err := w.store.AccountsOf(w.Context(), userID)
	w.must(err)
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return nil
}

// call asks as a browser with that session would; an empty token is nobody.
func (w *world) call(method, path, body, token string) testenv.RawResponse {
	w.Helper()
	var headers []string
	if token != "" {
		headers = append(headers, "Cookie", roomtest.Cookie(token), "Origin", base)
	}
	if method == http.MethodPost {
		headers = append(headers, "Content-Type", "application/json")
	}
	return testenv.RawHTTP(w, w.address, roomtest.Raw(method, "/api/auth"+path, body, headers...))
}

// want compares an answer.
func (w *world) want(got testenv.RawResponse, status int, body string) {
	w.Helper()
	if got.Status != status || got.Body != body {
		w.Errorf("got  %d %s\nwant %d %s", got.Status, got.Body, status, body)
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func ptr[V any](v V) *V { return &v }
