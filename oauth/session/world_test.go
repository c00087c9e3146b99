package session

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/store/accounts"
)

const (
	day  = 24 * time.Hour
	base = "http://auth.test:3000"
)

// world is our routes on a real database, in the base path of the library.
type world struct {
	store   *accounts.Store
	address string // host:port
	cookies *betterauth.Cookies
	config  Config

	mu        sync.Mutex
	now       time.Time // zero: the real one
	forgotten []string
	events    []Event
	log       strings.Builder
}

func newWorld(t testing.TB, database accounts.Config, change func(*Config), also ...func(*endpoint.Config)) *world {
	t.Helper()
	w := &world{}
	var err error
	if w.store, err = accounts.Open(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	reader, err := betterauth.NewReader(betterauth.Config{
		Secret: testenv.TestSecret, CookieName: betterauth.CookieName("", "", false), DontRemember: betterauth.DontRememberName("", "", false),
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.cookies, err = betterauth.NewCookies(betterauth.CookiesConfig{Secret: testenv.TestSecret}); err != nil {
		t.Fatal(err)
	}
	origins, err := flow.NewOrigins(base, "https://app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	w.config = Config{
		Store: w.store, Shape: w.store.Shape(),
		Forget: func(token string) { w.mu.Lock(); w.forgotten = append(w.forgotten, token); w.mu.Unlock() },
		Audit:  func(_ context.Context, e Event) { w.mu.Lock(); w.events = append(w.events, e); w.mu.Unlock() },
	}
	if change != nil {
		change(&w.config)
	}
	router := endpoint.Config{
		BasePath: "/api/auth", BaseURL: base, Reader: reader, Cookies: w.cookies, Sessions: w.store, Proxies: gate.Proxies{},
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Now: func() time.Time {
			if w.now.IsZero() {
				return time.Now()
			}
			return w.now
		},
		Trusts: func(url string, relativeToo bool) bool {
			if !relativeToo {
				return origins.Trust(url)
			}
			_, err := origins.ReturnURL(url)
			return err == nil
		},
	}
	for _, change := range also {
		change(&router)
	}
	server := httptest.NewServer(endpoint.NewRouter(router, New(w.config).Routes()...))
	t.Cleanup(server.Close)
	w.address = strings.TrimPrefix(server.URL, "http://")
	return w
}

// put makes a session of that age, valid for the usual week since.
func (w *world) put(t testing.TB, u *record.User, token string, age time.Duration) *record.Session {
	t.Helper()
	now := time.Now()
	if !w.now.IsZero() {
		now = w.now
	}
	agent, address := "browser of "+token, "203.0.113.9"
	s := &record.Session{
		ID: "id-of-" + token, Token: token, UserID: u.ID, UserAgent: &agent, IPAddress: &address,
		CreatedAt: now.Add(-age).UTC().Truncate(time.Millisecond), ExpiresAt: now.Add(7*day - age).UTC().Truncate(time.Millisecond),
	}
	s.UpdatedAt = s.CreatedAt
	if err := w.store.CreateSession(t.Context(), s, u); err != nil {
		t.Fatal(err)
	}
	return s
}

// left are the tokens of somebody's sessions that are still there, in order.
func (w *world) left(t testing.TB, userID string) []string {
	t.Helper()
	all, err := w.store.SessionsOf(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	tokens := make([]string, len(all))
	for i := range all {
		tokens[i] = all[i].Token
	}
	slices.Sort(tokens)
	return tokens
}

func cookie(token string) string {
	return "better-auth.session_token=" + betterauth.Sign(testenv.TestSecret, token)
}

// raw is a request as it goes over the wire. Headers come in pairs; a body gets its length.
func raw(method, target, body string, headers ...string) string {
	var b strings.Builder
	b.WriteString(method + " " + target + " HTTP/1.1\r\nHost: auth.test:3000\r\nConnection: close\r\n")
	for i := 0; i < len(headers); i += 2 {
		b.WriteString(headers[i] + ": " + headers[i+1] + "\r\n")
	}
	if body != "" || method == http.MethodPost {
		b.WriteString("Content-Length: " + itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return b.String()
}
