package flow

import "strings"

// ErrorURL is where somebody is sent with an error: the code, and a description unless it is empty, go in front of the
// fragment, and a query that is there stays as it is. False: target is no URL one can be sent to, which is never so for
// one that was admitted.
func ErrorURL(target, code, description string) (string, bool) {
	query := "error=" + Form(code)
	if description != "" {
		query += "&error_description=" + Form(description)
	}
	return AppendQuery(target, query)
}

// AppendQuery puts an encoded query in front of the fragment of an absolute URL or a path, as the library does: through
// a URL parser, which escapes what must be and resolves dots in the path.
func AppendQuery(target, query string) (string, bool) {
	u, ok := splitURL(target)
	if !ok {
		return "", false
	}
	switch {
	case u.query == "":
		u.query = query
	case strings.HasSuffix(u.query, "&"):
		u.query += query
	default:
		u.query += "&" + query
	}
	return u.String(), true
}

// Location is a URL as a header may carry it: what is not ASCII or would break the line is escaped, as browsers read it.
// Everything else stays as it was given.
func Location(raw string) string { return escape(raw, "") }

// Form is the serialisation of URLSearchParams.
func Form(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b.WriteByte('+')
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("*-._", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// escape escapes control characters, bytes beyond ASCII and those of more.
func escape(s, more string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < 0x20 || c >= 0x7f || strings.IndexByte(more, c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
