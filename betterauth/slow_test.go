package betterauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/usherauth/usher/gate"
)

// The slow reader: better-auth-sessions.md, sections 1.3 and 6.1, and the contract's section 5, written down once more
// without any thought of speed.

func slowOutcome(c Config, r *gate.Request) string {
	secrets := append([]string{c.Secret}, c.OlderSecrets...)
	authorization := strings.Trim(r.Authorization, " \t")
	scheme := authorization
	if end := strings.IndexFunc(authorization, func(c rune) bool { return c >= 0x80 || !isTokenByte(byte(c)) }); end >= 0 {
		scheme = authorization[:end]
	}
	if strings.EqualFold(scheme, "bearer") {
		token, ok := slowBearer(strings.TrimPrefix(authorization, scheme), secrets, c.RequireSignature)
		if !ok {
			return "bad bearer"
		}
		return "bearer: " + token
	}
	var found []string
	looked := 0
	for _, line := range r.Cookies {
		for _, value := range slowValues(line, c.CookieName) {
			if value == "" || looked == 64 || len(found) == gate.MaxCandidates {
				continue
			}
			looked++
			token, ok := slowSigned(value, secrets)
			if !ok || len(token) > 512 || !utf8.ValidString(token) || strings.ContainsFunc(token, func(c rune) bool { return c < 0x20 || c == 0x7f }) ||
				!isASCII(token) && !isASCII(value) {
				continue
			}
			if !slices.Contains(found, token) {
				found = append(found, token)
			}
		}
	}
	switch {
	case len(found) > 0:
		return "cookie: " + strings.Join(found, " ")
	case looked > 0:
		return "bad cookie"
	}
	return "absent"
}

func slowBearer(rest string, secrets []string, requireSignature bool) (string, bool) {
	if !strings.HasPrefix(rest, " ") {
		return "", false
	}
	token := strings.TrimLeft(rest, " ")
	if strings.Contains(token, ".") {
		if strings.Count(slowDecode(token), ".") != 1 {
			return "", false
		}
		var ok bool
		if token, ok = slowSigned(token, secrets); !ok {
			return "", false
		}
	} else if requireSignature {
		return "", false
	}
	ok := token != "" && len(token) <= 512 && !strings.HasPrefix(token, "ushi_")
	for _, c := range []byte(token) {
		ok = ok && c > 0x20 && c < 0x7f && c != ','
	}
	return token, ok
}

// slowValues are the values of all cookies of that name in one line: raw, trimmed, unquoted.
func slowValues(line, name string) (values []string) {
	for pair := range strings.SplitSeq(line, ";") {
		before, value, ok := strings.Cut(pair, "=")
		if !ok || strings.Trim(before, " \t\n\v\f\r") != name {
			continue
		}
		value = strings.Trim(value, " \t\n\v\f\r")
		if strings.HasPrefix(value, `"`) {
			value = value[1:]
			if value != "" {
				value = value[:len(value)-1]
			}
		}
		values = append(values, value)
	}
	return values
}

func slowSigned(value string, secrets []string) (token string, ok bool) {
	value = slowDecode(value)
	dot := strings.LastIndex(value, ".")
	if dot < 1 {
		return "", false
	}
	token, signature := value[:dot], value[dot+1:]
	if len(signature) != 44 || !strings.HasSuffix(signature, "=") {
		return "", false
	}
	sum, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return "", false
	}
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(token))
		if hmac.Equal(sum, mac.Sum(nil)) {
			return token, true
		}
	}
	return "", false
}

// slowDecode is ECMA-262's Decode: every run of escapes must be exactly one UTF-8 sequence after another.
func slowDecode(s string) string {
	var out []byte
	escape := func(i int) (byte, bool) {
		if i+2 >= len(s) || s[i] != '%' || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
			return 0, false
		}
		return byte(unhex(s[i+1])<<4 | unhex(s[i+2])), true
	}
	for i := 0; i < len(s); {
		if s[i] != '%' {
			out = append(out, s[i])
			i++
			continue
		}
		b, ok := escape(i)
		if !ok {
			return s
		}
		i += 3
		sequence := []byte{b}
		for range sequenceLength(b) - 1 {
			if b, ok = escape(i); !ok {
				return s
			}
			sequence = append(sequence, b)
			i += 3
		}
		if r, size := utf8.DecodeRune(sequence); r == utf8.RuneError && size <= 1 {
			return s
		}
		out = append(out, sequence...)
	}
	return string(out)
}

func sequenceLength(first byte) int {
	switch {
	case first >= 0xf0:
		return 4
	case first >= 0xe0:
		return 3
	case first >= 0xc0:
		return 2
	default:
		return 1
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= utf8.RuneSelf })
}

func TestReaderAgreesWithTheSlowOne(t *testing.T) {
	// Pieces that are likely to meet in ways that matter.
	pieces := []string{
		name, "=", ";", "; ", " ", "\t", `"`, ",", ".", "%", "%3D", "%2e", "%25", "%C3%A9", "%C3", "é", "\xff", "x", "a=b",
		Sign(rigSecret, ada), Sign("old", bob), Sign("other", ada), bare(ada), good(ada), good(bob), forged(ada), ada,
		Sign(rigSecret, "zoë"), Sign(rigSecret, "a.b"), Sign(rigSecret, "ushi_1"), name + "=", "Bearer", "bearer ", "Basic ",
	}
	line := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		c := Config{
			Secret: rigSecret, OlderSecrets: []string{"old"}, CookieName: name,
			RequireSignature: rapid.Bool().Draw(t, "require signature"),
		}
		reader, err := NewReader(c)
		if err != nil {
			t.Fatal(err)
		}
		r := &gate.Request{Cookies: rapid.SliceOfN(line, 0, 3).Draw(t, "cookies")}
		if rapid.Bool().Draw(t, "authorization") {
			r.Authorization = line.Draw(t, "authorization line")
		}
		if got, want := outcome(reader.Read(r)), slowOutcome(c, r); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestDecodeURIComponentAgreesWithItsDefinition(t *testing.T) {
	pieces := []string{"a", "%", "%2", "%41", "%C3", "%a9", "%E2", "%82", "%AC", "%F0%9F%98%80", "%ED%A0%80", "%C0%80", "%F4%90%80%80", "%00", "+", "%zz"}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
		if got, want := string(decodeURIComponent(make([]byte, 0, maxValue), s)), slowDecode(s); got != want {
			t.Fatalf("%q: got %q, want %q", s, got, want)
		}
		small := make([]byte, 0, 4)
		if got := decodeURIComponent(small, s); len(got) > 4 || got == nil && len(slowDecode(s)) <= 4 && s != "" {
			t.Fatalf("%q into 4 bytes: %q", s, got)
		}
	})
}

func TestWhatIsSignedIsRead(t *testing.T) {
	reader := newReader(t, Config{})
	token := rapid.StringOfN(rapid.Rune().Filter(func(c rune) bool {
		return c >= 0x20 && c != 0x7f && c != utf8.RuneError && utf8.ValidRune(c)
	}), 1, -1, maxToken)
	rapid.Check(t, func(t *rapid.T) {
		token := token.Draw(t, "token")
		value := Sign(rigSecret, token)
		if !isASCII(value) || strings.ContainsAny(value, " ;,\"\\") {
			t.Fatalf("%q is no cookie value", value)
		}
		if got := outcome(reader.Read(&gate.Request{Cookies: []string{"a=b; " + name + "=" + value}})); got != "cookie: "+token {
			t.Fatalf("cookie: got %q, want %q", got, token)
		}
	})
	visible := rapid.StringMatching(`[!-+\x2d/-~]{1,512}`).Filter(func(s string) bool { return !strings.HasPrefix(s, gate.ServicePrefix) })
	rapid.Check(t, func(t *rapid.T) {
		token := visible.Draw(t, "token")
		for _, authorization := range []string{"Bearer " + token, "Bearer " + Sign(rigSecret, token)} {
			if got := outcome(reader.Read(&gate.Request{Authorization: authorization})); got != "bearer: "+token {
				t.Fatalf("%q: got %q, want %q", authorization, got, token)
			}
		}
	})
}

func TestAFlippedBitNeverVerifies(t *testing.T) {
	reader := newReader(t, Config{})
	token := rapid.StringMatching(`[a-zA-Z0-9]{1,40}`)
	mac := func(token string) []byte {
		h := hmac.New(sha256.New, []byte(rigSecret))
		h.Write([]byte(token))
		return h.Sum(nil)
	}
	rapid.Check(t, func(t *rapid.T) {
		token := token.Draw(t, "token")
		content := append([]byte(token), mac(token)...)
		bit := rapid.IntRange(0, len(content)*8-1).Draw(t, "bit")
		content[bit/8] ^= 1 << (bit % 8)
		value := encodeURIComponent(string(content[:len(token)]) + "." + base64.StdEncoding.EncodeToString(content[len(token):]))
		if found, err := reader.Read(&gate.Request{Cookies: []string{name + "=" + value}}); err == nil {
			t.Fatalf("%q became a credential for %q", value, found.At(0).Token())
		}
		if found, err := reader.Read(&gate.Request{Authorization: "Bearer " + value}); err == nil {
			t.Fatalf("%q became a bearer for %q", value, found.At(0).Token())
		}
	})
	// On the wire: whatever a flipped bit makes of the header, the token it proves is the one that was signed.
	rapid.Check(t, func(t *rapid.T) {
		token := token.Draw(t, "token")
		header := []byte(name + "=" + Sign(rigSecret, token))
		bit := rapid.IntRange(0, len(header)*8-1).Draw(t, "bit")
		header[bit/8] ^= 1 << (bit % 8)
		for _, got := range tokens(first(reader.Read(&gate.Request{Cookies: []string{string(header)}}))) {
			if got != token { // the unused bits of the last character, or %2B and %2b
				t.Fatalf("%q became a credential for %q", header, got)
			}
		}
	})
}

func first(found gate.Credentials, _ error) gate.Credentials { return found }
