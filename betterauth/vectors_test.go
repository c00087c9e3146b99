package betterauth

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/usherauth/usher/gate"
)

// rigSecret is the secret of most recordings.
const rigSecret = "rig-secret-0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ"

const sessionCookie = "better-auth.session_token"

// recording reads a file of what the real library did.
func recording[T any](t testing.TB, name string) T {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func newReader(t testing.TB, c Config) *Reader {
	t.Helper()
	if c.Secret == "" {
		c.Secret = rigSecret
	}
	if c.CookieName == "" {
		c.CookieName = sessionCookie
	}
	r, err := NewReader(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tokens are the tokens of what Read found.
func tokens(found gate.Credentials) []string {
	var list []string
	for i := range found.Len() {
		list = append(list, found.At(i).Token())
	}
	return list
}

// outcome names what Read answered, in one word or the tokens.
func outcome(found gate.Credentials, err error) string {
	switch {
	case err == nil && found.Len() > 0:
		return string(found.Method) + ": " + strings.Join(tokens(found), " ")
	case found.Len() > 0:
		return "an error with credentials"
	case errors.Is(err, gate.ErrNoCredential) && found.Method == "":
		return "absent"
	case errors.Is(err, gate.ErrBadCredential) && found.Method != "":
		return "bad " + string(found.Method)
	default:
		return "neither absent nor bad"
	}
}

func TestCookieAcceptanceIsTheLibrarys(t *testing.T) {
	type vector struct {
		Secret      string   `json:"secret"`
		CookieName  string   `json:"cookie_name"`
		ValidTokens []string `json:"valid_tokens"`
		Cases       []struct {
			Case          string `json:"case"`
			CookieHeader  string `json:"cookie_header"`
			Accepted      bool   `json:"accepted"`
			ResultToken   string `json:"result_token"`
			ClearsCookies bool   `json:"clears_cookies"`
		} `json:"cases"`
	}
	v := recording[vector](t, "cookie-acceptance.json")
	if len(v.Cases) < 35 {
		t.Fatalf("only %d cases; were some lost?", len(v.Cases))
	}
	// Where the contract differs on purpose.
	deliberate := map[string]string{
		"duplicate: bad first, good second": "each cookie of the name is tried (contract 5.3): a neighbour on the same " +
			"domain could otherwise sign people out with a cookie of its own",
	}
	reader := newReader(t, Config{Secret: v.Secret, CookieName: v.CookieName})
	for _, c := range v.Cases {
		t.Run(c.Case, func(t *testing.T) {
			found, err := reader.Read(&gate.Request{Cookies: []string{c.CookieHeader}})
			got := tokens(found)
			if reason := deliberate[c.Case]; reason != "" {
				if c.Accepted || err != nil || len(got) != 1 || got[0] != v.ValidTokens[0] {
					t.Errorf("got %v, %v; want the second cookie's token, because %s", got, err, reason)
				}
				delete(deliberate, c.Case)
				return
			}
			switch {
			case c.Accepted:
				if err != nil || len(got) == 0 || got[0] != c.ResultToken || found.Method != gate.ByCookie {
					t.Errorf("got %v, %v; the library finds the session of %s", got, err, c.ResultToken)
				}
			case c.ClearsCookies: // genuine, but no session: the store's to say
				if err != nil || len(got) != 1 {
					t.Errorf("got %v, %v; the signature holds", got, err)
				}
			default:
				if len(got) != 0 || err == nil {
					t.Errorf("got %v, %v; the library refuses", got, err)
				}
			}
		})
	}
	for name := range deliberate {
		t.Errorf("%q is not in the recording; why is it listed here?", name)
	}
}

func TestBearerAcceptanceIsTheLibrarys(t *testing.T) {
	type shape struct {
		Case          string `json:"case"`
		Authorization string `json:"authorization"`
		Cookie        string `json:"cookie"`
		Accepted      bool   `json:"accepted"`
		ResultToken   string `json:"result_token"`
	}
	type vector struct {
		Secret      string   `json:"secret"`
		ValidTokens []string `json:"valid_tokens"`
		Default     []shape  `json:"default"`
		Signed      []shape  `json:"requireSignature_true"`
	}
	v := recording[vector](t, "bearer-acceptance.json")
	known := map[string]bool{}
	for _, token := range v.ValidTokens {
		known[token] = true
	}
	// Where the contract differs on purpose: present but bad refuses, and never falls back to the cookie.
	const noFallback = "a request that shows a bad bearer is refused, not judged by another credential (contract 5)"
	deliberate := map[bool]map[string]string{
		false: {"invalid-signature bearer + valid cookie: cookie used?": noFallback},
		true: {
			"invalid-signature bearer + valid cookie: cookie used?":      noFallback,
			"unknown raw bearer + valid cookie":                          noFallback,
			"valid bearer (token2) + valid cookie (token): bearer wins?": noFallback,
		},
	}
	for requireSignature, cases := range map[bool][]shape{false: v.Default, true: v.Signed} {
		if len(cases) < 18 {
			t.Fatalf("only %d cases; were some lost?", len(cases))
		}
		reader := newReader(t, Config{Secret: v.Secret, RequireSignature: requireSignature})
		for _, c := range cases {
			name := c.Case
			if requireSignature {
				name += ", signature required"
			}
			t.Run(name, func(t *testing.T) {
				r := &gate.Request{Authorization: c.Authorization}
				if c.Cookie != "" {
					r.Cookies = []string{c.Cookie}
				}
				found, err := reader.Read(r)
				got := tokens(found)
				if reason := deliberate[requireSignature][c.Case]; reason != "" {
					if !c.Accepted || outcome(found, err) != "bad bearer" {
						t.Errorf("got %s; want a bad bearer, because %s", outcome(found, err), reason)
					}
					delete(deliberate[requireSignature], c.Case)
					return
				}
				// What the reader lets through is looked up; an unknown token is the store's to refuse.
				passes := err == nil && len(got) > 0 && known[got[0]]
				if passes != c.Accepted || passes && got[0] != c.ResultToken {
					t.Errorf("got %s; the library: accepted %v, %s", outcome(found, err), c.Accepted, c.ResultToken)
				}
			})
		}
	}
	for _, left := range deliberate {
		for name := range left {
			t.Errorf("%q is not in the recording; why is it listed here?", name)
		}
	}
}

type cookiesVector struct {
	Cases map[string]struct {
		Options struct {
			Secure  *bool  `json:"secure"`
			BaseURL string `json:"baseURL"`
			Prefix  string `json:"prefix"`
			Options struct {
				Advanced struct {
					Cookies struct {
						SessionToken struct {
							Name string `json:"name"`
						} `json:"session_token"`
					} `json:"cookies"`
				} `json:"advanced"`
			} `json:"options"`
		} `json:"options"`
		SigningSecret string   `json:"signing_secret"`
		Token         string   `json:"token"`
		Signature     string   `json:"signature_base64"`
		CookieValue   string   `json:"cookie_value"`
		SignUp        []string `json:"sign_up_set_cookie"`
		NotRemembered []string `json:"sign_in_remember_false_set_cookie"`
		SignOut       []string `json:"sign_out_set_cookie"`
	} `json:"cases"`
}

// pair is the name=value part of a Set-Cookie line, which is what a browser sends back.
func pair(setCookie string) (name, value string) {
	both, _, _ := strings.Cut(setCookie, ";")
	name, value, _ = strings.Cut(both, "=")
	return name, value
}

func TestCookiesOfEveryConfiguration(t *testing.T) {
	v := recording[cookiesVector](t, "cookies.json")
	if len(v.Cases) < 20 {
		t.Fatalf("only %d cases; were some lost?", len(v.Cases))
	}
	for configuration, c := range v.Cases {
		t.Run(configuration, func(t *testing.T) {
			secure := strings.HasPrefix(c.Options.BaseURL, "https://") // as config decides it; the rig's own URL is http
			if c.Options.Secure != nil {
				secure = *c.Options.Secure
			}
			name := CookieName(c.Options.Prefix, c.Options.Options.Advanced.Cookies.SessionToken.Name, secure)
			reader := newReader(t, Config{Secret: c.SigningSecret, CookieName: name})

			wantName, wantValue := pair(c.SignUp[0])
			if name != wantName {
				t.Fatalf("the cookie is %s, the library's %s", name, wantName)
			}
			if got := Sign(c.SigningSecret, c.Token); got != wantValue || got != c.CookieValue {
				t.Errorf("signed %s, the library %s", got, wantValue)
			}
			if !strings.HasPrefix(wantValue, c.Token+".") || !strings.Contains(encodeURIComponent(c.Signature), "%3D") {
				t.Errorf("the recording itself looks wrong: %s", wantValue)
			}
			found, err := reader.Read(&gate.Request{Cookies: []string{wantName + "=" + wantValue}})
			if got := outcome(found, err); got != "cookie: "+c.Token {
				t.Errorf("reading what the library set: %s, want %s", got, c.Token)
			}

			// One browser line with every cookie of a sign-in without "remember me".
			var line []string
			for _, set := range c.NotRemembered {
				n, value := pair(set)
				line = append(line, n+"="+value)
				if strings.HasSuffix(n, ".dont_remember") && value != Sign(c.SigningSecret, "true") {
					t.Errorf("%s is %s, want the signed word true", n, value)
				}
			}
			found, err = reader.Read(&gate.Request{Cookies: []string{strings.Join(line, "; ")}})
			_, value := pair(c.NotRemembered[0])
			if got, want := outcome(found, err), "cookie: "+strings.SplitN(value, ".", 2)[0]; got != want {
				t.Errorf("reading the whole line: %s, want %s", got, want)
			}

			// After sign-out the cookies are empty: nobody, not a forgery.
			line = line[:0]
			for _, set := range c.SignOut {
				n, value := pair(set)
				line = append(line, n+"="+value)
			}
			if got := outcome(reader.Read(&gate.Request{Cookies: []string{strings.Join(line, "; ")}})); got != "absent" {
				t.Errorf("after sign-out: %s, want absent", got)
			}
		})
	}
}

func TestSessionsOfOtherVersions(t *testing.T) {
	type vector struct {
		Secret   string `json:"secret"`
		Versions map[string]map[string]struct {
			Token     string `json:"token"`
			SetCookie string `json:"set_cookie"`
		} `json:"versions"`
	}
	v := recording[vector](t, "version-cookies.json")
	reader := newReader(t, Config{Secret: v.Secret})
	if len(v.Versions) < 6 {
		t.Fatalf("only %d versions", len(v.Versions))
	}
	for version, cases := range v.Versions {
		for cache, c := range cases {
			name, value := pair(c.SetCookie)
			if got := outcome(reader.Read(&gate.Request{Cookies: []string{name + "=" + value}})); got != "cookie: "+c.Token {
				t.Errorf("%s, cookie cache %s: %s, want %s", version, cache, got, c.Token)
			}
			if Sign(v.Secret, c.Token) != value {
				t.Errorf("%s, cookie cache %s: we would write another cookie than %s", version, cache, value)
			}
		}
	}
}

func TestRotationKeepsSessionsWhereTheLibraryEndsThem(t *testing.T) {
	type vector struct {
		A     string `json:"A"`
		B     string `json:"B"`
		Cases []struct {
			Cache    string `json:"cache"`
			Server   string `json:"server"`
			Accepted bool   `json:"accepted"`
			Raw      bool   `json:"raw_bearer_token_accepted"`
		} `json:"cases"`
	}
	v := recording[vector](t, "rotation.json")
	// The library's server as ours is configured, and what we do with a cookie that A signed.
	servers := map[string]struct {
		config  Config
		passes  bool
		lenient bool // the contract: "secrets: older secrets still accepted"; the library refuses
	}{
		"same secret":                      {Config{Secret: v.A}, true, false},
		"secrets=[1:A] (same current)":     {Config{Secret: v.A}, true, false},
		"secret B only":                    {Config{Secret: v.B}, false, false},
		"secrets=[2:B,1:A]":                {Config{Secret: v.B, OlderSecrets: []string{v.A}}, true, true},
		"secrets=[2:B], secret=A (legacy)": {Config{Secret: v.B, OlderSecrets: []string{v.A}}, true, true},
	}
	const token = "IUIZ9AJQ4Yg3wnILBRwcfcyvDNF8Mn1j"
	signed := Sign(v.A, token)
	for _, c := range v.Cases {
		server, ok := servers[c.Server]
		if !ok {
			t.Fatalf("unknown server %q", c.Server)
		}
		t.Run(c.Server+", cookie cache "+c.Cache, func(t *testing.T) {
			if c.Accepted != (server.passes && !server.lenient) {
				t.Fatalf("the recording says %v; is this still deliberate?", c.Accepted)
			}
			reader := newReader(t, server.config)
			_, err := reader.Read(&gate.Request{Cookies: []string{sessionCookie + "=" + signed}})
			if (err == nil) != server.passes {
				t.Errorf("cookie: %v, want it to pass: %v", err, server.passes)
			}
			_, err = reader.Read(&gate.Request{Authorization: "Bearer " + signed})
			if (err == nil) != server.passes {
				t.Errorf("signed bearer: %v, want it to pass: %v", err, server.passes)
			}
			if _, err = reader.Read(&gate.Request{Authorization: "Bearer " + token}); (err == nil) != c.Raw {
				t.Errorf("raw bearer: %v, the library accepts it: %v", err, c.Raw)
			}
			// What is signed now must verify, whatever was before.
			now := Sign(server.config.Secret, token)
			if _, err = reader.Read(&gate.Request{Cookies: []string{sessionCookie + "=" + now}}); err != nil {
				t.Errorf("a cookie signed with the current secret: %v", err)
			}
		})
	}
}
