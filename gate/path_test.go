package gate

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var pathRules = map[string]PathRules{
	"no option":       {},
	"merge_slashes":   {MergeSlashes: true},
	"encoded_slashes": {EncodedSlashes: true},
	"both options":    {MergeSlashes: true, EncodedSlashes: true},
}

// unsafeTargets are refused whatever the options and the rule say.
var unsafeTargets = []string{
	// dot segments
	"/.", "/..", "/./", "/../", "/public/..", "/public/.", "/public/../private", "/public/./private", "/../../etc/passwd",
	"/public/../private?x=1",
	// encoded dots, in any half and case
	"/public/%2e%2e/private", "/public/%2E%2E/private", "/public/.%2e/private", "/public/%2e./private", "/public/%2e/private",
	"/public/a%2Etxt", "/%2e",
	// encoded twice, and with the second layer's digits encoded too
	"/public/%252e%252e/private", "/public/%252E%252E/private", "/public/%252f", "/a%2500", "/a%255cb", "/%2541", "/%25252e",
	"/public/%25%32%65%25%32%65/private", "/public/%252%65/private", "/public/%25%32e/private", "/public/%2%35%32%65",
	// backslashes
	`/public\..\private`, `/a\b`, `\`, "/a%5Cb", "/a%5cb", "/public/..%5cprivate", "/%5c%5cevil.test",
	// path parameters, which Java takes away and nginx unescapes
	"/a;b=c", "/public;/private", "/public/..;/private", "/;", "/public/..%3b/private", "/admin%3Bx", "/admin%3bx=1/users",
	// control bytes
	"/a%00b", "/%00", "/a\x00b", "/a%0ab", "/a%0d%0aX-User-Id:%20evil", "/a\nb", "/a\tb", "/a%09b", "/a%7fb", "/a\x7fb", "/a b",
	"/a%1fb", "/ ", " /",
	// fragments
	"/a#frag", "/#", "/public#/../private", "/public?x#y",
	// escapes that are none
	"/a%", "/a%2", "/a%zz", "/%g0", "/%0g", "/a%u002e", "/%%", "/a%%32e", "/a%-1",
	// no UTF-8, where overlong forms of / and . hide
	"/%c0%ae%c0%ae/", "/%c0%af", "/%e0%80%af", "/%f0%80%80%af", "/\xc0\xaf", "/%ff", "/caf\xe9", "/%ed%a0%80", "/%f4%90%80%80",
	// not in origin form
	"*", "http://evil.test/x", "https://app.test/x", "app.test:443", "public", "?x=1", "./public", "%2Fpublic",
}

func TestUnsafePathsAreRefusedWithEveryOption(t *testing.T) {
	for options, rules := range pathRules {
		for _, target := range unsafeTargets {
			if path, why := rules.path(target); why != UnsafePath || path != "" {
				t.Errorf("%s: %q: got %q, %q, want UNSAFE_PATH", options, target, path, why)
			}
		}
	}
}

func TestRepeatedAndEncodedSlashes(t *testing.T) {
	const refused = "refused"
	for _, c := range []struct{ target, plain, merge, encoded, both string }{
		{"//", refused, "/", refused, "/"},
		{"//private//x", refused, "/private/x", refused, "/private/x"},
		{"/a//", refused, "/a/", refused, "/a/"},
		{"///a///b///", refused, "/a/b/", refused, "/a/b/"},
		{"//evil.test/x", refused, "/evil.test/x", refused, "/evil.test/x"},
		{"/a%2Fb", refused, refused, "/a\x00b", "/a\x00b"},
		{"/a%2fb/c", refused, refused, "/a\x00b/c", "/a\x00b/c"},
		{"/a%2F", refused, refused, "/a\x00", "/a\x00"},
		{"/a//b%2Fc", refused, refused, refused, "/a/b\x00c"},
		// a slash is never merged with an encoded one, and an encoded one begins a segment a backend may see
		{"/a/%2Fb", refused, refused, refused, refused},
		{"/a%2F/b", refused, refused, refused, refused},
		{"/a%2F%2Fb", refused, refused, refused, refused},
		{"/a//%2Fb", refused, refused, refused, refused},
		{"/%2F", refused, refused, refused, refused},
		{"/%2Fevil.test", refused, refused, refused, refused},
		{"/public/..%2Fprivate", refused, refused, refused, refused},
		{"/public/%2e%2e%2fprivate", refused, refused, refused, refused},
		{"/public%2F..%2Fprivate", refused, refused, refused, refused},
		{"/public%2F../private", refused, refused, refused, refused},
		{"/public/.%2Fprivate", refused, refused, refused, refused},
		{"/public/..//private", refused, refused, refused, refused},
		{"/a%252Fb", refused, refused, refused, refused},
	} {
		for options, want := range map[string]string{
			"no option": c.plain, "merge_slashes": c.merge, "encoded_slashes": c.encoded, "both options": c.both,
		} {
			got, why := pathRules[options].path(c.target)
			if why == UnsafePath {
				got = refused
			} else if why != "" {
				t.Errorf("%s: %q: %s", options, c.target, why)
			}
			if got != want {
				t.Errorf("%s: %q: got %q, want %q", options, c.target, got, want)
			}
		}
	}
}

func TestPathsAreDecodedOnce(t *testing.T) {
	for target, want := range map[string]string{
		"/":                          "/",
		"/a":                         "/a",
		"/a/":                        "/a/",
		"/a?":                        "/a", // U12
		"/a?x=1&y=%20z":              "/a",
		"/a?/../private":             "/a", // U10: the query is no path
		"/a?x=%2f..%2f%00;b":         "/a",
		"/a?x?y?z":                   "/a",
		"/a?!$~":                     "/a",
		"/a%20":                      "/a ", // U12: significant
		"/%20a":                      "/ a",
		"/A/%7Euser/%41":             "/A/~user/A", // U11
		"/%61%64%6d%69%6e":           "/admin",
		"/caf\u00e9":                 "/café", // U08
		"/caf%C3%A9":                 "/café",
		"/caf%c3%a9":                 "/café",
		"/%E7%A7%98%E5%AF%86":        "/秘密",
		"/%F0%9F%98%80":              "/😀",
		"/100%25":                    "/100%",
		"/100%25/x":                  "/100%/x",
		"/50%25off":                  "/50%off", // %of is no escape
		"/a%25g0":                    "/a%g0",
		"/what%3F":                   "/what?",
		"/c%23":                      "/c#",
		"/a+b":                       "/a+b",
		"/a%2Bb":                     "/a+b",
		"/...":                       "/...",
		"/.well-known/x":             "/.well-known/x",
		"/a..b":                      "/a..b",
		"/..a":                       "/..a",
		"/a:b@c,d=e&f$g!h'(i)*":      "/a:b@c,d=e&f$g!h'(i)*",
		`/{a}|"<b>^` + "`":           `/{a}|"<b>^` + "`",
		"/http://evil.test":          "",
		"/" + strings.Repeat("a", 8): "/aaaaaaaa",
	} {
		if want == "" {
			continue
		}
		if got, why := (PathRules{}).path(target); got != want || why != "" {
			t.Errorf("%q: got %q, %q, want %q", target, got, why, want)
		}
	}
}

func TestTargetsThatAreNoPathAtAll(t *testing.T) {
	for target, want := range map[string]Reason{
		"":                   AmbiguousRequest,
		"/a?b c":             AmbiguousRequest, // a line that was cut wrongly
		"/a?b\x00":           AmbiguousRequest,
		"/a?b\r\nHost: evil": AmbiguousRequest,
		"/a?b\x7f":           AmbiguousRequest,
		"/" + strings.Repeat("a", maxTargetBytes):      RequestTooLarge,
		"/a?" + strings.Repeat("a", maxTargetBytes):    RequestTooLarge,
		"/" + strings.Repeat("%2e/", maxTargetBytes/4): RequestTooLarge,
	} {
		for options, rules := range pathRules {
			if _, why := rules.path(target); why != want {
				t.Errorf("%s: %.20q: got %q, want %q", options, target, why, want)
			}
		}
	}
	if path, why := (PathRules{}).path("/" + strings.Repeat("a", maxTargetBytes-1)); why != "" || len(path) != maxTargetBytes {
		t.Errorf("the longest target: %q", why)
	}
}

func TestUTF8AndItsPercentEncodingAreOnePath(t *testing.T) {
	const hex = "0123456789abcdefABCDEF"
	rapid.Check(t, func(t *rapid.T) {
		plain := "/" + rapid.StringOf(rapid.Rune().Filter(func(c rune) bool {
			return c > 0x20 && c != 0x7f && c != utf8.RuneError && !strings.ContainsRune(`/\;.%?#`, c)
		})).Draw(t, "segment")
		var encoded strings.Builder
		encoded.WriteByte('/')
		for i := 1; i < len(plain); i++ {
			if plain[i] < 0x80 && rapid.Bool().Draw(t, "as it is") {
				encoded.WriteByte(plain[i])
				continue
			}
			upper := 0
			if rapid.Bool().Draw(t, "upper case") {
				upper = 6
			}
			encoded.WriteByte('%')
			for _, digit := range [2]byte{plain[i] >> 4, plain[i] & 15} {
				if digit >= 10 {
					encoded.WriteByte(hex[int(digit)+upper])
				} else {
					encoded.WriteByte(hex[digit])
				}
			}
		}
		for options, rules := range pathRules {
			one, why := rules.path(plain)
			if why != "" {
				t.Fatalf("%s: %q: %s", options, plain, why)
			}
			if other, why := rules.path(encoded.String()); other != one || why != "" {
				t.Fatalf("%s: %q is %q, but %q is %q, %s", options, plain, one, encoded.String(), other, why)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, target := range unsafeTargets {
		f.Add(target, false, false)
	}
	f.Add("//private//x", true, false)
	f.Add("/a%2Fb/c?d=/../e", false, true)
	f.Add("/caf%C3%A9/%7Euser/100%25", true, true)
	f.Fuzz(func(t *testing.T, target string, merge, encoded bool) {
		rules := PathRules{MergeSlashes: merge, EncodedSlashes: encoded}
		path, why := rules.path(target)
		if why != "" {
			if path != "" {
				t.Errorf("%q is refused as %s with a path %q", target, why, path)
			}
			return
		}
		if path == "" || path[0] != '/' || !utf8.ValidString(path) {
			t.Errorf("%q: %q is no path", target, path)
		}
		segments := strings.Split(strings.ReplaceAll(path, string(slashInSegment), "/")[1:], "/")
		for i, segment := range segments {
			if segment == "." || segment == ".." || segment == "" && i < len(segments)-1 {
				t.Errorf("%q: %q has the segment %q", target, path, segment)
			}
		}
		for i := range len(path) {
			switch c := path[i]; {
			case c == slashInSegment:
				if !encoded {
					t.Errorf("%q: %q holds an encoded slash", target, path)
				}
			case c < 0x20, c == 0x7f, c == '\\', c == ';':
				t.Errorf("%q: %q holds %q", target, path, c)
			case c == '%' && i+2 < len(path) && unhex(path[i+1]) >= 0 && unhex(path[i+2]) >= 0:
				t.Errorf("%q: %q can be decoded again", target, path)
			}
		}
		// The query takes no part, and a path that was decoded once is safe to be asked for again.
		raw, _, _ := strings.Cut(target, "?")
		if again, why := rules.path(raw); again != path || why != "" {
			t.Errorf("%q without its query: %q, %q, want %q", target, again, why, path)
		}
	})
}
