package betterauth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func cookies(t *testing.T, c CookiesConfig) *Cookies {
	t.Helper()
	if c.Secret == "" {
		c.Secret = "rig-secret-rig-secret-rig-secret-0123456789"
	}
	out, err := NewCookies(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Lines of 1.7.25: better-auth-oauth.md, sections 0.4, 0.5, 1.3, 2.6.
func TestCookieLinesAreTheLibrarys(t *testing.T) {
	yes, no := true, false
	plain := cookies(t, CookiesConfig{})
	cross := cookies(t, CookiesConfig{Prefix: "my-app", Secure: true, Attributes: []CookieAttributes{{Domain: ".example.com"}, {SameSite: "none", Partitioned: &yes}}})
	custom := cookies(t, CookiesConfig{Options: map[string]CookieOption{State: {Name: "st", Attributes: CookieAttributes{SameSite: "strict", HTTPOnly: &no}}}})
	for name, c := range map[string]struct{ got, want string }{
		"state":        {plain.SetSigned(State, "tok", 5*time.Minute), "better-auth.state=tok.m5cj%2BZaLVKPEL5S1ycaPU1Dc9%2BDC4WXAJS07L6H0SVw%3D; Max-Age=300; Path=/; HttpOnly; SameSite=Lax"},
		"state gone":   {plain.Clear(State), "better-auth.state=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"},
		"sealed":       {plain.Set(OAuthState, "$ba$1$ab", 10*time.Minute), "better-auth.oauth_state=%24ba%241%24ab; Max-Age=600; Path=/; HttpOnly; SameSite=Lax"},
		"browser only": {plain.SetSigned(SessionToken, "tok", 0), "better-auth.session_token=tok.m5cj%2BZaLVKPEL5S1ycaPU1Dc9%2BDC4WXAJS07L6H0SVw%3D; Path=/; HttpOnly; SameSite=Lax"},
		"everywhere":   {cross.Clear(SessionToken), "__Secure-my-app.session_token=; Max-Age=0; Domain=.example.com; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"},
		"custom":       {custom.Clear(State), "st=; Max-Age=0; Path=/; SameSite=Strict"},
		"bearer":       {plain.Bearer("tok"), "tok.m5cj+ZaLVKPEL5S1ycaPU1Dc9+DC4WXAJS07L6H0SVw="},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, c.got, c.want)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", plain, plain, plain); strings.Contains(text, "rig-secret") {
		t.Error(text)
	}
	if _, err := NewCookies(CookiesConfig{}); err == nil {
		t.Error("an empty secret was taken")
	}
	if _, err := NewCookies(CookiesConfig{Secret: "x", Attributes: []CookieAttributes{{Domain: "a;b"}}}); err == nil {
		t.Error("an attribute that splits the header was taken")
	}
}

func TestOnlyGenuineCookiesAreRead(t *testing.T) {
	c := cookies(t, CookiesConfig{})
	value := func(line string) string { v, _, _ := strings.Cut(line, ";"); return v }
	mine := value(c.SetSigned(State, "mine", 0))
	for name, x := range map[string]struct {
		lines []string
		want  []string
	}{
		"none":               {nil, nil},
		"one":                {[]string{"a=b; " + mine}, []string{"mine"}},
		"forged first":       {[]string{"better-auth.state=evil.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D; " + mine}, []string{"mine"}},
		"two lines":          {[]string{value(c.SetSigned(State, "other", 0)), mine}, []string{"other", "mine"}},
		"other name":         {[]string{"__Secure-" + mine}, nil},
		"a flood is bounded": {[]string{strings.Repeat("better-auth.state=x; ", 100) + mine}, nil},
	} {
		if got := c.ReadSigned(x.lines, State); !slices.Equal(got, x.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := c.Read([]string{"better-auth.oauth_state=%24ba%241%24ab"}, OAuthState); !slices.Equal(got, []string{"$ba$1$ab"}) {
		t.Errorf("%q", got)
	}
}
