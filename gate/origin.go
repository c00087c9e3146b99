package gate

import (
	"fmt"
	"net/netip"
	"strings"
)

// Origins are the origins whose pages may use our cookies from elsewhere. The zero value trusts only a request's own.
type Origins struct{ patterns []originPattern }

type originPattern struct {
	text  string // lower case
	whole bool   // scheme and all; otherwise host and port alone
	exact bool
	ipv4  bool // digits, dots and wildcards: an IPv4 address is meant, and 192.168.* is not 192.168.evil.com
}

// NewOrigins reads Better Auth's trustedOrigins: exact origins, or wildcards * and ? on the host (without "://") or on
// the whole origin. What can never be the origin of a web page (myapp://, an origin with a path) is skipped, as it is
// there: the same list also holds an app's deep links.
func NewOrigins(list []string) (Origins, error) {
	var o Origins
	for _, entry := range list {
		text := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(entry), "/"))
		if text == "" {
			continue
		}
		if hasControl(text) || strings.ContainsAny(text, " \t") {
			return Origins{}, fmt.Errorf("%q: write an origin as scheme://host[:port]", entry)
		}
		scheme, rest, whole := strings.Cut(text, "://")
		if !whole {
			rest = text
		}
		if whole && !wildcard(scheme, "https") && !wildcard(scheme, "http") || rest == "" || strings.ContainsAny(rest, "/\\@#") {
			continue
		}
		exact := !strings.ContainsAny(text, "*?")
		if exact && !whole {
			continue // a bare host is no origin: Better Auth never matches it
		}
		if exact {
			text = canonicalOrigin(text)
		}
		if text != "" {
			name, _, _ := strings.Cut(rest, ":")
			ipv4 := strings.ContainsAny(name, "0123456789") && strings.Trim(name, "0123456789.*?") == ""
			o.patterns = append(o.patterns, originPattern{text, whole, exact, ipv4})
		}
	}
	return o, nil
}

// trusts reports whether the canonical origin is one of ours.
func (o Origins) trusts(origin string) bool {
	_, authority, ok := strings.Cut(origin, "://")
	if !ok {
		return false
	}
	foreign := strings.HasPrefix(authority, "xn--") || strings.Contains(authority, ".xn--")
	for _, p := range o.patterns {
		subject := origin
		if !p.whole {
			subject = authority
		}
		if p.exact {
			if subject == p.text {
				return true
			}
			continue
		}
		// A wildcard means no name that only a browser can read, as oauth/flow has it.
		if wildcard(p.text, subject) && (!p.ipv4 || isIPv4(authority)) && !foreign {
			return true
		}
	}
	return false
}

// ofPage reports whether an origin, as it was sent, is one that a browser writes for a page of the web. Lists of origins are
// asked about no other: a wildcard for hosts is not meant for an extension, and a name with a final dot, or an address in an
// odd spelling, is another origin to a browser than the one that the list has.
func ofPage(origin string) bool {
	scheme, authority, _ := strings.Cut(origin, "://")
	if scheme = strings.ToLower(scheme); scheme != "http" && scheme != "https" {
		return false
	}
	name, _, ok := splitAuthority(authority)
	if !ok || strings.HasSuffix(authority, ".") || strings.Contains(authority, ".:") {
		return false
	}
	if v6, ok := strings.CutPrefix(name, "["); ok {
		address, err := netip.ParseAddr(strings.TrimSuffix(v6, "]"))
		return err == nil && !address.Is4In6()
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") { // then browsers read an address
		return isIPv4(name)
	}
	return true
}

func isIPv4(authority string) bool {
	name, _, _ := splitAuthority(authority)
	address, err := netip.ParseAddr(name)
	return err == nil && address.Is4()
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
	return origin != "" && (origin == canonicalOrigin(r.Scheme+"://"+r.Host) || ofPage(r.Origin) && o.trusts(origin))
}

// traceOrigin tells which origin was seen and which ones count.
func (r *Request) traceOrigin() {
	if r.Trace == nil {
		return
	}
	seen := "origin " + r.Origin
	if r.Origin == "" {
		seen = "no Origin, and Sec-Fetch-Site: " + r.FetchSite
	}
	r.trace("origin", seen, "; only the request's own (", canonicalOrigin(r.Scheme+"://"+r.Host),
		"), that of better_auth.url and better_auth.trusted_origins count")
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
