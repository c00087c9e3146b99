package gate

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
)

// A service that proves to be an internal caller may name a user, in the header that otherwise tells a backend who it
// is: then it acts as that user, who is looked up and judged like anybody. Without a name it is itself, where the rule
// lets callers in. Nobody else's word in that header is ever read.

// caller finds the internal caller that a request proves to come from; none, where it is anybody's. A reason says why it
// must not pass; the caller is then the one that it proved to be, if any.
func (g *Gate) caller(r *Request) (*Caller, Reason) {
	callers := g.callers.Load()
	peer := callers.bySPIFFE(r.SPIFFE)
	if token, ours := ServiceToken(r.Authorization); ours {
		c := callers.byToken(token)
		switch {
		case c == nil:
			return nil, UnknownCaller
		case peer != nil && peer != c:
			return c, AmbiguousRequest
		}
		return c, ""
	}
	if peer == nil {
		return nil, ""
	}
	// The certificate is the connection's, and what comes over it may be a person's: an ingress has one too.
	switch _, err := g.config.Reader.Read(r); {
	case errors.Is(err, ErrNoCredential):
		return peer, ""
	case r.namesUser(): // who acts, the session's user or this one?
		return peer, AmbiguousRequest
	default:
		return nil, ""
	}
}

// namesUser reports whether the user header says anything.
func (r *Request) namesUser() bool { return r.User != "" || r.userUnclear }

// user is the id of the user that the request names, as our own headers spell it. It is not known where the header came
// twice, or cannot be decoded.
func (h *Headers) user(r *Request) (id string, ok bool) {
	id = r.User
	if !h.raw && strings.IndexByte(id, '%') >= 0 {
		decoded, err := url.PathUnescape(id)
		if err != nil {
			return "", false
		}
		id = decoded
	}
	return id, id != "" && !r.userUnclear
}

// internal decides about an internal caller.
func (g *Gate) internal(ctx context.Context, r *Request, c *Caller, rule *Rule, hostName, path string, now time.Time) Decision {
	d := Decision{Method: ByInternal, Caller: c.Name, Rule: rule.label}
	if r.Trace != nil {
		r.trace("caller", c.Name)
	}
	if !r.namesUser() {
		return g.itself(r, c, rule, d)
	}
	id, ok := g.config.Headers.user(r)
	switch {
	case !ok:
		r.trace("caller", "the user header was sent twice, or cannot be decoded")
		return deny(d, AmbiguousRequest)
	case !c.admitsRule(rule):
		r.trace("caller", "may not meet this rule")
		return deny(d, CallerNotAllowed)
	case !c.admitsUser(id):
		r.trace("caller", "may not speak for this user")
		return deny(d, CallerNotAllowed)
	case rule.Fresh > 0:
		r.trace("rule", "wants a recent sign-in, and the user has made none")
		return deny(d, SessionNotFresh)
	}
	var credentials Credentials
	credentials.Add(Named(id))
	found, _ := g.resolve(ctx, r, &credentials, rule, now)
	found.Method, found.Caller, found.Rule = d.Method, d.Caller, d.Rule
	if d = found; d.Verdict != Allow {
		if r.Trace != nil {
			r.trace("user", string(d.Reason))
		}
		return d
	}
	d.Reason = Internal
	if r.Trace != nil {
		r.trace("user", d.Principal.User.ID)
	}
	membership, why := g.organization(r, hostName, path, d.Principal)
	if why != "" {
		return g.notChosen(r, d, why)
	}
	d.Membership = membership
	if !c.admitsOrganization(membership) {
		r.trace("caller", "may not act in this organization, or in none")
		return deny(d, CallerNotAllowed)
	}
	if why := rule.demand(d.Principal, membership, now); why != "" {
		r.traceDemand(why, rule, &d, now)
		return deny(d, why)
	}
	g.config.Business.served(r, &d)
	return d
}

// itself decides about a caller that names no user. It has no roles and is in no organization, so no rule that asks for
// one lets it in, and neither does a limit to organizations: which one it acts in, nobody could say.
func (g *Gate) itself(r *Request, c *Caller, rule *Rule, d Decision) Decision {
	switch {
	case !rule.Internal && rule.Access == Optional:
		d.Method = "" // it passes as anybody may, and the backend is told of nobody
		d.Verdict, d.Reason = Allow, Anonymous
		return d
	case !rule.Internal:
		r.trace("caller", "names no user, and the rule does not let callers in as themselves")
		return deny(d, UserRequired)
	case rule.Org || len(rule.OrgRoles) > 0 || len(rule.UserRoles) > 0 || rule.Fresh > 0:
		r.trace("rule", "asks for what only a user has")
		return deny(d, UserRequired)
	case !c.admitsRule(rule):
		r.trace("caller", "may not meet this rule")
		return deny(d, CallerNotAllowed)
	case !c.admitsOrganization(nil):
		r.trace("caller", "may act in some organizations only, and names no user to act in one for")
		return deny(d, CallerNotAllowed)
	}
	d.Verdict, d.Reason = Allow, Internal
	return d
}
