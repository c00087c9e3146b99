package forwardauth

import (
	"io"
	"net/http"
	"slices"

	"github.com/usherauth/usher/gate"
)

// reply is what goes to the proxy. Its zero value is a 403.
type reply struct {
	status int
	lines  []gate.Header
	body   string
	known  int // how many lines, from the first, are known to be sound, their names spelled as net/http would
}

// plain writes an answer as it is, in the memory of the check.
func (c *check) plain(a *gate.Answer) reply {
	out := plain(a, c.said)
	if a.Verdict == gate.Allow {
		c.said = out.lines
	}
	if !c.spelled {
		out.known = 0
	}
	return out
}

// authorized is plain for a proxy that cannot drop a header by its value, but replaces every header that its configuration
// names with the answer's, or with nothing. Where there are internal callers the printed one names Authorization; so the
// client's is said back, unless a service token is in it, or anything that could not be one line. That goes on when the
// last caller is taken away: the proxy's configuration still names the header then.
func (h *Handler) authorized(c *check, a *gate.Answer) reply {
	out := c.plain(a)
	if !h.echoes && !h.gate.HasCallers() || a.Verdict != gate.Allow || c.q.Authorization == "" || c.q.Fault != "" || slices.Contains(a.Remove, "authorization") {
		return out
	}
	if line := (gate.Header{Name: "Authorization", Value: c.q.Authorization}); sound([]gate.Header{line}) {
		out.lines = append(out.lines, line)
	}
	return out
}

// plain writes an answer as it is: identity and a cookie on an allow and nowhere else. The lines may come to lie in room.
func plain(a *gate.Answer, room []gate.Header) reply {
	if a.Verdict == gate.Allow {
		out := reply{status: http.StatusOK, lines: append(append(room[:0], a.Identity...), a.Headers...)}
		if a.Plain {
			out.known = len(a.Identity)
		}
		if line := a.Cookie.Line(); line != "" {
			out.add("Set-Cookie", line)
		}
		return out
	}
	out := reply{status: a.Status, lines: a.Headers, body: a.Body}
	if out.status < 300 || out.status > 599 { // no proxy may take a refusal for a success
		out.status = http.StatusForbidden
	}
	return out
}

// broken is the decision and the answer when the real ones could not be made. The zero Gate knows the latter.
func broken() (gate.Decision, gate.Answer) {
	d := gate.Decision{Verdict: gate.Unavailable, Reason: gate.InternalError}
	return d, new(gate.Gate).Answer(nil, d)
}

func notFound() reply {
	out := reply{status: http.StatusNotFound, body: `{"message":"Not found","code":"NOT_FOUND"}`}
	out.add("Content-Type", "application/json")
	out.add("Cache-Control", "no-store")
	return out
}

func (out *reply) add(name, value string) {
	out.lines = append(out.lines, gate.Header{Name: name, Value: value})
}

// settled is what may be written of a reply. Both writers ask it first. What it is given may be wrong (a line break in a
// value): then something broke, and nothing passes.
func (out reply) settled() reply {
	if !sound(out.lines[out.known:]) {
		_, a := broken()
		out = plain(&a, nil)
	}
	if out.status == 0 {
		out.status = http.StatusForbidden
	}
	return out
}

// respond writes a reply by net/http.
func respond(w http.ResponseWriter, r *http.Request, out reply) {
	out = out.settled()
	header := w.Header()
	values := make([]string, len(out.lines)) // one allocation for all lines; no name occurs twice
	for i, line := range out.lines {
		name := line.Name
		if i >= out.known {
			name = http.CanonicalHeaderKey(name)
		}
		values[i] = line.Value
		header[name] = values[i : i+1 : i+1]
	}
	if r.ContentLength != 0 {
		// A proxy announced a body that it does not send (HAProxy's auth-request.lua, an nginx that was not told to clear
		// Content-Length). The server would wait for it before it answers.
		header.Set("Connection", "close")
		_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 has no need for it, and says so
	}
	w.WriteHeader(out.status)
	if out.body != "" && r.Method != http.MethodHead {
		_, _ = io.WriteString(w, out.body) // a proxy that is gone needs no answer
	}
}

// sound reports whether every line is one line, with a name.
func sound(lines []gate.Header) bool {
	for _, line := range lines {
		if line.Name == "" || line.Value == "" {
			return false
		}
		for i := range len(line.Name) {
			if c := line.Name[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
		for i := range len(line.Value) {
			if c := line.Value[i]; c < 0x20 || c == 0x7f {
				return false
			}
		}
	}
	return true
}
