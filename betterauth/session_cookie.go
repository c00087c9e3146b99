package betterauth

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/gate"
)

// CookieAttributes are what one place of Better Auth's options says about cookies. The zero value says nothing.
type CookieAttributes struct {
	SameSite    string // lax, strict or none
	Path        string
	Domain      string // verbatim, with its leading dot if it has one
	Secure      *bool
	HTTPOnly    *bool
	Partitioned *bool
}

// usual is what the library sets unless it is told otherwise.
func usual(secure bool) CookieAttributes {
	yes := true
	return CookieAttributes{SameSite: "lax", Path: "/", Secure: &secure, HTTPOnly: &yes, Partitioned: new(bool)}
}

// over is a with whatever later says instead.
func (a CookieAttributes) over(later CookieAttributes) CookieAttributes {
	for _, text := range [...]struct{ have, other *string }{
		{&a.SameSite, &later.SameSite}, {&a.Path, &later.Path}, {&a.Domain, &later.Domain},
	} {
		if *text.other != "" {
			*text.have = *text.other
		}
	}
	for _, flag := range [...]struct{ have, other **bool }{
		{&a.Secure, &later.Secure}, {&a.HTTPOnly, &later.HTTPOnly}, {&a.Partitioned, &later.Partitioned},
	} {
		if *flag.other != nil {
			*flag.have = *flag.other
		}
	}
	return a
}

// longestMaxAge is Better Auth's own: beyond it no cookie is set at all.
const longestMaxAge = 400 * 24 * time.Hour

// SessionCookieConfig is what the bytes of a session cookie depend on.
type SessionCookieConfig struct {
	Secret    string        // the current one
	Name      string        // the whole name; see CookieName
	Secure    bool          // whether names begin with __Secure-
	ExpiresIn time.Duration // session.expiresIn

	// Attributes are, in this order: of crossSubDomainCookies the domain, advanced.defaultCookieAttributes and
	// advanced.cookies.session_token.attributes. Later ones win.
	Attributes []CookieAttributes
}

// SessionCookie writes the Set-Cookie of a session as Better Auth does when it refreshes one, byte for byte. It is safe
// for concurrent use.
type SessionCookie struct {
	secret, name, attributes string
}

// Format keeps fmt from printing the secret.
func (c *SessionCookie) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("session cookie " + c.name))
}

// NewSessionCookie checks c.
func NewSessionCookie(c SessionCookieConfig) (*SessionCookie, error) {
	switch {
	case c.Secret == "":
		return nil, errors.New("betterauth: the secret is empty, so anybody could sign")
	case c.ExpiresIn < time.Second || c.ExpiresIn > longestMaxAge:
		return nil, fmt.Errorf("betterauth: no cookie lasts %v; Better Auth makes them from 1 s to 400 days", c.ExpiresIn)
	}
	if err := checkCookieName(c.Name); err != nil {
		return nil, err
	}
	a := usual(c.Secure)
	for _, later := range c.Attributes {
		a = a.over(later)
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return &SessionCookie{c.Secret, c.Name, a.serialize(c.Name, maxAge(c.ExpiresIn))}, nil
}

// check refuses what would end or split the header.
func (a CookieAttributes) check() error {
	for _, text := range []string{a.SameSite, a.Path, a.Domain} {
		if strings.ContainsFunc(text, func(r rune) bool { return r == ';' || r == ',' || r <= ' ' || r > '~' }) {
			return fmt.Errorf("betterauth: %q cannot be part of a cookie", text)
		}
	}
	return nil
}

func maxAge(d time.Duration) string {
	return "; Max-Age=" + strconv.FormatInt(int64(d/time.Second), 10)
}

// serialize is better-call's serializeCookie, from the first semicolon on. age is empty or begins the line.
func (a CookieAttributes) serialize(name, age string) string {
	secure := *a.Secure || *a.Partitioned || strings.EqualFold(a.SameSite, "none")
	switch lower := strings.ToLower(name); {
	case strings.HasPrefix(lower, "__host-"):
		secure, a.Path, a.Domain = true, "/", ""
	case strings.HasPrefix(lower, "__secure-"):
		secure = true
	}
	line := age
	if a.Domain != "" {
		line += "; Domain=" + a.Domain
	}
	line += "; Path=" + a.Path
	if *a.HTTPOnly {
		line += "; HttpOnly"
	}
	if secure {
		line += "; Secure"
	}
	line += "; SameSite=" + strings.ToUpper(a.SameSite[:1]) + a.SameSite[1:]
	if *a.Partitioned {
		line += "; Partitioned"
	}
	return line
}

// Set is the Set-Cookie that hands out a token.
func (c *SessionCookie) Set(token string) gate.SetCookie {
	return gate.NewSetCookie(c.name + "=" + Sign(c.secret, token) + c.attributes)
}
