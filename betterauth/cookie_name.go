package betterauth

import (
	"errors"
	"fmt"
	"strings"
)

const (
	defaultPrefix = "better-auth"
	securePrefix  = "__Secure-"
)

// CookieName is the whole name of the session cookie. prefix is advanced.cookiePrefix, empty for Better Auth's own;
// custom is advanced.cookies.session_token.name, which takes the place of prefix and name, but not of __Secure-.
// The library answers to exactly this name and never to the other variant.
func CookieName(prefix, custom string, secure bool) string {
	return cookieName("session_token", prefix, custom, secure)
}

func cookieName(usual, prefix, custom string, secure bool) string {
	name := custom
	if name == "" {
		if prefix == "" {
			prefix = defaultPrefix
		}
		name = prefix + "." + usual
	}
	if secure {
		return securePrefix + name
	}
	return name
}

// checkCookieName refuses what no browser sends back, and what the scan would never find.
func checkCookieName(name string) error {
	if name == "" {
		return errors.New("betterauth: the session cookie has no name")
	}
	for i := range len(name) {
		if !isTokenByte(name[i]) {
			return fmt.Errorf("betterauth: %q is no cookie name; use letters, digits, dots, - and _", name)
		}
	}
	return nil
}

// isTokenByte reports whether c may be part of a token (RFC 9110, section 5.6.2): names of cookies and of
// authentication schemes are tokens.
func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
