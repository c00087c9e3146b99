package gate_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
)

// owners are people with business rows, all or some of them. Alice's second organization has a slug that is the business key
// of her first, and a third one an id that is.
func owners() map[string]*gate.Principal {
	alice := func(user, acme, other string) *gate.Principal {
		return &gate.Principal{
			Session: session("s-alice", time.Hour, time.Hour),
			User:    gate.User{ID: "u-alice", Email: "alice@app.test", BusinessID: user},
			Memberships: []gate.Membership{
				{OrganizationID: "o-acme", Slug: "acme", BusinessID: acme},
				{OrganizationID: "o-other", Slug: "1001", BusinessID: other},
				{OrganizationID: "1002", Slug: "third", BusinessID: "1003"},
			},
		}
	}
	return map[string]*gate.Principal{
		"alice":     alice("17", "1001", "1002"),
		"no-row":    alice("", "1001", "1002"),
		"half":      alice("17", "", "1002"),
		"loner":     {Session: session("s", time.Hour, time.Hour), User: gate.User{ID: "u-loner", BusinessID: "18"}},
		"loner-too": {Session: session("s", time.Hour, time.Hour), User: gate.User{ID: "u-loner"}},
	}
}

// withBusiness is a gate whose backends know business ids.
func withBusiness(t *testing.T, ids, business gate.Business) *world {
	t.Helper()
	return newWorld(t, []gate.Rule{{Path: "/optional", Access: gate.Optional}, {Path: "/admin", UserRoles: []string{"admin"}}}, func(c *gate.Config) {
		preset, _ := gate.Preset("usher")
		headers, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Organization: "X-Org-Id", Business: ids})
		must(t, err)
		c.Headers, c.Business, c.Resolver = headers, business, gatetest.NewResolver(owners())
	})
}

func TestBusinessRowsAreDemanded(t *testing.T) {
	const allowed, refused = "allow SIGNED_IN", "unavailable PROVISION_FAILED"
	both, users := gate.Business{Users: true, Organizations: true}, gate.Business{Users: true}
	for _, c := range []struct {
		who, path, org string
		business       gate.Business
		want           string
	}{
		{"alice", "/", "", both, allowed},
		{"no-row", "/", "", both, refused},
		{"no-row", "/", "", users, refused},
		{"no-row", "/", "", gate.Business{}, allowed},
		{"no-row", "/optional", "", both, refused}, // somebody is there; passing as nobody would be wrong, too
		{"no-row", "/admin", "", both, "deny USER_ROLE_REQUIRED"},
		{"half", "/", "", both, refused}, // the first membership
		{"half", "/", "o-acme", both, refused},
		{"half", "/", "o-other", both, allowed},
		{"half", "/", "", users, allowed},
		{"loner", "/", "", both, allowed},
		{"loner-too", "/", "", both, refused},
	} {
		w := withBusiness(t, gate.Business{}, c.business)
		r := get(c.path, bearer(c.who), org(c.org))
		d := w.Check(t.Context(), r)
		if got := verdict(d); got != c.want {
			t.Errorf("%s %s in %q, %+v: %s, want %s", c.who, c.path, c.org, c.business, got, c.want)
		}
		if c.want == refused {
			if a := w.Answer(r, d); a.Status != 503 || len(a.Identity) > 0 || !errors.Is(d.Err, gate.ErrNotProvisioned) {
				t.Errorf("%s: %+v, %v", c.who, a, d.Err)
			}
		}
	}
}

func TestWhoeverCannotBeProvisionedIsRefused(t *testing.T) {
	broken := newWorld(t, nil, func(c *gate.Config) {
		sessions := gatetest.NewResolver(owners())
		sessions.Break(fmt.Errorf("users: %w", gate.ErrNotProvisioned))
		c.Resolver = sessions
	})
	if got := broken.decide(t, get("/", bearer("alice"))); got != "unavailable PROVISION_FAILED" {
		t.Error(got)
	}
}

func TestBusinessIDsInHeaders(t *testing.T) {
	both, users := gate.Business{Users: true, Organizations: true}, gate.Business{Users: true}
	for _, c := range []struct {
		ids       gate.Business
		org, want string
	}{
		{both, "", "X-User-Id=17 X-Org-Id=1001 X-Auth-User-Id=u-alice X-Auth-Org-Id=o-acme "},
		{both, "1001", "X-User-Id=17 X-Org-Id=1001 X-Auth-User-Id=u-alice X-Auth-Org-Id=o-acme "}, // not who has it for a slug
		{both, "1002", "X-User-Id=17 X-Org-Id=1002 X-Auth-User-Id=u-alice X-Auth-Org-Id=o-other "},
		{both, "o-other", "X-User-Id=17 X-Org-Id=1002 X-Auth-User-Id=u-alice X-Auth-Org-Id=o-other "},
		{both, "third", "X-User-Id=17 X-Org-Id=1003 X-Auth-User-Id=u-alice X-Auth-Org-Id=1002 "},
		{gate.Business{}, "", "X-User-Id=u-alice X-Org-Id=o-acme "},
		{gate.Business{}, "1001", "X-User-Id=u-alice X-Org-Id=o-other "}, // a slug, for nobody is told of business ids
		{gate.Business{}, "1003", ""},
		{users, "1001", "X-User-Id=17 X-Org-Id=o-other X-Auth-User-Id=u-alice "},
	} {
		w := withBusiness(t, c.ids, both)
		r := get("/", bearer("alice"), org(c.org))
		got := ""
		a := w.Answer(r, w.Check(t.Context(), r))
		for _, line := range a.Identity {
			switch line.Name {
			case "X-User-Id", "X-Org-Id", "X-Auth-User-Id", "X-Auth-Org-Id":
				got += line.Name + "=" + line.Value + " "
			}
		}
		if got != c.want {
			t.Errorf("%v, asked for %q: %s, want %s", c.ids, c.org, got, c.want)
		}
	}
}

// People choose slugs, and one may be the id of another organization as our headers encode it.
func TestNoSlugStandsForAnID(t *testing.T) {
	both := gate.Business{Users: true, Organizations: true}
	eve := owners()["alice"]
	eve.Memberships = []gate.Membership{
		{OrganizationID: "o-eve", Slug: "a%2Fb", BusinessID: "1"},
		{OrganizationID: "o-acme", Slug: "acme", BusinessID: "a/b"},
		{OrganizationID: "o-eve-too", Slug: "%C3%B6-1", BusinessID: "2"},
		{OrganizationID: "ö-1", Slug: "café", BusinessID: "3"},
	}
	w := newWorld(t, nil, func(c *gate.Config) {
		c.Headers, c.Business = withBusiness(t, both, both).Headers(), both
		c.Resolver = gatetest.NewResolver(map[string]*gate.Principal{"eve": eve})
	})
	for asked, want := range map[string]string{"a%2Fb": "o-acme", "a/b": "o-acme", "%C3%B6-1": "ö-1", "1": "o-eve", "caf%C3%A9": "ö-1"} {
		if d := w.Check(t.Context(), get("/", bearer("eve"), org(asked))); d.Membership == nil || d.Membership.OrganizationID != want {
			t.Errorf("asked for %q: %+v, want %s", asked, d.Membership, want)
		}
	}
}

// What is asked for may be the id of a row that could not be had: that is not to be no member of it.
func TestAnUnknownIDIsNoRefusal(t *testing.T) {
	both := gate.Business{Users: true, Organizations: true}
	for _, c := range []struct {
		who, org string
		ids      gate.Business
		want     string
	}{
		{"half", "1000", both, "unavailable PROVISION_FAILED"},
		{"half", "o-acme", both, "unavailable PROVISION_FAILED"},
		{"half", "1001", both, "allow SIGNED_IN"}, // the slug of another, which nothing else is meant by as far as is known
		{"half", "1000", gate.Business{Users: true}, "deny NOT_A_MEMBER"},
		{"alice", "1000", both, "deny NOT_A_MEMBER"},
	} {
		w := withBusiness(t, c.ids, both)
		if got := w.decide(t, get("/", bearer(c.who), org(c.org))); got != c.want {
			t.Errorf("%s asks for %q: %s, want %s", c.who, c.org, got, c.want)
		}
	}
}

func TestFactsKeepBetterAuthsIDs(t *testing.T) {
	w := withBusiness(t, gate.Business{Users: true, Organizations: true}, gate.Business{Users: true, Organizations: true})
	for _, fact := range w.Check(t.Context(), get("/", bearer("alice"))).Facts() {
		if fact.Name == "user_id" && fact.Value != "u-alice" || fact.Name == "org_id" && fact.Value != "o-acme" {
			t.Errorf("%+v", fact)
		}
	}
}

func TestBusinessIDsNeedRows(t *testing.T) {
	preset, _ := gate.Preset("usher")
	for _, ids := range []gate.Business{{Users: true}, {Organizations: true}} {
		headers, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Business: ids})
		must(t, err)
		if _, err := gate.New(gate.Config{Reader: gatetest.Reader{}, Resolver: gatetest.NewResolver(nil), Headers: headers}); err == nil {
			t.Errorf("%+v: a gate was made whose ids would be empty", ids)
		}
	}
}
