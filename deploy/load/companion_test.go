//go:build linux

package load

import (
	"fmt"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// BenchmarkGetSession compares the sign-in server's get-session with the real Better Auth's: both over HTTP, both on one
// database, asked in turns for the same sessions, rate limits off on both sides. One round is a run of each; the ratios are
// those within a round, and the processor time is the server's and the database's together.
func BenchmarkGetSession(b *testing.B) {
	w := newWorld(b)
	w.sessions(10_000)
	app := testenv.BetterAuth(b, testenv.BetterAuthConfig{DatabaseURL: w.database, BaseURL: "http://app.test"})
	usher := w.usher(b, false,
		fmt.Sprintf(`better_auth: { url: "http://app.test", secret: %q, rate_limit: { enabled: false } }`, testenv.TestSecret),
		`oauth: { providers: { google: { client_id: id, client_secret: secret } } }`)
	usher.proc.WaitLine(b, "people sign in here")
	const target = "/api/auth/get-session"
	sides := [2]*server{{http: strings.TrimPrefix(app.URL, "http://"), pid: app.Pid()}, usher}
	var bodies [2]string
	for i, s := range sides {
		if bodies[i] = answered(b, "http://"+s.http+target, cookie(1)); !strings.Contains(bodies[i], token(1)) {
			b.Fatalf("session 1 is not known: %s", bodies[i])
		}
	}
	if bodies[0] != bodies[1] {
		b.Fatalf("they answer differently:\n%s\n%s", bodies[0], bodies[1])
	}
	const seconds = 3
	people := newVisitors(w.filled, get(target))
	for _, s := range sides { // Node compiles what runs often, and both servers fill their pools
		w.closed(s.http, s.pid, newHTTP, people.zipf(), 1)
	}
	var all [2][]figure
	var rates, cpus []float64
	for b.Loop() {
		var round [2]figure
		for i, s := range sides {
			before := family(b, w.postgres)
			f := w.closed(s.http, s.pid, newHTTP, people.zipf(), seconds)
			f.cpu += (family(b, w.postgres) - before).Seconds() / (f.rate * seconds * w.second)
			round[i] = f
			all[i] = append(all[i], f)
		}
		rates = append(rates, round[1].rate/round[0].rate)
		cpus = append(cpus, round[0].cpu/round[1].cpu)
	}
	self := func(f float64) float64 { return f }
	b.ReportMetric(0, "ns/op") // how long a round takes says nothing
	b.ReportMetric(median(rates, self), "usher/betterauth-rate")
	b.ReportMetric(median(cpus, self), "betterauth/usher-cpu")
	for i, name := range []string{"betterauth", "usher"} {
		b.ReportMetric(median(all[i], rate), name+"-answers/s")
		b.ReportMetric(median(all[i], used)*1e6, name+"-cpu-µs")
	}
}
