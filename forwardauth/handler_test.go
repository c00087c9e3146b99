package forwardauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/forwardauth"
	"github.com/usherauth/usher/gate"
)

func lines(raw string) []gate.Header {
	var out []gate.Header
	for line := range strings.SplitSeq(raw, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			out = append(out, gate.Header{Name: strings.TrimSpace(name), Value: value})
		}
	}
	return out
}

// The same good question in each family. Nothing of one may stand in for a header missing in another.
const (
	forwardedFamily = "X-Forwarded-Method: GET\nX-Forwarded-Proto: https\nX-Forwarded-Host: app.test\nX-Forwarded-Uri: /public/x\n"
	originalFamily  = "X-Original-Method: GET\nX-Original-URL: https://app.test/public/x\n"
	envoyFamily     = "X-Forwarded-Proto: https\n"
	unreadFamilies  = "X-Rewrite-Url: /public/x\nForwarded: host=app.test;proto=https\nX-Original-Uri: /public/x\n" +
		"X-Scheme: https\nX-Auth-Request-Redirect: /public/x\nX-Real-Ip: 10.0.0.1\n"
)

func TestPaths(t *testing.T) {
	w := newWorld(t)
	cases := []struct {
		path, family string
		status       int
		reason       string
	}{
		{"/gate/traefik", forwardedFamily, 200, "PUBLIC"},
		{"/gate/caddy", forwardedFamily, 200, "PUBLIC"},
		{"/gate/haproxy", forwardedFamily, 200, "PUBLIC"},
		{"/gate/nginx", originalFamily, 200, "PUBLIC"},
		{"/gate/envoy/public/x", envoyFamily, 200, "PUBLIC"},
		{"/gate/envoy/public/x?y=/z@admin", envoyFamily, 200, "PUBLIC"},

		{"/gate/traefik@admin", forwardedFamily, 401, "NO_CREDENTIAL"},
		{"/gate/caddy@admin?rule=public", forwardedFamily, 401, "NO_CREDENTIAL"},
		{"/gate/haproxy@admin", forwardedFamily, 401, "NO_CREDENTIAL"},
		{"/gate/nginx@admin", originalFamily, 401, "NO_CREDENTIAL"},
		{"/gate/envoy@admin/public/x?y", envoyFamily, 401, "NO_CREDENTIAL"},
		{"/gate/traefik@nobody", forwardedFamily, 403, "UNKNOWN_RULE"},
		{"/gate/traefik@", forwardedFamily, 403, "UNKNOWN_RULE"},
		{"/gate/traefik@?admin", forwardedFamily, 403, "UNKNOWN_RULE"},
		{"/gate/envoy@/public/x", envoyFamily, 403, "UNKNOWN_RULE"},
		{"/gate/envoy@a@b/public/x", envoyFamily, 403, "UNKNOWN_RULE"},
		{"/gate/traefik@%61dmin", forwardedFamily, 403, "UNKNOWN_RULE"},

		// The query of the check is Caddy's client speaking.
		{"/gate/caddy?rule=x&X-Forwarded-Uri=/private", forwardedFamily, 200, "PUBLIC"},
		{"/gate/traefik?@admin/..", forwardedFamily, 200, "PUBLIC"},
		{"/gate/nginx?/answer", originalFamily, 200, "PUBLIC"},

		// No path is cleaned or led elsewhere (E05).
		{"/gate/envoy//x", envoyFamily, 403, "UNSAFE_PATH"},
		{"/gate/envoy/public/../private", envoyFamily, 403, "UNSAFE_PATH"},
		{"/gate/envoy/../traefik", envoyFamily + forwardedFamily[strings.Index(forwardedFamily, "X-Forwarded-Host"):], 403, "UNSAFE_PATH"},
		{"/gate/envoy", envoyFamily, 403, "AMBIGUOUS_REQUEST"},
		{"/gate/envoy?/public/x", envoyFamily, 403, "UNSAFE_PATH"},

		{"/", "", 404, ""},
		{"/gate", "", 404, ""},
		{"/gate/", "", 404, ""},
		{"/gate/Traefik", forwardedFamily, 404, ""},
		{"/gate/traefik/", forwardedFamily, 404, ""},
		{"/gate/traefik/x", forwardedFamily, 404, ""},
		{"/gate/traefik@admin/x", forwardedFamily, 404, ""},
		{"/gate//traefik", forwardedFamily, 404, ""},
		{"//gate/traefik", forwardedFamily, 404, ""},
		{"/gate/./traefik", forwardedFamily, 404, ""},
		{"/gate/nginx/answers", originalFamily, 404, ""},
		{"/gate/nginx/answer/x", originalFamily, 404, ""},
		{"/gate/envoyx/public/x", envoyFamily, 404, ""},
		{"http://gate/gate/traefik", forwardedFamily, 404, ""},
		{"/x/gate/traefik", forwardedFamily, 404, ""},
	}
	for _, c := range cases {
		for _, method := range []string{"GET", "POST", "OPTIONS", "PROPFIND"} {
			got := w.send(t, proxyAddr, method, c.path, "app.test", lines(c.family))
			if got.status != c.status || got.reason != c.reason {
				t.Errorf("%s %s: %d %s, want %d %s", method, c.path, got.status, got.reason, c.status, c.reason)
			}
			if c.status == 404 && !strings.Contains(got.body, `"code":"NOT_FOUND"`) {
				t.Errorf("%s %s: body %q", method, c.path, got.body)
			}
		}
	}
}

// S12, S23: a family that is not whole, and every other family beside it.
func TestNoFamilyStandsInForAnother(t *testing.T) {
	w := newWorld(t)
	for path, own := range map[string]string{
		"/gate/traefik": forwardedFamily, "/gate/caddy": forwardedFamily, "/gate/haproxy": forwardedFamily,
		"/gate/nginx": originalFamily, "/gate/envoy/public/x": envoyFamily,
	} {
		others := unreadFamilies
		for _, family := range []string{forwardedFamily, originalFamily} {
			if !strings.Contains(family, own) {
				others += family
			}
		}
		for missing := range strings.Lines(own) {
			name, _, _ := strings.Cut(missing, ":")
			rest := strings.Replace(own, missing, "", 1)
			for _, line := range lines(others) {
				if !strings.Contains(own, line.Name+":") && line.Name != name {
					rest += line.Name + ": " + line.Value + "\n"
				}
			}
			fold := func(from, to string) string { return strings.ReplaceAll(name, from, to) }
			for what, question := range map[string]string{
				"missing":                   rest,
				"empty":                     rest + name + ": \n",
				"twice":                     rest + missing + missing,
				"twice, different":          rest + missing + name + ": x\n",
				"aliased":                   rest + fold("-", "_") + ": " + missing[len(name)+2:],
				"aliased, beside it":        rest + missing + fold("-", "_") + ": x\n",
				"aliased by a dot":          rest + missing + fold("-", ".") + ": x\n",
				"aliased in one place":      rest + missing + strings.Replace(name, "-", "_", 1) + ": x\n",
				"aliased in the last place": rest + missing + name[:strings.LastIndex(name, "-")] + "~" + name[strings.LastIndex(name, "-")+1:] + ": x\n",
			} {
				if got := w.send(t, proxyAddr, "GET", path, "app.test", lines(question)); got.status != 403 || got.reason != "AMBIGUOUS_REQUEST" {
					t.Errorf("%s: %s %s: %d %s", path, name, what, got.status, got.reason)
				}
			}
		}
		if got := w.send(t, proxyAddr, "GET", path, "app.test", lines(own+others)); got.status != 200 {
			t.Errorf("%s: whole, beside the others: %d %s", path, got.status, got.reason)
		}
	}
}

func TestForwardedValues(t *testing.T) {
	w := newWorld(t)
	for replacement, want := range map[string]string{
		"X-Forwarded-Proto: ws":                   "PUBLIC",
		"X-Forwarded-Proto: wss":                  "PUBLIC",
		"X-Forwarded-Proto: http":                 "PUBLIC",
		"X-Forwarded-Proto: HTTPS":                "AMBIGUOUS_REQUEST",
		"X-Forwarded-Proto: https,http":           "AMBIGUOUS_REQUEST",
		"X-Forwarded-Proto: ftp":                  "AMBIGUOUS_REQUEST",
		"X-Forwarded-Method: GET,POST":            "AMBIGUOUS_REQUEST",
		"X-Forwarded-Method: GET POST":            "AMBIGUOUS_REQUEST",
		"X-Forwarded-Host: app.test, evil.test":   "AMBIGUOUS_REQUEST",
		"X-Forwarded-Host: app.test/public":       "AMBIGUOUS_REQUEST",
		"X-Forwarded-Host: https://app.test":      "AMBIGUOUS_REQUEST",
		"X-Forwarded-Host: app.test:443":          "PUBLIC",
		"X-Forwarded-Uri: https://app.test/x":     "UNSAFE_PATH",
		"X-Forwarded-Uri: /public/x, /private":    "UNSAFE_PATH",
		"X-Forwarded-Uri: /public/a,b":            "PUBLIC",
		"X-Forwarded-Uri: ?x":                     "UNSAFE_PATH",
		"X-Forwarded-For: 10.0.0.1, 203.0.113.77": "PUBLIC",
	} {
		name, _, _ := strings.Cut(replacement, ":")
		question := append(without(lines(forwardedFamily), strings.ToLower(name)), lines(replacement)...)
		for _, path := range []string{"/gate/traefik", "/gate/caddy", "/gate/haproxy"} {
			if got := w.send(t, proxyAddr, "GET", path, "gate", question); got.reason != want {
				t.Errorf("%s: %s: %s, want %s", path, replacement, got.reason, want)
			}
		}
	}
	twice := lines(forwardedFamily + "X-Forwarded-For: 10.0.0.1\nX-Forwarded-For: 203.0.113.77\n")
	if got := w.send(t, proxyAddr, "GET", "/gate/traefik", "gate", twice); got.reason != "AMBIGUOUS_REQUEST" {
		t.Errorf("two X-Forwarded-For: %s", got.reason)
	}
}

func TestClientAddressIsForLogs(t *testing.T) {
	var seen string
	w := newWorld(t, func(c *gate.Config) {
		c.Observe = func(r *gate.Request, _ gate.Decision, _ time.Duration) { seen = r.Edge + " " + r.Client.String() }
	})
	for _, c := range []struct{ path, family, want string }{
		{"/gate/traefik", forwardedFamily + "X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.1.1.1\n", "traefik 203.0.113.9"},
		{"/gate/nginx", originalFamily + "X-Forwarded-For: 203.0.113.9\n", "nginx 203.0.113.9"},
		{"/gate/envoy/public/x", envoyFamily, "envoy 10.0.0.7"},
		{"/gate/haproxy", forwardedFamily + "X-Forwarded-For: nonsense\n", "haproxy 10.0.0.7"},
	} {
		w.send(t, proxyAddr, "GET", c.path, "app.test", lines(c.family))
		if seen != c.want {
			t.Errorf("%s: observed %q, want %q", c.path, seen, c.want)
		}
	}
	w.send(t, "203.0.113.200", "GET", "/gate/caddy", "gate", lines(forwardedFamily+"X-Forwarded-For: 1.1.1.1\n"))
	if seen != "caddy 203.0.113.200" {
		t.Errorf("a stranger is observed as %q", seen)
	}
}

// Envoy's HTTP service sets what it finds in an answer; what is not there would stay the client's.
func TestEnvoyIsToldWhatToRemove(t *testing.T) {
	w := newWorld(t)
	for cookie, want := range map[string]string{
		"session=none-of-it": "x-auth-method,x-auth-org-id,x-auth-user-id,x-impersonated-by,x-internal-caller,x-org-id,x-org-name,x-org-role," +
			"x-org-slug,x-session-id,x-team-id,x-user-email,x-user-email-verified,x-user-id,x-user-name,x-user-role",
		"session=alice": "x-auth-org-id,x-auth-user-id,x-impersonated-by,x-internal-caller",
	} {
		got := w.send(t, proxyAddr, "GET", "/gate/envoy/feed", "app.test", lines(envoyFamily+"Cookie: "+cookie+"\n"))
		if list := got.answer["X-Envoy-Auth-Headers-To-Remove"]; got.status != 200 || len(list) != 1 || list[0] != want {
			t.Errorf("%s: %d, remove %q, want %q", cookie, got.status, list, want)
		}
	}
	got := w.send(t, proxyAddr, "GET", "/gate/envoy/private", "app.test", lines(envoyFamily+"X-User-Id: evil\n"))
	if list := got.answer["X-Envoy-Auth-Headers-To-Remove"]; list != nil {
		t.Errorf("a refusal says %q to the client", list)
	}
}

func TestZeroValuesRefuse(t *testing.T) {
	for _, path := range []string{"/gate/traefik", "/gate/caddy", "/gate/haproxy", "/gate/nginx", "/gate/nginx/answer", "/gate/envoy/x"} {
		recorder := httptest.NewRecorder()
		new(forwardauth.Handler).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		if recorder.Code != 503 {
			t.Errorf("%s: %d", path, recorder.Code)
		}
	}
	if _, err := forwardauth.New(forwardauth.Config{TicketKey: make([]byte, 32)}); err == nil {
		t.Error("New without a gate")
	}
	if _, err := forwardauth.New(forwardauth.Config{Gate: newWorld(t).gate, TicketKey: make([]byte, 31)}); err == nil {
		t.Error("New with a short key")
	}
	h, err := forwardauth.New(forwardauth.Config{Gate: newWorld(t).gate, TicketKey: make([]byte, 32)})
	must(t, err)
	w := &world{http: h}
	if got := w.send(t, "127.0.0.1", "GET", "/gate/traefik", "gate", lines(forwardedFamily)); got.reason != "UNTRUSTED_PROXY" {
		t.Errorf("the zero Proxies trust somebody: %s", got.reason)
	}
}

func TestPanicsAreRefusals(t *testing.T) {
	w := newWorld(t, func(c *gate.Config) {
		c.Observe = func(*gate.Request, gate.Decision, time.Duration) { panic("observer") }
	})
	for _, e := range edges() {
		o := original{method: "GET", scheme: "https", host: "app.test", target: "/public/x", peer: proxyAddr}
		if got := e.ask(t, w, o); got.status != 503 || got.reason != "INTERNAL_ERROR" {
			t.Errorf("%s: %d %s", e.name, got.status, got.reason)
		}
	}
}
