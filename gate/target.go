package gate

import (
	"strings"
	"unicode/utf8"
)

// PathRules admits two readings of a path that are refused otherwise. Set one only where the backend reads paths so.
type PathRules struct {
	MergeSlashes   bool // // is /
	EncodedSlashes bool // %2F stays inside its segment
}

// slashInSegment stands for an admitted %2F in a decoded path. No decoded path holds NUL otherwise.
const slashInSegment = '\x00'

// path decodes the path of a request target once, the way the backend will read it, or refuses it: where two parsers
// could disagree (dot segments, //, %2F, %5C, ;, double encoding, …) there is no right answer, and a rule for one
// reading would be walked around by the other (OWASP path confusion; Envoy CVE-2021-29492, Oathkeeper
// GHSA-p224-6x5r-fjpm, heimdall CVE-2026-42274, oauth2-proxy CVE-2026-41059).
func (p PathRules) path(target string) (string, Reason) {
	if target == "" {
		return "", AmbiguousRequest
	}
	if len(target) > maxTargetBytes {
		return "", RequestTooLarge
	}
	raw, query, _ := strings.Cut(target, "?")
	if raw == "" || raw[0] != '/' {
		return "", UnsafePath
	}
	for i := range len(query) {
		if c := query[i]; c <= 0x20 || c == 0x7f {
			return "", AmbiguousRequest
		} else if c == '#' {
			return "", UnsafePath
		}
	}
	encoded := false
	for i := range len(raw) {
		switch c := raw[i]; {
		case c <= 0x20, c == 0x7f, c == '\\', c == ';', c == '#':
			return "", UnsafePath
		case c == '%':
			encoded = true
		}
	}
	decoded := raw
	if encoded {
		var why Reason
		if decoded, why = p.decode(raw); why != "" {
			return "", why
		}
	}
	if !validUTF8(decoded) {
		return "", UnsafePath // overlong forms of / and . hide here
	}
	return p.segments(decoded)
}

func (p PathRules) decode(raw string) (string, Reason) {
	out := make([]byte, 0, len(raw))
	percent := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '%' {
			out = append(out, c)
			continue
		}
		if i+2 >= len(raw) {
			return "", UnsafePath
		}
		hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
		if hi < 0 || lo < 0 {
			return "", UnsafePath
		}
		c = byte(hi<<4 | lo)
		i += 2
		switch {
		case c < 0x20, c == 0x7f, c == '\\', c == '.', c == ';': // nginx writes %3B as ; and Java then cuts there
			return "", UnsafePath
		case c == '/':
			if !p.EncodedSlashes {
				return "", UnsafePath
			}
			c = slashInSegment
		case c == '%':
			percent = true
		}
		out = append(out, c)
	}
	if percent && holdsEscape(out) {
		return "", UnsafePath
	}
	return string(out), ""
}

// holdsEscape reports whether a second decoder would find something to decode: %252e, and %25%32%65 as well.
func holdsEscape(path []byte) bool {
	for i := range len(path) - 2 {
		if path[i] == '%' && unhex(path[i+1]) >= 0 && unhex(path[i+2]) >= 0 {
			return true
		}
	}
	return false
}

// segments refuses dot segments and empty segments, or merges the latter.
func (p PathRules) segments(path string) (string, Reason) {
	merge := false
	for i := 0; i < len(path); i++ {
		if path[i] != '/' && path[i] != slashInSegment {
			continue
		}
		end := i + 1
		for end < len(path) && path[end] != '/' && path[end] != slashInSegment {
			end++
		}
		switch segment := path[i+1 : end]; {
		case segment == "." || segment == "..":
			return "", UnsafePath
		case segment == "" && end < len(path):
			if !p.MergeSlashes || path[i] == slashInSegment || path[end] == slashInSegment {
				return "", UnsafePath
			}
			merge = true
		}
	}
	if !merge {
		return path, ""
	}
	out := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] == '/' && len(out) > 0 && out[len(out)-1] == '/' {
			continue
		}
		out = append(out, path[i])
	}
	return string(out), ""
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func validUTF8(s string) bool { return utf8.ValidString(s) }
