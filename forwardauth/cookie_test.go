package forwardauth_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
)

// renewed is a gate.Refresher that always succeeds.
type renewed struct{}

func (renewed) Refresh(context.Context, gate.Credential, *gate.Session, time.Time, time.Time) (bool, error) {
	return true, nil
}

// TestCookie: a renewed cookie is one line of an answer that lets pass, on every edge, and on no other answer. Only Envoy
// needs a word of its own to keep that out of caches.
func TestCookie(t *testing.T) {
	const line = "session=alice; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"
	for path, family := range map[string]string{
		"/gate/traefik": forwardedFamily, "/gate/caddy": forwardedFamily, "/gate/haproxy": forwardedFamily, "/gate/nginx": originalFamily,
		"/gate/envoy/public/x": envoyFamily,
	} {
		ask := func(cookie, target string) *httptest.ResponseRecorder {
			w := newWorld(t, func(c *gate.Config) {
				c.Sliding = &gate.Sliding{Refresher: renewed{}, ExpiresIn: 30 * 24 * time.Hour, UpdateAge: 0, Cookie: func(string) gate.SetCookie { return gate.NewSetCookie(line) }}
				// Sessions of these tests are young: they count as somebody's who is to be remembered.
				alice, old := *people()["alice"], people()["zoe"]
				alice.Session.CreatedAt = now.Add(-72 * time.Hour)
				c.Resolver = some{"alice": &alice, "zoe": old}
			})
			r := httptest.NewRequest("GET", strings.Replace(path, "/public/x", target, 1), nil)
			for _, header := range lines(strings.Replace(family, "/public/x", target, 1)) {
				r.Header.Set(header.Name, header.Value)
			}
			r.Header.Set("Cookie", "session="+cookie)
			r.RemoteAddr = proxyAddr + ":40000"
			out := httptest.NewRecorder()
			w.http.ServeHTTP(out, r)
			return out
		}
		got := ask("alice", "/private")
		if cookies := got.Header().Values("Set-Cookie"); got.Code != 200 || len(cookies) != 1 || cookies[0] != line {
			t.Errorf("%s: %d %q", path, got.Code, cookies)
		}
		if word := got.Header().Get("X-Usher-Cache-Control"); (word == "no-store") != strings.HasPrefix(path, "/gate/envoy") {
			t.Errorf("%s: X-Usher-Cache-Control %q", path, word)
		}
		for target, cookie := range map[string]string{"/public/x": "alice", "/private": "zoe", "/fresh": "alice", "/feed": "nobody"} {
			got := ask(cookie, target)
			if len(got.Header().Values("Set-Cookie")) != 0 || got.Header().Get("X-Usher-Cache-Control") != "" {
				t.Errorf("%s: %s for %s: %d %q", path, target, cookie, got.Code, got.Header())
			}
		}
	}
}

// some is a gate.Resolver that knows these.
type some map[string]*gate.Principal

func (s some) Resolve(_ context.Context, c gate.Credential) (*gate.Principal, error) {
	if p := s[c.Token()]; p != nil {
		return p, nil
	}
	return nil, gate.ErrNoSession
}
