package gate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/gate"
)

// applied is the label of the rule that decided about r.
func (w *world) applied(t testing.TB, r *gate.Request) string {
	t.Helper()
	return w.Check(t.Context(), r).Rule
}

func TestTheFirstMatchingRuleDecides(t *testing.T) {
	w := newWorld(t, []gate.Rule{
		{Name: "assets", Path: "/assets/**", Access: gate.Open},
		{Name: "images", Path: "/img/*.png", Access: gate.Open},
		{Name: "teams", Path: "/t/*/settings/**"},
		{Name: "deep", Path: "/a/**/z"},
		{Name: "read", Path: "/posts/**", Methods: []string{"GET"}, Access: gate.Open},
		{Name: "write", Path: "/posts/**", Methods: []string{"POST", "DELETE"}},
		{Name: "head", Path: "/only-head", Methods: []string{"HEAD"}, Access: gate.Open},
		{Name: "admin", Host: "admin.app.test"},
		{Name: "tenants", Host: "*.tenants.test", Path: "/x"},
		{Name: "v6", Host: "[2001:DB8:0::1]"},
		{Name: "root", Path: "/", Access: gate.Open},
		{Name: "cafe", Path: "/café", Access: gate.Open},
		{Name: "space", Path: "/a ", Access: gate.Open},
		{Name: "tilde", Path: "/A/~user/A", Access: gate.Open},
		{Name: "shadowed", Path: "/assets/x", Access: gate.Required},
		{Path: "/nameless"},
	})
	const none = "default"
	for _, c := range []struct {
		it   string
		r    *gate.Request
		want string
	}{
		{"** is the folder itself", get("/assets"), "assets"},
		{"** is the folder with its slash", get("/assets/"), "assets"},
		{"** is anything below", get("/assets/a/b/c.css"), "assets"},
		{"** is whole segments", get("/assetsx"), none},
		{"the first rule wins", get("/assets/x"), "assets"},
		{"* is within a segment", get("/img/a.png"), "images"},
		{"* is also nothing", get("/img/.png"), "images"},
		{"* is no slash", get("/img/a/b.png"), none},
		{"what follows * counts", get("/img/a.png.exe"), none},
		{"* in the middle", get("/t/acme/settings"), "teams"},
		{"* in the middle, and below", get("/t/acme/settings/keys"), "teams"},
		{"* is one segment", get("/t/a/b/settings"), none},
		{"* as a whole segment may be empty only at the end", get("/t//settings"), ""},
		{"** in the middle is nothing", get("/a/z"), "deep"},
		{"** in the middle is much", get("/a/b/c/z"), "deep"},
		{"** in the middle, wrong end", get("/a/b/c/zz"), none},
		{"the query takes no part", get("/assets/x?y=/../z"), "assets"},
		{"a question mark is no pattern", get("/img/a%3F.png"), "images"},
		{"encoded letters", get("/%61ssets/x"), "assets"},
		{"U08 raw UTF-8", get("/caf\u00e9"), "cafe"},
		{"U08 its percent-encoding", get("/caf%C3%A9"), "cafe"},
		{"U11", get("/A/%7Euser/%41"), "tilde"},
		{"U12 a trailing space counts", get("/a%20"), "space"},
		{"U12 without it", get("/a"), none},
		{"U12 an empty query", get("/a%20?"), "space"},
		{"case counts in paths", get("/Assets/x"), none},
		{"a trailing slash counts", get("/only-head/", method("HEAD")), none},

		{"GET", get("/posts/1"), "read"},
		{"GET includes HEAD", get("/posts/1", method("HEAD")), "read"},
		{"HEAD does not include GET", get("/only-head"), none},
		{"HEAD", get("/only-head", method("HEAD")), "head"},
		{"another method", get("/posts/1", method("POST")), "write"},
		{"a method no rule names", get("/posts/1", method("PUT")), none},
		{"a method in lower case is not another method", get("/posts/1", method("delete")), "write"},
		{"a method in mixed case neither", get("/posts/1", method("Post")), "write"},

		{"host", get("/y", host("admin.app.test")), "admin"},
		{"host in another case, with port and dot", get("/y", host("ADMIN.app.test.:8443")), "admin"},
		{"below the host", get("/y", host("x.admin.app.test")), none},
		{"host with two dots", get("/y", host("admin.app.test..")), ""},
		{"a wildcard host", get("/x", host("acme.tenants.test")), "tenants"},
		{"a wildcard host, two labels", get("/x", host("a.b.tenants.test")), "tenants"},
		{"a wildcard host is not the domain itself", get("/x", host("tenants.test")), none},
		{"a wildcard host is not a suffix", get("/x", host("eviltenants.test")), none},
		{"a wildcard host and another path", get("/y", host("acme.tenants.test")), none},
		{"an IPv6 host in any spelling", get("/y", host("[2001:db8::1]:8080")), "v6"},
		{"an IPv6 host in another spelling", get("/y", host("[2001:0db8:0:0:0:0:0:1]")), "v6"},

		{"the root", get("/"), "root"},
		{"the root is not everything", get("/x"), none},
		{"a rule without name", get("/nameless"), "rules[15]"},
		{"picked by name, whatever the path", get("/x", named("assets")), "assets"},
		{"picked by name, whatever the method", get("/x", named("head"), method("POST")), "head"},
		{"an unknown name", get("/assets/x", named("unknown")), ""},
		{"a label is no name", get("/assets/x", named("rules[15]")), ""},
		{"the fallback has no name", get("/assets/x", named("default")), ""},
		{"a name in another case", get("/assets/x", named("Assets")), ""},
	} {
		if got := w.applied(t, c.r); got != c.want {
			t.Errorf("%s: %s %s %s: rule %q, want %q", c.it, c.r.Method, c.r.Host, c.r.Target, got, c.want)
		}
	}
	if got := w.decide(t, get("/assets/x", named("unknown"), cookie("alice"))); got != "deny UNKNOWN_RULE" {
		t.Errorf("an unknown name: %s", got)
	}
	if got := w.decide(t, get("/no/rule")); got != "sign-in NO_CREDENTIAL" {
		t.Errorf("nothing matched: %s", got)
	}
}

func TestAnAdmittedEncodedSlashStaysInItsSegment(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Name: "one", Path: "/files/*", Access: gate.Open}, {Name: "two", Path: "/files/*/*"}, {Name: "a", Path: "/files/a/**"}},
		func(g *gate.Config) { g.Paths.EncodedSlashes = true })
	for target, want := range map[string]string{"/files/a%2Fb": "one", "/files/a/b": "two", "/files/a%2Fb/c": "two", "/files%2Fa": "default"} {
		if got := w.applied(t, get(target)); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

func TestMergedSlashesAreJudgedAsOne(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Name: "admin", Path: "/admin/**"}, {Name: "open", Access: gate.Open}},
		func(g *gate.Config) { g.Paths.MergeSlashes = true })
	for _, target := range []string{"/admin/x", "//admin/x", "/admin//x", "///admin///x//"} {
		if got := w.applied(t, get(target)); got != "admin" {
			t.Errorf("%s: %s", target, got)
		}
	}
}

func TestNewPolicyReportsEveryProblem(t *testing.T) {
	_, err := gate.NewPolicy([]gate.Rule{
		{Name: "a b c", Path: "x"},
		{Name: "twice", Host: "app.test:443", Methods: []string{"get"}, Fresh: -1},
		{Name: "twice", Access: gate.Open, Org: true},
		{Access: gate.Optional, UserRoles: []string{"admin"}},
		{Path: "/a/../b"},
		{Path: "/a//b"},
		{Path: "/a**"},
		{Path: "/a?x"},
		{Path: `/a\b`},
		{Path: "/a;b"},
		{Path: "/a#b"},
		{Path: "/a\x00"},
		{Path: "/a\tb"},
		{Path: "/a%20b/**"},
		{Path: "/caf%C3%A9"},
		{Path: "/\xff"},
		{Host: "*"},
		{Host: "*.*.test"},
		{Host: "https://app.test"},
		{Host: "*."},
		{Host: "app.test.."},
		{Methods: []string{""}},
		{Methods: []string{"GET,POST"}},
	})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is not a list", err)
	}
	var got []string
	for _, e := range joined.Unwrap() {
		rule, ok := errors.AsType[*gate.RuleError](e)
		if !ok {
			t.Fatalf("%v is no RuleError", e)
		}
		got = append(got, fmt.Sprintf("%d %s", rule.Index, rule.Field))
		if !strings.HasPrefix(rule.Error(), fmt.Sprintf("rules[%d].%s: ", rule.Index, rule.Field)) {
			t.Errorf("%v", rule)
		}
	}
	want := []string{"0 name", "0 path", "1 host", "1 methods", "1 fresh", "2 access", "2 name", "3 access"}
	for i := 4; i <= 15; i++ {
		want = append(want, fmt.Sprintf("%d path", i))
	}
	for i := 16; i <= 20; i++ {
		want = append(want, fmt.Sprintf("%d host", i))
	}
	want = append(want, "21 methods", "22 methods")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestOnlyARequiredRuleCanDemand(t *testing.T) {
	for it, rule := range map[string]gate.Rule{
		"org": {Org: true}, "org_roles": {OrgRoles: []string{"owner"}}, "user_roles": {UserRoles: []string{"admin"}}, "fresh": {Fresh: time.Minute},
	} {
		for _, access := range []gate.Access{gate.Required, gate.Optional, gate.Open} {
			rule.Access = access
			if _, err := gate.NewPolicy([]gate.Rule{rule}); (err == nil) != (access == gate.Required) {
				t.Errorf("%s with access %s: %v", it, access, err)
			}
		}
	}
}

func TestPatternsThatAreRight(t *testing.T) {
	for _, path := range []string{"/", "/**", "/*", "/a", "/a/", "/a/**", "/**/a", "/a/*/b", "/*.png", "/a*b*c", "/100%", "/café", "/a b", "/.well-known/*", "/..a", "/%zz"} {
		if _, err := gate.NewPolicy([]gate.Rule{{Path: path}}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestDemands(t *testing.T) {
	rules := []gate.Rule{
		{Path: "/org", Org: true},
		{Path: "/owner", OrgRoles: []string{"owner"}},
		{Path: "/owner-or-member", OrgRoles: []string{"owner", "member"}},
		{Path: "/support", UserRoles: []string{"support"}},
		{Path: "/admin", UserRoles: []string{"admin", "superadmin"}},
		{Path: "/fresh", Fresh: 15 * time.Minute},
		{Path: "/all", UserRoles: []string{"support"}, OrgRoles: []string{"member"}, Fresh: 2 * time.Hour},
		{Path: "/empty-role", OrgRoles: []string{""}},
		{Path: "/empty-user-role", UserRoles: []string{""}},
	}
	w := newWorld(t, rules)
	for _, c := range []struct {
		path string
		with []func(*gate.Request)
		want string
	}{
		{"/org", []func(*gate.Request){cookie("alice")}, "allow SIGNED_IN"},
		{"/org", []func(*gate.Request){cookie("loner")}, "deny ORG_REQUIRED"},
		{"/org", nil, "sign-in NO_CREDENTIAL"},
		{"/owner", []func(*gate.Request){cookie("alice")}, "deny ORG_ROLE_REQUIRED"}, // acme: member
		{"/owner", []func(*gate.Request){cookie("alice"), org("other")}, "allow SIGNED_IN"},
		{"/owner", []func(*gate.Request){cookie("alice-active")}, "allow SIGNED_IN"},
		{"/owner", []func(*gate.Request){cookie("alice-active"), org("acme")}, "deny ORG_ROLE_REQUIRED"},
		{"/owner", []func(*gate.Request){cookie("loner")}, "deny ORG_REQUIRED"},
		{"/owner-or-member", []func(*gate.Request){cookie("alice")}, "allow SIGNED_IN"},
		{"/support", []func(*gate.Request){cookie("alice")}, "allow SIGNED_IN"}, // user,support
		{"/support", []func(*gate.Request){cookie("root")}, "deny USER_ROLE_REQUIRED"},
		{"/support", []func(*gate.Request){cookie("loner")}, "deny USER_ROLE_REQUIRED"},
		{"/admin", []func(*gate.Request){cookie("root")}, "allow SIGNED_IN"},
		{"/admin", []func(*gate.Request){cookie("alice")}, "deny USER_ROLE_REQUIRED"},
		{"/fresh", []func(*gate.Request){cookie("14m-old")}, "allow SIGNED_IN"},
		{"/fresh", []func(*gate.Request){cookie("15m-old")}, "deny SESSION_NOT_FRESH"},
		{"/fresh", []func(*gate.Request){bearer("alice")}, "deny SESSION_NOT_FRESH"},
		{"/fresh", []func(*gate.Request){cookie("from-ahead")}, "allow SIGNED_IN"}, // another machine's clock
		{"/fresh", []func(*gate.Request){cookie("no-created")}, "deny SESSION_NOT_FRESH"},
		{"/all", []func(*gate.Request){cookie("alice")}, "allow SIGNED_IN"},
		{"/all", []func(*gate.Request){cookie("alice"), org("o-other")}, "deny ORG_ROLE_REQUIRED"},
		{"/all", []func(*gate.Request){cookie("alice"), org("nowhere")}, "deny NOT_A_MEMBER"},
		{"/all", []func(*gate.Request){cookie("root")}, "deny USER_ROLE_REQUIRED"},
		{"/empty-role", []func(*gate.Request){cookie("zoe")}, "deny ORG_ROLE_REQUIRED"},
		{"/empty-user-role", []func(*gate.Request){cookie("loner")}, "deny USER_ROLE_REQUIRED"},
	} {
		if got := w.decide(t, get(c.path, c.with...)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.path, got, c.want)
		}
	}
}

func TestRolesAreComparedWhole(t *testing.T) {
	for _, c := range []struct {
		stored string
		wanted string
		want   bool
	}{
		{"owner", "owner", true},
		{"owner,admin", "admin", true},
		{"owner, admin", "admin", true},
		{" owner ,, admin ,", "admin", true},
		{"owner\tadmin", "admin", false},
		{"administrator", "admin", false},
		{"sub-admin", "admin", false},
		{"Admin", "admin", false},
		{"", "admin", false},
		{",", "admin", false},
		{"", "", false},
		{",", "", false},
		{"admin", "", false},
		{"owner,admin", "owner,admin", false},
	} {
		p := &gate.Principal{
			Session: session("s", time.Hour, time.Hour), User: gate.User{ID: "u", Roles: gate.ParseRoles(c.stored)},
			Memberships: []gate.Membership{{OrganizationID: "o", Roles: gate.ParseRoles(c.stored)}},
		}
		for _, rule := range []gate.Rule{{OrgRoles: []string{c.wanted}}, {UserRoles: []string{c.wanted}}} {
			w := newWorld(t, []gate.Rule{rule}, func(g *gate.Config) {
				g.Reader, g.Resolver = candidates{"x"}, everybody{p}
			})
			if got := w.Check(t.Context(), get("/")).Verdict == gate.Allow; got != c.want {
				t.Errorf("%q has %q: %v", c.stored, c.wanted, got)
			}
		}
	}
	for stored, want := range map[string]gate.Roles{
		"": "", "a": "a", "a,b": "a,b", "a, b": "a,b", " a": "a", ",a": "a", "a,": "a", "a,,b": "a,b", " , ": "", "\ta ,\tb": "a,b",
	} {
		if got := gate.ParseRoles(stored); got != want {
			t.Errorf("%q: %q, want %q", stored, got, want)
		}
	}
}

func TestAccessWords(t *testing.T) {
	for word, want := range map[string]gate.Access{"": gate.Required, "required": gate.Required, "optional": gate.Optional, "public": gate.Open} {
		got, ok := gate.ParseAccess(word)
		if !ok || got != want || word != "" && got.String() != word {
			t.Errorf("%q: %s, %v", word, got, ok)
		}
	}
	if got, ok := gate.ParseAccess("Public"); ok || got != gate.Required {
		t.Errorf("an unknown word is %s", got)
	}
	if s := gate.Access(9).String(); s != "required" {
		t.Errorf("an unknown access is called %s", s)
	}
}
