package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
)

func TestSamplerTakesItsShare(t *testing.T) {
	for _, share := range []float64{0, 0.01, 0.25, 1} {
		s, taken := &sampler{share: share}, 0
		for range 10_000 {
			if s.take() {
				taken++
			}
		}
		if want := int(share * 10_000); taken != want {
			t.Errorf("share %v: %d of 10000, want %d", share, taken, want)
		}
	}
}

// observed is the log of one decision.
func observed(t *testing.T, shares Shares, r *gate.Request, d gate.Decision) (map[string]any, string) {
	t.Helper()
	var out bytes.Buffer
	log, err := NewLogger(&out, LogConfig{Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	Observer(log, NewMetrics("v", "c"), shares)(r, d, 42*time.Microsecond)
	if out.Len() == 0 {
		return nil, ""
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return line, out.String()
}

func TestADecisionIsOneLine(t *testing.T) {
	r := &gate.Request{
		Edge: "nginx", Method: "GET", Host: "app.test", Target: "/a\nb" + strings.Repeat("x", 4000) + "?token=s3cr3t",
		Cookies: []string{"better-auth.session_token=s3cr3t"}, Authorization: "Bearer s3cr3t", ID: "id\x1b[31m",
	}
	d := gate.Decision{Verdict: gate.Deny, Reason: gate.NotAMember, Method: gate.ByCookie, Principal: &gate.Principal{
		Session: gate.Session{ID: "s1"}, User: gate.User{ID: "u1", Email: "ada@example.com", Name: "Ada"},
	}}
	line, text := observed(t, Shares{Refused: 1}, r, d)
	if line["reason"] != "NOT_A_MEMBER" || line["user_id"] != "u1" || line["session_id"] != "s1" || line["edge"] != "nginx" || line["took_us"] != 42.0 {
		t.Errorf("%s", text)
	}
	for _, never := range []string{"s3cr3t", "ada@example.com", "\x1b", "a\nb"} {
		if strings.Contains(text, never) {
			t.Errorf("the line holds %q", never)
		}
	}
	if len(text) > 2000 || strings.Count(text, "\n") != 1 {
		t.Errorf("%d bytes, %d lines", len(text), strings.Count(text, "\n"))
	}
}

func TestWhatCannotBeFoundOutIsAlwaysLogged(t *testing.T) {
	d := gate.Decision{Verdict: gate.Unavailable, Reason: gate.StoreTimeout, Err: errors.New("postgres: timeout")}
	line, text := observed(t, Shares{}, &gate.Request{}, d)
	if line["level"] != "ERROR" || line["error"] != "postgres: timeout" {
		t.Errorf("%s", text)
	}
	if line, _ := observed(t, Shares{}, &gate.Request{}, gate.Decision{Verdict: gate.Allow}); line != nil {
		t.Errorf("a share of 0: %v", line)
	}
}

func TestStoreMetrics(t *testing.T) {
	m := NewMetrics("v", "c")
	sessions := gatetest.NewResolver(map[string]*gate.Principal{"there": {}})
	measured := m.Resolver(sessions)
	for _, token := range []string{"there", "there", "gone"} {
		_, _ = measured.Resolve(t.Context(), gate.Proven(gate.ByBearer, token))
	}
	sessions.Break(errors.New("down"))
	_, _ = measured.Resolve(t.Context(), gate.Proven(gate.ByBearer, "there"))
	sessions.Break(nil)
	sessions.Hang(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, _ = measured.Resolve(ctx, gate.Proven(gate.ByBearer, "there"))

	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`usher_store_requests_total{result="found"} 2`, `usher_store_requests_total{result="none"} 1`,
		`usher_store_requests_total{result="error"} 1`, `usher_store_requests_total{result="timeout"} 1`,
		`usher_store_duration_seconds_count 5`, `usher_build_info{commit="c",version="v"} 1`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

func TestPublishedValues(t *testing.T) {
	m := NewMetrics("v", "c")
	m.Gauge("usher_test_gauge", "A value.", func() float64 { return 1.5 })
	m.Counter("usher_test_total", "A count.", func() float64 { return 7 })
	late := m.Lag("usher_test_lag_seconds", "How late.")
	late(20 * time.Millisecond)
	late(-time.Second) // clocks differ
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		"usher_test_gauge 1.5", "usher_test_total 7", `usher_test_lag_seconds_bucket{le="0.001"} 1`,
		`usher_test_lag_seconds_bucket{le="0.025"} 2`, "usher_test_lag_seconds_sum 0.02",
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

func TestLoggerRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, c := range []LogConfig{{Level: "loud"}, {Format: "xml"}} {
		if _, err := NewLogger(&bytes.Buffer{}, c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// TestDecisionsAreCountedApart: from many goroutines at once, each kind by itself, and all of them.
func TestDecisionsAreCountedApart(t *testing.T) {
	m := NewMetrics("v", "c")
	kinds := []gate.Decision{
		{Verdict: gate.Allow, Reason: gate.SignedIn},
		{Verdict: gate.Allow, Reason: gate.Public},
		{Reason: gate.SignedIn},
		{Verdict: gate.SignIn, Reason: gate.NoCredential},
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 4000 {
				m.decision([]string{"nginx", "envoy"}[i&1], kinds[i/2%len(kinds)], time.Microsecond)
			}
		})
	}
	group.Wait()
	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for _, d := range kinds {
		for _, edge := range []string{"nginx", "envoy"} {
			want := fmt.Sprintf("usher_decisions_total{edge=%q,reason=%q,verdict=%q} 4000\n", edge, d.Reason, d.Verdict)
			if !strings.Contains(page.Body.String(), want) {
				t.Errorf("the page lacks %s", want)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { m.decision("nginx", kinds[0], time.Microsecond) }); n != 0 {
		t.Errorf("counting takes %v allocations", n)
	}
}

// TestAFloodIsNotLogged: what strangers send does not decide how much is written.
func TestAFloodIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		observe := Observer(slog.New(slog.NewTextHandler(&out, nil)), NewMetrics("v", "c"), Shares{Refused: 1})
		flood := func(n int) {
			for range n {
				observe(&gate.Request{Edge: "nginx"}, gate.Decision{Verdict: gate.SignIn, Reason: gate.BadCookie}, time.Microsecond)
			}
		}
		flood(mostLines)
		if n := strings.Count(out.String(), "\n"); n != mostLines || strings.Contains(out.String(), "left_out") {
			t.Errorf("%d lines of %d", n, mostLines)
		}
		flood(70)
		observe(&gate.Request{}, gate.Decision{Verdict: gate.Unavailable, Reason: gate.StoreTimeout}, time.Microsecond)
		if n := strings.Count(out.String(), "\n"); n != mostLines {
			t.Errorf("%d lines in a second", n)
		}
		time.Sleep(time.Second)
		out.Reset()
		flood(2)
		if first, second, _ := strings.Cut(out.String(), "\n"); !strings.HasSuffix(first, " left_out=71") || strings.Contains(second, "left_out") {
			t.Errorf("the next second begins with %s", out.String())
		}
	})
}

func BenchmarkObserver(b *testing.B) {
	observe := Observer(slog.New(slog.NewTextHandler(io.Discard, nil)), NewMetrics("v", "c"), Shares{})
	r, d := &gate.Request{Edge: "nginx"}, gate.Decision{Verdict: gate.Allow, Reason: gate.SignedIn}
	b.ReportAllocs()
	for b.Loop() {
		observe(r, d, 3*time.Microsecond)
	}
}

// TestEveryUseOfACallerIsAudited: none is left to chance or to a pace, and there is no token in it.
func TestEveryUseOfACallerIsAudited(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, LogConfig{Level: "error", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	m := NewMetrics("v", "c")
	observe := Observer(log, m, Shares{})
	r := &gate.Request{
		Edge: "traefik", Method: "GET", Host: "app.test", Target: "/x?token=s3cr3t", Authorization: "Bearer ushi_s3cr3t",
		User: "u-" + strings.Repeat("x", 4000), Organization: "o-asked",
	}
	const uses = 3 * mostLines
	for range uses {
		observe(r, gate.Decision{Verdict: gate.Deny, Reason: gate.CallerNotAllowed, Method: gate.ByInternal, Caller: "agent", Rule: "jobs"}, 0)
	}
	if n := strings.Count(out.String(), `"msg":"audit"`); n != uses {
		t.Errorf("%d lines for %d uses", n, uses)
	}
	if text := out.String(); strings.Contains(text, "s3cr3t") || len(text)/uses > 1000 || !strings.Contains(text, `"org_id":"o-asked"`) {
		t.Errorf("%.500s", text)
	}
	out.Reset()
	observe(r, gate.Decision{
		Verdict: gate.Allow, Reason: gate.Internal, Method: gate.ByInternal, Caller: "agent",
		Principal: &gate.Principal{User: gate.User{ID: "u1"}},
	}, 0)
	if text := out.String(); !strings.Contains(text, `"user_id":"u1"`) || strings.Contains(text, "org_id") {
		t.Errorf("a wish that nobody followed is told as a fact: %s", text)
	}
	out.Reset()
	observe(r, gate.Decision{Verdict: gate.SignIn, Reason: gate.UnknownCaller}, 0)
	if out.Len() > 0 {
		t.Errorf("a stranger makes audit lines: %s", out.String())
	}
}
