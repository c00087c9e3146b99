package oauth_test

import (
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/oauth/session"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/storetest"
)

// BenchmarkGetSession is somebody's get-session, in process, from the request to the answer: a row of two tables.
func BenchmarkGetSession(b *testing.B) {
	eachStore(b, func(b *testing.B, s *oauth.Server, idp *oauthtest.IdP) {
		cookies := signInOnce(b, s, idp)
		b.ReportAllocs()
		for b.Loop() {
			a := ask(b, s, http.MethodGet, "/api/auth/get-session", "", cookies)
			if a.Code != http.StatusOK || !strings.Contains(a.Body.String(), "alice@example.com") {
				b.Fatalf("%d %s", a.Code, a.Body)
			}
		}
	})
}

// BenchmarkSignIn is one person's whole sign-in, in process but for the provider: begin and callback, with the code's
// exchange over loopback, the id_token's verification, and all rows. What the provider needs for its own answers to us is part of
// it, in time and in allocations; what the person does there is not.
func BenchmarkSignIn(b *testing.B) {
	eachStore(b, func(b *testing.B, s *oauth.Server, idp *oauthtest.IdP) {
		signInOnce(b, s, idp) // whose user is made once
		b.ReportAllocs()
		for b.Loop() {
			signInOnce(b, s, idp)
		}
	})
}

// eachStore runs a benchmark on a sign-in server over each database, with an OpenID provider.
func eachStore(b *testing.B, measure func(*testing.B, *oauth.Server, *oauthtest.IdP)) {
	b.Run("sqlite", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "auth.db")
		s, idp := benchServer(b, betterauth.SQLite, "sqlite", "file:"+path+"?_pragma=journal_mode(wal)", "sqlite://"+path)
		measure(b, s, idp)
	})
	b.Run("postgres", func(b *testing.B) {
		url := testenv.Postgres(b).NewDatabase(b)
		s, idp := benchServer(b, betterauth.Postgres, "pgx", url+"&default_query_exec_mode=simple_protocol", url)
		measure(b, s, idp)
	})
}

func benchServer(b *testing.B, dialect betterauth.Dialect, driver, source, url string) (*oauth.Server, *oauthtest.IdP) {
	b.Helper()
	fatal := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	db, err := sql.Open(driver, source)
	fatal(err)
	_, err = db.ExecContext(b.Context(), storetest.Harness{Dialect: dialect}.Schema(b, "core"))
	fatal(err)
	fatal(db.Close())
	store, err := accounts.Open(b.Context(), accounts.Config{URL: url})
	fatal(err)
	b.Cleanup(store.Close)
	idp := oauthtest.Start(b)
	acme, err := provider.New("acme", idp.Options(), idp.Client(), nil)
	fatal(err)
	cookies, err := betterauth.NewCookies(betterauth.CookiesConfig{Secret: secret})
	fatal(err)
	reader, err := betterauth.NewReader(betterauth.Config{
		Secret: secret, CookieName: betterauth.CookieName("", "", false), DontRemember: betterauth.DontRememberName("", "", false),
	})
	fatal(err)
	origins, err := flow.NewOrigins(base)
	fatal(err)
	s, err := oauth.New(oauth.Config{
		BaseURL: base, Origins: origins, Keys: seal.NewKeys(secret, nil, 0), Cookies: cookies, Reader: reader, Store: store,
		Providers: []provider.Provider{acme}, Log: slog.New(slog.DiscardHandler),
		Routes: session.New(session.Config{Store: store, Shape: store.Shape()}).Routes(),
	})
	fatal(err)
	return s, idp
}

// signInOnce signs the provider's person in, and returns the cookies of that.
func signInOnce(b *testing.B, s *oauth.Server, idp *oauthtest.IdP) string {
	begun := ask(b, s, http.MethodPost, "/api/auth/sign-in/social", `{"provider":"acme","callbackURL":"/dash"}`, "")
	to := begun.Header().Get("Location")
	if begun.Code != http.StatusOK || to == "" {
		b.Fatalf("begin: %d %s", begun.Code, begun.Body)
	}
	b.StopTimer()
	back, err := idp.Consent(to)
	if err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
	done := ask(b, s, http.MethodGet, back.RequestURI(), "", pairs(begun))
	if done.Code != http.StatusFound || done.Header().Get("Location") != "/dash" {
		b.Fatalf("callback: %d to %q", done.Code, done.Header().Get("Location"))
	}
	return pairs(done)
}

func ask(b *testing.B, s *oauth.Server, method, target, body, cookies string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(b.Context(), method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "auth.example.com", "203.0.113.9:1234"
	r.Header.Set("User-Agent", "rig/1.0")
	r.Header.Set("Origin", base)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, r)
	return answer
}

// pairs are an answer's cookies as a browser sends them.
func pairs(a *httptest.ResponseRecorder) string {
	var all []string
	for _, line := range a.Header().Values("Set-Cookie") {
		pair, _, _ := strings.Cut(line, ";")
		all = append(all, pair)
	}
	return strings.Join(all, "; ")
}
