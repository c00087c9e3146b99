package gate_test

import (
	"testing"

	"github.com/usherauth/usher/gate"
)

func TestSameOriginEvidence(t *testing.T) {
	const passes, refused = "allow SIGNED_IN", "deny INVALID_ORIGIN"
	for _, c := range []struct {
		it                string
		fetchSite, origin string
		want              string
	}{
		{"fetch metadata: same origin", "same-origin", "", passes},
		{"fetch metadata: same origin, whatever Origin says", "same-origin", "https://evil.test", passes},
		{"fetch metadata: typed in", "none", "", passes},
		{"fetch metadata: same site", "same-site", "", refused},
		{"fetch metadata: same site, own origin", "same-site", "https://app.test", passes},
		{"fetch metadata: same site, a stranger's origin", "same-site", "https://evil.app.test", refused},
		{"fetch metadata: cross site", "cross-site", "", refused},
		{"fetch metadata: cross site, a stranger's origin", "cross-site", "https://evil.test", refused},
		{"fetch metadata: cross site, trusted origin", "cross-site", "https://trusted.test", passes},
		{"fetch metadata: a word nobody knows", "sideways", "", refused},
		{"fetch metadata: in capitals", "Same-Origin", "", refused},
		{"own origin", "", "https://app.test", passes},
		{"own origin with the default port", "", "https://app.test:443", passes},
		{"own origin in capitals", "", "HTTPS://APP.test", passes},
		{"another scheme", "", "http://app.test", refused},
		{"another port", "", "https://app.test:8443", refused},
		{"a trusted origin", "", "https://trusted.test", passes},
		{"a trusted origin, another scheme", "", "http://trusted.test", refused},
		{"a trusted origin, another port", "", "https://trusted.test:8443", refused},
		{"a trusted wildcard", "", "https://a.partner.test", passes},
		{"the domain of a trusted wildcard", "", "https://partner.test", refused},
		{"a stranger that ends alike", "", "https://evilpartner.test", refused},
		{"a stranger that begins alike", "", "https://trusted.test.evil.test", refused},
		{"a stranger with user information", "", "https://trusted.test@evil.test", refused},
		{"a stranger with a path", "", "https://trusted.test/x", refused},
		{"below the own host", "", "https://x.app.test", refused},
		{"the opaque origin", "", "null", refused},
		{"the opaque origin, same site", "same-site", "null", refused},
		{"no origin at all", "", "://", refused},
		{"a scheme only", "", "https://", refused},
		{"not a browser", "", "", passes},
	} {
		w := newWorld(t, nil)
		for _, m := range []string{"POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get", "X-NEW"} {
			if got := w.decide(t, get("/x", cookie("alice"), method(m), fetchSite(c.fetchSite), origin(c.origin))); got != c.want {
				t.Errorf("%s: %s: got %s, want %s", c.it, m, got, c.want)
			}
		}
		if got := w.decide(t, get("/x", cookie("alice"), upgrade, fetchSite(c.fetchSite), origin(c.origin))); got != c.want {
			t.Errorf("%s: a WebSocket: got %s, want %s", c.it, got, c.want)
		}
		// Nobody asks where it changes nothing, or where the credential is not ambient.
		for _, m := range []string{"GET", "HEAD", "OPTIONS"} {
			if got := w.decide(t, get("/x", cookie("alice"), method(m), fetchSite(c.fetchSite), origin(c.origin))); got != passes {
				t.Errorf("%s: %s: got %s", c.it, m, got)
			}
		}
		if got := w.decide(t, get("/x", bearer("alice"), method("POST"), fetchSite(c.fetchSite), origin(c.origin))); got != passes {
			t.Errorf("%s: a bearer: got %s", c.it, got)
		}
	}
}

func TestTheOwnOriginIsTheRequests(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct{ scheme, host, origin, want string }{
		{"https", "App.Test:443", "https://app.test", "allow SIGNED_IN"},
		{"https", "app.test:8443", "https://app.test:8443", "allow SIGNED_IN"},
		{"https", "app.test:8443", "https://app.test", "deny INVALID_ORIGIN"},
		{"http", "localhost:3000", "http://localhost:3000", "allow SIGNED_IN"},
		{"http", "app.test:80", "http://app.test", "allow SIGNED_IN"},
		{"http", "app.test:443", "http://app.test", "deny INVALID_ORIGIN"},
		{"http", "[::1]:3000", "http://[0:0::1]:3000", "allow SIGNED_IN"},
		{"http", "[::1]", "http://[::1].80", "deny INVALID_ORIGIN"},
	} {
		r := get("/x", cookie("alice"), method("POST"), host(c.host), origin(c.origin))
		r.Scheme = c.scheme
		if got := w.decide(t, r); got != c.want {
			t.Errorf("%s://%s from %s: got %s, want %s", c.scheme, c.host, c.origin, got, c.want)
		}
	}
}

func TestTrustedOriginPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, origin string
		want            bool
	}{
		{"https://a.test", "https://a.test", true},
		{"https://a.test/", "https://a.test", true},
		{" https://A.test:443 ", "https://a.test", true},
		{"https://a.test", "https://b.test", false},
		{"a.test", "https://a.test", false}, // Better Auth never matches a bare host
		{"*.a.test", "https://x.a.test", true},
		{"*.a.test", "http://x.a.test", true},
		{"*.a.test", "https://a.test", false},
		{"*.a.test", "https://x.a.test.evil.test", false},
		{"https://*.a.test", "http://x.a.test", false},
		{"https://*.a.test", "https://x.y.a.test", true},
		{"http*://a.test", "http://a.test", true},
		{"*://a.test", "https://a.test", true},
		{"https://a?.test", "https://a1.test", true},
		{"https://a?.test", "https://a12.test", false},
		{"https://a.test:*", "https://a.test:8443", true},
		{"http://localhost:*", "http://localhost:3000", true},
		{"http://localhost:*", "http://localhost.evil.test:3000", false},
		// an address with wildcards is an address, not the beginning of a name
		{"http://192.168.*", "http://192.168.1.7", true},
		{"http://192.168.*", "http://192.168.evil.test", false},
		{"192.168.*:3000", "http://192.168.0.1:3000", true},
		{"192.168.*:3000", "http://192.168.evil.test:3000", false},
		{"http://10.?.0.1", "http://10.9.0.1", true},
		{"http://*1*", "http://10.0.0.1", true},
		{"http://*1*", "http://[::1]:3000", false},
		// what no browser writes for a page that the list means
		{"https://a.test", "https://a.test.", false},
		{"https://*.a.test", "https://x.a.test.:443", false},
		{"*.a.test", "javascript://x.a.test", false},
		{"*", "chrome-extension://abcdef", false},
		{"*://a.test", "ftp://a.test", false},
		{"http://*", "http://0x7f.1", false},
		{"http://*", "http://127.0.0.1.", false},
		{"http://*", "http://[::ffff:10.0.0.1]", false},
		{"http://*", "http://[::1]", true},
		{"https://*.a.test", "https://xn--bcher-kva.a.test", false},
		{"https://xn--bcher-kva.test", "https://xn--bcher-kva.test", true},
		// everybody, as the list says; `usher config check` warns
		{"*", "https://any.test", true},
		{"https://*", "https://any.test", true},
		{"https://*", "http://any.test", false},
		{"http://*:3000", "http://any.test:3000", true},
		{"http://*:3000", "http://any.test:3001", false},
		{"*.*", "https://any.test", true},
		// what is no web origin stays out
		{"myapp://", "myapp://", false},
		{"exp://**", "https://any.test", false},
		{"https://a.test/path", "https://a.test", false},
		{"https://a.test@evil.test", "https://evil.test", false},
		{"", "https://a.test", false},
	} {
		origins, err := gate.NewOrigins([]string{c.pattern})
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		w := newWorld(t, nil, func(g *gate.Config) { g.Origins = origins })
		d := w.Check(t.Context(), get("/x", cookie("alice"), method("POST"), origin(c.origin)))
		if got := d.Verdict == gate.Allow; got != c.want {
			t.Errorf("%q trusts %s: %v", c.pattern, c.origin, got)
		}
	}
	// What is skipped hides nothing that follows.
	list := []string{"", "myapp://", "exp://**", "https://a.test/path", "https://", "bare.test", "https://x.test@evil.test", "https://good.test"}
	origins, err := gate.NewOrigins(list)
	must(t, err)
	w := newWorld(t, nil, func(g *gate.Config) { g.Origins = origins })
	for from, want := range map[string]string{
		"https://good.test": "allow SIGNED_IN", "https://evil.test": "deny INVALID_ORIGIN", "https://bare.test": "deny INVALID_ORIGIN",
		"https://a.test": "deny INVALID_ORIGIN", "https://": "deny INVALID_ORIGIN",
	} {
		if got := w.decide(t, get("/x", cookie("alice"), method("POST"), origin(from))); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
	for _, entry := range []string{"https://a b.test", "https://a\x00.test", "a\tb"} {
		if _, err := gate.NewOrigins([]string{entry}); err == nil {
			t.Errorf("%q is no problem", entry)
		}
	}
}

func TestPreflights(t *testing.T) {
	rules := []gate.Rule{
		{Path: "/public", Access: gate.Open},
		{Path: "/feed", Access: gate.Optional},
		{Path: "/posts", Methods: []string{"GET"}, Access: gate.Open},
		{Path: "/posts", Methods: []string{"DELETE"}, UserRoles: []string{"admin"}},
		{Name: "named", Path: "/named", Access: gate.Open},
	}
	preflight := func(announced string) func(*gate.Request) {
		return func(r *gate.Request) { r.Method, r.Announced = "OPTIONS", announced }
	}
	const own, trusted, stranger = "https://app.test", "https://trusted.test", "https://evil.test"
	for _, c := range []struct {
		it   string
		r    *gate.Request
		want string
	}{
		{"public, a stranger", get("/public", preflight("POST"), origin(stranger)), "allow PREFLIGHT"},
		{"optional, a stranger", get("/feed", preflight("POST"), origin(stranger)), "allow PREFLIGHT"},
		{"required, own origin", get("/x", preflight("POST"), origin(own)), "allow PREFLIGHT"},
		{"required, trusted origin", get("/x", preflight("POST"), origin(trusted)), "allow PREFLIGHT"},
		{"required, a stranger", get("/x", preflight("POST"), origin(stranger)), "deny INVALID_ORIGIN"},
		{"required, a stranger with a session", get("/x", preflight("POST"), origin(stranger), cookie("alice")), "deny INVALID_ORIGIN"},
		{"required, the opaque origin", get("/x", preflight("POST"), origin("null")), "deny INVALID_ORIGIN"},
		{"judged by the method it announces", get("/posts", preflight("GET"), origin(stranger)), "allow PREFLIGHT"},
		{"judged by the other method it announces", get("/posts", preflight("DELETE"), origin(stranger)), "deny INVALID_ORIGIN"},
		{"a role is not asked for", get("/posts", preflight("DELETE"), origin(own)), "allow PREFLIGHT"},
		{"announced in lower case", get("/posts", preflight("delete"), origin(stranger)), "deny INVALID_ORIGIN"},
		{"a session is not looked at", get("/x", preflight("POST"), origin(own), cookie("forged")), "allow PREFLIGHT"},
		{"a banned user's", get("/x", preflight("POST"), origin(own), cookie("banned")), "allow PREFLIGHT"},
		{"picked by name", get("/x", preflight("POST"), origin(stranger), named("named")), "allow PREFLIGHT"},
		{"an unknown name", get("/x", preflight("POST"), origin(own), named("unknown")), "deny UNKNOWN_RULE"},
		{"an odd path", get("/x/../y", preflight("POST"), origin(own)), "deny UNSAFE_PATH"},
		{"OPTIONS without Origin is no preflight", get("/x", preflight("POST")), "sign-in NO_CREDENTIAL"},
		{"OPTIONS without a method is no preflight", get("/x", preflight(""), origin(own)), "sign-in NO_CREDENTIAL"},
		{"OPTIONS without a method, signed in", get("/x", preflight(""), origin(stranger), cookie("alice")), "allow SIGNED_IN"},
		{"another method that announces one", get("/x", origin(own), func(r *gate.Request) { r.Method, r.Announced = "POST", "GET" }), "sign-in NO_CREDENTIAL"},
		{"options in lower case is no preflight", get("/x", origin(own), func(r *gate.Request) { r.Method, r.Announced = "options", "GET" }), "sign-in NO_CREDENTIAL"},
	} {
		w := newWorld(t, rules)
		if got := w.decide(t, c.r); got != c.want {
			t.Errorf("%s: got %s, want %s", c.it, got, c.want)
		}
		if d := w.Check(t.Context(), c.r); d.Reason == gate.Preflight {
			if a := w.Answer(c.r, d); d.Principal != nil || len(a.Identity) != 0 || len(a.Unset) == 0 || w.sessions.Calls() != 0 {
				t.Errorf("%s: carries identity: %+v", c.it, a)
			}
		}
	}
}
