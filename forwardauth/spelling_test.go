package forwardauth_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/usherauth/usher/gate"
)

// Values from memory are not looked at twice, and nor are names, but only where they are spelled as net/http spells them:
// two spellings in one answer would be two lines.
func TestHeaderNamesAreSpelledAsEver(t *testing.T) {
	for _, names := range []map[gate.Field]string{
		{gate.UserID: "X-User-Id", gate.UserEmail: "X-User-Email"},
		{gate.UserID: "x-user-id", gate.UserEmail: "X-User-Email"},
		{gate.UserID: "X-USER-ID", gate.UserEmail: "x-USER-email"},
	} {
		for _, edge := range []string{"traefik", "nginx", "envoy"} {
			headers, err := gate.NewHeaders(gate.HeadersConfig{Names: names, Organization: "X-Org-Id"})
			must(t, err)
			w := newWorld(t, remembering("alice"), func(c *gate.Config) { c.Headers = headers })
			target := "/gate/" + edge
			if edge == "envoy" {
				target += "/private"
			}
			r := httptest.NewRequest(http.MethodGet, target, nil)
			r.RemoteAddr, r.Host = proxyAddr+":40000", "app.test"
			for name, value := range map[string]string{
				"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.test", "X-Forwarded-Uri": "/private",
				"X-Original-Method": "GET", "X-Original-Url": "https://app.test/private", "Cookie": "session=alice",
			} {
				r.Header.Set(name, value)
			}
			got := httptest.NewRecorder()
			w.http.ServeHTTP(got, r)
			if got.Code != http.StatusOK || !slices.Equal(got.Header()["X-User-Id"], []string{"u-alice"}) ||
				!slices.Equal(got.Header()["X-User-Email"], []string{"alice@app.test"}) {
				t.Errorf("%s with %v: %d %v", edge, names, got.Code, got.Header())
			}
			for name := range got.Header() {
				if http.CanonicalHeaderKey(name) != name {
					t.Errorf("%s with %v: %q is no spelling of net/http's", edge, names, name)
				}
			}
		}
	}
}

// The server keeps the values; all else is memory that is used again.
func TestAnAnswerFromMemoryAllocatesItsValuesOnly(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector empties pools at random")
		return
	}
	ask := asking(t, newWorld(t, remembering("alice")))
	ask()
	if got := testing.AllocsPerRun(200, ask); got > 1 {
		t.Errorf("%v allocations, want 1", got)
	}
}
