package boot_test

import (
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
	"github.com/usherauth/usher/oauth/flow"
)

// gateTrusts asks a gate whether a page of an origin may use a cookie here.
func gateTrusts(t *testing.T, entry, origin string) bool {
	t.Helper()
	origins, err := gate.NewOrigins([]string{"https://own.test", entry})
	if err != nil {
		return false
	}
	preset, _ := gate.Preset("usher")
	headers, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Organization: "X-Org-Id"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gate.New(gate.Config{
		Reader: gatetest.Reader{}, Headers: headers, Origins: origins,
		Resolver: gatetest.NewResolver(map[string]*gate.Principal{"ada": {
			User: gate.User{ID: "u"}, Session: gate.Session{ID: "s", ExpiresAt: time.Now().Add(time.Hour)},
		}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	d := g.Check(t.Context(), &gate.Request{
		Method: "POST", Scheme: "https", Host: "backend.test", Target: "/", Origin: origin, Cookies: []string{"session=ada"},
	})
	return d.Verdict == gate.Allow
}

func companionTrusts(entry, origin string) bool {
	origins, err := flow.NewOrigins("https://own.test", entry)
	return err == nil && origins.Trust(origin)
}

// "Is a page of this origin trusted?" is answered in two places: by the gate, about whoever uses a cookie at a backend, and by
// the companion, about whoever signs in. Both read better_auth.trusted_origins, and both are asked the same here.
func TestBothHalvesTrustTheSameOrigins(t *testing.T) {
	type question struct{ entry, origin string }
	for _, c := range []question{
		{"https://a.test", "https://a.test"},
		{"https://a.test", "https://own.test"},
		{"https://a.test", "https://a.test:443"},
		{"http://a.test", "http://a.test:80"},
		{"https://a.test:8443", "https://a.test:8443"},
		{"https://a.test", "HTTPS://A.test"},
		{"*.a.test", "https://x.a.test"},
		{"*.a.test", "http://x.a.test"},
		{"*.a.test:8443", "https://x.a.test:8443"},
		{"*.a.test:*", "https://x.a.test:8443"},
		{"https://*.a.test", "https://x.y.a.test"},
		{"https://*.a.test", "https://x.a.test:443"},
		{"http*://a.test", "http://a.test"},
		{"http*://a.test", "https://a.test"},
		{"*://a.test", "https://a.test"},
		{"ht?p://a.test", "http://a.test"},
		{"https://a?.test", "https://a1.test"},
		{"https://a?test", "https://a.test"},
		{"https://**.a.test", "https://x.y.a.test"},
		{"https://a.test:*", "https://a.test:8443"},
		{"http://localhost:*", "http://localhost:3000"},
		{"http://192.168.*", "http://192.168.1.7"},
		{"http://192.168.*:*", "http://192.168.1.7:3000"},
		{"192.168.*.*", "http://192.168.1.5"},
		{"192.168.*.*", "http://192.168.1.5:3000"},
		{"http://*1*", "http://10.0.0.1"},
		{"http://127.0.0.1:3000", "http://127.0.0.1:3000"},
		{"http://[::1]:3000", "http://[::1]:3000"},
		{"http://[::1]:3000", "http://[0:0::1]:3000"},
		{"http://[::1]", "http://[::1]"},
		{"http://*", "http://[::1]"},
		{"https://xn--bcher-kva.test", "https://xn--bcher-kva.test"},
		{"https://*", "https://a_b.test"},
		{"*", "https://any.test"},
		{"https://*", "https://any.test"},
		{"*.*", "https://any.test"},
	} {
		if g, p := gateTrusts(t, c.entry, c.origin), companionTrusts(c.entry, c.origin); !g || !p {
			t.Errorf("%q admits %q: gate %v, companion %v", c.entry, c.origin, g, p)
		}
	}
	for _, c := range []question{
		{"https://a.test", "https://b.test"},
		{"https://a.test", "http://a.test"},
		{"https://a.test", "https://a.test:8443"},
		{"https://a.test", "https://a.test:"},
		{"https://a.test", "https://a.test:80"},
		{"https://a.test", "https://a.test:99999"},
		{"https://a.test:8443", "https://a.test"},
		{"https://a.test", "https://a.test."},
		{"https://a.test", "https://a.test.."},
		{"https://a.test", "https://.a.test"},
		{"https://*.a.test", "https://x.a.test."},
		{"*.a.test", "https://x.a.test."},
		{"https://a.test", "https://u@a.test"},
		{"https://a.test", "https://u:p@a.test"},
		{"https://*.a.test", "https://evil.test@x.a.test"},
		{"https://*", "https://u@a.test"},
		{"*", "https://u@a.test"},
		{"https://a.test", "https://a.test@evil.test"},
		{"https://*.a.test", "https://x.evil.test#.a.test"},
		{"https://*.a.test", "https://x.evil.test?.a.test"},
		{"https://*.a.test", "https://evil.test/.a.test"},
		{"https://*.a.test", "https://evil.test\\.a.test"},
		{"https://a.test", "null"},
		{"*", "null"},
		{"null", "null"},
		{"https://*", "null"},
		{"https://a.test", "://"},
		{"*", "://"},
		{"*", "https://"},
		{"*", "*"},
		{"https://a.test", "a.test"},
		{"a.test", "https://a.test"},
		{"*.a.test", "a.test"},
		{"https://a.test", "//a.test"},
		{"https://a.test", "https:a.test"},
		{"https://a.test", "https:///a.test"},
		{"*.a.test", "javascript://x.a.test"},
		{"*.a.test", "file://x.a.test"},
		{"*.a.test", "chrome-extension://x.a.test"},
		{"*", "chrome-extension://abcdef"},
		{"*.a.test", "https://x.a.test:8443"},
		{"*.a.test", "https://a.test"},
		{"*.a.test", "https://xa.test"},
		{"*.a.test", "https://x.a.test.evil.test"},
		{"https://*.a.test", "http://x.a.test"},
		{"https://*.a.test", "https://x.a.test:8443"},
		{"*://a.test", "ftp://a.test"},
		{"https://a?.test", "https://a12.test"},
		{"https://a.test:*", "https://a.test"},
		{"http://localhost:*", "http://localhost.evil.test:3000"},
		{"http://localhost:3000", "http://127.0.0.1:3000"},
		{"http://192.168.*", "http://192.168.evil.test"},
		{"192.168.*.*", "http://192.168.5"},
		{"192.168.*.*", "http://0300.168.1.5"},
		{"192.168.*.*", "http://0xc0.168.1.5"},
		{"http://*1*", "http://[::1]"},
		{"http://*1*", "http://a1.test"},
		{"http://127.0.0.1", "http://127.1"},
		{"http://127.0.0.1", "http://0x7f.0.0.1"},
		{"http://*", "http://0x7f.1"},
		{"http://*", "http://1.2.3.256"},
		{"http://*", "http://127.0.0.1."},
		{"http://*", "http://[::1%25eth0]"},
		{"http://*", "http://[::ffff:1.2.3.4]"},
		{"http://[::1]", "http://[::1].80"},
		{"http://[::1]", "http://::1"},
		{"http://*", "http://[::1"},
		{"https://*.a.test", "https://xn--bcher-kva.a.test"},
		{"*.a.test", "https://xn--bcher-kva.a.test"},
		{"https://*.a.test", "https://bücher.a.test"},
		{"https://bücher.test", "https://bücher.test"},
		{"https://bücher.test", "https://xn--bcher-kva.test"},
		{"https://*", "https://%61.test"},
		{"https://*", "https://ａ.test"},
		{"https://*", "https://a b.test"},
		{"https://*", "https://a.test "},
		{"https://*", " https://a.test"},
		{"https://*", "https://a.test\t"},
		{"https://*", "https://a.test,https://b.test"},
		{"https://*", "https://a.test https://b.test"},
		{"https://*", "https://*"},
		{"https://a.test/x", "https://a.test"},
		{"https://u@a.test", "https://a.test"},
		{"https://a.test#x", "https://a.test"},
		{"https://\\*.a.test", "https://*.a.test"},
		{"https://\\a.test", "https://a.test"},
		{"https://\\*.a.*", "https://x.a.test"},
		{"", "https://a.test"},
		{"https://*", "http://any.test"},
	} {
		if g, p := gateTrusts(t, c.entry, c.origin), companionTrusts(c.entry, c.origin); g || p {
			t.Errorf("%q admits %q: gate %v, companion %v", c.entry, c.origin, g, p)
		}
	}
	// Where they differ, and why.
	const (
		pages     = "the gate is asked about pages of the web alone, by browsers, which write a port and a name in one way; the library parses any URL"
		urls      = "the companion is asked about return URLs and Referer as well, as the library is"
		deepLinks = "an app's own scheme is for return URLs; no page has it"
		spelling  = "the gate reads what an operator meant, the library compares the entry as it is written; `usher config check` warns of those without wildcards"
		escapes   = "a backslash escapes in the library's patterns; the gate knows no entry with one"
	)
	for _, c := range []struct {
		question
		gate bool // and the companion the opposite
		why  string
	}{
		{question{"https://a.test", "https://a.test:0443"}, false, pages},
		{question{"https://a.test:8443", "https://a.test:08443"}, false, pages},
		{question{"https://a.test*", "https://a.test."}, false, pages},
		{question{"*.a.test", "ftp://x.a.test"}, false, pages},
		{question{"*.a.test", "ws://x.a.test"}, false, pages},
		{question{"*.a.test", "wss://x.a.test"}, false, pages},
		{question{"chrome-extension://abcdef", "chrome-extension://abcdef"}, false, deepLinks},
		{question{"myapp://", "myapp://"}, false, deepLinks},
		{question{"myapp://", "myapp://x"}, false, deepLinks},
		{question{"https://a.test", "https://a.test/"}, false, urls},
		{question{"https://a.test", "https://a.test/x"}, false, urls},
		{question{"https://a.test", "https://a.test?x"}, false, urls},
		{question{"https://*", "https://a.test/x"}, false, urls},
		{question{"https://A.test", "https://a.test"}, true, spelling},
		{question{"HTTPS://a.test", "https://a.test"}, true, spelling},
		{question{"https://*.A.test", "https://x.a.test"}, true, spelling},
		{question{"https://a.test:443", "https://a.test"}, true, spelling},
		{question{"https://a.test/", "https://a.test"}, true, spelling},
		{question{"https://*.a.test/", "https://x.a.test"}, true, spelling},
		{question{" https://a.test ", "https://a.test"}, true, spelling},
		{question{"https://a.test.", "https://a.test"}, true, spelling},
		{question{"http://[0:0::1]", "http://[::1]"}, true, spelling},
		{question{`https://\a.*`, "https://a.test"}, false, escapes},
	} {
		if g, p := gateTrusts(t, c.entry, c.origin), companionTrusts(c.entry, c.origin); g != c.gate || p == c.gate {
			t.Errorf("%q admits %q: gate %v, companion %v; they differed because %s", c.entry, c.origin, g, p, c.why)
		}
	}
}
