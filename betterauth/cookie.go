package betterauth

import "strings"

// nextCookie finds the next cookie of that name in a Cookie line, and what follows it. It is the library's own parse
// (better-call, parseCookies): pairs end at ";", the name is what stands before the first "=", both sides are trimmed,
// pairs without "=" are skipped, and a value that begins with a quote loses its first and its last byte, whatever that
// is. Only the name that is asked for is taken apart. The value is not decoded.
func nextCookie(line, name string) (value, rest string, ok bool) {
	for line != "" {
		pair := line
		if end := strings.IndexByte(line, ';'); end >= 0 {
			pair, line = line[:end], line[end+1:]
		} else {
			line = ""
		}
		after, found := strings.CutPrefix(trimLeft(pair), name)
		if !found {
			continue
		}
		if after = trimLeft(after); after == "" || after[0] != '=' {
			continue
		}
		value = trimRight(trimLeft(after[1:]))
		if value != "" && value[0] == '"' {
			value = value[1:max(1, len(value)-1)]
		}
		return value, line, true
	}
	return "", "", false
}

// isSpace is ASCII's share of what JavaScript trims.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func trimLeft(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}

func trimRight(s string) string {
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
