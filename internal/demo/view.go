package demo

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/oauth/flow"
)

// view makes the backend's page from what the backend received and from what the proxy saw.
type view struct {
	people        []person
	organizations []organization
	origin        string
}

// mainView is what the page shows.
type mainView struct {
	Method, Target string
	Me             *visitor // nil: the backend does not know
	Switch         string   // link that leads to being somebody else
	Gate           gateView
	Proof          bool   // the browser sent a session cookie or a token
	Direct         bool   // the request came around the proxy
	Sent           []line // what matters of what the browser sent: credentials and claims
	SentRest       []line
	Received       []line // identity headers
	ReceivedRest   []line
	Tries          []try
	Curl           string
	Names          map[string]string // ids of the cast, for the script to name them
	Identity       []string          // for the script: which headers are identity
}

// visitor is who the identity headers say it is.
type visitor struct {
	Name, Organization, Role string
}

// gateView is what the gate said, in words.
type gateView struct {
	Reason, Did, Took string
}

// line is one header line.
type line struct {
	Name, Value string
	Kind        string // proof, claim, verified, or empty
	Note        string
}

func (v *view) of(r *http.Request, identity []string, x *exchange) mainView {
	m := mainView{
		Method: r.Method, Target: r.URL.RequestURI(), Direct: x == nil,
		Names: make(map[string]string), Identity: identity,
	}
	received := "verified"
	if m.Direct {
		received = "claim"
	}
	for _, name := range identity {
		for _, value := range r.Header.Values(name) {
			m.Received = append(m.Received, line{name, value, received, note(name, value)})
		}
	}
	m.ReceivedRest = rest(r.Header, func(name string) bool { return contains(identity, name) })
	if x != nil {
		m.Target = x.Target
		m.Gate = gateView{x.Reason, did(x.Reason), took(x.Took)}
		for _, name := range []string{"Cookie", "Authorization"} {
			for _, value := range x.Sent.Values(name) {
				m.Sent = append(m.Sent, line{name, shorten(name, value), "proof", "the proof: a signed session token"})
			}
		}
		m.Proof = sessionPair(x.Sent["Cookie"]) != "" || x.Sent.Get("Authorization") != ""
		for _, name := range identity {
			for _, value := range x.Sent.Values(name) {
				m.Sent = append(m.Sent, line{name, value, "claim", "a claim that nobody believes"})
			}
		}
		m.SentRest = rest(x.Sent, func(name string) bool {
			return contains(identity, name) || name == "Cookie" || name == "Authorization"
		})
	}
	for _, p := range v.people {
		m.Names[p.ID] = p.Name
	}
	for _, o := range v.organizations {
		m.Names[o.ID] = o.Name
	}
	me := v.person(r.Header.Get("X-User-Id"))
	if me != nil {
		m.Me = &visitor{
			Name:         decoded(r.Header.Get("X-User-Name")),
			Organization: decoded(r.Header.Get("X-Org-Name")),
			Role:         r.Header.Get("X-Org-Role"),
		}
		cookie := sessionPair(r.Header["Cookie"])
		m.Curl = curl(v.origin+m.Target, cookie, nil)
		m.Tries = v.tries(me, v.other(me), cookie)
		m.Switch = apiPath + "/signin/" + providerID + "?callbackURL=" + url.QueryEscape(returnTo(m.Target, v.origin))
	}
	return m
}

func (v *view) person(id string) *person {
	for i := range v.people {
		if v.people[i].ID == id {
			return &v.people[i]
		}
	}
	return nil
}

// other is somebody else than me.
func (v *view) other(me *person) *person {
	i := slices.IndexFunc(v.people, func(p person) bool { return p.ID != me.ID })
	return &v.people[i]
}

// returnTo is where the companion will lead after signing in: raw, if it would, else "/".
func returnTo(raw, origin string) string {
	back, err := flow.ParseReturnURL(raw, origin)
	if err != nil {
		return "/"
	}
	return back.String()
}

func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// rest lists what is not skipped, by name.
func rest(h http.Header, skip func(name string) bool) []line {
	var lines []line
	for name, values := range h {
		if skip(name) {
			continue
		}
		for _, value := range values {
			lines = append(lines, line{Name: name, Value: shorten(name, value)})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return strings.Compare(a.Name, b.Name) })
	return lines
}

// shorten leaves of a credential what tells it from another one: pages are shown around, credentials are not.
func shorten(name, value string) string {
	switch name {
	case "Authorization":
		scheme, token, _ := strings.Cut(value, " ")
		return scheme + " " + head(token)
	case "Cookie":
		var pairs []string
		for pair := range strings.SplitSeq(value, ";") {
			name, secret, _ := strings.Cut(strings.TrimSpace(pair), "=")
			pairs = append(pairs, name+"="+head(secret))
		}
		return strings.Join(pairs, "; ")
	}
	return value
}

func head(secret string) string {
	if len(secret) > 8 {
		return secret[:8] + "…"
	}
	return secret
}

// sessionPair finds the session cookie among those of other applications on this machine: browsers do not keep the
// cookies of two ports apart.
func sessionPair(cookies []string) string {
	for _, cookie := range cookies {
		for pair := range strings.SplitSeq(cookie, ";") {
			if pair = strings.TrimSpace(pair); strings.HasPrefix(pair, cookieName+"=") {
				return pair
			}
		}
	}
	return ""
}

// decoded reads a header value as every backend should: percent-decoding is always right.
func decoded(value string) string {
	if text, err := url.PathUnescape(value); err == nil {
		return text
	}
	return value
}

// note says in a few words what a backend may use the header for.
func note(name, value string) string {
	if text := decoded(value); text != value {
		return "decodes to " + text
	}
	return notes[name]
}

var notes = map[string]string{
	"X-User-Id":     "the row in Better Auth's user table",
	"X-User-Role":   "from the admin plugin",
	"X-Org-Id":      "the organization this request acts for",
	"X-Org-Role":    "the role in that organization",
	"X-Auth-Method": "how it was proven",
}

// did says what the gate did to come to its answer.
func did(reason string) string {
	switch reason {
	case "SIGNED_IN":
		return "checked the signature on your session cookie, found the session in the database, and said who you are"
	case "PUBLIC":
		return "found that this path is public, and did not look at who you are"
	case "ANONYMOUS":
		return "found nobody signed in, which this path allows"
	case "PREFLIGHT":
		return "let the backend answer a CORS preflight, without identity"
	default:
		return "let the request pass"
	}
}

func took(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
