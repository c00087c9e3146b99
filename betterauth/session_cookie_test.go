package betterauth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
)

// TestSessionCookiesAreTheLibrarys: every Set-Cookie that was recorded at a sign-up, made anew.
func TestSessionCookiesAreTheLibrarys(t *testing.T) {
	type attributes struct {
		SameSite, Path, Domain        string
		Secure, HTTPOnly, Partitioned *bool
	}
	type options struct {
		Prefix, BaseURL string
		Secure          *bool
		Options         struct {
			Advanced struct {
				CrossSubDomainCookies struct {
					Enabled bool
					Domain  string
				}
				DefaultCookieAttributes attributes
				Cookies                 map[string]struct {
					Name       string
					Attributes attributes
				}
			}
			Session struct{ ExpiresIn int }
		}
	}
	cases := recording[struct {
		Cases map[string]struct {
			Options options
			Secret  string   `json:"signing_secret"`
			Token   string   `json:"token"`
			SignUp  []string `json:"sign_up_set_cookie"`
			Forget  []string `json:"sign_in_remember_false_set_cookie"`
		}
	}](t, "cookies.json").Cases
	if len(cases) < 20 {
		t.Fatalf("only %d cases", len(cases))
	}
	for name, c := range cases {
		o, advanced := c.Options, c.Options.Options.Advanced
		secure := strings.HasPrefix(o.BaseURL, "https://")
		if o.Secure != nil {
			secure = *o.Secure
		}
		var domain string
		if cross := advanced.CrossSubDomainCookies; cross.Enabled {
			if domain = cross.Domain; domain == "" {
				domain = strings.TrimPrefix(o.BaseURL, "https://")
			}
		}
		expiresIn := 7 * 24 * time.Hour
		if n := o.Options.Session.ExpiresIn; n > 0 {
			expiresIn = time.Duration(n) * time.Second
		}
		own := advanced.Cookies["session_token"]
		cookie, err := NewSessionCookie(SessionCookieConfig{
			Secret: c.Secret, Name: CookieName(o.Prefix, own.Name, secure), Secure: secure, ExpiresIn: expiresIn,
			Attributes: []CookieAttributes{{Domain: domain}, CookieAttributes(advanced.DefaultCookieAttributes), CookieAttributes(own.Attributes)},
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := cookie.Set(c.Token).Line(); got != c.SignUp[0] {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.SignUp[0])
		}

		if len(c.Forget) < 2 {
			t.Errorf("%s: no dont_remember cookie was recorded", name)
			continue
		}
		pair, _, _ := strings.Cut(c.Forget[1], ";")
		reader := newReader(t, Config{Secret: c.Secret, DontRemember: DontRememberName(o.Prefix, "", secure)})
		if !reader.DontRemember(&gate.Request{Cookies: []string{"a=b; " + pair}}) {
			t.Errorf("%s: %s is not found", name, pair)
		}
	}
}

func TestImpossibleSessionCookies(t *testing.T) {
	good := SessionCookieConfig{Secret: rigSecret, Name: sessionCookie, ExpiresIn: time.Hour}
	if _, err := NewSessionCookie(good); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*SessionCookieConfig){
		"no secret":         func(c *SessionCookieConfig) { c.Secret = "" },
		"no name":           func(c *SessionCookieConfig) { c.Name = "" },
		"a name with =":     func(c *SessionCookieConfig) { c.Name = "a=b" },
		"no life":           func(c *SessionCookieConfig) { c.ExpiresIn = 0 },
		"too long a life":   func(c *SessionCookieConfig) { c.ExpiresIn = 400*24*time.Hour + time.Second },
		"a second header":   func(c *SessionCookieConfig) { c.Attributes = []CookieAttributes{{Path: "/\r\nX-User-Id: evil"}} },
		"a third attribute": func(c *SessionCookieConfig) { c.Attributes = []CookieAttributes{{Domain: "a.test; Path=/x"}} },
	} {
		c := good
		change(&c)
		if _, err := NewSessionCookie(c); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestDontRemember(t *testing.T) {
	const name = "better-auth.dont_remember"
	reader := newReader(t, Config{OlderSecrets: []string{"older"}, DontRemember: name})
	forged := name + "=true." + strings.Repeat("A", 43) + "%3D"
	genuine := name + "=" + Sign(rigSecret, "true")
	for _, c := range []struct {
		what  string
		lines []string
		want  bool
	}{
		{"nothing", nil, false},
		{"the word alone", []string{name + "=true"}, false},
		{"forged", []string{forged}, false},
		{"genuine", []string{"a=b; " + genuine}, true},
		{"genuine, on a second line", []string{"a=b", genuine}, true},
		{"genuine, after a forged one", []string{forged + "; " + genuine}, true},
		{"signed with an older secret", []string{name + "=" + Sign("older", "true")}, true},
		{"signed with another secret", []string{name + "=" + Sign("other", "true")}, false},
		{"of another prefix", []string{"__Secure-" + genuine}, false},
		{"a session's", []string{sessionCookie + "=" + Sign(rigSecret, "true")}, false},
	} {
		if got := reader.DontRemember(&gate.Request{Cookies: c.lines}); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	if newReader(t, Config{}).DontRemember(&gate.Request{Cookies: []string{genuine}}) {
		t.Error("a reader that was not told the name")
	}
	for want, got := range map[string]string{
		"better-auth.dont_remember": DontRememberName("", "", false), "__Secure-app.dont_remember": DontRememberName("app", "", true), "__Secure-dr": DontRememberName("app", "dr", true),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestSessionCookiesAreNotPrinted(t *testing.T) {
	cookie, err := NewSessionCookie(SessionCookieConfig{Secret: rigSecret, Name: sessionCookie, ExpiresIn: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	d := gate.Decision{Cookie: cookie.Set("TOKEN")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if got := fmt.Sprintf(verb, d); strings.Contains(got, "TOKEN") {
			t.Errorf("%s: %s", verb, got)
		}
	}
}
