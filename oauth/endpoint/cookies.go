package endpoint

import (
	"net/url"
	"slices"
	"strings"
)

// Cookies writes the Set-Cookie lines of Better Auth's cookies with the attributes that are configured. A key is the
// library's own name of a cookie, without prefixes: session_token, session_data, dont_remember, state, oauth_state.
type Cookies interface {
	Name(key string) string                   // the whole name
	SignedFor(key, value string) string       // signed, for as long as cookies of this key last
	SignedUntilQuit(key, value string) string // signed, until the browser is quit
	Cleared(name, key string) string          // empty and over; name is the whole one, which may have a number behind it
}

// The library's keys of the cookies that make up a session.
const (
	sessionToken = "session_token"
	sessionData  = "session_data"
	dontRemember = "dont_remember"
)

// SetCookie sends a Set-Cookie line. Where it hands out a session, the bearer plugin's headers go with it, for those who
// keep no cookies.
func (c *Call) SetCookie(line string) {
	h := c.W.Header()
	h.Add("Set-Cookie", line)
	rest, ours := strings.CutPrefix(line, c.router.config.Cookies.Name(sessionToken)+"=")
	value, attributes, _ := strings.Cut(rest, ";")
	if !ours || value == "" || strings.Contains(attributes+";", " Max-Age=0;") {
		return
	}
	if token, err := url.PathUnescape(value); err == nil {
		h.Set("Set-Auth-Token", token)
		expose(h, "set-auth-token")
	}
}

// SetSession signs the browser in. remember is whether the cookie outlives the browser's quitting.
func (c *Call) SetSession(token string, remember bool) {
	cookies := c.router.config.Cookies
	if remember {
		c.SetCookie(cookies.SignedFor(sessionToken, token))
		return
	}
	c.SetCookie(cookies.SignedUntilQuit(sessionToken, token))
	c.SetCookie(cookies.SignedUntilQuit(dontRemember, "true"))
}

// ClearSession signs the browser out: the library's three cookies, and whatever pieces of the second it brought.
func (c *Call) ClearSession() {
	c.expire(sessionToken)
	c.expire(sessionData)
	c.clearPieces()
	c.expire(dontRemember)
}

// expire takes back what was set before, then clears.
func (c *Call) expire(key string) {
	cookies := c.router.config.Cookies
	name := cookies.Name(key)
	h := c.W.Header()
	kept := h["Set-Cookie"][:0]
	for _, line := range h["Set-Cookie"] {
		if !strings.HasPrefix(line, name+"=") && !strings.HasPrefix(line, name+".") {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, cookies.Cleared(name, key))
	if key == sessionToken {
		h.Del("Set-Auth-Token")
	}
}

// clearPieces clears every cookie of the cache that the request brought, in its order. We neither write nor believe the
// cache: what we change would be missing there for as long as it lasts.
func (c *Call) clearPieces() {
	cookies := c.router.config.Cookies
	whole := cookies.Name(sessionData)
	for _, name := range c.pieces(whole) {
		c.W.Header().Add("Set-Cookie", cookies.Cleared(name, sessionData))
	}
}

// maxPieces is the library's own limit.
const maxPieces = 100

// pieces are the names of the request's cookies that are whole, or whole and a number.
func (c *Call) pieces(whole string) []string {
	var names []string
	for _, line := range c.R.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			rest, ours := strings.CutPrefix(name, whole)
			if !ok || !ours || rest != "" && !isPiece(rest) || slices.Contains(names, name) || len(names) > maxPieces {
				continue
			}
			names = append(names, name)
		}
	}
	return names
}

// isPiece reports whether what follows a cookie's name is a dot and a number as JavaScript writes one.
func isPiece(rest string) bool {
	digits := strings.TrimPrefix(rest, ".")
	if rest[0] != '.' || digits == "" || len(digits) > 15 || len(digits) > 1 && digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}
