package organization

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/store/accounts"
)

const (
	day  = 24 * time.Hour
	base = "http://auth.test:3000"
)

// world is our routes on a database of the real library's, in its base path.
type world struct {
	testing.TB
	store   *accounts.Store
	address string // host:port
	log     lockedBuffer

	mu        sync.Mutex
	forgotten []string
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

func newWorld(t testing.TB, database accounts.Config) *world {
	t.Helper()
	w := &world{TB: t}
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
	cookies, err := betterauth.NewCookies(betterauth.CookiesConfig{Secret: testenv.TestSecret})
	if err != nil {
		t.Fatal(err)
	}
	room := New(Config{
		Store: w.store, Shape: w.store.Shape(),
		Forget: func(token string) { w.mu.Lock(); w.forgotten = append(w.forgotten, token); w.mu.Unlock() },
	})
	server := httptest.NewServer(endpoint.NewRouter(endpoint.Config{
		BasePath: "/api/auth", BaseURL: base, Reader: reader, Cookies: cookies, Sessions: w.store, Proxies: gate.Proxies{},
		Log: slog.New(slog.NewTextHandler(&w.log, nil)), Now: w.now,
		Trusts: func(url string, _ bool) bool { return url == base },
	}, room.Routes()...))
	t.Cleanup(server.Close)
	w.address = strings.TrimPrefix(server.URL, "http://")
	return w
}

func (w *world) now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// put makes a session of that age in which an organization is active; empty: none.
func (w *world) put(userID, token, active string, age time.Duration) {
	w.Helper()
	s := &record.Session{
		ID: "id-of-" + token, Token: token, UserID: userID, UserAgent: new(string), IPAddress: new(string),
		CreatedAt: w.now().Add(-age), ExpiresAt: w.now().Add(7*day - age),
	}
	if s.UpdatedAt = s.CreatedAt; active != "" {
		s.ActiveOrganizationID = &active
	}
	w.must(w.store.CreateSession(w.Context(), s, &record.User{ID: userID}))
}

// left describes somebody's sessions.
func (w *world) left(userID string) string {
	w.Helper()
	all, err := w.store.SessionsOf(w.Context(), userID)
	w.must(err)
	var lines []string
	for i := range all {
		s, active := &all[i], "none"
		if s.ActiveOrganizationID != nil {
			active = strconv.Quote(*s.ActiveOrganizationID)
		}
		changed := time.Since(s.UpdatedAt) < time.Minute
		lines = append(lines, s.Token+" in "+active+" for "+time.Until(s.ExpiresAt).Round(time.Minute).String()+" changed "+strconv.FormatBool(changed))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
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
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return b.String()
}
