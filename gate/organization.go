package gate

import (
	"fmt"
	"net/url"
	"strings"
)

// OrgSource is one place the organization of a request may come from.
type OrgSource struct {
	kind    orgKind
	pattern string // host: before and after {org}; path: pattern segments joined by /
	before  string
	after   string
	path    []string
}

type orgKind uint8

const (
	orgHeader orgKind = iota + 1
	orgActive
	orgFirst
	orgHost
	orgPath
)

// The sources that need no pattern.
var (
	OrgFromHeader = OrgSource{kind: orgHeader} // what the client asks for
	OrgFromActive = OrgSource{kind: orgActive} // the session's active organization, skipped when it is stale
	OrgFromFirst  = OrgSource{kind: orgFirst}  // the oldest membership
)

// OrgFromHost takes the organization from the host, as in "{org}.example.com".
func OrgFromHost(pattern string) (OrgSource, error) {
	before, after, ok := strings.Cut(strings.TrimSuffix(strings.ToLower(pattern), "."), "{org}")
	if !ok || strings.Contains(after, "{") || before == "" && !strings.HasPrefix(after, ".") ||
		strings.ContainsAny(before+after, ":/*") {
		return OrgSource{}, fmt.Errorf("%q: write it as {org}.example.com, without port", pattern)
	}
	return OrgSource{kind: orgHost, pattern: pattern, before: before, after: after}, nil
}

// OrgFromPath takes the organization from the path, as in "/orgs/{org}/": the segments before it must be equal, what
// follows is free.
func OrgFromPath(pattern string) (OrgSource, error) {
	segments := strings.Split(strings.Trim(pattern, "/"), "/")
	if !strings.HasPrefix(pattern, "/") || segments[len(segments)-1] != "{org}" || strings.Count(pattern, "{org}") != 1 ||
		strings.Contains(pattern, "*") || checkPattern(pattern) != "" {
		return OrgSource{}, fmt.Errorf("%q: write it as /orgs/{org}/", pattern)
	}
	return OrgSource{kind: orgPath, pattern: pattern, path: segments}, nil
}

// String names the source in explanations.
func (s OrgSource) String() string {
	switch s.kind {
	case orgHeader:
		return "header"
	case orgActive:
		return "active organization"
	case orgFirst:
		return "first membership"
	case orgHost:
		return "host " + s.pattern
	case orgPath:
		return "path " + s.pattern
	default:
		return "nothing"
	}
}

// asked is what the request itself asks for at this source.
func (s OrgSource) asked(r *Request, host, path string) string {
	switch s.kind {
	case orgHeader:
		return r.Organization
	case orgHost:
		if name, ok := strings.CutPrefix(host, s.before); ok {
			if name, ok = strings.CutSuffix(name, s.after); ok && !strings.Contains(name, ".") {
				return name
			}
		}
	case orgPath:
		rest := strings.TrimPrefix(path, "/")
		for _, want := range s.path {
			var segment string
			segment, rest, _ = strings.Cut(rest, "/")
			if want == "{org}" {
				return segment
			}
			if segment != want {
				return ""
			}
		}
	}
	return ""
}

// organization chooses the membership a request acts under. What the request itself asks for, by header, host or path,
// must be a membership, and must be one organization: a backend could act upon the one and be told the other. If it asks
// for none, the session's preference and the oldest membership count, in the order of the configuration; the preference
// may be stale (better-auth-sessions.md, section 7) and is skipped then. None at all is nil without a reason.
func (g *Gate) organization(r *Request, host, path string, p *Principal) (*Membership, Reason) {
	var chosen *Membership
	for _, source := range g.config.OrgSources {
		asked := source.asked(r, host, path)
		if asked == "" {
			continue
		}
		m := byIDOrSlug(p.Memberships, asked, g.config.Headers.business.Organizations)
		r.traceOrganization(source, asked, m)
		switch {
		case m == nil:
			return nil, NotAMember
		case chosen != nil && chosen != m:
			return nil, AmbiguousRequest
		}
		chosen = m
	}
	if chosen != nil {
		return chosen, ""
	}
	for _, source := range g.config.OrgSources {
		switch source.kind {
		case orgActive:
			m := byID(p.Memberships, p.Session.ActiveOrganization)
			r.traceOrganization(source, p.Session.ActiveOrganization, m)
			if m != nil {
				return m, ""
			}
		case orgFirst:
			if len(p.Memberships) > 0 {
				r.traceOrganization(source, "", &p.Memberships[0])
				return &p.Memberships[0], ""
			}
		}
	}
	r.trace("organization", "none: no source names one")
	return nil, ""
}

// traceOrganization tells which source was asked for what, and the membership found there: nil is none.
func (r *Request) traceOrganization(source OrgSource, asked string, m *Membership) {
	if r.Trace == nil || m == nil && asked == "" {
		return
	}
	from := "; source: " + source.String()
	if asked != "" {
		from += ", asked for " + strings.ReplaceAll(asked, string(slashInSegment), "%2F")
	}
	switch {
	case m != nil:
		r.trace("organization", m.OrganizationID, " as ", orNone(string(m.Roles)), from)
	case source.kind == orgActive:
		r.trace("organization", "skipped: the user is no member of the session's active organization", from)
	default:
		r.trace("organization", string(NotAMember), ": the user is no member of it", from)
	}
}

func byID(memberships []Membership, id string) *Membership {
	if id == "" {
		return nil
	}
	for i := range memberships {
		if memberships[i].OrganizationID == id {
			return &memberships[i]
		}
	}
	return nil
}

// byIDOrSlug finds what was asked for, also percent-encoded, as our own headers spell it. Hosts are compared in lower case,
// so only such slugs can be asked for by one: "Acme" and "acme" may be two organizations.
//
// Where our headers say the ids of business rows, these can be asked for as well. Ids count before slugs, which people choose,
// in every spelling: a slug may be the encoded id of another organization.
func byIDOrSlug(memberships []Membership, asked string, business bool) *Membership {
	decoded := asked
	if strings.IndexByte(asked, '%') >= 0 {
		if text, err := url.PathUnescape(asked); err == nil {
			decoded = text
		}
	}
	for _, find := range [...]func(string) *Membership{
		func(spelled string) *Membership { return byAnyID(memberships, spelled, business) },
		func(spelled string) *Membership { return bySlug(memberships, spelled) },
	} {
		if m := find(asked); m != nil {
			return m
		}
		if m := find(decoded); m != nil {
			return m
		}
	}
	return nil
}

func byAnyID(memberships []Membership, asked string, business bool) *Membership {
	if business {
		for i := range memberships {
			if m := &memberships[i]; m.BusinessID != "" && m.BusinessID == asked {
				return m
			}
		}
	}
	return byID(memberships, asked)
}

func bySlug(memberships []Membership, slug string) *Membership {
	for i := range memberships {
		if m := &memberships[i]; m.Slug != "" && m.Slug == slug {
			return m
		}
	}
	return nil
}
