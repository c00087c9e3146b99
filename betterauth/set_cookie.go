package betterauth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Better Auth's own names of the cookies that signing in uses, without prefix; also the keys of advanced.cookies.
const (
	SessionToken = "session_token"
	SessionData  = "session_data"
	Remember     = "dont_remember" // signed "true": the session ends with the browser
	State        = "state"         // signed: the state whose row is in the database
	OAuthState   = "oauth_state"   // sealed: the state itself
)

// maxCookies is how many cookies of one name are looked at; more is somebody's attempt to keep us busy.
const maxCookies = 8

// CookieOption is advanced.cookies.<name>.
type CookieOption struct {
	Name       string // takes the place of prefix and name, but not of __Secure-; empty: Better Auth's own
	Attributes CookieAttributes
}

// CookiesConfig is what the bytes of Better Auth's cookies depend on.
type CookiesConfig struct {
	Secret string // the current one
	Prefix string // advanced.cookiePrefix; empty: better-auth
	Secure bool   // whether names begin with __Secure-

	// Attributes are, in this order: of crossSubDomainCookies the domain, and advanced.defaultCookieAttributes.
	Attributes []CookieAttributes
	Options    map[string]CookieOption // by Better Auth's own name
}

// Cookies writes and reads every cookie of the companion, byte for byte as the library does. It is safe for concurrent
// use.
type Cookies struct {
	secret  string
	names   map[string]string
	attrs   map[string]CookieAttributes
	secrets [][]byte
}

// Format keeps fmt from printing the secret.
func (c *Cookies) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("betterauth.Cookies(redacted)")) }

// NewCookies checks c.
func NewCookies(c CookiesConfig) (*Cookies, error) {
	if c.Secret == "" {
		return nil, errors.New("betterauth: the secret is empty, so anybody could sign")
	}
	out := &Cookies{secret: c.Secret, names: map[string]string{}, attrs: map[string]CookieAttributes{}, secrets: [][]byte{[]byte(c.Secret)}}
	for _, name := range []string{SessionToken, SessionData, Remember, State, OAuthState} {
		option := c.Options[name]
		whole := cookieName(name, c.Prefix, option.Name, c.Secure)
		if err := checkCookieName(whole); err != nil {
			return nil, err
		}
		a := usual(c.Secure)
		for _, later := range c.Attributes {
			a = a.over(later)
		}
		a = a.over(option.Attributes)
		if err := a.check(); err != nil {
			return nil, err
		}
		out.names[name], out.attrs[name] = whole, a
	}
	return out, nil
}

// Name is the whole name of one of Better Auth's own, as browsers know it.
func (c *Cookies) Name(own string) string { return c.names[own] }

// Set is the Set-Cookie line that hands out a value, escaped. An age of 0 ends with the browser.
func (c *Cookies) Set(own, value string, age time.Duration) string {
	return c.line(own, encodeURIComponent(value), age)
}

// SetSigned is Set with the value signed. Sign only values made here: a signature is not bound to a cookie's name, so
// whatever is signed may be presented as any other cookie.
func (c *Cookies) SetSigned(own, value string, age time.Duration) string {
	return c.line(own, Sign(c.secret, value), age)
}

// Clear is the Set-Cookie line that removes a cookie.
func (c *Cookies) Clear(own string) string {
	return c.names[own] + "=" + c.attrs[own].serialize(c.names[own], maxAge(0))
}

func (c *Cookies) line(own, value string, age time.Duration) string {
	life := ""
	if age > 0 {
		life = maxAge(age)
	}
	return c.names[own] + "=" + value + c.attrs[own].serialize(c.names[own], life)
}

// Bearer is a signed token as the bearer plugin hands it out in set-auth-token: signed, but not escaped.
func (c *Cookies) Bearer(token string) string {
	signed := Sign(c.secret, token)
	return string(decodeURIComponent(make([]byte, 0, len(signed)), signed))
}

// Read is every value of that name in Cookie lines, unescaped, in the order of the request.
func (c *Cookies) Read(lines []string, own string) []string {
	var values []string
	c.each(lines, own, func(raw string) {
		values = append(values, string(decodeURIComponent(make([]byte, 0, len(raw)), raw)))
	})
	return values
}

// ReadSigned is every genuine value of that name, without its signature. What is not signed by us is skipped, as if
// it were not there.
func (c *Cookies) ReadSigned(lines []string, own string) []string {
	var values []string
	p := newProver(c.secrets)
	c.each(lines, own, func(raw string) {
		if value, ok := p.prove(raw); ok {
			values = append(values, strings.Clone(string(value)))
		}
	})
	return values
}

func (c *Cookies) each(lines []string, own string, do func(raw string)) {
	seen := 0
	for _, line := range lines {
		for line != "" && seen < maxCookies {
			value, rest, ok := nextCookie(line, c.names[own])
			if !ok {
				break
			}
			do(value)
			line, seen = rest, seen+1
		}
	}
}
