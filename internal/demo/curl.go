package demo

import "strings"

// header is one header line of a request somebody may make.
type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// curl is the request as a line for sh.
func curl(url, cookie string, headers []header) string {
	var b strings.Builder
	b.WriteString("curl -H 'Accept: application/json'")
	if cookie != "" {
		headers = append([]header{{"Cookie", cookie}}, headers...)
	}
	for _, h := range headers {
		b.WriteString(" -H " + quote(h.Name+": "+h.Value))
	}
	if strings.Contains(url, "..") {
		b.WriteString(" --path-as-is")
	}
	return b.String() + " " + shellWord(url)
}

// quote makes s one word for sh, whatever is in it.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// shellWord quotes s only where sh would read something into it.
func shellWord(s string) string {
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(":/.%_-", c) >= 0) {
			return quote(s)
		}
	}
	return s
}
