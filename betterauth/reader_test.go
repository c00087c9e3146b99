package betterauth

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/usherauth/usher/gate"
)

const (
	ada  = "IUIZ9AJQ4Yg3wnILBRwcfcyvDNF8Mn1j"
	bob  = "tFWIMy3FXIAuM7sM16cguBD71mGBp9Jt"
	name = sessionCookie
)

// good is a cookie pair with a genuine session.
func good(token string) string { return name + "=" + Sign(rigSecret, token) }

// forged is one signed with another secret.
func forged(token string) string { return name + "=" + Sign("not the secret", token) }

// bare is a signed value without escapes.
func bare(token string) string {
	return strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace(Sign(rigSecret, token))
}

func TestReadCookies(t *testing.T) {
	many := func(n int, make func(string) string) string {
		var pairs []string
		for i := range n {
			pairs = append(pairs, make(fmt.Sprintf("token-%02d", i)))
		}
		return strings.Join(pairs, "; ")
	}
	for _, c := range []struct {
		it    string
		lines []string
		want  string
	}{
		{"no Cookie line", nil, "absent"},
		{"an empty line", []string{""}, "absent"},
		{"only other systems' cookies", []string{"_ga=GA1.2.3; theme=dark; better-auth.session_data=x"}, "absent"},
		{"genuine", []string{good(ada)}, "cookie: " + ada},
		{"genuine among others", []string{"_ga=1; " + good(ada) + "; theme=dark"}, "cookie: " + ada},
		{"in the second line", []string{"_ga=1", good(ada)}, "cookie: " + ada},
		{"forged", []string{forged(ada)}, "bad cookie"},
		{"just cleared", []string{name + "="}, "absent"},
		{"just cleared, with spaces", []string{name + " = "}, "absent"},
		{"just cleared, quoted", []string{name + `=""`}, "absent"},
		{"a lone quote", []string{name + `="`}, "absent"},
		{"name without =", []string{name}, "absent"},
		{"name without = before others", []string{name + "; a=b"}, "absent"},
		{"cleared and forged", []string{name + "=; " + forged(ada)}, "bad cookie"},
		{"cleared and genuine", []string{name + "=; " + good(ada)}, "cookie: " + ada},
		{"two sessions, in order", []string{good(bob) + "; " + good(ada)}, "cookie: " + bob + " " + ada},
		{"two sessions in two lines", []string{good(ada), good(bob)}, "cookie: " + ada + " " + bob},
		{"the same session twice", []string{good(ada) + "; " + good(ada)}, "cookie: " + ada},
		{"the same session, escaped and not", []string{good(ada) + "; " + name + "=" + bare(ada)}, "cookie: " + ada},
		{"forged before genuine", []string{forged(bob) + "; " + good(ada)}, "cookie: " + ada},
		{"genuine before forged", []string{good(ada) + "; " + forged(bob)}, "cookie: " + ada},
		{"forged in one line, genuine in the next", []string{forged(bob), good(ada)}, "cookie: " + ada},
		{"as many as the gate tries", []string{many(4, good)}, "cookie: token-00 token-01 token-02 token-03"},
		{"more than the gate tries", []string{many(9, good)}, "cookie: token-00 token-01 token-02 token-03"},
		{"genuine behind 63 forged", []string{many(63, forged) + "; " + good(ada)}, "cookie: " + ada},
		{"genuine behind 64 forged: not looked for", []string{many(64, forged) + "; " + good(ada)}, "bad cookie"},
		{"genuine behind 64 forged in lines of their own", append(strings.Split(many(64, forged), "; "), good(ada)), "bad cookie"},
		{"genuine behind 100 cleared", []string{many(100, func(string) string { return name + "=" }) + "; " + good(ada)}, "cookie: " + ada},

		{"quoted", []string{name + `="` + Sign(rigSecret, ada) + `"`}, "cookie: " + ada},
		{"quoted, space inside the quotes", []string{name + `=" ` + Sign(rigSecret, ada) + `"`}, "bad cookie"},
		{"opening quote, last byte dropped", []string{name + `="` + Sign(rigSecret, ada) + "x"}, "cookie: " + ada},
		{"closing quote only", []string{name + `=` + Sign(rigSecret, ada) + `"`}, "bad cookie"},
		{"escaped quotes are content", []string{name + `=%22` + Sign(rigSecret, ada) + `%22`}, "bad cookie"},
		{"a quoted semicolon ends the pair", []string{`x="a; ` + good(ada) + `"`}, "bad cookie"},
		{"the name inside another value", []string{"x=" + name + "=" + Sign(rigSecret, ada)}, "absent"},
		{"the name after a comma", []string{"x=1," + good(ada)}, "absent"},
		{"two lines joined by a comma", []string{good(ada) + "," + good(bob)}, "bad cookie"},
		{"the name with a suffix", []string{"x" + good(ada) + "; " + name + "x=1; " + name + "_multi-a=1"}, "absent"},
		{"a name that begins alike, before it", []string{name + "_multi-a=" + Sign(rigSecret, bob) + "; " + good(ada)}, "cookie: " + ada},
		{"the name without =, before it", []string{name + "; " + good(ada)}, "cookie: " + ada},
		{"the name in another case", []string{strings.ToUpper(name) + "=" + Sign(rigSecret, ada)}, "absent"},
		{"the name percent-encoded", []string{"better-auth%2Esession_token=" + Sign(rigSecret, ada)}, "absent"},
		{"the secure variant", []string{"__Secure-" + good(ada)}, "absent"},
		{"every kind of white space around", []string{"a=1;\t\v\f " + name + "\t = \t" + Sign(rigSecret, ada) + " \t\r\n;b=2"}, "cookie: " + ada},
		{"semicolons in a row", []string{";;;" + good(ada) + ";;;"}, "cookie: " + ada},
		{"a second = belongs to the value", []string{name + "==" + Sign(rigSecret, ada)}, "bad cookie"},

		{"no dot", []string{name + "=" + ada}, "bad cookie"},
		{"only a dot", []string{name + "=."}, "bad cookie"},
		{"an empty token, signed", []string{name + "=" + Sign(rigSecret, "")}, "bad cookie"},
		{"a token with dots: the last one counts", []string{good("a.b.c")}, "cookie: a.b.c"},
		{"a signature of 43 characters", []string{name + "=" + strings.TrimSuffix(bare(ada), "=")}, "bad cookie"},
		{"a signature of 45 characters", []string{name + "=" + bare(ada) + "="}, "bad cookie"},
		{"a signature that ends in ==", []string{name + "=" + bare(ada)[:len(bare(ada))-2] + "=="}, "bad cookie"},
		{"a signature of 44 characters without padding", []string{name + "=" + strings.TrimSuffix(bare(ada), "=") + "A"}, "bad cookie"},
		{"another byte instead of the dot", []string{name + "=" + strings.Replace(bare(ada), ".", ":", 1)}, "bad cookie"},
		{"a line break inside the signature", []string{name + "=" + bare(ada)[:40] + "%0A" + bare(ada)[40:]}, "bad cookie"},
		{"a line break instead of a character", []string{name + "=" + bare(ada)[:40] + "%0A" + bare(ada)[41:]}, "bad cookie"},
		{"the signature alone", []string{name + "=" + bare(ada)[len(ada):]}, "bad cookie"},
		{"another session's signature", []string{name + "=" + bob + bare(ada)[len(ada):]}, "bad cookie"},
		{"decoded twice it would be genuine", []string{name + "=" + strings.ReplaceAll(Sign(rigSecret, ada), "%", "%25")}, "bad cookie"},

		{"a token beyond ASCII", []string{good("zoë-ключ-秘密")}, "cookie: zoë-ключ-秘密"},
		{"a token beyond ASCII, not escaped", []string{name + "=" + "zoë" + bare("zoë")[len("zo%C3%AB"):]}, "bad cookie"},
		{"a token with spaces and commas", []string{good("a b,c")}, "cookie: a b,c"},
		{"a token with a percent sign", []string{good("100%ZZ")}, "cookie: 100%ZZ"},
		{"a malformed escape keeps the raw value", []string{name + "=100%ZZ" + bare("100%ZZ")[len("100%25ZZ"):]}, "cookie: 100%ZZ"},
		{"half an escape keeps the raw value", []string{name + "=a%4Z" + bare("a%4Z")[len("a%254Z"):]}, "cookie: a%4Z"},
		{"the other half too", []string{name + "=a%Z4" + bare("a%Z4")[len("a%25Z4"):]}, "cookie: a%Z4"},
		{"an escaped line break is no raw value", []string{name + "=a%0Ab" + bare("a%0Ab")[len("a%250Ab"):]}, "bad cookie"},
		{"an escaped continuation byte keeps the raw value", []string{name + "=a%80" + bare("a%80")[len("a%2580"):]}, "cookie: a%80"},
		{"an escape that is no UTF-8 keeps the raw value", []string{name + "=a%FF" + bare("a%FF")[len("a%25FF"):]}, "cookie: a%FF"},
		{"an overlong escape keeps the raw value", []string{name + "=a%C0%AE" + bare("a%C0%AE")[len("a%25C0%25AE"):]}, "cookie: a%C0%AE"},
		{"an escaped surrogate keeps the raw value", []string{name + "=a%ED%A0%80" + bare("a%ED%A0%80")[len("a%25ED%25A0%2580"):]}, "cookie: a%ED%A0%80"},
		{"a token of NUL: no database holds it", []string{good("a\x00b")}, "bad cookie"},
		{"a token with a line break", []string{good("a\nb")}, "bad cookie"},
		{"a token that is not UTF-8", []string{good("a\xff")}, "bad cookie"},
		{"a token that ends in a continuation byte", []string{name + "=a\x80" + bare("a\x80")[len("a%80"):]}, "bad cookie"},
		{"the longest token", []string{good(strings.Repeat("x", 512))}, "cookie: " + strings.Repeat("x", 512)},
		{"the longest token, all of it escaped", []string{good(strings.Repeat("=", 512))}, "cookie: " + strings.Repeat("=", 512)},
		{"the longest value there is", []string{name + "=" + strings.Replace(everyByteEscaped(bare(strings.Repeat("x", 512))), ".", "%2E", 1)}, "cookie: " + strings.Repeat("x", 512)},
		{"a longer one", []string{good(strings.Repeat("x", 513))}, "bad cookie"},
		{"a far longer one", []string{good(strings.Repeat("=", 20000))}, "bad cookie"},
		{"48 KiB of a name that never ends", []string{strings.Repeat(name, 48<<10/len(name))}, "absent"},
		{"48 KiB of semicolons", []string{strings.Repeat(";", 48<<10)}, "absent"},
		{"48 KiB of spaces", []string{strings.Repeat(" ", 48<<10)}, "absent"},
	} {
		t.Run(c.it, func(t *testing.T) {
			if got := outcome(newReader(t, Config{}).Read(&gate.Request{Cookies: c.lines})); got != c.want {
				t.Errorf("got %.120s\nwant %.120s", got, c.want)
			}
		})
	}
}

func TestReadBearer(t *testing.T) {
	jwt := "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl"
	for _, c := range []struct {
		it            string
		authorization string
		want          string // beside a genuine cookie of bob
	}{
		{"no header", "", "cookie: " + bob},
		{"only spaces", "  ", "cookie: " + bob},
		{"Basic", "Basic dTpw", "cookie: " + bob},
		{"Basic, without anything", "Basic", "cookie: " + bob},
		{"Digest", `Digest username="Mufasa"`, "cookie: " + bob},
		{"a scheme that begins alike", "Bearers " + ada, "cookie: " + bob},
		{"a scheme that begins alike, with a dash", "bearer-token " + ada, "cookie: " + bob},
		{"half the word", "Bear " + ada, "cookie: " + bob},
		{"a raw token without scheme", ada, "cookie: " + bob},

		{"raw", "Bearer " + ada, "bearer: " + ada},
		{"raw, any case", "bEaReR " + ada, "bearer: " + ada},
		{"raw, more spaces", "Bearer    " + ada, "bearer: " + ada},
		{"raw, white space around the header", " \tBearer " + ada + "\t ", "bearer: " + ada},
		{"raw with a percent sign stays as it is", "Bearer a%20b", "bearer: a%20b"},
		{"raw with an escaped dot stays as it is", "Bearer a%2Eb", "bearer: a%2Eb"},
		{"signed", "Bearer " + bare(ada), "bearer: " + ada},
		{"signed, escaped", "Bearer " + Sign(rigSecret, ada), "bearer: " + ada},
		{"signed, every byte escaped but the dot", "Bearer " + everyByteEscaped(bare(ada)), "bearer: " + ada},
		{"512 bytes", "Bearer " + strings.Repeat("x", 512), "bearer: " + strings.Repeat("x", 512)},
		{"512 bytes, signed", "Bearer " + Sign(rigSecret, strings.Repeat("x", 512)), "bearer: " + strings.Repeat("x", 512)},

		{"the scheme alone", "Bearer", "bad bearer"},
		{"the scheme and a space", "Bearer ", "bad bearer"},
		{"the scheme and a tab", "Bearer\t" + ada, "bad bearer"},
		{"the scheme and a space and a tab", "Bearer \t" + ada, "bad bearer"},
		{"the scheme and a colon", "Bearer: " + ada, "bad bearer"},
		{"the scheme and a comma", "Bearer, " + ada, "bad bearer"},
		{"the scheme and =", "Bearer=" + ada, "bad bearer"},
		{"the scheme and NUL", "Bearer\x00 " + ada, "bad bearer"},
		{"the scheme and a no-break space", "Bearer\u00a0" + ada, "bad bearer"},
		{"signed with another secret", "Bearer " + Sign("not the secret", ada), "bad bearer"},
		{"signed, a third part", "Bearer " + bare(ada) + ".extra", "bad bearer"},
		{"signed, a token with a dot", "Bearer " + bare("a.b"), "bad bearer"},
		{"signed, a token that begins with a dot", "Bearer " + bare(".a"), "bad bearer"},
		{"signed, a token with an escaped dot", "Bearer " + strings.Replace(Sign(rigSecret, "a.b"), "a.b", "a%2Eb", 1), "bad bearer"},
		{"signed, the dot itself escaped: a raw token that nobody has", "Bearer " + strings.Replace(Sign(rigSecret, ada), ".", "%2E", 1), "bearer: " + strings.Replace(Sign(rigSecret, ada), ".", "%2E", 1)},
		{"signed, an empty token", "Bearer " + bare(""), "bad bearer"},
		{"signed, escaped twice", "Bearer " + strings.ReplaceAll(Sign(rigSecret, ada), "%", "%25"), "bad bearer"},
		{"only a dot", "Bearer .", "bad bearer"},
		{"a JWT", "Bearer " + jwt, "bad bearer"},
		{"two tokens joined by a comma", "Bearer " + ada + "," + bob, "bad bearer"},
		{"two tokens", "Bearer " + ada + " " + bob, "bad bearer"},
		{"two headers joined by a comma", "Bearer " + ada + ",Bearer " + bob, "bad bearer"},
		{"a quoted token is only a token", `Bearer "` + ada + `"`, `bearer: "` + ada + `"`},
		{"a control byte", "Bearer a\x01b", "bad bearer"},
		{"NUL", "Bearer a\x00b", "bad bearer"},
		{"DEL", "Bearer a\x7fb", "bad bearer"},
		{"a line break", "Bearer a\r\nX-User-Id: evil", "bad bearer"},
		{"beyond ASCII", "Bearer zoë", "bad bearer"},
		{"signed, beyond ASCII", "Bearer " + Sign(rigSecret, "zoë"), "bad bearer"},
		{"signed, a space", "Bearer " + Sign(rigSecret, "a b"), "bad bearer"},
		{"signed, a comma", "Bearer " + Sign(rigSecret, "a,b"), "bad bearer"},
		{"signed, NUL", "Bearer " + Sign(rigSecret, "a\x00b"), "bad bearer"},
		{"513 bytes", "Bearer " + strings.Repeat("x", 513), "bad bearer"},
		{"513 bytes, signed", "Bearer " + Sign(rigSecret, strings.Repeat("x", 513)), "bad bearer"},
		{"a service token", "Bearer ushi_0123456789abcdef", "bad bearer"},
		{"the prefix of service tokens alone", "Bearer ushi_", "bad bearer"},
		{"a service token, signed", "Bearer " + Sign(rigSecret, "ushi_0123"), "bad bearer"},
		{"a service token, signed and escaped", "Bearer %75" + Sign(rigSecret, "ushi_0123")[1:], "bad bearer"},
	} {
		t.Run(c.it, func(t *testing.T) {
			r := &gate.Request{Authorization: c.authorization, Cookies: []string{good(bob)}}
			if got := outcome(newReader(t, Config{}).Read(r)); got != c.want {
				t.Errorf("got %.120s\nwant %.120s", got, c.want)
			}
		})
	}
}

func everyByteEscaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '.' {
			b.WriteByte('.')
		} else {
			fmt.Fprintf(&b, "%%%02x", s[i])
		}
	}
	return b.String()
}

func TestRequireSignature(t *testing.T) {
	reader := newReader(t, Config{RequireSignature: true})
	for authorization, want := range map[string]string{
		"Bearer " + ada:                                       "bad bearer",
		"Bearer " + Sign(rigSecret, ada):                      "bearer: " + ada,
		"Bearer " + bare(ada):                                 "bearer: " + ada,
		"Bearer " + Sign("not the secret", ada):               "bad bearer",
		"Bearer " + strings.Replace(bare(ada), ".", "%2E", 1): "bad bearer",
	} {
		r := &gate.Request{Authorization: authorization, Cookies: []string{good(bob)}}
		if got := outcome(reader.Read(r)); got != want {
			t.Errorf("%s: got %s, want %s", authorization, got, want)
		}
	}
}

func TestNewReaderRefusesWhatCouldNotBeSafe(t *testing.T) {
	for it, c := range map[string]Config{
		"no secret":                    {CookieName: name},
		"an empty older secret":        {Secret: "s", OlderSecrets: []string{"old", ""}, CookieName: name},
		"no cookie name":               {Secret: "s"},
		"a cookie name with =":         {Secret: "s", CookieName: "a=b"},
		"a cookie name with ;":         {Secret: "s", CookieName: "a;b"},
		"a cookie name with a space":   {Secret: "s", CookieName: "a b"},
		"a cookie name beyond ASCII":   {Secret: "s", CookieName: "sitzüng"},
		"a cookie name with a newline": {Secret: "s", CookieName: "a\n"},
	} {
		if r, err := NewReader(c); err == nil || r != nil {
			t.Errorf("%s: no error", it)
		} else if strings.Contains(err.Error(), "old") && it == "an empty older secret" && !strings.Contains(err.Error(), "older secret 2") {
			t.Errorf("%s: %v", it, err)
		}
	}
}

func TestOlderSecretsVerifyButNeverAnEmptyOne(t *testing.T) {
	reader := newReader(t, Config{Secret: "new", OlderSecrets: []string{"old", "older", "new"}})
	for secret, want := range map[string]string{
		"new": "cookie: " + ada, "old": "cookie: " + ada, "older": "cookie: " + ada, "": "bad cookie", "other": "bad cookie",
	} {
		line := name + "=" + Sign(secret, ada)
		if got := outcome(reader.Read(&gate.Request{Cookies: []string{line}})); got != want {
			t.Errorf("signed with %q: got %s, want %s", secret, got, want)
		}
	}
}

func TestCookieName(t *testing.T) {
	for want, got := range map[string]string{
		"better-auth.session_token":          CookieName("", "", false),
		"__Secure-better-auth.session_token": CookieName("better-auth", "", true),
		"my-app.session_token":               CookieName("my-app", "", false),
		"sid":                                CookieName("my-app", "sid", false),
		"__Secure-sid":                       CookieName("", "sid", true),
		"__Secure-__Host-sid":                CookieName("", "__Host-sid", true),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestCredentialsOutliveTheirRequest(t *testing.T) {
	reader := newReader(t, Config{})
	line := []byte(good(ada))
	first, err := reader.Read(&gate.Request{Cookies: []string{string(line)}})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // the pooled memory is used again
		if _, err := reader.Read(&gate.Request{Cookies: []string{good(bob)}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := first.At(0).Token(); got != ada {
		t.Errorf("the token became %s", got)
	}
}

func TestReadIsSafeForConcurrentUse(t *testing.T) {
	reader := newReader(t, Config{OlderSecrets: []string{"old"}})
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 200 {
				token := fmt.Sprintf("token-%d-%d", worker, i)
				secret, want := rigSecret, "cookie: "+token
				switch i % 3 {
				case 1:
					secret = "old"
				case 2:
					secret, want = "other", "bad cookie"
				}
				r := &gate.Request{Cookies: []string{name + "=" + Sign(secret, token)}}
				if got := outcome(reader.Read(r)); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
	group.Wait()
}

func TestNothingPrintsASecretOrToken(t *testing.T) {
	reader := newReader(t, Config{Secret: "s3cr3t-s3cr3t", OlderSecrets: []string{"0ld-s3cr3t"}})
	found, err := reader.Read(&gate.Request{Cookies: []string{name + "=" + Sign("s3cr3t-s3cr3t", ada)}})
	if err != nil {
		t.Fatal(err)
	}
	_, bad := reader.Read(&gate.Request{Cookies: []string{forged(ada)}})
	_, badBearer := reader.Read(&gate.Request{Authorization: "Bearer " + Sign("x", ada)})
	var printed strings.Builder
	log := slog.New(slog.NewJSONHandler(&printed, nil))
	for _, v := range []any{reader, found, found.At(0), bad, badBearer} {
		fmt.Fprintf(&printed, "%v %+v %#v %s\n", v, v, v, v)
		log.Info("it", "v", v)
	}
	for _, secret := range []string{"s3cr3t", ada} {
		if strings.Contains(printed.String(), secret) {
			t.Errorf("%s is printed in:\n%s", secret, printed.String())
		}
	}
}

func TestEncodeURIComponent(t *testing.T) {
	for s, want := range map[string]string{
		"azAZ09-_.!~*'()": "azAZ09-_.!~*'()", "a b+c/d=e": "a%20b%2Bc%2Fd%3De", "zoë%": "zo%C3%AB%25", "\"#$&,:;<>?@[\\]^`{|}\x00": "%22%23%24%26%2C%3A%3B%3C%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D%00",
	} {
		if got := encodeURIComponent(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

func TestEveryCookieNameThatBrowsersKnow(t *testing.T) {
	const odd = "azAZ09!#$%&'*+-.^_`|~"
	reader := newReader(t, Config{CookieName: odd})
	if got := outcome(reader.Read(&gate.Request{Cookies: []string{odd + "=" + Sign(rigSecret, ada)}})); got != "cookie: "+ada {
		t.Error(got)
	}
	for _, c := range []string{"a{", "a@", "a[", "a/", "a:", "a,", "a\"", "a(", "a\x7f", "a\x80"} {
		if _, err := NewReader(Config{Secret: "s", CookieName: c}); err == nil {
			t.Errorf("%q is a cookie name", c)
		}
	}
}

// tinyauth GHSA-3q28: whoever has still to show a second factor has Better Auth's two_factor cookie, signed with the same secret,
// and no session.
func TestAnUnfinishedSignInIsNobodys(t *testing.T) {
	const secret = "better-auth-test-secret-0123456789-ABCDEFGH"
	reader := newReader(t, Config{Secret: secret, CookieName: "better-auth.session_token"})
	for _, name := range []string{"better-auth.two_factor", "better-auth.trust_device", "better-auth.session_token_multi-abc", "better-auth.dont_remember"} {
		found, err := reader.Read(&gate.Request{Cookies: []string{name + "=" + Sign(secret, "2fa-CfGKi167y3hW3FhSqs998axwsNhZgpBx")}})
		if !errors.Is(err, gate.ErrNoCredential) || found.Len() != 0 {
			t.Errorf("%s: %d credentials, %v", name, found.Len(), err)
		}
	}
	if found, err := reader.Read(&gate.Request{Cookies: []string{"better-auth.session_token=" + Sign(secret, "CfGKi167y3hW3FhSqs998axwsNhZgpBx")}}); err != nil || found.Len() != 1 {
		t.Errorf("a session: %d credentials, %v", found.Len(), err)
	}
}
