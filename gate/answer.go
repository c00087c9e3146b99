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

	// Plain says that every value in Identity is known to be printable ASCII: an edge need not look at it again.
	Plain bool
}

// NoStore is what becomes of the Cache-Control of a backend's response that hands out a Cookie: another's cache must not.
const NoStore = "no-store"

// Answer says what a decision means: status, headers, names to remove, body.
func (g *Gate) Answer(r *Request, d Decision) Answer {
	var a Answer
	g.AnswerTo(&a, r, &d)
	return a
}

// AnswerTo is Answer for an edge that answers one request after the other: it forgets what a held, and writes into the
// memory of its lists.
func (g *Gate) AnswerTo(a *Answer, r *Request, d *Decision) {
	a.Reset()
	a.Verdict = d.Verdict
	a.header("X-Usher-Reason", string(d.Reason))
	a.header("Cache-Control", "no-store")
	switch d.Verdict {
	case Allow:
		a.Status = 200
		a.Cookie = d.Cookie
		g.config.Headers.identify(a, d)
		g.config.Headers.remove(a, r)
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
}

// Reset makes a the zero Answer, a denial that names nobody. The memory of its lists stays, and no text in it.
func (a *Answer) Reset() {
	identity, unset, remove, headers := emptied(a.Identity), emptied(a.Unset), emptied(a.Remove), emptied(a.Headers)
	*a = Answer{}
	a.Identity, a.Unset, a.Remove, a.Headers = identity, unset, remove, headers
}

// emptied is a list without members in the same memory, which holds on to none of them.
func emptied[T any](list []T) []T {
	clear(list)
	return list[:0]
}

func (a *Answer) header(name, value string) {
	if a.Headers == nil {
		a.Headers = make([]Header, 0, 5)
	}
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

// identify lists the identity headers that have a value, and the others as unset.
func (h *Headers) identify(a *Answer, d *Decision) {
	if a.Unset == nil { // one piece of memory each, not one after the other
		a.Unset = make([]string, 0, fieldCount+1)
		if d.Principal != nil {
			a.Identity = make([]Header, 0, fieldCount)
		}
	}
	a.Plain = d.Principal != nil && d.Principal.Plain
	for field, name := range h.names {
		if name == "" {
			continue
		}
		value := d.field(h.said[field])
		switch {
		case value != "":
			if !a.Plain {
				value = h.Value(value)
			}
			a.Identity = append(a.Identity, Header{name, value})
		case Field(field) != h.orgField:
			a.Unset = append(a.Unset, h.lower[field])
		}
	}
	if h.org != "" && !a.sets(h.org) {
		a.Unset = append(a.Unset, h.org)
	}
}

// field is what the decision says about a field; empty: nothing.
func (d *Decision) field(f Field) string {
	p, m := d.Principal, d.Membership
	if f == InternalCaller && d.Method == ByInternal {
		return d.Caller
	}
	if f == AuthMethod && d.Method == ByInternal {
		return string(d.Method)
	}
	if p == nil {
		return ""
	}
	switch f {
	case UserID:
		return p.User.ID
	case businessUserID:
		return p.User.BusinessID
	case UserEmail:
		return p.User.Email
	case UserEmailVerified:
		if p.User.EmailVerified {
			return "true"
		}
		return "false"
	case UserName:
		return p.User.Name
	case UserRole:
		return string(p.User.Roles)
	case SessionID:
		return p.Session.ID
	case AuthMethod:
		return string(d.Method)
	case ImpersonatedBy:
		return p.Session.ImpersonatedBy
	}
	if m == nil {
		return ""
	}
	switch f {
	case OrgID:
		return m.OrganizationID
	case businessOrgID:
		return m.BusinessID
	case OrgSlug:
		return m.Slug
	case OrgName:
		return m.Name
	case OrgRole:
		return string(m.Roles)
	case TeamID:
		if slices.Contains(m.Teams, p.Session.ActiveTeam) {
			return p.Session.ActiveTeam
		}
	}
	return ""
}

// sets reports whether an identity header of that name, in any case, is part of the answer.
func (a *Answer) sets(name string) bool {
	for i := range a.Identity {
		if len(a.Identity[i].Name) == len(name) && strings.EqualFold(a.Identity[i].Name, name) {
			return true
		}
	}
	return false
}

// remove finds what must not reach the backend from the client: identity headers this answer does not set, every alias of
// any, also of those it sets, and a service token.
func (h *Headers) remove(a *Answer, r *Request) {
	for _, names := range [...][]string{r.Sent, r.Aliases, h.always} {
		for _, name := range names {
			if !a.sets(name) { // Envoy removes what is both set and removed
				a.Remove = append(a.Remove, name)
			}
		}
	}
	if r.serviceToken || holdsServiceToken(r.Authorization) {
		a.Remove = append(a.Remove, "authorization")
	}
}

// Fact is one entry of Envoy's dynamic metadata, and of a log line: never a credential.
type Fact struct{ Name, Value string }

// Facts are the names of contract section 4: user_id, org_id, org_role, session_id, auth_method, reason; and
// internal_caller.
func (d Decision) Facts() []Fact { return d.AppendFacts(make([]Fact, 0, 6)) }

// AppendFacts is Facts, added to a list.
func (d *Decision) AppendFacts(facts []Fact) []Fact {
	p, internal := d.Principal, d.Method == ByInternal
	if p != nil {
		facts = append(facts, Fact{"user_id", p.User.ID})
	}
	if p != nil && !internal {
		facts = append(facts, Fact{"session_id", p.Session.ID})
	}
	if p != nil || internal {
		facts = append(facts, Fact{"auth_method", string(d.Method)})
	}
	if d.Caller != "" {
		facts = append(facts, Fact{"internal_caller", d.Caller})
	}
	if m := d.Membership; m != nil {
		facts = append(facts, Fact{"org_id", m.OrganizationID}, Fact{"org_role", string(m.Roles)})
	}
	return append(facts, Fact{"reason", string(d.Reason)})
}
