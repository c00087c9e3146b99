package gate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/usherauth/usher/gate"
)

// ordinary are the 22 headers, about 1.7 KB, of a browser's request behind a proxy.
var ordinary = []line{
	{"Host", "app.test"},
	{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"},
	{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
	{"Accept-Language", "en-GB,en;q=0.9"},
	{"Accept-Encoding", "gzip, deflate, br, zstd"},
	{"Cache-Control", "no-cache"},
	{"Pragma", "no-cache"},
	{"Priority", "u=0, i"},
	{"Referer", "https://app.test/projects/42?tab=activity"},
	{"Sec-Ch-Ua", `"Chromium";v="140", "Not=A?Brand";v="24"`},
	{"Sec-Ch-Ua-Mobile", "?0"},
	{"Sec-Ch-Ua-Platform", `"Linux"`},
	{"Sec-Fetch-Dest", "document"},
	{"Sec-Fetch-Mode", "navigate"},
	{"Sec-Fetch-Site", "same-origin"},
	{"Sec-Fetch-User", "?1"},
	{"Upgrade-Insecure-Requests", "1"},
	{"X-Forwarded-For", "203.0.113.9"},
	{"X-Forwarded-Proto", "https"},
	{"X-Request-Id", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"},
	{"Traceparent", "00-" + strings.Repeat("0a", 16) + "-" + strings.Repeat("0b", 8) + "-01"},
	{"Cookie", "_ga=GA1.2.3.4; other=" + strings.Repeat("x", 900) + "; session=alice"},
}

func BenchmarkCollect(b *testing.B) {
	headers := newHeaders(b)
	b.ReportAllocs()
	for b.Loop() {
		var r gate.Request
		for _, l := range ordinary {
			headers.Collect(&r, l.name, l.value)
		}
	}
}

// BenchmarkRules is the whole Check of a request whose rule is the last of many; the store is not asked.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{1, 20, 200} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var rules []gate.Rule
			for i := range n - 1 {
				rules = append(rules, gate.Rule{Path: fmt.Sprintf("/api/v%d/*/things/**", i), Methods: []string{"GET", "POST"}})
			}
			rules = append(rules, gate.Rule{Name: "last", Path: "/api/latest/**", Access: gate.Open})
			w := newWorld(b, rules, func(g *gate.Config) { g.Observe = nil })
			r := get("/api/latest/projects/42/activity?page=2")
			b.ReportAllocs()
			for b.Loop() {
				if d := w.Check(b.Context(), r); d.Rule != "last" {
					b.Fatal(d.Rule)
				}
			}
		})
	}
}

// BenchmarkDecision is Check and Answer of a signed-in request; reader and store are fakes that cost next to nothing.
func BenchmarkDecision(b *testing.B) {
	for _, c := range []struct {
		name string
		r    *gate.Request
		want int
	}{
		{"allow", get("/x", cookie("alice-active"), browser), 200},
		{"allow-after-Collect", get("/x"), 200},
		{"redirect", get("/x", browser), 302},
		{"refuse", get("/x", cookie("forged")), 401},
		{"public", get("/public/x", cookie("alice")), 200},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, []gate.Rule{{Path: "/public/**", Access: gate.Open}}, func(g *gate.Config) {
				g.Observe = nil
				if c.want == 200 {
					g.Resolver = everybody{people()["alice-active"]}
				}
			})
			again := c.name == "allow-after-Collect"
			b.ReportAllocs()
			for b.Loop() {
				r := c.r
				if again {
					r = &gate.Request{Method: "GET", Scheme: "https", Host: "app.test", Target: "/x"}
					for _, l := range ordinary {
						w.Headers().Collect(r, l.name, l.value)
					}
				}
				d := w.Check(b.Context(), r)
				if a := w.Answer(r, d); a.Status != c.want {
					b.Fatal(a.Status, d.Reason)
				}
			}
		})
	}
}
