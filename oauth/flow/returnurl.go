package flow

import (
	"errors"
	"strings"
)

// ErrUntrustedReturnURL says that a return URL leads somewhere we do not vouch for.
var ErrUntrustedReturnURL = errors.New("return URL is not trusted")

// ReturnURL is where a person goes after signing in. It can only be made by Origins.ReturnURL, so whoever holds one may
// redirect to it. The zero value leads to "/".
type ReturnURL struct{ text string }

// String is the URL exactly as it was given: joining or cleaning it could change where it leads.
func (u ReturnURL) String() string {
	if u.text == "" {
		return "/"
	}
	return u.text
}

// ReturnURL admits a path on our own site or an absolute URL of an origin that is trusted. It is Better Auth's rule
// (better-auth-oauth.md, section 6.3), and stricter where browsers, Go and the library read differently: leading somebody
// to an attacker's page right after they signed in is the classic of this trade (GHSA-hjpm-7mrm-26w8,
// GHSA-36rg-gfq2-3h56). docs/companion.md lists what is refused that the library admits. Empty is "/".
func (o *Origins) ReturnURL(raw string) (ReturnURL, error) {
	switch {
	case raw == "":
		return ReturnURL{}, nil
	case raw[0] == '/' && safePath(raw), raw[0] != '/' && o.Trust(raw):
		return ReturnURL{raw}, nil
	}
	return ReturnURL{}, ErrUntrustedReturnURL
}

// ParseReturnURL is Origins.ReturnURL for whoever has no base URL: a path, or an absolute URL of exactly one of origins.
func ParseReturnURL(raw string, origins ...string) (ReturnURL, error) {
	return (&Origins{patterns: compile(origins)}).ReturnURL(raw)
}

// safePath admits a path that leads to our own site however it is read: by a browser, by a router that cleans it, or by
// the library, which makes "//evil.com?error=x" of "/..//evil.com" when it tells an error there.
func safePath(raw string) bool {
	if !plain(raw) {
		return false
	}
	path := raw
	if end := strings.IndexAny(raw, "?#"); end >= 0 {
		path = raw[:end]
	}
	lower := strings.ToLower(path)
	if strings.HasPrefix(path, "//") || strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") {
		return false
	}
	for segment := range strings.SplitSeq(lower, "/") {
		switch strings.ReplaceAll(segment, "%2e", ".") {
		case ".", "..":
			return false
		}
	}
	return true
}
