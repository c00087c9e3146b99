//go:build linux

package load

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// cachedChecks asks for people in memory, and for none with forged cookies, in turns with the bare servers.
func cachedChecks(w *world, r *report) {
	w.sessions(w.usual)
	bareRPC, bareWeb := bare(w.t, true, "grpc"), bare(w.t, true, "http")
	gate := w.usher(w.t, true, remembering(w.usual))
	rpc, web := newVisitors(w.usual, overGRPC), newVisitors(w.usual, overHTTP)
	// Of those without an organization the gate says eight headers, which is the check that budget 3 is about. They come
	// before anybody is remembered: so many at once are told as "everything".
	fillLoners(w.t, w.database, w.usual)
	w.warm(gate, rpc, w.usual)
	second := w.usher(w.t, true, remembering(w.usual))
	lonely, lonelyRPC := newVisitors(w.usual, overHTTP), newVisitors(w.usual, overGRPC)
	lonely.token, lonelyRPC.token = loner, loner
	w.warm(second, lonelyRPC, w.usual)
	if lonely, other := said(w.t, second.http, cookieOf(loner(1))), said(w.t, gate.http, cookie(1)); lonely != 8 || other != 13 {
		w.t.Errorf("the gate says %d and %d headers, want 8 and 13", lonely, other)
	}
	nobody := newVisitors(w.usual, overGRPC)
	nobody.allowed = false
	refused := newVisitors(w.usual, overGRPC) // the same bytes, which the bare server lets pass
	refused.encoded = nobody.encoded

	var all [6][]figure
	storeCalls := 0.0
	for range w.rounds {
		before := gate.metric(w.t, "usher_store_requests_total")
		all[0] = append(all[0], w.closed(bareRPC.grpc, bareRPC.pid, newGRPC, rpc.zipf(), 3))
		all[1] = append(all[1], w.closed(gate.grpc, gate.pid, newGRPC, rpc.zipf(), 3))
		all[3] = append(all[3], w.closed(bareWeb.http, bareWeb.pid, newHTTP, web.zipf(), 3))
		all[4] = append(all[4], w.closed(gate.http, gate.pid, newHTTP, web.zipf(), 3))
		all[5] = append(all[5], w.closed(second.http, second.pid, newHTTP, lonely.zipf(), 3))
		found := gate.metric(w.t, "usher_store_requests_total")
		w.say("lookups while people in memory were asked for: %.0f", found-before)
		all[2] = append(all[2], w.closed(gate.grpc, gate.pid, newGRPC, nobody.zipf(), 3))
		storeCalls += gate.metric(w.t, "usher_store_requests_total") - found
	}
	show := func(i int) string {
		return fmt.Sprintf("%.0f/s %.1f µs", median(all[i], rate), median(all[i], used)*1e6)
	}
	ratio := func(a, b int, of func(figure) float64) float64 {
		pairs := make([]float64, len(all[a]))
		for i := range pairs {
			pairs[i] = of(all[a][i]) / of(all[b][i])
		}
		return median(pairs, func(f float64) float64 { return f })
	}
	r.add(1, ratio(1, 0, rate), "gate %s, bare %s", show(1), show(0))
	r.add(2, ratio(1, 0, used), "gate %s, bare %s", show(1), show(0))
	r.add(3, ratio(5, 3, rate), "gate %s, bare %s; %.2f (%s) with an organization: 13 headers", show(5), show(3), ratio(4, 3, rate), show(4))
	r.add(15, ratio(2, 0, rate), "gate %s, bare %s", show(2), show(0))
	if storeCalls > 0 {
		w.t.Errorf("forged cookies made %.0f lookups", storeCalls)
	}
}

// betterAuth compares the processor time of the library's own answer with ours.
func betterAuth(w *world, r *report) {
	w.sessions(w.usual)
	app := testenv.BetterAuth(w.t, testenv.BetterAuthConfig{DatabaseURL: w.database})
	gate := w.usher(w.t, false, remembering(w.usual))
	people := newVisitors(w.usual, get("/api/auth/get-session"))
	web := newVisitors(w.usual, overHTTP)
	w.warm(gate, newVisitors(w.usual, overGRPC), w.usual)
	body := answered(w.t, "http://"+strings.TrimPrefix(app.URL, "http://")+"/api/auth/get-session", cookie(1))
	if !strings.Contains(body, token(1)) {
		w.t.Fatalf("Better Auth does not know session 1: %s", body)
	}
	var theirs, ours []figure
	for range min(w.rounds, 3) {
		before := family(w.t, w.postgres)
		f := w.closed(strings.TrimPrefix(app.URL, "http://"), app.Pid(), newHTTP, people.zipf(), 5)
		f.cpu += (family(w.t, w.postgres) - before).Seconds() / (f.rate * 5 * w.second)
		theirs = append(theirs, f)
		before = family(w.t, w.postgres)
		f = w.closed(gate.http, gate.pid, newHTTP, web.zipf(), 3)
		f.cpu += (family(w.t, w.postgres) - before).Seconds() / (f.rate * 3 * w.second)
		ours = append(ours, f)
	}
	r.add(4, median(theirs, used)/median(ours, used), "Better Auth %.0f/s %.0f µs, gate %.0f/s %.1f µs",
		median(theirs, rate), median(theirs, used)*1e6, median(ours, rate), median(ours, used)*1e6)
}

// said is how many headers the gate itself says of somebody.
func said(t testing.TB, address, cookies string) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/gate/traefik", nil)
	must(t, err)
	for name, value := range map[string]string{
		"Cookie": cookies, "X-Forwarded-Method": "GET", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.test", "X-Forwarded-Uri": "/",
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	lines := 0
	for name, values := range response.Header {
		if name != "Date" && name != "Content-Length" {
			lines += len(values)
		}
	}
	return lines
}

func answered(t testing.TB, url, cookies string) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	must(t, err)
	request.Header.Set("Cookie", cookies)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	var text strings.Builder
	_, err = fmt.Fprint(&text, response.Status, " ")
	must(t, err)
	buffer := make([]byte, 4<<10)
	for {
		n, err := response.Body.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			return text.String()
		}
	}
}

// misses asks for everybody once, which a gate that remembers nothing has to look up, in turns with a pool of pgx.
func misses(w *world, r *report) {
	w.sessions(w.usual)
	gate := w.usher(w.t, false, "cache: { size: 0 }")
	people := newVisitors(w.usual, overGRPC)
	w.warm(gate, people, min(w.usual, 20_000)) // so that encoding is not measured, and PostgreSQL has read its pages
	var ours, raw []figure
	const seconds = 4
	for range min(w.rounds, 4) {
		before := family(w.t, w.postgres)
		found := w.raw("pgx", seconds, w.database, strconv.Itoa(w.usual))
		raw = append(raw, figure{rate: found.rate(), cpu: (family(w.t, w.postgres) - before).Seconds() / float64(found.Count)})

		before = family(w.t, w.postgres)
		f := w.closed(gate.grpc, gate.pid, newGRPC, people.inTurn(), seconds)
		f.cpu = (family(w.t, w.postgres) - before).Seconds() / (f.rate * seconds * w.second)
		ours = append(ours, f)
	}
	r.add(6, median(ours, rate)/median(raw, rate), "gate %.0f/s, pgx %.0f/s", median(ours, rate), median(raw, rate))
	r.add(7, median(ours, used)/median(raw, used), "gate %.1f µs, pgx %.1f µs", median(ours, used)*1e6, median(raw, used)*1e6)

	fresh := w.usher(w.t, false, remembering(w.usual))
	e, err := newEngine(fresh.grpc, w.lanes, newGRPC, people.always(7))
	must(w.t, err)
	o, err := e.each(200, 200, 10*time.Second)
	must(w.t, err)
	if o.done != 200 || o.wrong > 0 {
		w.t.Fatalf("%d answers, %d of them wrong", o.done, o.wrong)
	}
	calls := fresh.metric(w.t, "usher_store_requests_total")
	r.add(8, calls, "200 at once: %.0f", calls)
}

// growth fills a gate's memory, and looks what a check costs on the way; then how late answers come at a steady rate.
func growth(w *world, r *report) {
	w.sessions(w.most)
	plain := bare(w.t, true, "grpc")
	gate := w.usher(w.t, true, remembering(w.most))
	small := newVisitors(min(1000, w.most), overGRPC)
	w.warm(gate, small, small.n)
	time.Sleep(w.seconds(3))
	empty := resident(w.t, gate.pid)
	var costs []string
	var first, last float64
	var people *visitors
	for n := small.n; ; n = min(n*10, w.most) {
		people = newVisitors(n, overGRPC)
		w.warm(gate, people, n)
		var f []figure
		for range min(w.rounds, 3) {
			f = append(f, w.closed(gate.grpc, gate.pid, newGRPC, people.zipf(), 2))
		}
		last = median(f, used)
		if first == 0 {
			first = last
		}
		costs = append(costs, fmt.Sprintf("%d: %.1f µs", n, last*1e6))
		if n == w.most {
			break
		}
	}
	time.Sleep(w.seconds(10))
	entries := gate.metric(w.t, "usher_cache_entries")
	full := resident(w.t, gate.pid)
	r.add(10, (full-empty)/float64(w.most), "%.0f MB, %.0f MB before; the gate counts %.0f", full/1e6, empty/1e6, entries)
	r.add(11, last/first, "%s", strings.Join(costs, ", "))

	tails := [2][]float64{}
	var text [2]string
	for range min(w.rounds, 3) {
		for i, s := range []*server{plain, gate} {
			undo := pinSelf()
			e, err := newEngine(s.grpc, w.lanes, newGRPC, people.zipf())
			must(w.t, err)
			o, err := e.open(2000, w.seconds(1), w.seconds(10))
			undo()
			must(w.t, err)
			if o.wrong > 0 {
				w.t.Fatalf("%d of %d answers are wrong", o.wrong, o.done)
			}
			tails[i] = append(tails[i], float64(o.hist.at(0.99)))
			text[i] = fmt.Sprintf("p50 %v p99 %v p99.9 %v", o.hist.at(0.5), o.hist.at(0.99), o.hist.at(0.999))
		}
	}
	self := func(f float64) float64 { return f }
	r.add(9, median(tails[1], self)/median(tails[0], self), "gate %s, bare %s", text[1], text[0])
}

// start takes the time from exec to the first right answer, and looks at a process that nobody has asked yet.
func start(w *world, r *report) {
	w.sessions(min(w.usual, 1000))
	var ours, empties []float64
	self := func(f float64) float64 { return f }
	for range 4*w.rounds + 1 {
		address, other := freeAddress(w.t), freeAddress(w.t)
		file := w.config(w.t, fmt.Sprintf("listen: { http: %q, grpc: %q, ops: off }", address, other))
		empties = append(empties, w.firstAnswer(freeAddress(w.t), func(a string) (string, []string) { return w.empty, []string{a} }))
		ours = append(ours, w.firstAnswer(address, func(string) (string, []string) { return w.binary, []string{"serve", "-config", file} }))
	}
	r.add(12, median(ours, self)/median(empties, self), "gate %.1f ms, empty %.1f ms", median(ours, self)*1e3, median(empties, self)*1e3)

	idle := w.usher(w.t, false, remembering(100_000))
	time.Sleep(w.seconds(5))
	size, err := os.Stat(w.binary)
	must(w.t, err)
	r.add(13, resident(w.t, idle.pid)/1e6, "the static, stripped binary has %.1f MB: 40 at most, 28 at best", float64(size.Size())/1e6)
	if size.Size() > 40e6 {
		w.t.Errorf("the binary has %d bytes", size.Size())
	}
}

// firstAnswer starts a program and asks it until it answers 200; it returns the seconds that took.
func (w *world) firstAnswer(address string, program func(address string) (string, []string)) float64 {
	w.t.Helper()
	path, args := program(address)
	begin := time.Now()
	p := testenv.Start(w.t, testenv.Command{Path: path, Args: args, Env: []string{"PATH=" + os.Getenv("PATH")}})
	defer p.Kill()
	people := newVisitors(1, overHTTP)
	for {
		if e, err := newEngine(address, 1, newHTTP, people.always(1)); err == nil {
			if o, err := e.each(1, 1, time.Second); err == nil && o.done == 1 && o.wrong == 0 {
				return time.Since(begin).Seconds()
			}
		}
		if time.Since(begin) > 20*time.Second {
			w.t.Fatalf("%s does not answer\n%s", path, p.Output())
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// nginx puts a proxy in front of a bare backend: alone, asking a bare server, and asking the gate.
func nginx(w *world, r *report) {
	w.sessions(w.usual)
	backend, asked := bare(w.t, false, "http"), bare(w.t, false, "http")
	gate := w.usher(w.t, false, remembering(w.usual))
	addresses := []string{freeAddress(w.t), freeAddress(w.t), freeAddress(w.t)}
	dir, err := os.MkdirTemp("", "usher-load-nginx-") // its workers may be nobody, and must get in
	must(w.t, err)
	w.t.Cleanup(func() { os.RemoveAll(dir) })
	must(w.t, os.Chmod(dir, 0o755))
	var text strings.Builder
	fmt.Fprintf(&text, `worker_processes 1; events { worker_connections 512; } pid nginx.pid; error_log stderr error;
http {
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; access_log off; variables_hash_bucket_size 128;
  keepalive_requests 100000000;
  upstream app { server %s; keepalive 32; keepalive_requests 100000000; }
  upstream bare { server %s; keepalive 32; keepalive_requests 100000000; }
  upstream usher { server %s; keepalive 32; keepalive_requests 100000000; }
  server { listen %s; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; } }
`, backend.http, asked.http, gate.http, addresses[0])
	for i, upstream := range []string{"bare", "usher"} {
		fmt.Fprintf(&text, "  server { listen %s;\n    auth_request /_check;\n", addresses[1+i])
		for _, name := range []string{"user_id", "user_email", "user_name", "user_role", "session_id", "org_id", "org_role", "auth_method"} {
			header := "X-" + strings.ReplaceAll(name, "_", "-")
			fmt.Fprintf(&text, "    auth_request_set $usher_%s $upstream_http_x_%s; proxy_set_header %s $usher_%s;\n", name, name, header, name)
		}
		fmt.Fprintf(&text, `    proxy_http_version 1.1; proxy_set_header Connection "";
    location / { proxy_pass http://app; }
    location = /_check { internal; proxy_pass http://%s/gate/nginx; proxy_pass_request_body off; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Content-Length ""; proxy_set_header X-Original-Method $request_method; proxy_set_header X-Original-URL $scheme://$http_host$request_uri; }
  }
`, upstream)
	}
	text.WriteString("}\n")
	file := filepath.Join(dir, "nginx.conf")
	must(w.t, os.WriteFile(file, []byte(text.String()), 0o644))
	p := testenv.Start(w.t, testenv.Command{Path: testenv.Part(w.t, "nginx"), Args: []string{"-e", "stderr", "-p", dir, "-c", file, "-g", "daemon off;"}})
	for _, address := range addresses {
		p.WaitListening(w.t, address)
	}
	people := newVisitors(min(w.usual, 1000), get("/dashboard/projects/42?tab=members"))
	for i := 1; i <= people.n; i++ { // in the gate's memory
		var q question
		people.fill(&q, i)
	}
	w.warm(gate, newVisitors(people.n, overGRPC), people.n)
	one := *w
	one.inFlight, one.lanes = 1, 1
	var all [3][]figure
	for range w.rounds {
		for i, address := range addresses {
			all[i] = append(all[i], one.closed(address, p.Pid(), newHTTP, people.zipf(), 1.5))
		}
	}
	added := func(i int) float64 { return (median(all[i], half) - median(all[0], half)) / 1e3 }
	r.add(14, added(2)/added(1), "p50 %.0f µs alone, %.0f µs more with bare, %.0f µs more with the gate", median(all[0], half)/1e3, added(1), added(2))
}

// decision runs the benchmark of what is the gate's own.
func decision(w *world, r *report) {
	count := strconv.Itoa(max(int(200*w.second), 5))
	bench := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkAnswer$", "-benchmem", "-benchtime", count+"x", "./extauthz")
	bench.Dir = "../.."
	out, err := bench.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	ratio := regexp.MustCompile(`([\d.]+) ratio`).FindSubmatch(out)
	allocations := regexp.MustCompile(`BenchmarkAnswer/gate\S*\s.* (\d+) allocs/op`).FindSubmatch(out)
	if ratio == nil || allocations == nil {
		w.t.Fatalf("the benchmark says something else now:\n%s", out)
	}
	value, err := strconv.ParseFloat(string(ratio[1]), 64)
	must(w.t, err)
	r.add(5, value, "allocations: %s, 2 at most", allocations[1])
}
