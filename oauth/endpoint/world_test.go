package endpoint

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/gate"
)

const (
	secret = "endpoint-secret-0123456789-ABCDEFGHIJKLMNOP"
	ours   = "https://auth.example.com"
	app    = "https://app.example.com"
)

// world is a router over sessions in a map, at a time that a test sets.
type world struct {
	now      time.Time
	sessions map[string]record.Session
	down     error // what the store answers instead
	vanish   bool  // sessions end just before they are renewed
	log      strings.Builder
	handler  http.Handler
	config   Config
	cookies  *betterauth.Cookies
}

func newWorld(t testing.TB, change func(*Config), routes ...Route) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), sessions: map[string]record.Session{}}
	name := betterauth.CookieName("", "", false)
	reader, err := betterauth.NewReader(betterauth.Config{
		Secret: secret, CookieName: name, DontRemember: betterauth.DontRememberName("", "", false),
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.cookies, err = betterauth.NewCookies(betterauth.CookiesConfig{Secret: secret}); err != nil {
		t.Fatal(err)
	}
	proxies, err := gate.NewProxies([]string{"10.0.0.0/8", "192.0.2.1"}) // the latter is httptest's
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		BasePath: "/api/auth", BaseURL: ours, Reader: reader, Cookies: w.cookies, Sessions: w, Proxies: proxies,
		Now: func() time.Time { return w.now }, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Trusts: func(url string, relativeToo bool) bool {
			return relativeToo && strings.HasPrefix(url, "/") && !strings.HasPrefix(url, "//") ||
				url == ours || strings.HasPrefix(url, ours+"/") || url == app || strings.HasPrefix(url, app+"/")
		},
	}
	if change != nil {
		change(&c)
	}
	if w.handler, err = NewRouter(c, routes...); err != nil {
		t.Fatal(err)
	}
	w.config = c
	return w
}

func (w *world) FindSession(_ context.Context, token string) (*record.Session, *record.User, error) {
	s, ok := w.sessions[token]
	if w.down != nil || !ok {
		return nil, nil, w.down
	}
	return &s, &record.User{ID: s.UserID}, nil
}

func (w *world) RefreshSession(_ context.Context, s *record.Session, expiresAt, now time.Time) (bool, error) {
	if w.vanish {
		delete(w.sessions, s.Token)
	}
	row, ok := w.sessions[s.Token]
	if ok {
		row.ExpiresAt, row.UpdatedAt = expiresAt, now
		w.sessions[s.Token] = row
	}
	return ok, w.down
}

func (w *world) DeleteSession(_ context.Context, token string) error {
	delete(w.sessions, token)
	return w.down
}

// signIn makes a session and returns its cookie.
func (w *world) signIn(token string, age time.Duration) (cookie string) {
	w.sessions[token] = record.Session{
		ID: "id of " + token, Token: token, UserID: "ada",
		CreatedAt: w.now.Add(-age), UpdatedAt: w.now.Add(-age), ExpiresAt: w.now.Add(7*24*time.Hour - age),
	}
	return "better-auth.session_token=" + betterauth.Sign(secret, token)
}

// ask sends a request; headers come in pairs.
func (w *world) ask(method, target, body string, headers ...string) *http.Response {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, content)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer.Result()
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
