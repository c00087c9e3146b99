package forwardauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/forwardauth"
	"github.com/usherauth/usher/gate"
)

// refuse asks for something that is refused and returns the question and its ticket.
func refuse(t *testing.T, w *world) (question []gate.Header, ticket string) {
	t.Helper()
	question = lines("X-Original-Method: GET\nX-Original-URL: https://app.test/private?q=1\nAccept: text/html\n")
	got := w.send(t, proxyAddr, "GET", "/gate/nginx", "gate", question)
	if got.status != 401 {
		t.Fatalf("status %d", got.status)
	}
	return question, got.answer.Get("X-Usher-Ticket")
}

func (w *world) redeem(t *testing.T, path string, question []gate.Header, tickets ...string) outcome {
	t.Helper()
	question = append([]gate.Header(nil), question...)
	for _, ticket := range tickets {
		question = append(question, gate.Header{Name: "X-Usher-Ticket", Value: ticket})
	}
	return w.send(t, proxyAddr, "GET", path, "gate", question)
}

func TestTicketRendersTheRefusal(t *testing.T) {
	w := newWorld(t)
	question, ticket := refuse(t, w)
	for _, path := range []string{"/gate/nginx/answer", "/gate/nginx/answer?x", "/gate/nginx/answer@admin", "/gate/nginx@admin/answer"} {
		got := w.redeem(t, path, question, ticket)
		if got.status != 302 || !strings.HasPrefix(got.answer.Get("Location"), signInURL+"?callbackURL=https%3A%2F%2Fapp.test%2Fprivate") {
			t.Errorf("%s: %d %q", path, got.status, got.answer.Get("Location"))
		}
	}
}

func TestTicketIsForOneRequestAndAShortTime(t *testing.T) {
	w := newWorld(t)
	question, ticket := refuse(t, w)
	other := func(name, value string) []gate.Header {
		return append(without(question, strings.ToLower(name)), gate.Header{Name: name, Value: value})
	}
	broken := func(i int) string {
		b := []byte(ticket)
		b[i] ^= 1
		return string(b)
	}
	for what, got := range map[string]outcome{
		"no ticket":         w.redeem(t, "/gate/nginx/answer", question),
		"an empty ticket":   w.redeem(t, "/gate/nginx/answer", question, ""),
		"two tickets":       w.redeem(t, "/gate/nginx/answer", question, ticket, ticket),
		"another method":    w.redeem(t, "/gate/nginx/answer", other("X-Original-Method", "POST"), ticket),
		"another URL":       w.redeem(t, "/gate/nginx/answer", other("X-Original-URL", "https://app.test/private?q=2"), ticket),
		"no URL":            w.redeem(t, "/gate/nginx/answer", without(question, "x-original-url"), ticket),
		"another version":   w.redeem(t, "/gate/nginx/answer", question, broken(0)),
		"another verdict":   w.redeem(t, "/gate/nginx/answer", question, broken(2)),
		"another reason":    w.redeem(t, "/gate/nginx/answer", question, broken(5)),
		"another signature": w.redeem(t, "/gate/nginx/answer", question, broken(len(ticket)-3)),
		"no signature":      w.redeem(t, "/gate/nginx/answer", question, ticket[:strings.LastIndexByte(ticket, '.')+1]),
		"half a ticket":     w.redeem(t, "/gate/nginx/answer", question, ticket[:len(ticket)/2]),
		"not a ticket":      w.redeem(t, "/gate/nginx/answer", question, "nonsense"),
	} {
		if got.status != 403 || got.reason != "AMBIGUOUS_REQUEST" {
			t.Errorf("%s: %d %s", what, got.status, got.reason)
		}
	}
	stolen := append(question, gate.Header{Name: "X-Usher-Ticket", Value: ticket})
	if got := w.send(t, "203.0.113.200", "GET", "/gate/nginx/answer", "gate", stolen); got.reason != "UNTRUSTED_PROXY" {
		t.Errorf("a stranger: %s", got.reason)
	}
	if got := w.send(t, "203.0.113.200", "GET", "/gate/nginx/answer", "gate", question); got.reason != "UNTRUSTED_PROXY" {
		t.Errorf("a stranger without ticket: %s", got.reason)
	}
	twice := append(question, gate.Header{Name: "Origin", Value: "https://a.test"}, gate.Header{Name: "Origin", Value: "https://b.test"})
	if got := w.redeem(t, "/gate/nginx/answer", twice, ticket); got.status != 403 || got.reason != "AMBIGUOUS_REQUEST" {
		t.Errorf("a request that was not judged: %d %s", got.status, got.reason)
	}

	key := []byte("a key of thirty-two bytes for it")
	for what, want := range map[string]struct {
		after  time.Duration
		key    []byte
		status int
	}{
		"29 s later": {29 * time.Second, key, 302}, "30 s later": {30 * time.Second, key, 403}, "next day": {24 * time.Hour, key, 403},
		"another key": {0, []byte("b key of thirty-two bytes for it"), 403},
	} {
		proxies, err := gate.NewProxies([]string{"10.0.0.0/8"})
		must(t, err)
		h, err := forwardauth.New(forwardauth.Config{
			Gate: w.gate, Proxies: proxies, TicketKey: want.key, Now: func() time.Time { return now.Add(want.after) },
		})
		must(t, err)
		if got := (&world{http: h}).redeem(t, "/gate/nginx/answer", question, ticket); got.status != want.status {
			t.Errorf("%s: %d, want %d", what, got.status, want.status)
		}
	}
}

func TestTheAnswerDecidesNothing(t *testing.T) {
	observed := 0
	w := newWorld(t, func(c *gate.Config) { c.Observe = func(*gate.Request, gate.Decision, time.Duration) { observed++ } })
	question, ticket := refuse(t, w)
	signedIn := append(question, gate.Header{Name: "Cookie", Value: "session=alice"})
	for _, tickets := range [][]string{{ticket}, {"nonsense"}, nil} {
		if got := w.redeem(t, "/gate/nginx/answer", signedIn, tickets...); got.status == 200 || got.answer.Get("X-User-Id") != "" {
			t.Errorf("%q let somebody pass", tickets)
		}
	}
	if observed != 2 || w.sessions.Calls() != 0 { // the question was put by net/http and directly
		t.Errorf("observed %d times, looked up %d times; want twice and never", observed, w.sessions.Calls())
	}
}

func TestOriginalURL(t *testing.T) {
	var seen string
	w := newWorld(t, func(c *gate.Config) {
		c.Observe = func(r *gate.Request, _ gate.Decision, _ time.Duration) {
			seen = r.Scheme + " " + r.Host + " " + r.Target
		}
	})
	for url, want := range map[string]string{
		"https://app.test/public/x":         "https app.test /public/x",
		"https://app.test:443/public/x?y=1": "https app.test /public/x?y=1",
		"http://app.test:80/public/x":       "http app.test /public/x",
		"http://app.test:443/public/x":      "http app.test:443 /public/x",
		"https://app.test:80/public/x":      "https app.test:80 /public/x",
		"https://app.test:8443/public/x":    "https app.test:8443 /public/x",
		"https://[2001:db8::1]:443/public":  "https [2001:db8::1] /public",
		"https://app.test/public/@x:80/y":   "https app.test /public/@x:80/y",
		"https://app.test/public?u=http://": "https app.test /public?u=http://",
	} {
		got := w.send(t, proxyAddr, "GET", "/gate/nginx", "gate", lines("X-Original-Method: GET\nX-Original-URL: "+url+"\n"))
		if got.status != 200 || seen != want {
			t.Errorf("%s: %d %s, read as %q, want %q", url, got.status, got.reason, seen, want)
		}
	}
	for _, url := range []string{
		"/public/x", "//app.test/public/x", "app.test/public/x", "ftp://app.test/public/x", "HTTPS://app.test/public/x", "wss://app.test/public/x",
		"https:///public/x", "https://:443/public/x", "https://app.test", "https://app.test?/public/x", "https://app.test#/public/x",
		"https://me@app.test/public/x", "https://me:secret@app.test/public/x", "https://app.test@evil.test/public/x",
		`https://app.test\@evil.test/public/x`, `https://app.test\public/x`, "https://app.test:/public/x", "https://app.test:x/public/x",
		"https://app.test,evil.test/public/x", "https://app.test evil.test/public/x", "https://app..test/public/x", "https://app.test:443:443/public/x",
		"https://[::1/public/x", "https://[::1]x/public/x", "https://%61pp.test/public/x", "https:/app.test/public/x", "https:app.test/public/x",
	} {
		got := w.send(t, proxyAddr, "GET", "/gate/nginx", "gate", lines("X-Original-Method: GET\nX-Original-URL: "+url+"\n"))
		if got.status != 403 || got.reason != "AMBIGUOUS_REQUEST" {
			t.Errorf("%s: %d %s, want 403 AMBIGUOUS_REQUEST", url, got.status, got.reason)
		}
	}
}
