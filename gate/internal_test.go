package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
)

// serviceRules are rules for services: as themselves, for users, and what none can have.
var serviceRules = []gate.Rule{
	{Name: "public", Path: "/public", Access: gate.Open},
	{Name: "optional", Path: "/optional", Access: gate.Optional},
	{Name: "feed", Path: "/feed", Access: gate.Optional, Internal: true},
	{Name: "jobs", Path: "/jobs", Internal: true},
	{Name: "jobs-org", Path: "/jobs-org", Internal: true, Org: true},
	{Name: "jobs-owner", Path: "/jobs-owner", Internal: true, OrgRoles: []string{"owner"}},
	{Name: "jobs-admin", Path: "/jobs-admin", Internal: true, UserRoles: []string{"support"}},
	{Name: "jobs-fresh", Path: "/jobs-fresh", Internal: true, Fresh: 100 * 365 * 24 * time.Hour},
	{Name: "org", Path: "/org", Org: true},
	{Name: "owner", Path: "/owner", OrgRoles: []string{"owner"}},
	{Name: "support", Path: "/support", UserRoles: []string{"support"}},
}

// services are callers: agent may do anything, the others are limited.
func services(t testing.TB) *gate.Callers {
	return newCallers(t,
		gate.Caller{Name: "agent", TokenSHA256: []string{sha(serviceToken('a')), sha(serviceToken('b'))}, SPIFFE: []string{"spiffe://prod/agent"}},
		gate.Caller{Name: "mailer", TokenSHA256: []string{sha(serviceToken('m'))}, Users: []string{"u-alice", "u-banned"}, SPIFFE: []string{"spiffe://prod/mail/*"}},
		gate.Caller{Name: "billing", TokenSHA256: []string{sha(serviceToken('o'))}, Organizations: []string{"o-other"}},
		gate.Caller{Name: "cron", TokenSHA256: []string{sha(serviceToken('c'))}, Rules: []string{"jobs", "org"}},
	)
}

func newServiceWorld(t testing.TB, adjust ...func(*gate.Config)) *world {
	known := people()
	known["banned"].User.ID = "u-banned"
	sessions := gatetest.NewResolver(known)
	w := newWorld(t, serviceRules, append([]func(*gate.Config){func(g *gate.Config) {
		g.Callers, g.Resolver = services(t), sessions
	}}, adjust...)...)
	w.sessions = sessions
	return w
}

// ask makes a request of header lines, as an edge does.
func ask(t testing.TB, w *world, path, spiffe string, lines ...string) *gate.Request {
	t.Helper()
	r := get(path)
	r.SPIFFE = spiffe
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		w.Headers().Collect(r, name, value)
	}
	return r
}

func TestInternalCallers(t *testing.T) {
	auth := func(seed byte) string { return "Authorization: Bearer " + serviceToken(seed) }
	const alice, agent, mailer = "X-User-Id: u-alice", "spiffe://prod/agent", "spiffe://prod/mail/eu"
	for _, c := range []struct {
		it     string
		path   string
		spiffe string
		lines  []string
		want   string
		io     int
	}{
		{"for a user", "/x", "", []string{auth('a'), alice}, "allow INTERNAL as u-alice by agent", 1},
		{"with the second token", "/x", "", []string{auth('b'), alice}, "allow INTERNAL as u-alice by agent", 1},
		{"bearer in another case", "/x", "", []string{"authorization: bEARER   " + serviceToken('a') + " ", alice}, "allow INTERNAL as u-alice by agent", 1},
		{"a tab is no blank (the real Reader says BAD_BEARER)", "/x", "", []string{"Authorization: Bearer\t" + serviceToken('a'), alice}, "sign-in NO_CREDENTIAL", 0},
		{"another scheme", "/x", "", []string{"Authorization: Token " + serviceToken('a'), alice}, "sign-in NO_CREDENTIAL", 0},
		{"no scheme", "/x", "", []string{"Authorization: " + serviceToken('a'), alice}, "sign-in NO_CREDENTIAL", 0},
		{"an unknown token", "/x", "", []string{auth('z'), alice}, "sign-in UNKNOWN_CALLER", 0},
		{"an unknown token on an optional rule", "/optional", "", []string{auth('z'), alice}, "sign-in UNKNOWN_CALLER", 0},
		{"an unknown token beside a session", "/x", "", []string{auth('z'), "Cookie: session=alice"}, "sign-in UNKNOWN_CALLER", 0},
		{"a token cut short", "/x", "", []string{"Authorization: Bearer " + serviceToken('a')[:47], alice}, "sign-in UNKNOWN_CALLER", 0},
		{"a long token", "/x", "", []string{"Authorization: Bearer ushi_" + strings.Repeat("a", 4000), alice}, "sign-in UNKNOWN_CALLER", 0},
		{"the hash is no token", "/x", "", []string{"Authorization: Bearer " + sha(serviceToken('a')), alice}, "sign-in SESSION_UNKNOWN", 1},
		{"two tokens", "/x", "", []string{auth('a'), auth('b'), alice}, "deny AMBIGUOUS_REQUEST", 0},
		{"public", "/public", "", []string{auth('a'), alice}, "allow PUBLIC", 0},
		{"public, unknown token", "/public", "", []string{auth('z'), alice}, "allow PUBLIC", 0},

		{"nobody names a user", "/x", "", []string{alice}, "sign-in NO_CREDENTIAL", 0},
		{"nobody names a user on an optional rule", "/optional", "", []string{alice}, "allow ANONYMOUS", 0},
		{"a session names another user", "/x", "", []string{"Cookie: session=loner", alice}, "allow SIGNED_IN as u-loner", 1},
		{"a bearer names another user twice", "/x", "", []string{"Authorization: Bearer loner", alice, "X-User-Id: u-root"}, "allow SIGNED_IN as u-loner", 1},

		{"no such user", "/x", "", []string{auth('a'), "X-User-Id: u-nobody"}, "deny USER_UNKNOWN by agent", 1},
		{"a session's token is no user", "/x", "", []string{auth('a'), "X-User-Id: alice"}, "deny USER_UNKNOWN by agent", 1},
		{"a banned user", "/x", "", []string{auth('a'), "X-User-Id: u-banned"}, "deny USER_BANNED by agent", 1},
		{"two users", "/x", "", []string{auth('a'), alice, "X-User-Id: u-root"}, "deny AMBIGUOUS_REQUEST by agent", 0},
		{"the same user twice", "/x", "", []string{auth('a'), alice, alice}, "deny AMBIGUOUS_REQUEST by agent", 0},
		{"two users in one line", "/x", "", []string{auth('a'), alice + ", u-root"}, "deny AMBIGUOUS_REQUEST by agent", 0},
		{"a broken escape", "/x", "", []string{auth('a'), "X-User-Id: u%2"}, "deny AMBIGUOUS_REQUEST by agent", 0},
		{"a user as our own headers spell one", "/x", "", []string{auth('a'), "X-User-Id: u%2Dalice"}, "allow INTERNAL as u-alice by agent", 1},
		{"a control byte", "/x", "", []string{auth('a'), "X-User-Id: u-alice\x01"}, "deny AMBIGUOUS_REQUEST by agent", 0},
		{"an alias names nobody", "/x", "", []string{auth('a'), "X_User_Id: u-alice"}, "deny USER_REQUIRED by agent", 0},

		{"an organization", "/x", "", []string{auth('a'), alice, "X-Org-Id: other"}, "allow INTERNAL as u-alice by agent in o-other", 1},
		{"another's organization", "/x", "", []string{auth('a'), alice, "X-Org-Id: nowhere"}, "deny NOT_A_MEMBER by agent", 1},
		{"two organizations", "/x", "", []string{auth('a'), alice, "X-Org-Id: other", "X-Org-Id: acme"}, "deny AMBIGUOUS_REQUEST", 0},
		{"an organization is demanded", "/org", "", []string{auth('a'), "X-User-Id: u-loner"}, "deny ORG_REQUIRED by agent", 1},
		{"a role", "/owner", "", []string{auth('a'), alice, "X-Org-Id: other"}, "allow INTERNAL as u-alice by agent in o-other", 1},
		{"a role that is missing", "/owner", "", []string{auth('a'), alice, "X-Org-Id: acme"}, "deny ORG_ROLE_REQUIRED by agent", 1},
		{"a role of the user", "/support", "", []string{auth('a'), alice}, "allow INTERNAL as u-alice by agent", 1},
		{"a role the user has not", "/support", "", []string{auth('a'), "X-User-Id: u-loner"}, "deny USER_ROLE_REQUIRED by agent", 1},
		{"a recent sign-in", "/jobs-fresh", "", []string{auth('a'), alice}, "deny SESSION_NOT_FRESH by agent", 0},

		{"itself", "/jobs", "", []string{auth('a')}, "allow INTERNAL by agent", 0},
		{"itself, an empty user", "/jobs", "", []string{auth('a'), "X-User-Id: "}, "allow INTERNAL by agent", 0},
		{"itself on an optional rule that lets it in", "/feed", "", []string{auth('a')}, "allow INTERNAL by agent", 0},
		{"itself on an optional rule", "/optional", "", []string{auth('a')}, "allow ANONYMOUS (agent)", 0},
		{"itself elsewhere", "/x", "", []string{auth('a')}, "deny USER_REQUIRED by agent", 0},
		{"itself beside a session", "/x", "", []string{auth('a'), "Cookie: session=alice"}, "deny USER_REQUIRED by agent", 0},
		{"itself has no organization", "/jobs-org", "", []string{auth('a'), "X-Org-Id: acme"}, "deny USER_REQUIRED by agent", 0},
		{"itself has no role there", "/jobs-owner", "", []string{auth('a')}, "deny USER_REQUIRED by agent", 0},
		{"itself has no role", "/jobs-admin", "", []string{auth('a')}, "deny USER_REQUIRED by agent", 0},
		{"itself never signed in", "/jobs-fresh", "", []string{auth('a')}, "deny USER_REQUIRED by agent", 0},
		{"a session on a rule for callers", "/jobs", "", []string{"Cookie: session=alice"}, "allow SIGNED_IN as u-alice", 1},
		{"nobody on a rule for callers", "/jobs", "", nil, "sign-in NO_CREDENTIAL", 0},

		{"limited to users: one of them", "/x", "", []string{auth('m'), alice}, "allow INTERNAL as u-alice by mailer", 1},
		{"limited to users: another", "/x", "", []string{auth('m'), "X-User-Id: u-loner"}, "deny CALLER_NOT_ALLOWED by mailer", 0},
		{"limited to users: banned all the same", "/x", "", []string{auth('m'), "X-User-Id: u-banned"}, "deny USER_BANNED by mailer", 1},
		{"limited to organizations: the one", "/x", "", []string{auth('o'), alice, "X-Org-Id: o-other"}, "allow INTERNAL as u-alice by billing in o-other", 1},
		{"limited to organizations: by slug", "/x", "", []string{auth('o'), alice, "X-Org-Id: other"}, "allow INTERNAL as u-alice by billing in o-other", 1},
		{"limited to organizations: the user's first", "/x", "", []string{auth('o'), alice}, "deny CALLER_NOT_ALLOWED by billing", 1},
		{"limited to organizations: none", "/x", "", []string{auth('o'), "X-User-Id: u-loner"}, "deny CALLER_NOT_ALLOWED by billing", 1},
		{"limited to organizations: itself", "/jobs", "", []string{auth('o')}, "deny CALLER_NOT_ALLOWED by billing", 0},
		{"limited to rules: one of them", "/org", "", []string{auth('c'), alice}, "allow INTERNAL as u-alice by cron", 1},
		{"limited to rules: another", "/owner", "", []string{auth('c'), alice}, "deny CALLER_NOT_ALLOWED by cron", 0},
		{"limited to rules: none matches", "/x", "", []string{auth('c'), alice}, "deny CALLER_NOT_ALLOWED by cron", 0},
		{"limited to rules: itself", "/jobs", "", []string{auth('c')}, "allow INTERNAL by cron", 0},
		{"limited to rules: itself on another", "/feed", "", []string{auth('c')}, "deny CALLER_NOT_ALLOWED by cron", 0},

		{"a certificate for a user", "/x", agent, []string{alice}, "allow INTERNAL as u-alice by agent", 1},
		{"a certificate by a pattern", "/x", mailer, []string{alice}, "allow INTERNAL as u-alice by mailer", 1},
		{"a certificate of nobody", "/x", "spiffe://prod/other", []string{alice}, "sign-in NO_CREDENTIAL", 0},
		{"a certificate and its caller's token", "/x", agent, []string{auth('a'), alice}, "allow INTERNAL as u-alice by agent", 1},
		{"a certificate and another's token", "/x", agent, []string{auth('m'), alice}, "deny AMBIGUOUS_REQUEST by mailer", 0},
		{"a certificate and an unknown token", "/x", agent, []string{auth('z'), alice}, "sign-in UNKNOWN_CALLER", 0},
		{"an unknown certificate and a token", "/x", "spiffe://prod/other", []string{auth('a'), alice}, "allow INTERNAL as u-alice by agent", 1},
		{"a certificate, a user and a bearer", "/x", agent, []string{"Authorization: Bearer loner", alice}, "deny AMBIGUOUS_REQUEST by agent", 0},
		{"a certificate, a user and a bad bearer", "/x", agent, []string{"Authorization: Bearer forged", alice}, "deny AMBIGUOUS_REQUEST by agent", 0},
		{"a certificate, a user and a cookie", "/x", agent, []string{"Cookie: session=loner", alice}, "deny AMBIGUOUS_REQUEST by agent", 0},
		{"a certificate and another cookie", "/x", agent, []string{"Cookie: theme=dark", alice}, "allow INTERNAL as u-alice by agent", 1},
		{"a certificate and a session", "/x", agent, []string{"Cookie: session=loner"}, "allow SIGNED_IN as u-loner", 1},
		{"a certificate and a bad session", "/x", agent, []string{"Cookie: session=forged"}, "sign-in BAD_COOKIE", 0},
		{"a certificate itself", "/jobs", agent, nil, "allow INTERNAL by agent", 0},
		{"a certificate itself elsewhere", "/x", agent, nil, "deny USER_REQUIRED by agent", 0},
		{"a header says no certificate", "/x", "", []string{"X-Forwarded-Client-Cert: URI=spiffe://prod/agent", alice}, "sign-in NO_CREDENTIAL", 0},
	} {
		t.Run(c.it, func(t *testing.T) {
			w := newServiceWorld(t)
			r := ask(t, w, c.path, c.spiffe, c.lines...)
			d := w.Check(t.Context(), r)
			if got := strings.TrimSuffix(told(d), " in o-acme"); got != c.want { // Alice's first
				t.Errorf("got %s, want %s", got, c.want)
			}
			if n := w.sessions.Calls(); n != c.io {
				t.Errorf("the store was asked %d times, want %d", n, c.io)
			}
			a := w.Answer(r, d)
			checkInternalAnswer(t, c.lines, d, a)
		})
	}
}

// told is a decision as one line.
func told(d gate.Decision) string {
	s := verdict(d)
	if d.Principal != nil && d.Verdict == gate.Allow {
		s += " as " + d.Principal.User.ID
	}
	switch {
	case d.Caller != "" && d.Method == gate.ByInternal:
		s += " by " + d.Caller
	case d.Caller != "":
		s += " (" + d.Caller + ")"
	}
	if d.Membership != nil && d.Verdict == gate.Allow && d.Method == gate.ByInternal {
		s += " in " + d.Membership.OrganizationID
	}
	return s
}

// checkInternalAnswer holds for every request: the backend is told what was decided and nothing that the client chose.
func checkInternalAnswer(t *testing.T, lines []string, d gate.Decision, a gate.Answer) {
	t.Helper()
	identity := map[string]string{}
	for _, h := range a.Identity {
		identity[h.Name] = h.Value
	}
	if a.Verdict != gate.Allow {
		if len(a.Identity)+len(a.Remove) > 0 {
			t.Errorf("a refusal says %v", a)
		}
		return
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		if lower := strings.ToLower(name); lower == "x-user-id" && identity["X-User-Id"] == "" && !slices.Contains(a.Remove, lower) {
			t.Errorf("the client's user passes: %+v", a)
		}
		if strings.EqualFold(name, "authorization") && strings.Contains(value, "ushi_") != slices.Contains(a.Remove, "authorization") {
			t.Errorf("authorization: removed are %v", a.Remove)
		}
	}
	if d.Method != gate.ByInternal {
		if identity["X-Internal-Caller"] != "" || identity["X-Auth-Method"] == "internal" {
			t.Errorf("nobody's request is a caller's: %v", identity)
		}
		return
	}
	if identity["X-Internal-Caller"] != d.Caller || identity["X-Auth-Method"] != "internal" || identity["X-Session-Id"] != "" {
		t.Errorf("the backend is told %v", identity)
	}
	if d.Principal == nil {
		if diff := cmp.Diff(map[string]string{"X-Internal-Caller": d.Caller, "X-Auth-Method": "internal"}, identity); diff != "" {
			t.Errorf("a caller itself: %s", diff)
		}
	} else if identity["X-User-Id"] != d.Principal.User.ID || identity["X-User-Email"] != d.Principal.User.Email {
		t.Errorf("the backend is told %v", identity)
	}
}

func TestNobodyConfiguredIsNobody(t *testing.T) {
	w := newWorld(t, serviceRules)
	for path, want := range map[string]string{"/x": "sign-in UNKNOWN_CALLER", "/optional": "sign-in UNKNOWN_CALLER", "/jobs": "sign-in UNKNOWN_CALLER", "/public": "allow PUBLIC"} {
		r := ask(t, w, path, "spiffe://prod/agent", "Authorization: Bearer "+serviceToken('a'), "X-User-Id: u-alice")
		if got := w.decide(t, r); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if w.sessions.Calls() != 0 {
		t.Error("the store was asked")
	}
	if got := w.decide(t, ask(t, w, "/jobs", "spiffe://prod/agent")); got != "sign-in NO_CREDENTIAL" {
		t.Error(got)
	}
}

// TestAnotherUserHeader: it is the name of the configuration that counts, and values are read as they are written.
func TestAnotherUserHeader(t *testing.T) {
	for _, c := range []struct {
		it, name, value string
		raw             bool
		want            string
	}{
		{"the name", "Remote-User", "u-alice", false, "allow INTERNAL"},
		{"not ours then", "X-User-Id", "u-alice", false, "deny USER_REQUIRED"},
		{"raw values are not decoded", "Remote-User", "u%2Dalice", true, "deny USER_UNKNOWN"},
		{"raw values", "Remote-User", "u-alice", true, "allow INTERNAL"},
	} {
		headers, err := gate.NewHeaders(gate.HeadersConfig{Names: map[gate.Field]string{gate.UserID: "Remote-User"}, Raw: c.raw})
		must(t, err)
		w := newServiceWorld(t, func(g *gate.Config) { g.Headers = headers })
		if got := w.decide(t, ask(t, w, "/x", "", "Authorization: Bearer "+serviceToken('a'), c.name+": "+c.value)); got != c.want {
			t.Errorf("%s: %s, want %s", c.it, got, c.want)
		}
	}
}

func TestInternalTraceTellsNoToken(t *testing.T) {
	for _, path := range []string{"/x", "/jobs", "/public", "/owner"} {
		for _, seed := range []byte{'a', 'z', 'c'} {
			w := newServiceWorld(t)
			var steps []string
			r := ask(t, w, path, "", "Authorization: Bearer "+serviceToken(seed), "X-User-Id: u-alice")
			r.Trace = func(step, finding string) { steps = append(steps, step+" "+finding) }
			d := w.Check(t.Context(), r)
			if all := strings.Join(steps, "\n"); strings.Contains(all, serviceToken(seed)) || !strings.Contains(all, string(d.Reason)) {
				t.Errorf("%s", all)
			}
		}
	}
}
