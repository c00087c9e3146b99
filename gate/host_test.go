package gate

import (
	"net/netip"
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	const refused = ""
	for authority, want := range map[string]string{
		"app.test":                 "app.test",
		"App.TEST":                 "app.test", // R11
		"App.TEST:8443":            "app.test",
		"app.test.":                "app.test",
		"app.test.:443":            "app.test",
		"app.test:8009":            "app.test",
		"localhost":                "localhost",
		"my_service":               "my_service",
		"xn--caf-dma.test":         "xn--caf-dma.test",
		"127.0.0.1:80":             "127.0.0.1",
		"[::1]":                    "[::1]",
		"[::1]:8080":               "[::1]",
		"[2001:DB8::A]:1":          "[2001:db8::a]",
		"[2001:db8:0:0:0:0:0:a]":   "[2001:db8::a]", // one address, one spelling
		"[::ffff:7f00:1]":          "[::ffff:127.0.0.1]",
		"app.test:65535":           "app.test",
		strings.Repeat("a", 255):   strings.Repeat("a", 255),
		strings.Repeat("a", 262):   refused,
		"":                         refused,
		".":                        refused,
		":80":                      refused,
		".app.test":                refused,
		"app..test":                refused,
		"app.test..":               refused, // would be another name than app.test
		"app.test..:443":           refused,
		"app.test:":                refused,
		"app.test:port":            refused,
		"app.test:80:80":           refused,
		"app.test:-1":              refused,
		"app.test:123456":          refused,
		"app.test,evil.test":       refused, // Envoy joins two Host lines
		"app.test, evil.test":      refused,
		"user@app.test":            refused,
		"user:pass@app.test":       refused,
		"app.test/x":               refused,
		"app.test?x":               refused,
		"app.test#x":               refused,
		"http://app.test":          refused,
		"app test":                 refused,
		" app.test":                refused,
		"app.test\x00":             refused,
		"app.test\r\nX-User-Id: e": refused,
		"app.test%2eevil.test":     refused,
		"café.test":                refused,
		"\u212a.test":              refused, // the Kelvin sign folds to k
		"*.app.test":               refused,
		`app\test`:                 refused,
		"[::1":                     refused,
		"::1":                      refused,
		"[]":                       refused,
		"[::1]x":                   refused,
		"[::1]80":                  refused,
		"[::1].80":                 refused,
		"[::1]:":                   refused,
		"[::1]:x":                  refused,
		"[127.0.0.1]":              refused,
		"[fe80::1%eth0]":           refused,
		"[app.test]":               refused,
	} {
		got, why := host(authority)
		if got != want || (why == AmbiguousRequest) != (want == refused) {
			t.Errorf("%.40q: got %q, %q, want %q", authority, got, why, want)
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, authority := range []string{"App.TEST:8443", "app.test.", "app.test..", "[::1]:80", "[::ffff:1.2.3.4]", "a,b", "a@b", "[::1].80", "café"} {
		f.Add(authority)
	}
	f.Fuzz(func(t *testing.T, authority string) {
		name, port, ok := splitAuthority(authority)
		canonical, why := host(authority)
		if ok != (why == "") || ok && canonical != name {
			t.Fatalf("%q: splitAuthority says %q, %v; host says %q, %q", authority, name, ok, canonical, why)
		}
		if !ok {
			if name != "" || port != "" || canonical != "" {
				t.Errorf("%q is refused but answers %q, %q", authority, name, port)
			}
			return
		}
		if strings.Trim(port, "0123456789") != "" || len(port) > 5 {
			t.Errorf("%q: port %q", authority, port)
		}
		if name[0] == '[' {
			address, err := netip.ParseAddr(strings.Trim(name, "[]"))
			if err != nil || !address.Is6() || "["+address.String()+"]" != name {
				t.Errorf("%q: %q is no canonical address: %v", authority, name, err)
			}
		} else if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || strings.HasPrefix(name, ".") ||
			strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
			t.Errorf("%q: %q is no canonical name", authority, name)
		}
		// Canonical means: there is nothing left to do.
		if again, why := host(name); again != name || why != "" {
			t.Errorf("%q: %q becomes %q, %q", authority, name, again, why)
		}
	})
}
