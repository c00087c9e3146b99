package gate

import (
	"net/netip"
	"strings"
)

// Limits on what one request may bring. They are far above what browsers and the proxies' own defaults let through
// (nginx: 8 KiB a line, Envoy: 60 KiB in all), so that whoever meets them is not a user.
const (
	maxTargetBytes = 32 << 10
	maxCookieBytes = 48 << 10
	maxValueBytes  = 8 << 10 // any other header that is read
)

// Request is everything a decision may depend on: what is not in it cannot influence the answer.
// An edge fills Method, Scheme, Host and Target from the one place its proxy is trusted for, and hands every header of
// the original request to Headers.Collect, which fills the rest. A Request belongs to one goroutine, and an edge may use
// it again for the next request: whoever is shown one may keep its texts, but never the Request or its lists.
type Request struct {
	Edge   string // label for logs and metrics: envoy-grpc, envoy, traefik, caddy, nginx, haproxy. Never decides
	Method string // of the original request, not of the check
	Scheme string // http or https
	Host   string // authority as the proxy reports it, port included when there was one
	Target string // request target in origin form, query included, not decoded
	Rule   string // named rule the proxy's configuration picked; empty: first match

	Cookies       []string // Cookie lines, as received
	Authorization string
	Organization  string // what the client's organization header asks for; a wish, never a fact
	User          string // what the client's user header says: for an internal caller to speak for; it means nothing else
	Origin        string
	Accept        string
	FetchSite     string // Sec-Fetch-Site, and so on
	FetchMode     string
	FetchDest     string
	Announced     string // Access-Control-Request-Method: what a CORS preflight asks for
	Override      string // X-HTTP-Method-Override and its like: the method some backends would act upon
	Upgrade       bool   // an Upgrade or Sec-WebSocket-Key header was there
	Connection    string // what Connection named, lines joined by commas

	// SPIFFE is the principal of the certificate that the proxy's client has shown, as Envoy reports it over gRPC. No
	// header ever says it.
	SPIFFE string

	ID     string     // X-Request-Id, for logs
	Client netip.Addr // who asked, for logs; never decides

	Sent    []string // identity headers the client sent, correctly spelled, lower case
	Aliases []string // headers a backend could take for an identity header, as the client spelled them

	// Fault is set when the edge found no single meaning in the request; Check refuses with it.
	Fault Reason

	// Trace, if set, hears every step of the decision. For `usher explain`; nil costs nothing.
	Trace func(step, finding string)

	seen         uint16 // which single-valued headers were met
	userUnclear  bool   // the user header says two things, or what no header can
	serviceToken bool   // an Authorization line holds one
}

// Reset makes r the zero Request. The memory of its lists stays, and no text in it.
func (r *Request) Reset() {
	cookies, sent, aliases := emptied(r.Cookies), emptied(r.Sent), emptied(r.Aliases)
	*r = Request{}
	r.Cookies, r.Sent, r.Aliases = cookies, sent, aliases
}

// Refuse marks the request as one that must not pass. The first reason stays: it is the one to mend first. Only "too
// large" gives way to any other: headers come in no particular order, and the same request must get the same reason.
func (r *Request) Refuse(why Reason) {
	if r.Fault == "" || r.Fault == RequestTooLarge {
		r.Fault = why
	}
}

// trace takes a finding in parts, which it joins only when somebody listens.
func (r *Request) trace(step string, finding ...string) {
	if r.Trace != nil {
		r.Trace(step, strings.Join(finding, ""))
	}
}

// URL is the original request's URL as the client would write it, for the sign-in page to lead back to.
func (r *Request) URL() string {
	return r.Scheme + "://" + r.Host + r.Target
}

// navigation reports whether a person is looking at the answer in a browser's address bar, so that leading them to
// the sign-in page helps. Fetch metadata decides where the browser sends it (all current ones do, on trustworthy
// origins); otherwise the Accept header does.
func (r *Request) navigation() bool {
	if r.Method != "GET" && r.Method != "HEAD" || r.Upgrade {
		return false
	}
	if r.FetchMode != "" || r.FetchDest != "" {
		return r.FetchMode == "navigate" && r.FetchDest == "document"
	}
	return prefersHTML(r.Accept)
}

// preflight reports whether this is a CORS preflight (Fetch standard, "CORS-preflight request").
func (r *Request) preflight() bool {
	return r.Method == "OPTIONS" && r.Origin != "" && r.Announced != "" && !r.Upgrade
}

// prefersHTML reports whether text/html is the media type the Accept header wants most, or wants as much as any other
// and names first. Browsers put it first; API clients send */* or application/json.
func prefersHTML(accept string) bool {
	best, bestQ := "", -1.0
	for part := range strings.SplitSeq(accept, ",") {
		mediaType, params, _ := strings.Cut(part, ";")
		mediaType = strings.ToLower(strings.Trim(mediaType, " \t"))
		if mediaType == "" {
			continue
		}
		if q := quality(params); q > bestQ {
			best, bestQ = mediaType, q
		}
	}
	return bestQ > 0 && (best == "text/html" || best == "application/xhtml+xml")
}

// quality reads the q parameter (RFC 9110, section 12.4.2); absent is 1, nonsense is 0.
func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, ok := strings.Cut(strings.Trim(param, " \t"), "=")
		if !ok || !strings.EqualFold(name, "q") {
			continue
		}
		switch {
		case value == "1" || strings.HasPrefix(value, "1.0"):
			return 1
		case len(value) > 2 && strings.HasPrefix(value, "0."):
			q, scale := 0.0, 0.1
			for _, c := range value[2:] {
				if c < '0' || c > '9' {
					return 0
				}
				q += float64(c-'0') * scale
				scale /= 10
			}
			return q
		default:
			return 0
		}
	}
	return 1
}

// hasControl reports a byte that has no business in a header value. Tab is a separator there and stays.
func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
