package roomtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
)

// Cookie is a session's, signed.
func Cookie(token string) string {
	return "better-auth.session_token=" + betterauth.Sign(testenv.TestSecret, token)
}

// Raw is a request as it goes over the wire. Headers come in pairs; a body gets its length.
func Raw(method, target, body string, headers ...string) string {
	var b strings.Builder
	b.WriteString(method + " " + target + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(Base, "http://") + "\r\nConnection: close\r\n")
	for i := 0; i < len(headers); i += 2 {
		b.WriteString(headers[i] + ": " + headers[i+1] + "\r\n")
	}
	if body != "" || method == http.MethodPost {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return b.String()
}

// Head is what counts of an answer but its body: the status, the headers in order of their names, the cookies in their own.
// An answer that never came fails the test: two of those would be the same.
func Head(t testing.TB, answer testenv.RawResponse) string {
	t.Helper()
	if answer.Status == 0 {
		t.Fatal("there was no answer")
	}
	var lines []string
	for _, h := range answer.Header {
		if name := strings.ToLower(h.Name); name != "set-cookie" && Counts(name, h.Value) {
			lines = append(lines, name+": "+h.Value)
		}
	}
	slices.Sort(lines)
	lines = append(lines, answer.Header.Values("Set-Cookie")...)
	return strconv.Itoa(answer.Status) + " " + answer.Reason + "\n" + strings.Join(append(lines, ""), "\n")
}

// Counts leaves out what either server adds to every answer, and what docs/companion.md says we add. The name is in lower
// case.
func Counts(name, value string) bool {
	switch name {
	case "date", "connection", "keep-alive", "transfer-encoding", "content-length":
		return false
	case "vary", "x-content-type-options", "access-control-allow-origin", "access-control-allow-credentials":
		return false
	case "cache-control":
		return value != "no-store" // on every answer of ours
	}
	return true
}
