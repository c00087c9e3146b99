package flow

import (
	"errors"
	"net/url"
	"strings"
)

// ErrUntrustedReturnURL says that a return URL leads somewhere we do not vouch for.
var ErrUntrustedReturnURL = errors.New("return URL is not trusted")

// ReturnURL is where a person goes after signing in. It can only be made by ParseReturnURL, so whoever holds one may
// redirect to it. The zero value leads to "/".
type ReturnURL struct{ text string }

// String is the URL exactly as it was given: joining or cleaning it could change where it leads.
func (u ReturnURL) String() string {
	if u.text == "" {
		return "/"
	}
	return u.text
}

// ParseReturnURL admits a path on our own site, or an absolute URL whose origin is one of ours, exactly. It is stricter
// than Better Auth 1.7.25 (better-auth-oauth.md, section 6.3): what browsers and Go read differently (backslashes,
// control characters, user information, blanks around it, a path of dots in front of //) is refused, because leading
// somebody to an attacker's page right after they signed in is the classic of this trade (GHSA-hjpm-7mrm-26w8).
// Empty is "/".
func ParseReturnURL(raw string, origins ...string) (ReturnURL, error) {
	if raw == "" {
		return ReturnURL{}, nil
	}
	for _, c := range raw {
		if c <= 0x20 || c >= 0x7f && c <= 0x9f || c == '\\' || c == 0xfffd {
			return ReturnURL{}, ErrUntrustedReturnURL
		}
	}
	if raw[0] == '/' {
		return relative(raw)
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ReturnURL{}, ErrUntrustedReturnURL
	}
	origin := u.Scheme + "://" + strings.ToLower(u.Host)
	for _, ours := range origins {
		// The prefix is compared in the raw text as well: whatever a parser made of it, the browser reads the text.
		if origin == strings.ToLower(ours) && len(raw) >= len(origin) && strings.EqualFold(raw[:len(origin)], origin) {
			if rest := raw[len(origin):]; rest == "" || strings.IndexByte("/?#", rest[0]) >= 0 {
				return ReturnURL{raw}, nil
			}
		}
	}
	return ReturnURL{}, ErrUntrustedReturnURL
}

func relative(raw string) (ReturnURL, error) {
	path := raw
	if end := strings.IndexAny(raw, "?#"); end >= 0 {
		path = raw[:end]
	}
	lower := strings.ToLower(path)
	if strings.HasPrefix(path, "//") || strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") {
		return ReturnURL{}, ErrUntrustedReturnURL
	}
	for segment := range strings.SplitSeq(lower, "/") {
		switch strings.ReplaceAll(segment, "%2e", ".") {
		case ".", "..":
			return ReturnURL{}, ErrUntrustedReturnURL // "/..//evil.com" becomes "//evil.com" when somebody cleans it
		}
	}
	return ReturnURL{raw}, nil
}
