package e2e

import (
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// identityHeaders are the names of contract section 4 in lower case.
var identityHeaders = []string{
	"x-user-id", "x-user-email", "x-user-email-verified", "x-user-name", "x-user-role", "x-session-id", "x-org-id",
	"x-org-slug", "x-org-name", "x-org-role", "x-team-id", "x-auth-method", "x-impersonated-by", "x-internal-caller",
	"x-auth-user-id", "x-auth-org-id",
}

// evil stands in every value a client tries to pass as identity.
const evil = "evil"

// request is one HTTP/1.1 request, written byte by byte.
type request struct {
	method, target string
	host           string   // empty: the proxy's own address
	lines          []string // without Host and Connection
	keepConnection bool     // lines say what Connection is
	body           string
}

func (q request) bytes(address string) string {
	if q.method == "" {
		q.method = "GET"
	}
	if q.target == "" {
		q.target = "/private"
	}
	if q.host == "" {
		q.host = address
	}
	var b strings.Builder
	b.WriteString(q.method + " " + q.target + " HTTP/1.1\r\nHost: " + q.host + "\r\n")
	for _, line := range q.lines {
		b.WriteString(line + "\r\n")
	}
	if !q.keepConnection {
		b.WriteString("Connection: close\r\n")
	}
	b.WriteString("\r\n" + q.body)
	return b.String()
}

// exchange is what came of one request.
type exchange struct {
	testenv.RawResponse
	received []testenv.Received // by the backend
}

// send sends q through the proxy and collects what the backend saw of it.
func (p *proxied) send(t *testing.T, backend *testenv.Echo, q request) exchange {
	t.Helper()
	backend.Reset()
	response := testenv.RawHTTP(t, p.address, q.bytes(p.address))
	return exchange{response, backend.Requests()}
}

// reached reports whether the backend was asked.
func (x exchange) reached() bool { return len(x.received) > 0 }

// identity is the value of an identity header at the backend; the test fails if it came twice.
func (x exchange) identity(t *testing.T, name string) string {
	t.Helper()
	if len(x.received) != 1 {
		t.Fatalf("the backend was asked %d times; status %d, body %.300s", len(x.received), x.Status, x.Body)
	}
	values := x.received[0].Header.Values(name)
	if len(values) > 1 {
		t.Errorf("%s arrived %d times: %q", name, len(values), values)
	}
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// nothingChosen fails if the backend saw an identity header, or anything it could take for one, that the client chose.
// It is asked after every request of every test.
func (x exchange) nothingChosen(t *testing.T) {
	t.Helper()
	for _, r := range x.received {
		for _, field := range append(append(testenv.Fields{}, r.Header...), r.Trailer...) {
			folded := fold(field.Name)
			for _, name := range identityHeaders {
				if folded != name {
					continue
				}
				if !strings.EqualFold(field.Name, name) {
					t.Errorf("the backend received the alias %s: %s", field.Name, field.Value)
				}
				if strings.Contains(field.Value, evil) {
					t.Errorf("the backend received the client's own %s: %s", field.Name, field.Value)
				}
			}
		}
		for _, name := range identityHeaders {
			if values := r.Header.Values(name); len(values) > 1 {
				t.Errorf("the backend received %s %d times: %q", name, len(values), values)
			}
		}
	}
	if !x.reached() {
		for _, name := range identityHeaders { // S21: the client never sees identity on a refusal
			if value := x.Header.Get(name); value != "" {
				t.Errorf("the client was shown %s: %s", name, value)
			}
		}
	}
}

// fold maps a header name as CGI-like backends do.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		default:
			return '-'
		}
	}, name)
}

// anonymousAt fails unless the backend was reached without any identity header.
func (x exchange) anonymousAt(t *testing.T) {
	t.Helper()
	if len(x.received) != 1 {
		t.Fatalf("the backend was asked %d times; status %d, body %.300s", len(x.received), x.Status, x.Body)
	}
	for _, name := range identityHeaders {
		if values := x.received[0].Header.Values(name); len(values) > 0 {
			t.Errorf("a request of nobody arrived with %s: %q", name, values)
		}
	}
}

// cookie is a Cookie line.
func cookie(p *testenv.Person) string { return "Cookie: theme=dark; " + p.Cookie + "; _ga=GA1.1.2.3" }

// cookieName is the name of the session cookie among those of a browser.
func cookieName(line string) string {
	for pair := range strings.SplitSeq(line, "; ") {
		if name, _, _ := strings.Cut(pair, "="); strings.HasSuffix(name, ".session_token") {
			return name
		}
	}
	return ""
}
