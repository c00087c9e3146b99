package flow

import (
	"net/netip"
	"strconv"
	"strings"
)

// webURL is a URL taken apart as browsers take it apart (WHATWG), as far as they and everybody else agree; what they read
// in ways of their own is not taken at all.
type webURL struct {
	scheme string // lower case; empty: a path on our own site
	host   string // lower case, with the port unless it is the scheme's own
	path   string
	query  string // without "?"
	tail   string // "#" and what follows
}

// special are the schemes whose authority browsers read as a host, with the port they leave out.
func special(scheme string) (port string, ok bool) {
	switch scheme {
	case "http", "ws":
		return "80", true
	case "https", "wss":
		return "443", true
	case "ftp":
		return "21", true
	}
	return "", false
}

func (u *webURL) origin() string { return u.scheme + "://" + u.host }

// String is the parser's serialisation.
func (u *webURL) String() string {
	s := ""
	if u.scheme != "" {
		s = u.origin()
	}
	s += u.path
	if u.query != "" {
		s += "?" + u.query
	}
	return s + u.tail
}

// splitURL takes apart a path or an absolute URL with one of the special schemes, escaping what must be.
func splitURL(raw string) (*webURL, bool) {
	if !plain(raw) {
		return nil, false
	}
	u := &webURL{}
	rest := raw
	if raw[0] != '/' {
		scheme, after, ok := strings.Cut(raw, ":")
		u.scheme = strings.ToLower(scheme)
		port, known := special(u.scheme)
		if !ok || !known || !strings.HasPrefix(after, "//") {
			return nil, false
		}
		authority := after[2:]
		rest = ""
		if end := strings.IndexAny(authority, "/?#"); end >= 0 {
			authority, rest = authority[:end], authority[end:]
		}
		if u.host, ok = host(authority, port); !ok {
			return nil, false
		}
	}
	if hash := strings.IndexByte(rest, '#'); hash >= 0 {
		rest, u.tail = rest[:hash], "#"+escape(rest[hash+1:], " \"<>`")
	}
	path, query, _ := strings.Cut(rest, "?")
	u.query = escape(query, " \"<>'")
	u.path = resolve(escape(path, " \"<>?`{}"))
	if u.scheme == "" && strings.HasPrefix(u.path, "//") {
		return nil, false // another site, to whoever reads it as a URL
	}
	return u, true
}

// plain refuses what is read differently: nothing, control characters, backslashes, blanks around it, bytes that are no
// text.
func plain(raw string) bool {
	if raw == "" || raw[0] == ' ' || raw[len(raw)-1] == ' ' {
		return false
	}
	for _, c := range raw {
		if c < 0x20 || c >= 0x7f && c <= 0x9f || c == '\\' || c == 0xfffd {
			return false
		}
	}
	return true
}

// host reads an authority without user information. Names are letters, digits, dots, - and _; what ends in a number is an
// address, in its usual writing only.
func host(authority, usualPort string) (string, bool) {
	name, port := strings.ToLower(authority), ""
	if strings.HasPrefix(name, "[") {
		end := strings.IndexByte(name, ']')
		if end < 0 {
			return "", false
		}
		name, port = name[:end+1], name[end+1:]
		addr, err := netip.ParseAddr(name[1:end])
		if err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
			return "", false
		}
		name = "[" + addr.String() + "]"
	} else {
		if colon := strings.IndexByte(name, ':'); colon >= 0 {
			name, port = name[:colon], name[colon:]
		}
		if !hostname(name) {
			return "", false
		}
	}
	if port == "" {
		return name, true
	}
	n, err := strconv.ParseUint(port[1:], 10, 16)
	if port[0] != ':' || err != nil || port[1] == '+' {
		return "", false
	}
	if text := strconv.FormatUint(n, 10); text != usualPort {
		name += ":" + text
	}
	return name, true
}

func hostname(name string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	last := labels[len(labels)-1]
	if last == "" {
		return false
	}
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		addr, err := netip.ParseAddr(name)
		return err == nil && addr.Is4()
	}
	return true
}

// resolve takes dots out of a path, escaped ones too. An absolute URL's path is at least "/".
func resolve(path string) string {
	if path == "" {
		return "/"
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0:0]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		case ".":
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}
