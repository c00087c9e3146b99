package flow

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"testing"
	"time"
)

func at(ms int64) time.Time { return time.UnixMilli(ms) }

func TestStatesAreWrittenAsTheLibraryDoes(t *testing.T) {
	yes := true
	for name, c := range map[string]struct {
		state State
		want  string
	}{
		"least": {
			State{ID: "S", CallbackURL: "http://127.0.0.1:35357", Verifier: "V", ExpiresAt: at(1795293299204)},
			`{"callbackURL":"http://127.0.0.1:35357","codeVerifier":"V","expiresAt":1795293299204,"oauthState":"S"}`,
		},
		"all": {
			State{
				ID: "S", CallbackURL: "/a&<b>", Verifier: "V", ErrorURL: "/e", NewUserURL: "/n", ExpiresAt: at(1), SignUp: &yes, Nonce: "N", Provider: "google",
				Link: &Link{UserID: "u", Email: "a@b.c", Session: "ff"},
			},
			`{"callbackURL":"/a&<b>","codeVerifier":"V","errorURL":"/e","newUserURL":"/n","link":{"userId":"u","email":"a@b.c","encryptedSessionToken":"ff"},"expiresAt":1,"requestSignUp":true,"idTokenNonce":"N","oauthState":"S","usher":"google"}`,
		},
		"the client's keys come first and win nothing": {
			State{
				ID: "S", CallbackURL: "/", Verifier: "V", ExpiresAt: at(1), Provider: "google",
				Additional: json.RawMessage(`{"z":1.0,"link":{"userId":"evil"},"usher":"evil","expiresAt":9e99,"10":"ten","9":[1e21,-0,1e-7,null,{"b":1,"a":2}],"errorURL":"//evil","z":2,"serverContext":{},"__proto__":{},"oauthState":"x"}`),
			},
			`{"9":[1e+21,0,1e-7,null,{"b":1,"a":2}],"10":"ten","z":2,"usher":"google","expiresAt":1,"oauthState":"S","callbackURL":"/","codeVerifier":"V"}`,
		},
	} {
		if got, err := c.state.Encode(); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
	}
	if _, err := (&State{Additional: json.RawMessage(`[1]`)}).Encode(); err == nil {
		t.Error("a list was taken for an object")
	}
}

func TestStatesAreReadAsTheLibraryDoes(t *testing.T) {
	yes := true
	whole := State{
		ID: "S", CallbackURL: "/", Verifier: "V", ErrorURL: "/e", NewUserURL: "/n", ExpiresAt: at(5), SignUp: &yes, Nonce: "N", Provider: "p",
		Link: &Link{UserID: "u", Email: "e", Session: "s"},
	}
	text, err := whole.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeState(text); err != nil || !reflect.DeepEqual(*got, whole) {
		t.Errorf("%+v, %v", got, err)
	}
	for text, want := range map[string]*State{
		`{"callbackURL":"","codeVerifier":"","expiresAt":1.5}`:                                           {ExpiresAt: at(1)},
		`{"extra":1,"callbackURL":"c","codeVerifier":"v","expiresAt":1,"link":{"email":"e","userId":7}}`: {CallbackURL: "c", Verifier: "v", ExpiresAt: at(1), Link: &Link{UserID: "7", Email: "e"}},
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"serverContext":{"a":1}}`:                   {CallbackURL: "c", Verifier: "v", ExpiresAt: at(1), ServerContext: json.RawMessage(`{"a":1}`)},
		``: nil, `null`: nil, `[]`: nil, `"x"`: nil, `{`: nil, `{} x`: nil, `{}`: nil, `bound to an e-mail`: nil,
		`{"codeVerifier":"v","expiresAt":1}`:                                                    nil,
		`{"callbackURL":"c","expiresAt":1}`:                                                     nil,
		`{"callbackURL":"c","codeVerifier":"v"}`:                                                nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":"1"}`:                                nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1e300}`:                              nil,
		`{"callbackURL":null,"codeVerifier":"v","expiresAt":1}`:                                 nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"errorURL":null}`:                  nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"requestSignUp":"true"}`:           nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"link":{"userId":"u"}}`:            nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"link":"u"}`:                       nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"link":{"email":"e"}}`:             nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"serverContext":[]}`:               nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"usher":{"p":1}}`:                  nil,
		`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"link":{"email":"e","userId":""}}`: nil,
	} {
		got, err := DecodeState(text)
		if want == nil && !errors.Is(err, ErrBadState) || want != nil && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// GHSA-965c-763c-88jm: a state is never looked up by what a client sent alone.
func TestIdentifiersHaveTheirNamespace(t *testing.T) {
	if got := Identifier("abc", false); got != "auth-state:abc" {
		t.Error(got)
	}
	// printf auth-state:abc | openssl sha256 -binary | basenc --base64url
	if got, again := Identifier("abc", true), Identifier("abc", true); got != again || len(got) != 43 {
		t.Error(got)
	}
}

func TestRandomStringsAndPKCE(t *testing.T) {
	for text, shape := range map[string]string{NewID(): `^[\w-]{32}$`, NewNonce(): `^[\w-]{32}$`, NewVerifier(): `^[\w-]{128}$`} {
		if !regexp.MustCompile(shape).MatchString(text) {
			t.Error(text)
		}
	}
	// RFC 7636, appendix B.
	if got := Challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); got != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" {
		t.Error(got)
	}
}

func TestErrorsGoIntoTheQuery(t *testing.T) {
	for target, want := range map[string]string{
		"/oops?keep=1#frag":                  "/oops?keep=1&error=a_b&error_description=No+thanks%21+%C3%A9#frag",
		"/oops?":                             "/oops?error=a_b&error_description=No+thanks%21+%C3%A9",
		"/oops?x&":                           "/oops?x&error=a_b&error_description=No+thanks%21+%C3%A9",
		"/a b/é#c d":                         "/a%20b/%C3%A9?error=a_b&error_description=No+thanks%21+%C3%A9#c%20d",
		"https://app.example.com":            "https://app.example.com/?error=a_b&error_description=No+thanks%21+%C3%A9",
		"https://APP.example.com:443/a/../b": "https://app.example.com/b?error=a_b&error_description=No+thanks%21+%C3%A9",
		"":                                   "", "//evil.com": "", "/..//evil.com": "", `/\evil.com`: "", "javascript:x": "", "https://a@b/": "",
	} {
		if got, ok := ErrorURL(target, "a_b", "No thanks! é"); got != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", target, got, want)
		}
	}
	if got, _ := ErrorURL("/e", "access denied&x=y", ""); got != "/e?error=access+denied%26x%3Dy" {
		t.Error(got)
	}
	if got := Location("/a b?c=é\r\nX: y"); got != "/a b?c=%C3%A9%0D%0AX: y" {
		t.Error(got)
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add(`{"callbackURL":"c","codeVerifier":"v","expiresAt":1,"link":{"email":"e","userId":7}}`)
	f.Add(`{"9":1,"a":[{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := DecodeState(text)
		if err != nil {
			return
		}
		again, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeState(again); err != nil {
			t.Errorf("%q became %q: %v", text, again, err)
		}
	})
}
