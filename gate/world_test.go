package gate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
)

// now is when every test happens.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

var errDown = errors.New("connection refused")

func session(id string, age, left time.Duration) gate.Session {
	return gate.Session{ID: id, CreatedAt: now.Add(-age), ExpiresAt: now.Add(left)}
}

// people by token; gatetest.Reader believes every token that does not begin with "forged".
func people() map[string]*gate.Principal {
	acme := gate.Membership{OrganizationID: "o-acme", Slug: "acme", Name: "Acme", Roles: "member", Teams: []string{"t-1", "t-2"}}
	other := gate.Membership{OrganizationID: "o-other", Slug: "other", Name: "Other", Roles: "owner,billing"}
	nobody := func(change func(*gate.Principal)) *gate.Principal {
		p := &gate.Principal{Session: session("s", time.Hour, time.Hour), User: gate.User{ID: "u"}}
		change(p)
		return p
	}
	alice := &gate.Principal{
		Session:     session("s-alice", time.Hour, 24*time.Hour),
		User:        gate.User{ID: "u-alice", Name: "Alice", Email: "alice@app.test", EmailVerified: true, Roles: "user,support"},
		Memberships: []gate.Membership{acme, other},
	}
	active := *alice
	active.Session.ActiveOrganization, active.Session.ActiveTeam = "o-other", "t-1"
	stale := *alice
	stale.Session.ActiveOrganization = "o-gone"
	team := *alice
	team.Session.ActiveTeam = "t-2"
	return map[string]*gate.Principal{
		"alice":        alice,
		"alice-active": &active,
		"alice-stale":  &stale,
		"alice-team":   &team,
		"loner":        nobody(func(p *gate.Principal) { p.User.ID, p.Session.ID = "u-loner", "s-loner" }),
		"root":         nobody(func(p *gate.Principal) { p.User.ID, p.User.Roles = "u-root", "admin" }),
		"expired":      nobody(func(p *gate.Principal) { p.Session.ExpiresAt = now.Add(-time.Second) }),
		"just-expired": nobody(func(p *gate.Principal) { p.Session.ExpiresAt = now }),
		"last-instant": nobody(func(p *gate.Principal) { p.Session.ExpiresAt = now.Add(1) }),
		"no-expiry":    nobody(func(p *gate.Principal) { p.Session.ExpiresAt = time.Time{} }),
		"ghost":        nobody(func(p *gate.Principal) { p.User.ID = "" }),
		"banned":       nobody(func(p *gate.Principal) { p.User.Banned = true }),
		"banned-still": nobody(func(p *gate.Principal) { p.User.Banned, p.User.BanExpires = true, now.Add(time.Hour) }),
		"banned-once":  nobody(func(p *gate.Principal) { p.User.Banned, p.User.BanExpires = true, now.Add(-time.Hour) }),
		"ban-just-over": nobody(func(p *gate.Principal) {
			p.User.Banned, p.User.BanExpires = true, now
		}),
		"ban-lifted": nobody(func(p *gate.Principal) { p.User.BanExpires = now.Add(time.Hour) }),
		"14m-old":    nobody(func(p *gate.Principal) { p.Session.CreatedAt = now.Add(-14 * time.Minute) }),
		"15m-old":    nobody(func(p *gate.Principal) { p.Session.CreatedAt = now.Add(-15 * time.Minute) }),
		"from-ahead": nobody(func(p *gate.Principal) { p.Session.CreatedAt = now.Add(time.Minute) }),
		"no-created": nobody(func(p *gate.Principal) { p.Session.CreatedAt = time.Time{} }),
		"zoe": nobody(func(p *gate.Principal) {
			p.User = gate.User{ID: "u-zoe", Name: "Zoë 100%\r\nX-User-Role: admin", Email: "zoe@app.test"}
			p.Session.ImpersonatedBy = "u-root"
			p.Memberships = []gate.Membership{{OrganizationID: "ö-1", Slug: "café", Name: " Café "}}
		}),
	}
}

const signInURL = "https://app.test/sign-in"

// world is a gate whose store can be broken.
type world struct {
	*gate.Gate
	sessions *gatetest.Resolver
	observed []gate.Decision
}

func newWorld(t testing.TB, rules []gate.Rule, adjust ...func(*gate.Config)) *world {
	t.Helper()
	policy, err := gate.NewPolicy(rules)
	must(t, err)
	origins, err := gate.NewOrigins([]string{"https://trusted.test", "https://*.partner.test"})
	must(t, err)
	w := &world{sessions: gatetest.NewResolver(people())}
	config := gate.Config{
		Reader: gatetest.Reader{}, Resolver: w.sessions, Headers: newHeaders(t), Policy: policy, Origins: origins,
		OrgSources: []gate.OrgSource{gate.OrgFromHeader, gate.OrgFromActive, gate.OrgFromFirst},
		SignInURL:  signInURL, Timeout: 20 * time.Millisecond, Now: func() time.Time { return now },
		Observe: func(_ *gate.Request, d gate.Decision, _ time.Duration) { w.observed = append(w.observed, d) },
	}
	for _, f := range adjust {
		f(&config)
	}
	w.Gate, err = gate.New(config)
	must(t, err)
	return w
}

func newHeaders(t testing.TB) *gate.Headers {
	t.Helper()
	preset, _ := gate.Preset("usher")
	headers, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Organization: "X-Org-Id"})
	must(t, err)
	return headers
}

// decide asks for a verdict and a reason, as one word.
func (w *world) decide(t testing.TB, r *gate.Request) string {
	t.Helper()
	before := len(w.observed)
	d := w.Check(t.Context(), r)
	if len(w.observed) != before+1 || w.observed[before].Verdict != d.Verdict || w.observed[before].Reason != d.Reason {
		t.Errorf("observed %v, decided %v", w.observed[before:], d)
	}
	return verdict(d)
}

func verdict(d gate.Decision) string { return d.Verdict.String() + " " + string(d.Reason) }

// get is a GET by an API client, changed by the functions that follow.
func get(path string, change ...func(*gate.Request)) *gate.Request {
	r := &gate.Request{Method: "GET", Scheme: "https", Host: "app.test", Target: path}
	for _, f := range change {
		f(r)
	}
	return r
}

func method(m string) func(*gate.Request)   { return func(r *gate.Request) { r.Method = m } }
func host(h string) func(*gate.Request)     { return func(r *gate.Request) { r.Host = h } }
func named(rule string) func(*gate.Request) { return func(r *gate.Request) { r.Rule = rule } }
func bearer(token string) func(*gate.Request) {
	return func(r *gate.Request) { r.Authorization = "Bearer " + token }
}
func origin(o string) func(*gate.Request)       { return func(r *gate.Request) { r.Origin = o } }
func fetchSite(site string) func(*gate.Request) { return func(r *gate.Request) { r.FetchSite = site } }

func org(wish string) func(*gate.Request) { return func(r *gate.Request) { r.Organization = wish } }

func browser(r *gate.Request) { r.FetchMode, r.FetchDest = "navigate", "document" }
func upgrade(r *gate.Request) { r.Upgrade, r.Connection = true, "Upgrade" }

func cookie(token string) func(*gate.Request) {
	return func(r *gate.Request) { r.Cookies = append(r.Cookies, "a=b; session="+token) }
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// candidates is a Reader that proves several cookies at once.
type candidates []string

func (c candidates) Read(*gate.Request) (gate.Credentials, error) {
	var found gate.Credentials
	for _, token := range c {
		found.Add(gate.Proven(gate.ByCookie, token))
	}
	return found, nil
}

// everybody is a Resolver that answers one principal.
type everybody struct{ p *gate.Principal }

func (e everybody) Resolve(context.Context, gate.Credential) (*gate.Principal, error) {
	return e.p, nil
}
