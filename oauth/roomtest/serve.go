package roomtest

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/store/accounts"
)

// Base is the origin that the rooms believe to be theirs; requests name its host.
const Base = "http://auth.test:3000"

// Log is what was logged. The zero Log is empty, and safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Config is what a test says of its server. Store and Now are required.
type Config struct {
	Store   *accounts.Store
	Now     func() time.Time
	Log     *Log                   // nil: nobody reads it
	Trusted []string               // origins besides Base
	Change  func(*endpoint.Config) // of what is left; nil: nothing
}

// Serve answers the routes below /api/auth until the test ends, and returns its host:port.
func Serve(t testing.TB, c Config, routes ...endpoint.Route) (address string) {
	t.Helper()
	if c.Log == nil {
		c.Log = new(Log)
	}
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
	origins, err := flow.NewOrigins(Base, c.Trusted...)
	if err != nil {
		t.Fatal(err)
	}
	router := endpoint.Config{
		BasePath: "/api/auth", BaseURL: Base, Reader: reader, Cookies: cookies, Sessions: c.Store, Proxies: gate.Proxies{},
		Log: slog.New(slog.NewTextHandler(c.Log, nil)), Now: c.Now,
		Trusts: func(url string, relativeToo bool) bool {
			if !relativeToo {
				return origins.Trust(url)
			}
			_, err := origins.ReturnURL(url)
			return err == nil
		},
	}
	if c.Change != nil {
		c.Change(&router)
	}
	handler, err := endpoint.NewRouter(router, routes...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
