package forwardauth

import (
	"net/http"
	"strings"

	"github.com/usherauth/usher/gate"
)

// nginx is auth_request, of nginx itself and of ingress-nginx and its heirs. It understands 2xx, 401 and 403 and loses
// every header of a refusal that the configuration does not fetch; so the check answers nothing else, and hands over a
// ticket by which nginxAnswer renders what the client sees. WWW-Authenticate nginx would copy, and show twice.
func nginx() dialect {
	return dialect{
		edge:   "nginx",
		family: "x-original-",
		read:   original,
		write: func(h *Handler, c *check, d gate.Decision, a *gate.Answer) reply {
			if a.Verdict == gate.Allow {
				return h.authorized(c, a) // for ingress-nginx; nginx itself has a map
			}
			out := reply{status: http.StatusForbidden}
			if a.Verdict == gate.SignIn {
				out.status = http.StatusUnauthorized
			}
			for _, line := range a.Headers {
				if line.Name == "X-Usher-Reason" || line.Name == "Cache-Control" {
					out.add(line.Name, line.Value)
				}
			}
			out.add("X-Usher-Ticket", h.tickets.issue(d, c.binding()))
			if to := h.gate.SignInURL(c.q, d); to != "" {
				out.add("X-Usher-Sign-In", to)
			}
			return out
		},
	}
}

// nginxAnswer renders the refusal that a check put into a ticket: a redirect, JSON, Retry-After. It does not decide
// again, so that nothing is used up or counted twice, and it never lets anything pass.
func nginxAnswer() dialect {
	return dialect{
		edge:   "nginx",
		family: "x-original-",
		read:   original,
		decide: func(h *Handler, c *check) gate.Decision {
			if c.q.Fault == gate.UntrustedProxy {
				return gate.Decision{Reason: gate.UntrustedProxy}
			}
			ticket := c.values(nil, "X-Usher-Ticket")
			if len(ticket) != 1 {
				return gate.Decision{Reason: gate.AmbiguousRequest}
			}
			d, ok := h.tickets.redeem(ticket[0], c.binding())
			switch {
			case !ok:
				return gate.Decision{Reason: gate.AmbiguousRequest}
			case c.q.Fault != "" && d.Verdict != gate.Deny: // not the request that was judged
				return gate.Decision{Reason: c.q.Fault}
			}
			return d
		},
	}
}

// binding is what ties a ticket to one request: its method and URL, as nginx wrote them.
func (c *check) binding() [2][]string {
	return [2][]string{c.values(nil, "X-Original-Method"), c.values(nil, "X-Original-Url")}
}

// original reads the original request from X-Original-Method and X-Original-URL, which nginx sets itself. Clients may
// send X-Forwarded-Uri, -Method and -Host past it; nobody looks at those here.
func original(c *check) {
	c.q.Method = c.word("X-Original-Method")
	var ok bool
	if c.q.Scheme, c.q.Host, c.q.Target, ok = splitURL(c.one("X-Original-Url")); !ok {
		c.q.Refuse(gate.AmbiguousRequest)
	}
}

// splitURL takes scheme://host[:port]/target apart as nginx put it together. net/url would decode the path, and find a
// host where a client wrote one. A port that goes without saying goes: nginx cannot leave it out.
func splitURL(s string) (scheme, host, target string, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	end := strings.IndexAny(rest, "/?#\\@")
	if !ok || end <= 0 || rest[end] != '/' {
		return "", "", "", false
	}
	host, target = rest[:end], rest[end:]
	port := ":443"
	if scheme == "http" {
		port = ":80"
	}
	if name, found := strings.CutSuffix(host, port); found && (strings.HasPrefix(name, "[") || strings.IndexByte(name, ':') < 0) {
		host = name
	}
	return scheme, host, target, true
}
