package gate

import (
	"fmt"
	"strings"
)

// Origins are the origins whose pages may use our cookies from elsewhere. The zero value trusts only a request's own.
type Origins struct{ patterns []originPattern }

type originPattern struct {
	text  string // lower case
	whole bool   // scheme and all; otherwise the host alone
	exact bool
}

// NewOrigins reads Better Auth's trustedOrigins: exact origins, or wildcards * and ? on the host (without "://") or on
// the whole origin. A path is refused: an origin has none.
func NewOrigins(list []string) (Origins, error) {
	var o Origins
	for _, entry := range list {
		text := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(entry), "/"))
		if text == "" {
			continue
		}
		_, rest, whole := strings.Cut(text, "://")
		if !whole {
			rest = text
		}
		if strings.ContainsAny(rest, "/ \t#@\\") || rest == "" {
			return Origins{}, fmt.Errorf("%q: write an origin as scheme://host[:port]", entry)
		}
		exact := !strings.ContainsAny(text, "*?")
		if exact && whole {
			text = canonicalOrigin(text)
		}
		o.patterns = append(o.patterns, originPattern{text: text, whole: whole, exact: exact})
	}
	return o, nil
}

// trusts reports whether the canonical origin is one of ours.
func (o Origins) trusts(origin string) bool {
	if origin == "" || origin == "null" {
		return false
	}
	_, authority, ok := strings.Cut(origin, "://")
	if !ok {
		return false
	}
	for _, p := range o.patterns {
		subject := origin
		if !p.whole {
			subject = authority
		}
		if p.exact && subject == p.text || !p.exact && wildcard(p.text, subject) {
			return true
		}
	}
	return false
}

// sameOrigin is the evidence a cookie needs on an unsafe method or a WebSocket handshake: fetch metadata, else Origin
// (Fetch standard, "HTTP-network-or-cache fetch"). A client that sends neither is no browser, and has no ambient cookies.
func (o Origins) sameOrigin(r *Request) bool {
	switch r.FetchSite {
	case "same-origin", "none":
		return true
	}
	if r.Origin == "" {
		return r.FetchSite == ""
	}
	return o.admits(r)
}

// admits reports whether Origin is the request's own or trusted.
func (o Origins) admits(r *Request) bool {
	origin := canonicalOrigin(r.Origin)
	return origin != "" && (origin == canonicalOrigin(r.Scheme+"://"+r.Host) || o.trusts(origin))
}

// canonicalOrigin lower-cases an origin and drops its scheme's default port; "" if it is none.
func canonicalOrigin(origin string) string {
	scheme, authority, ok := strings.Cut(origin, "://")
	if !ok || scheme == "" {
		return ""
	}
	scheme = strings.ToLower(scheme)
	name, port, ok := splitAuthority(authority)
	if !ok {
		return ""
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + name
	}
	return scheme + "://" + name + ":" + port
}

// wildcard matches * as any run and ? as any one byte. It is linear in practice: patterns are short and ours.
func wildcard(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
