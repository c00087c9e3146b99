package session

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/ratelimit"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/redisconn"
)

// limited is the library with its limits on, and our routes with l.
func limited(t *testing.T, options map[string]any, redis string, l endpoint.Limiter) (theirs, ours string) {
	t.Helper()
	database := "sqlite://" + t.TempDir() + "/auth.db"
	better := testenv.BetterAuth(t, testenv.BetterAuthConfig{
		DatabaseURL: database, RedisURL: redis, BaseURL: base, Options: options,
	})
	w := newWorld(t, accounts.Config{URL: database}, nil, func(c *endpoint.Config) {
		proxies, err := gate.NewProxies([]string{"127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		c.Proxies, c.Limiter = proxies, l
	})
	return strings.TrimPrefix(better.URL, "http://"), w.address
}

// answers is what n requests are told, one after the other, where that changes. The seconds after which to come again
// depend on how long all this takes; here they are right when the window cannot have begun before began.
func answers(t *testing.T, address, client string, began time.Time, n int) (told []string) {
	t.Helper()
	for i := range n {
		r := testenv.RawHTTP(t, address, roomtest.Raw("GET", "/api/auth/ok", "", "X-Forwarded-For", client))
		line := itoa(r.Status) + " " + r.Header.Get("Content-Type") + " " + again(r.Header, began) + " " + r.Body
		if i == 0 || !strings.HasSuffix(told[len(told)-1], line) {
			told = append(told, "from "+itoa(i+1)+": "+line)
		}
	}
	return told
}

// again is what the headers say of coming again, in a window of ten seconds.
func again(h testenv.Fields, began time.Time) string {
	said, other := h.Get("X-Retry-After"), h.Get("Retry-After")
	seconds, err := strconv.Atoi(said)
	if least := 10 - int(time.Since(began)/time.Second) - 1; err == nil && other == "" && seconds >= least && seconds <= 10 {
		return "in time"
	}
	return said + other
}

// TestBesideBetterAuthLimits: a burst is cut off at the same request, in the same words.
func TestBesideBetterAuthLimits(t *testing.T) {
	theirs, ours := limited(t, map[string]any{"rateLimit": map[string]any{"enabled": true}}, "", ratelimit.NewLocal(nil))
	var began time.Time
	for _, client := range []string{"203.0.113.9", "::ffff:203.0.113.10", "2001:db8::1"} {
		began = time.Now()
		want, got := answers(t, theirs, client, began, 103), answers(t, ours, client, began, 103)
		if strings.Join(got, "\n") != strings.Join(want, "\n") || len(want) != 2 {
			t.Errorf("%s: we say\n%s\nBetter Auth says\n%s", client, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	// The rest of a network of 64 bits is the same client.
	want, got := answers(t, theirs, "2001:db8::ffff", began, 1), answers(t, ours, "2001:db8::ffff", began, 1)
	if got[0] != want[0] || !strings.Contains(got[0], "429") {
		t.Errorf("we say %s, Better Auth %s", got, want)
	}
}

// TestBesideBetterAuthSharedLimits: with one Redis, both sides count in one place.
func TestBesideBetterAuthSharedLimits(t *testing.T) {
	redis := testenv.StartRedis(t).URL()
	client, err := redisconn.Open(redis, redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	shared := ratelimit.NewShared(ratelimit.SharedConfig{Client: client, Prefix: "better-auth:", Timeout: 10 * time.Second}) // one that waits: alone it would count anew
	ctx, stopped := t.Context(), make(chan struct{})
	go func() { shared.Run(ctx); close(stopped) }()
	t.Cleanup(func() { <-stopped; _ = client.Close() })
	for end := time.Now().Add(10 * time.Second); !shared.Sharing(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("Redis was not found in time")
		}
	}
	// The library keeps sessions in the same Redis then, which nobody asks for here.
	theirs, ours := limited(t, map[string]any{
		"rateLimit": map[string]any{"enabled": true, "storage": "secondary-storage"},
		"session":   map[string]any{"storeSessionInDatabase": true}, "verification": map[string]any{"storeInDatabase": true},
	}, redis, shared)
	began := time.Now()
	answers(t, theirs, "203.0.113.9", began, 60)
	if got := answers(t, ours, "203.0.113.9", began, 42); len(got) != 2 || !strings.HasPrefix(got[1], "from 41: 429") {
		t.Errorf("after 60 there, we say\n%s", strings.Join(got, "\n"))
	}
	if got := answers(t, theirs, "203.0.113.9", began, 1); !strings.Contains(got[0], "429") {
		t.Errorf("Better Auth says %s", got)
	}
}
