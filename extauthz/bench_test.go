package extauthz

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// inFlight is how many checks are under way at once, over one connection, as from one worker of Envoy.
const inFlight = 32

// browser is what a browser sends: about 1 KB in 22 headers.
func browser(cookie string) *authv3.CheckRequest {
	return listed(asking(
		"GET", "/dashboard/projects/42?tab=members",
		"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
		"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "accept-language", "en-GB,en;q=0.7,de;q=0.3",
		"accept-encoding", "gzip, deflate, br, zstd", "referer", "https://app.test/dashboard?tab=projects&sort=recent",
		"sec-fetch-dest", "document", "sec-fetch-mode", "navigate", "sec-fetch-site", "same-origin", "upgrade-insecure-requests", "1",
		"priority", "u=0, i", "dnt", "1", "te", "trailers", "x-request-id", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
		"x-forwarded-for", "203.0.113.9", "x-forwarded-proto", "https", "x-envoy-external-address", "203.0.113.9",
		"cookie", "_ga=GA1.1.1337421942.1700000000; theme=dark; csrf=0e1b5c5a2f7d4f6c9a8b7e6d5c4b3a29; "+cookie+"; consent=a%2Cb%2Cc",
	))
}

// bare is the least a Go server for Envoy does: generated messages in and out, six headers, no decision.
type bare struct{}

func (bare) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	ok := new(authv3.OkHttpResponse)
	for _, line := range [...][2]string{
		{"X-User-Id", "u-alice"},
		{"X-User-Email", "alice@app.test"},
		{"X-Session-Id", "s-alice"},
		{"X-Org-Id", "o-alice"},
		{"X-Org-Role", "owner"},
		{"X-Auth-Method", "cookie"},
	} {
		ok.Headers = append(ok.Headers, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: line[0], Value: line[1]},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return &authv3.CheckResponse{Status: &rpcstatus.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok}}, nil
}

// ask makes n checks in each of inFlight goroutines and says how long that took. Question and answer stay encoded: the
// client shares the processors with the server, and should cost little.
func ask(b *testing.B, conn *grpc.ClientConn, asked question, n int) time.Duration {
	start := time.Now()
	var group sync.WaitGroup
	for range inFlight {
		group.Go(func() {
			in, out := unparsed(asked), unparsed("")
			for range n {
				if err := conn.Invoke(b.Context(), authv3.Authorization_Check_FullMethodName, in, out, grpc.StaticMethod()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(start)
}

// BenchmarkCheck compares the gate, asked for somebody who is signed in, with the bare server over the same kind of
// in-memory connection. "ratio" interleaves both, by the clock and by processor time; with the client in the same
// process it understates the difference.
func BenchmarkCheck(b *testing.B) {
	s, raw, _, _ := signedIn(b)
	if got := decode(b, s.answer(from("10.0.0.7"), raw)); len(got.GetOkResponse().GetHeaders()) < 8 {
		b.Fatal(got)
	}
	conns := map[string]*grpc.ClientConn{
		"bare": serve(b, "10.0.0.7", func(g *grpc.Server) { authv3.RegisterAuthorizationServer(g, bare{}) }),
		"gate": serve(b, "10.0.0.7", func(g *grpc.Server) { s.Register(g, nil) }, ServerOptions()...),
	}
	for _, name := range []string{"bare", "gate"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var took time.Duration
			for b.Loop() {
				took += ask(b, conns[name], raw, 4)
			}
			b.ReportMetric(float64(b.N)*4*inFlight/took.Seconds(), "checks/s")
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*4*inFlight), "ns/check")
		})
	}
	b.Run("ratio", func(b *testing.B) {
		var wall, cpu [2]time.Duration
		for b.Loop() {
			for i, name := range []string{"bare", "gate"} {
				before := cpuTime(b)
				wall[i] += ask(b, conns[name], raw, 16)
				cpu[i] += cpuTime(b) - before
			}
		}
		b.ReportMetric(wall[0].Seconds()/wall[1].Seconds(), "ratio")
		b.ReportMetric(cpu[0].Seconds()/cpu[1].Seconds(), "cpu-ratio")
	})
}

// cpuTime is what this process has used: a neighbour on the same machine does not change it.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// remembered is a store that has everybody in memory, as the cache in front of a real one.
type remembered map[string]*gate.Principal

func (m remembered) Recall(c gate.Credential) *gate.Principal { return m[c.Token()] }

func (m remembered) Resolve(context.Context, gate.Credential) (*gate.Principal, error) {
	return nil, gate.ErrNoSession
}

// signedIn is a server that proves signatures and remembers 1000 sessions, and the question of one of them.
func signedIn(tb testing.TB) (*Server, question, *betterauth.Reader, remembered) {
	const secret = "a secret of more than 32 characters"
	reader, err := betterauth.NewReader(betterauth.Config{Secret: secret, CookieName: "better-auth.session_token"})
	must(tb, err)
	known := make(remembered)
	for i := range 1000 {
		id := fmt.Sprintf("%032d", i)
		known[id] = &gate.Principal{
			Session:     gate.Session{ID: "s-" + id, CreatedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)},
			User:        gate.User{ID: "u-" + id, Name: "Alice", Email: "alice@app.test", EmailVerified: true},
			Memberships: []gate.Membership{{OrganizationID: "o-" + id, Roles: "owner"}},
			Plain:       true,
		}
	}
	s, _ := newServer(tb, func(c *gate.Config) { c.Reader, c.Resolver = reader, known })
	cookie := "better-auth.session_token=" + betterauth.Sign(secret, fmt.Sprintf("%032d", 500))
	return s, marshal(tb, browser(cookie)), reader, known
}

// BenchmarkAnswer is the gate's own share, bytes in and bytes out: budget 5 of perf.md. "floor" is what no gate can do
// without: the question copied, its cookie found and proven, a lookup in a map, and as many bytes written.
func BenchmarkAnswer(b *testing.B) {
	s, asked, reader, known := signedIn(b)
	ctx, in := from("10.0.0.7"), mem.BufferSlice{mem.SliceBuffer(asked)}
	c := codec{}
	if got := decode(b, s.answer(ctx, asked)); len(got.GetOkResponse().GetHeaders()) != 8 {
		b.Fatal(got)
	}
	gated := func() {
		x := s.begin()
		_ = c.Unmarshal(in, x)
		s.judge(ctx, x)
		out, _ := c.Marshal(x)
		out.Free()
	}
	written := slices.Clone(s.answer(ctx, asked))
	at, q := strings.Index(string(asked), "_ga="), gate.Request{Cookies: make([]string, 1)}
	length := strings.Index(string(asked[at:]), "; consent") // behind the session's
	floor := func() {
		text := strings.Clone(string(asked))
		q.Cookies[0] = text[at : at+length]
		found, err := reader.Read(&q)
		if err != nil || known.Recall(found.At(0)) == nil {
			b.Fatal(err)
		}
		copy(written, text)
	}
	b.Run("gate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			gated()
		}
	})
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			floor()
		}
	})
	b.Run("ratio", func(b *testing.B) {
		var took [2]time.Duration
		for b.Loop() {
			for i, f := range []func(){floor, gated} {
				start := time.Now()
				for range 1000 {
					f()
				}
				took[i] += time.Since(start)
			}
		}
		b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "ratio")
	})
}

// TestAllocations: of a check of somebody in memory, from the bytes of the question to those of the answer, only the copy
// of the question and grpc-go's list of buffers are new. With the garbage collector off, no pool is emptied meanwhile.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		return // it empties pools on purpose
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	s, asked, _, _ := signedIn(t)
	ctx, in, c := from("10.0.0.7"), mem.BufferSlice{mem.SliceBuffer(asked)}, codec{}
	n := testing.AllocsPerRun(1000, func() {
		x := s.begin()
		_ = c.Unmarshal(in, x)
		s.judge(ctx, x)
		out, _ := c.Marshal(x)
		out.Free()
	})
	if n > 2 {
		t.Errorf("%v allocations, want 2 at most", n)
	}
}
