package forwardauth_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
)

// nobodyPasses asks every endpoint with these headers. Who names none of the people cannot be taken for one.
func (w *world) nobodyPasses(t *testing.T, target, raw string) {
	question := lines(raw)
	credential := false
	for token := range people() {
		credential = credential || strings.Contains(raw, token)
	}
	for _, token := range serviceTokensOf() {
		credential = credential || strings.Contains(raw, token)
	}
	for _, path := range []string{
		"/gate/traefik", "/gate/caddy", "/gate/haproxy", "/gate/nginx", "/gate/nginx/answer", "/gate/envoy" + target,
	} {
		got := w.send(t, proxyAddr, "GET", path, "app.test", question)
		switch got.status {
		case 200, 302, 400, 401, 403, 404, 503:
		default:
			t.Errorf("%s: status %d", path, got.status)
		}
		if got.reason == string(gate.InternalError) {
			t.Errorf("%s: we are at fault: %q", path, raw)
		}
		if got.status == 200 && path == "/gate/nginx/answer" {
			t.Errorf("the answer lets pass: %q", raw)
		}
		for _, name := range w.headers.Names() {
			if got.answer.Get(name) != "" && (got.status != 200 || !credential) {
				t.Errorf("%s: %d with %s: %q", path, got.status, name, got.answer.Get(name))
			}
		}
		if strings.Contains(got.answer.Get("Authorization"), gate.ServicePrefix) && serviceTokens.MatchString(got.answer.Get("Authorization")) {
			t.Errorf("%s: a service token is said back: %q", path, raw)
		}
		if got.status != 200 {
			continue
		}
		aliases := new(gate.Request)
		for _, line := range question {
			w.headers.Collect(aliases, line.Name, line.Value)
		}
		if len(aliases.Aliases) > 0 {
			t.Errorf("%s: aliases pass: %q", path, aliases.Aliases)
		}
	}
}

// FuzzForwarded: header lines, as a proxy might send them.
func FuzzForwarded(f *testing.F) {
	files, err := filepath.Glob("testdata/parity/*.txtar")
	must(f, err)
	for _, file := range files {
		for _, c := range parseCases(f, file) {
			var raw strings.Builder
			for _, line := range c.original.lines {
				raw.WriteString(line.Name + ": " + line.Value + "\n")
			}
			o := c.original
			raw.WriteString("X-Forwarded-Method: " + o.method + "\nX-Forwarded-Proto: " + o.scheme + "\nX-Forwarded-Host: " + o.host +
				"\nX-Forwarded-Uri: " + o.target + "\nX-Original-Method: " + o.method + "\nX-Original-URL: " + o.scheme + "://" + o.host + o.target + "\n")
			f.Add(o.target, raw.String())
		}
	}
	f.Add("/public/x", forwardedFamily+"X-Forwarded-For: 1.1.1.1\nX-Forwarded_Proto: x\nX-Usher-Ticket: 1.d.X.9999999999.AAAA\n")
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, target, raw string) { w.nobodyPasses(t, target, raw) })
}

// FuzzOriginalURL: what is read from a URL is what stands in it.
func FuzzOriginalURL(f *testing.F) {
	for _, url := range []string{
		"https://app.test/public/x?y=1", "http://app.test:80/", "https://[::1]:443/x", "https://a@b/", "https://a,b/", "//x/", "https://:443/",
		"https://app.test:443:443/", `https://app.test\@b/`, "https://app.test/public/../private", "https://app.test?/x", "ws://app.test/",
	} {
		f.Add("GET", url)
	}
	var seen *gate.Request
	w := newWorld(f, func(c *gate.Config) {
		c.Observe = func(r *gate.Request, _ gate.Decision, _ time.Duration) { again := *r; seen = &again }
	})
	f.Fuzz(func(t *testing.T, method, url string) {
		question := "X-Original-Method: " + method + "\nX-Original-URL: " + url + "\n"
		if strings.ContainsAny(method+url, "\r\n") {
			return
		}
		w.nobodyPasses(t, "/x", question)
		seen = nil
		got := w.send(t, proxyAddr, "GET", "/gate/nginx", "gate", lines(question))
		if seen == nil || seen.Fault != "" || got.reason == "AMBIGUOUS_REQUEST" {
			return
		}
		read := []string{seen.URL(), seen.Scheme + "://" + seen.Host + ":80" + seen.Target, seen.Scheme + "://" + seen.Host + ":443" + seen.Target}
		if trimmed := strings.Trim(url, " \t"); trimmed != read[0] && trimmed != read[1] && trimmed != read[2] {
			t.Errorf("%q is read as %q", url, read[0])
		}
	})
}
