package flow

import (
	"strings"
	"testing"
)

// The table of better-auth-oauth.md, section 6.3, observed on 1.7.25, in full.
func theTablesOrigins(t testing.TB) *Origins {
	t.Helper()
	o, err := NewOrigins("https://auth.example.com/api/auth", strings.Split("https://app.example.com, *.wild.example.net, "+
		"https://*.sec.example.org, http://localhost:3000, myapp://, exp://10.0.0.*:*/**, other://cb/path, "+
		"https://preview-*.example.io, https://with-slash.example.com/, https://with-path.example.com/base, 192.168.*.*, "+
		"**.deep.example.dev, https://q?.example.com", ", ")...)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestReturnURLsAreTheLibrarysOrStricter(t *testing.T) {
	o := theTablesOrigins(t)
	accepted := []string{
		"/", "/dash", "/dash?x=1&y=//evil.com", "/dash#//evil", "", "/a//b", "/a b", "/a?u=%2f%2fevil", "/@evil.com", "/a:b", "/üñí",
		"/a;b,c!$&'()*+=~", "/[id]",
		"https://auth.example.com", "https://auth.example.com/x", "https://AUTH.example.com/x", "https://auth.example.com:443/x",
		"https://app.example.com/cb", "https://a.wild.example.net/x", "ftp://a.wild.example.net/", "https://a.sec.example.org/",
		"https://a.b.sec.example.org/", "http://localhost:3000/x", "https://preview-1.example.io/", "http://192.168.1.5/x",
		"https://a.b.deep.example.dev/", "https://q1.example.com/",
		"myapp://anything/path", "myapp:anything", "MYAPP://x", "exp://10.0.0.5:8081/--/x", "other://cb/path", "other://cb/path/sub",
	}
	refused := []string{
		"dash", "./dash", "//evil.com", "///evil.com", `/\evil.com`, `/\/evil.com`, `\evil.com`, "/%5cevil.com", "/%2fevil.com",
		"/%2F%2Fevil.com", "/a\tb", "/\t/evil.com", "/\n/evil.com", `/a?b=\x`,
		"https://auth.example.com:8443/x", "http://auth.example.com/x", "https://auth.example.com@evil.com/",
		"https://auth.example.com.evil.com/", "https://evil.com/https://auth.example.com",
		"https://app.example.com.", "https://sub.app.example.com/", "http://a.b.wild.example.net:99/x", "https://wild.example.net/",
		"https://evilwild.example.net/", "http://a.sec.example.org/", "https://a.sec.example.org:8443/",
		"https://evil.com/.sec.example.org", "https://evil.com#.sec.example.org", "http://localhost:3001/x",
		"http://127.0.0.1:3000/x", "https://preview-1.evil.com/.example.io", "https://with-slash.example.com/x",
		"https://with-path.example.com/base/x", "http://192.168.attacker.com/", "https://q12.example.com/",
		"exp://10.0.0.5.evil.com:80/x", "exp://10.0.1.5:8081/x", "other://cb/pathx", "other://cb/path/../evil",
		"other://cb/path/%2e%2e/evil", "other://evil/path", "javascript:alert(1)", "data:text/html,x", "mailto:a@b.c",
		"blob:https://auth.example.com/x", "file:///etc/passwd", "null", "about:blank",
	}
	// docs/companion.md lists these: the library admits them.
	stricter := []string{
		"/a/%2e%2e/b", "/..//evil.com", "/.//evil.com", "/.%2E//evil.com", "/a ", // dots and blanks
		"https://user:pw@auth.example.com/x", "https:auth.example.com/x", "https:/auth.example.com/x", "https:///auth.example.com/x",
		`https:\\auth.example.com\x`, " https://auth.example.com/x", `https://auth.example.com\@evil.com`,
		"https://app.example.com/a\tb", "https://app.example.com/\r\nSet-Cookie: x=y", "ht\ntps://app.example.com/",
		"https://auth.example.com:/x", "https://%61uth.example.com/x", "https://ａuth.example.com/x", "http://0300.168.1.5/x", "http://192.168.5/x",
		"https://xn--bcher-kva.wild.example.net/", "javascript://a.wild.example.net/%0aalert(1)", "myschema://a.wild.example.net/",
		"/\xff", "https://app.example.com/\u0085",
	}
	for _, raw := range accepted {
		if got, err := o.ReturnURL(raw); err != nil {
			t.Errorf("%q refused: %v", raw, err)
		} else if raw != "" && got.String() != raw {
			t.Errorf("%q became %q", raw, got)
		}
	}
	for _, raw := range append(refused, stricter...) {
		if got, err := o.ReturnURL(raw); err == nil {
			t.Errorf("%q accepted as %q", raw, got)
		}
	}
}

func TestTheZeroValueStaysHere(t *testing.T) {
	if got := (ReturnURL{}).String(); got != "/" {
		t.Errorf("the zero value leads to %q", got)
	}
}

func TestParseReturnURLNamesItsOrigins(t *testing.T) {
	for raw, want := range map[string]bool{
		"": true, "/x": true, "http://localhost:3000/x": true, "http://localhost:3001/x": false, "https://none.example/": false, "//x": false,
	} {
		if _, err := ParseReturnURL(raw, "http://localhost:3000"); (err == nil) != want {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestOriginsOfRequests(t *testing.T) {
	o := theTablesOrigins(t)
	for origin, want := range map[string]bool{
		"https://auth.example.com": true, "https://x.wild.example.net": true, "http://localhost:3000": true, "myapp://": true,
		"https://evil.com": false, "null": false, "": false, "/": false, "https://with-slash.example.com": false,
	} {
		if o.Trust(origin) != want {
			t.Errorf("%q: %v", origin, !want)
		}
	}
	if o.Base() != "https://auth.example.com" {
		t.Error(o.Base())
	}
	for _, base := range []string{"", "auth.example.com", "ftp://x", "https://", "javascript:x"} {
		if _, err := NewOrigins(base); err == nil {
			t.Errorf("base %q taken", base)
		}
	}
}

// What is admitted stays on a trusted site, also after an error is put in; nothing panics.
func FuzzReturnURL(f *testing.F) {
	for _, s := range []string{"/a/b?c#d", "https://app.example.com/x", "/..//evil.com", "exp://10.0.0.5:80/x", "https://[::1]:80/"} {
		f.Add(s)
	}
	o := theTablesOrigins(f)
	f.Fuzz(func(t *testing.T, raw string) {
		back, err := o.ReturnURL(raw)
		if err != nil {
			return
		}
		told, ok := ErrorURL(back.String(), "x", "")
		if raw == "" || !ok {
			return
		}
		if raw[0] == '/' && (!strings.HasPrefix(told, "/") || strings.HasPrefix(told, "//") || strings.Contains(told, `\`)) {
			t.Errorf("%q became %q", raw, told)
		}
		if raw[0] != '/' && !o.Trust(told) {
			t.Errorf("%q became %q, which is not trusted", raw, told)
		}
		for _, c := range []byte(Location(raw)) {
			if c < 0x20 || c >= 0x7f {
				t.Errorf("%q has a byte no header may carry", raw)
			}
		}
	})
}
