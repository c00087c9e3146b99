package flow

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Origins are the sites somebody may be led back to: our own, and trustedOrigins with the library's patterns. Make them
// with NewOrigins; they are safe for concurrent use.
type Origins struct {
	base     string
	patterns []pattern
}

// pattern is one entry of trustedOrigins.
type pattern struct {
	text            string
	wild            bool
	host            bool              // without "://": the glob is about the host alone
	glob            func(string) bool // of the whole text, where wild
	addresses       bool              // digits, dots and wildcards only: admits addresses only
	custom          *customURL        // nil: no URL
	authority, path func(string) bool // globs of custom's parts, where wild
}

// NewOrigins takes Better Auth's base URL, of which the origin counts, and its trusted origins as they are written there.
func NewOrigins(base string, trusted ...string) (*Origins, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("flow: %q is no base URL", base)
	}
	own, ok := splitURL(u.Scheme + "://" + u.Host)
	if !ok || own.scheme != "http" && own.scheme != "https" {
		return nil, fmt.Errorf("flow: %q is no base URL", base)
	}
	return &Origins{base: own.origin(), patterns: compile(append([]string{own.origin()}, trusted...))}, nil
}

func compile(texts []string) []pattern {
	var patterns []pattern
	for _, text := range texts {
		if text == "" {
			continue // the library matches it with nothing
		}
		p := pattern{text: text, wild: strings.ContainsAny(text, "*?")}
		p.host = p.wild && !strings.Contains(text, "://")
		p.custom, _ = splitCustom(text, p.wild)
		if p.wild {
			_, after, found := strings.Cut(text, "://")
			if !found {
				after = text
			}
			p.glob, p.addresses = glob(text), onlyAddresses(after)
			if p.custom != nil {
				p.authority, p.path = glob(p.custom.authority), glob(p.custom.path)
			}
		}
		patterns = append(patterns, p)
	}
	return patterns
}

// Base is the origin of the base URL, where somebody goes who asked for nothing else.
func (o *Origins) Base() string { return o.base }

// Trust reports whether an absolute URL, or the value of an Origin header, is one of ours. A path never is.
func (o *Origins) Trust(raw string) bool {
	if raw == "" || raw[0] == '/' || !plain(raw) {
		return false
	}
	u, web := splitURL(raw)
	scheme, _, _ := strings.Cut(raw, ":")
	scheme = strings.ToLower(scheme)
	_, isSpecial := special(scheme)
	// A special scheme that is not read plainly is not read at all. Schemes that run or hold a document have no place in
	// a redirect, whatever the patterns say.
	if isSpecial && !web || slices.Contains([]string{"javascript", "data", "vbscript", "blob", "file", "about"}, scheme) {
		return false
	}
	return slices.ContainsFunc(o.patterns, func(p pattern) bool {
		switch {
		case p.host:
			return web && p.wildHost(u.host)
		case scheme == "http" || scheme == "https":
			if !p.wild {
				return p.text == u.origin()
			}
			return p.glob(u.origin()) && p.allows(u.host)
		}
		return p.admitsCustom(raw)
	})
}

func (p *pattern) wildHost(host string) bool { return p.glob(host) && p.allows(host) }

// allows keeps 192.168.*.* from meaning 192.168.evil.com, and patterns from meaning names that only a browser can read.
func (p *pattern) allows(host string) bool {
	name, _, _ := strings.Cut(host, ":")
	if p.addresses {
		addr, err := netip.ParseAddr(name)
		return err == nil && addr.Is4()
	}
	return !strings.HasPrefix(name, "xn--") && !strings.Contains(name, ".xn--")
}

func (p *pattern) admitsCustom(raw string) bool {
	u, ok := splitCustom(raw, false)
	if !ok || p.custom == nil || u.scheme != p.custom.scheme {
		return false
	}
	if !p.wild {
		if p.custom.authority != "" && u.authority != p.custom.authority {
			return false
		}
		return p.custom.path == "" || u.path == p.custom.path || strings.HasPrefix(u.path, p.custom.path+"/")
	}
	if strings.Contains(u.authority, "@") {
		return false
	}
	if p.custom.authority != "" {
		address, _, _ := strings.Cut(u.authority, ":")
		addr, err := netip.ParseAddr(address)
		if !p.authority(u.authority) || onlyAddresses(p.custom.authority) && (err != nil || !addr.Is4()) {
			return false
		}
	}
	path := u.path
	if path == "" {
		path = "/"
	}
	return p.custom.path == "" || p.path(path)
}

// onlyAddresses is the library's test for patterns that name a range of addresses.
func onlyAddresses(authority string) bool {
	host, _, _ := strings.Cut(authority, ":")
	return strings.ContainsAny(host, "0123456789") && strings.Trim(host, "0123456789*?.") == ""
}

// customURL is a URL of an app's own scheme, split as the library splits it.
type customURL struct{ scheme, authority, path string }

func splitCustom(raw string, isPattern bool) (*customURL, bool) {
	for _, c := range raw {
		if c < 0x20 || c >= 0x7f && c <= 0x9f {
			return nil, false
		}
	}
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok || scheme == "" {
		return nil, false
	}
	u := &customURL{scheme: strings.ToLower(scheme)}
	ends, pathEnds := "/?#", "?#"
	if isPattern {
		ends, pathEnds = "/#", "#"
	}
	if after, found := strings.CutPrefix(rest, "//"); found {
		u.authority, rest = strings.ToLower(after), ""
		if end := strings.IndexAny(after, ends); end >= 0 {
			u.authority, rest = strings.ToLower(after[:end]), after[end:]
		}
	}
	if end := strings.IndexAny(rest, pathEnds); end >= 0 {
		rest = rest[:end]
	}
	decoded, err := url.PathUnescape(rest)
	if err != nil || !utf8.ValidString(decoded) {
		decoded = rest // as decodeURIComponent would have thrown
	}
	var segments []string
	for segment := range strings.SplitSeq(decoded, "/") {
		switch segment {
		case "", ".":
		case "..":
			segments = segments[:max(0, len(segments)-1)]
		default:
			segments = append(segments, segment)
		}
	}
	if len(segments) > 0 {
		u.path = "/" + strings.Join(segments, "/")
	}
	return u, true
}

// glob compiles one of the library's patterns: * is any run of characters, dots included, ? is one, a backslash takes the
// next one as it is. Nothing else is special, and the whole text must match.
func glob(text string) func(string) bool {
	var b strings.Builder
	b.WriteString(`\A`)
	for runes := []rune(text); len(runes) > 0; runes = runes[1:] {
		switch c := runes[0]; {
		case c == '\\':
			if len(runes) > 1 {
				runes = runes[1:]
				b.WriteString(regexp.QuoteMeta(string(runes[0])))
			}
		case c == '?':
			b.WriteString(`.`)
		case c == '*':
			b.WriteString(`.*`)
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String()).MatchString
}
