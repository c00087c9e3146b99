package gate_test

import (
	"testing"

	"github.com/usherauth/usher/gate"
)

func TestOrganizations(t *testing.T) {
	fromHost, err := gate.OrgFromHost("{org}.app.test")
	must(t, err)
	fromPath, err := gate.OrgFromPath("/orgs/{org}/")
	must(t, err)
	all := []gate.OrgSource{gate.OrgFromHeader, gate.OrgFromActive, gate.OrgFromFirst}
	const notAMember = "deny NOT_A_MEMBER"
	for _, c := range []struct {
		it      string
		sources []gate.OrgSource
		r       *gate.Request
		want    string // the organization's id, "none", or the refusal
	}{
		{"the header, by id", all, get("/", cookie("alice"), org("o-other")), "o-other"},
		{"the header, by slug", all, get("/", cookie("alice"), org("other")), "o-other"},
		{"the header, percent-encoded as we send it", all, get("/", cookie("zoe"), org("caf%C3%A9")), "ö-1"},
		{"the header, an id percent-encoded as we send it", all, get("/", cookie("zoe"), org("%C3%B6-1")), "ö-1"},
		{"the header, UTF-8", all, get("/", cookie("zoe"), org("café")), "ö-1"},
		{"the header, encoded twice", all, get("/", cookie("zoe"), org("caf%25C3%25A9")), notAMember},
		{"the header, broken encoding", all, get("/", cookie("zoe"), org("caf%C3%A")), notAMember},
		{"the header, in another case", all, get("/", cookie("alice"), org("Other")), notAMember},
		{"the header, with a space", all, get("/", cookie("alice"), org("other ")), notAMember},
		{"the header, somebody else's organization", all, get("/", cookie("loner"), org("o-acme")), notAMember},
		{"the header, an organization that is not there", all, get("/", cookie("alice"), org("o-nowhere")), notAMember},
		{"the header, its name instead of its slug", all, get("/", cookie("alice"), org("Acme")), notAMember},
		{"a bad wish is not mended by the active one", all, get("/", cookie("alice-active"), org("o-nowhere")), notAMember},
		{"no header: the active one", all, get("/", cookie("alice-active")), "o-other"},
		{"a header goes before the active one", all, get("/", cookie("alice-active"), org("acme")), "o-acme"},
		{"a stale active one is skipped", all, get("/", cookie("alice-stale")), "o-acme"},
		{"neither: the first", all, get("/", cookie("alice")), "o-acme"},
		{"a user without organization", all, get("/", cookie("loner")), "none"},
		{"the header is not a source", all[1:], get("/", cookie("alice"), org("o-other")), "o-acme"},
		{"the header is not a source, and names a stranger's", all[1:], get("/", cookie("alice"), org("o-nowhere")), "o-acme"},
		{"only the active one, which is stale", all[1:2], get("/", cookie("alice-stale")), "none"},
		{"only the active one, and none is", all[1:2], get("/", cookie("alice")), "none"},
		{"no source", nil, get("/", cookie("alice-active"), org("o-other")), "none"},
		{"a source that is none", []gate.OrgSource{{}}, get("/", cookie("alice"), org("o-other")), "none"},

		{"the host", []gate.OrgSource{fromHost}, get("/", cookie("alice"), host("other.app.test")), "o-other"},
		{"the host folds case", []gate.OrgSource{fromHost}, get("/", cookie("alice"), host("OTHER.App.Test.:8443")), "o-other"},
		{"the host, by id", []gate.OrgSource{fromHost}, get("/", cookie("alice"), host("o-other.app.test")), "o-other"},
		{"the host, a stranger's", []gate.OrgSource{fromHost}, get("/", cookie("alice"), host("evil.app.test")), notAMember},
		{"the host without label", []gate.OrgSource{fromHost}, get("/", cookie("alice"), host("app.test")), "none"},
		{"the host with two labels", []gate.OrgSource{fromHost}, get("/", cookie("alice"), host("a.other.app.test")), "none"},
		{"another host", []gate.OrgSource{fromHost, gate.OrgFromFirst}, get("/", cookie("alice"), host("other.example.com")), "o-acme"},
		{"host and header agree", []gate.OrgSource{fromHost, gate.OrgFromHeader}, get("/", cookie("alice"), host("other.app.test"), org("o-other")), "o-other"},
		{"host and header differ", []gate.OrgSource{fromHost, gate.OrgFromHeader}, get("/", cookie("alice"), host("other.app.test"), org("acme")), "deny AMBIGUOUS_REQUEST"},
		{"header and path differ", []gate.OrgSource{gate.OrgFromHeader, fromPath}, get("/orgs/other/x", cookie("alice"), org("acme")), "deny AMBIGUOUS_REQUEST"},
		{"a stranger's path beside one's own header", []gate.OrgSource{gate.OrgFromHeader, fromPath}, get("/orgs/evil/x", cookie("alice"), org("acme")), notAMember},
		{"a path after the preferences counts all the same", []gate.OrgSource{gate.OrgFromActive, gate.OrgFromFirst, fromPath}, get("/orgs/evil/x", cookie("alice")), notAMember},

		{"the path", []gate.OrgSource{fromPath}, get("/orgs/other/x", cookie("alice")), "o-other"},
		{"the path, at its end", []gate.OrgSource{fromPath}, get("/orgs/other", cookie("alice")), "o-other"},
		{"the path, encoded", []gate.OrgSource{fromPath}, get("/orgs/%6fther/x", cookie("alice")), "o-other"},
		{"the path, UTF-8", []gate.OrgSource{fromPath}, get("/orgs/caf%C3%A9/", cookie("zoe")), "ö-1"},
		{"the path, a stranger's", []gate.OrgSource{fromPath}, get("/orgs/evil/x", cookie("alice")), notAMember},
		{"the path, in another case", []gate.OrgSource{fromPath}, get("/orgs/OTHER/x", cookie("alice")), notAMember},
		{"the path without name", []gate.OrgSource{fromPath, gate.OrgFromFirst}, get("/orgs/", cookie("alice")), "o-acme"},
		{"the path without name or slash", []gate.OrgSource{fromPath}, get("/orgs", cookie("alice")), "none"},
		{"another path", []gate.OrgSource{fromPath, gate.OrgFromFirst}, get("/x/orgs/other", cookie("alice")), "o-acme"},
		{"the query is no path", []gate.OrgSource{fromPath}, get("/?/orgs/other", cookie("alice")), "none"},
	} {
		t.Run(c.it, func(t *testing.T) {
			w := newWorld(t, nil, func(g *gate.Config) { g.OrgSources = c.sources })
			d := w.Check(t.Context(), c.r)
			got := verdict(d)
			if d.Verdict == gate.Allow {
				got = "none"
				if d.Membership != nil {
					got = d.Membership.OrganizationID
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			// What the backend sees is the verified one, never the wish.
			for _, line := range w.Answer(c.r, d).Identity {
				if line.Name == "X-Org-Id" && (d.Membership == nil || line.Value != newHeaders(t).Value(d.Membership.OrganizationID)) {
					t.Errorf("sent X-Org-Id: %s", line.Value)
				}
			}
		})
	}
}

func TestAMembershipWithoutSlugIsNotFoundByAnEmptyOne(t *testing.T) {
	p := people()["alice"]
	p.Memberships[0].Slug = ""
	w := newWorld(t, nil, func(g *gate.Config) {
		g.Reader, g.Resolver, g.OrgSources = candidates{"x"}, everybody{p}, []gate.OrgSource{gate.OrgFromHeader, gate.OrgFromActive}
	})
	if d := w.Check(t.Context(), get("/", org("%00"))); verdict(d) != "deny NOT_A_MEMBER" {
		t.Errorf("got %s", verdict(d))
	}
	if d := w.Check(t.Context(), get("/")); d.Membership != nil {
		t.Errorf("an empty active organization is %+v", d.Membership)
	}
}

func TestAnotherUsersIDIsNoWayIn(t *testing.T) {
	// Somebody makes an organization whose slug is another one's id.
	p := people()["alice"]
	p.Memberships = []gate.Membership{{OrganizationID: "o-evil", Slug: "o-victim"}}
	w := newWorld(t, nil, func(g *gate.Config) { g.Reader, g.Resolver = candidates{"x"}, everybody{p} })
	r := get("/", org("o-victim"))
	d := w.Check(t.Context(), r)
	if d.Membership == nil || d.Membership.OrganizationID != "o-evil" {
		t.Fatalf("got %+v", d.Membership)
	}
	for _, line := range w.Answer(r, d).Identity {
		if line.Name == "X-Org-Id" && line.Value != "o-evil" {
			t.Errorf("the backend is told %s", line.Value)
		}
	}
}

func TestTeams(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		token, org, want string
	}{
		{"alice-team", "acme", "t-2"},
		{"alice-active", "acme", "t-1"},
		{"alice-active", "other", ""}, // its team belongs to another organization
		{"alice", "acme", ""},
		{"loner", "", ""},
	} {
		r := get("/", cookie(c.token), org(c.org))
		got := ""
		for _, line := range w.Answer(r, w.Check(t.Context(), r)).Identity {
			if line.Name == "X-Team-Id" {
				got = line.Value
			}
		}
		if got != c.want {
			t.Errorf("%s in %s: team %q, want %q", c.token, c.org, got, c.want)
		}
	}
}

func TestOrganizationPatterns(t *testing.T) {
	for _, pattern := range []string{"", "app.test", "{org}", "{org}.", "{org}app.test", "{org}.{org}.test", "{org}.app.test:8443", "*.{org}.test", "https://{org}.app.test"} {
		if s, err := gate.OrgFromHost(pattern); err == nil {
			t.Errorf("host %q: %s", pattern, s)
		}
	}
	for _, pattern := range []string{"{org}.app.test", "{ORG}.App.Test", "api-{org}.app.test", "x.{org}.test", "{org}.app.test."} {
		s, err := gate.OrgFromHost(pattern)
		if err != nil || s.String() != "host "+pattern {
			t.Errorf("host %q: %s, %v", pattern, s, err)
		}
	}
	for _, pattern := range []string{"", "/", "{org}", "/orgs", "orgs/{org}", "/{org}/{org}", "/{org}/x", "/a;b/{org}", "/../{org}", "/a//{org}", "/*/{org}", "/**/{org}", "/x{org}", "/%41/{org}"} {
		if s, err := gate.OrgFromPath(pattern); err == nil {
			t.Errorf("path %q: %s", pattern, s)
		}
	}
	for _, pattern := range []string{"/{org}", "/{org}/", "/orgs/{org}", "/api/v1/orgs/{org}/"} {
		s, err := gate.OrgFromPath(pattern)
		if err != nil || s.String() != "path "+pattern {
			t.Errorf("path %q: %s, %v", pattern, s, err)
		}
	}
	// A pattern with a trailing dot is the same host without.
	s, err := gate.OrgFromHost("{ORG}.App.Test.")
	must(t, err)
	w := newWorld(t, nil, func(g *gate.Config) { g.OrgSources = []gate.OrgSource{s} })
	if d := w.Check(t.Context(), get("/", cookie("alice"), host("other.app.test"))); d.Membership == nil || d.Membership.OrganizationID != "o-other" {
		t.Errorf("trailing dot: %+v", d.Membership)
	}
	for want, s := range map[string]gate.OrgSource{
		"header": gate.OrgFromHeader, "active organization": gate.OrgFromActive, "first membership": gate.OrgFromFirst, "nothing": {},
	} {
		if s.String() != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
}
