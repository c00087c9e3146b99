package gate

import (
	"net/url"
	"slices"
	"strings"
)

// Header is one header line of an answer.
type Header struct{ Name, Value string }

// Answer is what a proxy is told, the same on every edge; an edge only encodes it. Its zero value is a denial.
type Answer struct {
	Verdict  Verdict
	Status   int       // for HTTP: 200, 302, 401, 403 or 503; zero is 403
	Identity []Header  // on Allow: for the backend, one line each, all of them non-empty
	Unset    []string  // identity headers this answer does not set, lower case: a client's copy must go
	Remove   []string  // of those, what the client sent, with every alias; and what the configuration always removes
	Headers  []Header  // for the client, or the proxy; never identity
	Cookie   SetCookie // on Allow: for the client, beside whatever the backend sets; see NoStore
	Body     string
}

// NoStore is what becomes of the Cache-Control of a backend's response that hands out a Cookie: another's cache must not.
const NoStore = "no-store"

// Answer says what a decision means: status, headers, names to remove, body.
func (g *Gate) Answer(r *Request, d Decision) Answer {
	a := Answer{Verdict: d.Verdict, Headers: make([]Header, 0, 5)}
	a.header("X-Usher-Reason", string(d.Reason))
	a.header("Cache-Control", "no-store")
	switch d.Verdict {
	case Allow:
		a.Status = 200
		a.Identity, a.Cookie = g.config.Headers.identityOf(d), d.Cookie
		g.config.Headers.removals(&a, r)
	case SignIn:
		if to := g.signIn(r); to != "" {
			a.Status = 302
			a.header("Location", to)
			break
		}
		a.Status = 401
		a.header("WWW-Authenticate", "Bearer")
		a.json("Unauthorized", "UNAUTHORIZED")
	case Unavailable:
		a.Status = 503
		a.header("Retry-After", "1")
		a.json(d.Reason.message(), string(d.Reason))
	default:
		a.Verdict, a.Status = Deny, 403
		a.json(d.Reason.message(), string(d.Reason))
	}
	return a
}

func (a *Answer) header(name, value string) {
	a.Headers = append(a.Headers, Header{name, value})
}

// json sets Better Auth's error shape. Both texts are ours and need no escaping.
func (a *Answer) json(message, code string) {
	a.header("Content-Type", "application/json")
	a.Body = `{"message":"` + message + `","code":"` + code + `"}`
}

// signIn is where a browser is led, or "" for anything that is not a person looking at a page, and for the sign-in page
// itself: a redirect to where one already is never ends.
func (g *Gate) signIn(r *Request) string {
	if g.config.SignInURL == "" || !r.navigation() {
		return ""
	}
	page, fragment, _ := strings.Cut(g.config.SignInURL, "#")
	if g.asksFor(page, r) {
		return ""
	}
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	to := page + separator + "callbackURL=" + url.QueryEscape(r.URL())
	if fragment != "" {
		to += "#" + fragment
	}
	return to
}

// asksFor reports whether the request is for that page, in whatever spelling.
func (g *Gate) asksFor(page string, r *Request) bool {
	scheme, rest, _ := strings.Cut(page, "://")
	authority, target := rest, "/"
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority, target = rest[:end], "/"+strings.TrimPrefix(rest[end:], "/")
	}
	if canonicalOrigin(scheme+"://"+authority) != canonicalOrigin(r.Scheme+"://"+r.Host) {
		return false
	}
	there, _ := g.config.Paths.path(target)
	here, why := g.config.Paths.path(r.Target)
	return why == "" && here == there
}

// SignInURL is where a browser without session is led for this request; "" where it would not help.
func (g *Gate) SignInURL(r *Request, d Decision) string {
	if d.Verdict != SignIn {
		return ""
	}
	return g.signIn(r)
}

// identityOf lists the identity headers that have a value.
func (h *Headers) identityOf(d Decision) []Header {
	p := d.Principal
	if p == nil {
		return nil
	}
	out := make([]Header, 0, fieldCount)
	add := func(field Field, value string) {
		if value != "" && h.names[field] != "" {
			out = append(out, Header{h.names[field], h.Value(value)})
		}
	}
	add(UserID, p.User.ID)
	add(UserEmail, p.User.Email)
	if p.User.EmailVerified {
		add(UserEmailVerified, "true")
	} else {
		add(UserEmailVerified, "false")
	}
	add(UserName, p.User.Name)
	add(UserRole, string(p.User.Roles))
	add(SessionID, p.Session.ID)
	if m := d.Membership; m != nil {
		add(OrgID, m.OrganizationID)
		add(OrgSlug, m.Slug)
		add(OrgName, m.Name)
		add(OrgRole, string(m.Roles))
		if slices.Contains(m.Teams, p.Session.ActiveTeam) {
			add(TeamID, p.Session.ActiveTeam)
		}
	}
	add(AuthMethod, string(d.Method))
	add(ImpersonatedBy, p.Session.ImpersonatedBy)
	return out
}

// removals finds what must not reach the backend from the client: identity headers this answer does not set, and every
// alias of any, also of those it sets.
func (h *Headers) removals(a *Answer, r *Request) {
	set := func(lower string) bool {
		return slices.ContainsFunc(a.Identity, func(line Header) bool { return strings.EqualFold(line.Name, lower) })
	}
	a.Unset = make([]string, 0, fieldCount+1)
	given := a.Identity // in the order of the fields
	for field, lower := range h.lower {
		if len(given) > 0 && given[0].Name == h.names[field] {
			given = given[1:]
		} else if lower != "" && lower != h.org {
			a.Unset = append(a.Unset, lower)
		}
	}
	if h.org != "" && !set(h.org) {
		a.Unset = append(a.Unset, h.org)
	}
	for _, names := range [...][]string{r.Sent, r.Aliases, h.always} {
		for _, name := range names {
			if !set(name) { // Envoy removes what is both set and removed
				a.Remove = append(a.Remove, name)
			}
		}
	}
}

// Fact is one entry of Envoy's dynamic metadata, and of a log line: never a credential.
type Fact struct{ Name, Value string }

// Facts are the names of contract section 4: user_id, org_id, org_role, session_id, auth_method, reason.
func (d Decision) Facts() []Fact {
	facts := make([]Fact, 0, 6)
	if p := d.Principal; p != nil {
		facts = append(facts, Fact{"user_id", p.User.ID}, Fact{"session_id", p.Session.ID}, Fact{"auth_method", string(d.Method)})
	}
	if m := d.Membership; m != nil {
		facts = append(facts, Fact{"org_id", m.OrganizationID}, Fact{"org_role", string(m.Roles)})
	}
	return append(facts, Fact{"reason", string(d.Reason)})
}
