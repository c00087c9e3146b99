package endpoint

import (
	"net/url"
	"slices"
	"strings"

	"github.com/usherauth/usher/betterauth"
)

// SetCookie sends a Set-Cookie line. Where it hands out a session, the bearer plugin's headers go with it, for those who
// keep no cookies.
func (c *Call) SetCookie(line string) {
	h := c.W.Header()
	h.Add("Set-Cookie", line)
	rest, ours := strings.CutPrefix(line, c.router.config.Cookies.Name(betterauth.SessionToken)+"=")
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
		c.SetCookie(cookies.SetSigned(betterauth.SessionToken, token, c.router.config.ExpiresIn))
		if c.DontRemember() {
			c.expire(betterauth.Remember)
		}
		return
	}
	c.SetCookie(cookies.SetSigned(betterauth.SessionToken, token, 0))
	c.SetCookie(cookies.SetSigned(betterauth.Remember, "true", 0))
}

// ClearSession signs the browser out: the library's three cookies, and whatever pieces of the second it brought.
func (c *Call) ClearSession() {
	c.expire(betterauth.SessionToken)
	c.expire(betterauth.SessionData)
	c.clearPieces()
	c.expire(betterauth.Remember)
}

// expire takes back what was set before, then clears.
func (c *Call) expire(own string) {
	cookies := c.router.config.Cookies
	name := cookies.Name(own)
	h := c.W.Header()
	kept := h["Set-Cookie"][:0]
	for _, line := range h["Set-Cookie"] {
		if !strings.HasPrefix(line, name+"=") && !strings.HasPrefix(line, name+".") {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, cookies.Clear(own))
	if own == betterauth.SessionToken {
		h.Del("Set-Auth-Token")
		h.Del("Access-Control-Expose-Headers") // which only SetCookie set
	}
}

// clearPieces clears every cookie of the cache that the request brought, in its order. We neither write nor believe the
// cache: what we change would be missing there for as long as it lasts.
func (c *Call) clearPieces() {
	cookies := c.router.config.Cookies
	whole := cookies.Name(betterauth.SessionData)
	attributes := strings.TrimPrefix(cookies.Clear(betterauth.SessionData), whole)
	for _, name := range c.pieces(whole) {
		c.W.Header().Add("Set-Cookie", name+attributes)
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
