package forwardauth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/extauthz"
	"github.com/usherauth/usher/forwardauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
)

// now is when every test happens.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const (
	signInURL = "https://app.test/sign-in"
	proxyAddr = "10.0.0.7" // is in trusted_proxies
	client    = "203.0.113.9"
)

var errDown = errors.New("connection refused")

// people by token. gatetest.Reader believes every token that does not begin with "forged".
func people() map[string]*gate.Principal {
	session := func(id string, age, left time.Duration) gate.Session {
		return gate.Session{ID: id, CreatedAt: now.Add(-age), ExpiresAt: now.Add(left)}
	}
	acme := gate.Membership{OrganizationID: "o-acme", Slug: "acme", Name: "Acme", Roles: "owner", Teams: []string{"t-1"}}
	other := gate.Membership{OrganizationID: "o-other", Slug: "other", Name: "Other", Roles: "member"}
	alice := &gate.Principal{
		Session:     session("s-alice", time.Hour, 24*time.Hour),
		User:        gate.User{ID: "u-alice", Name: "Alice", Email: "alice@app.test", EmailVerified: true, Roles: "user"},
		Memberships: []gate.Membership{acme, other},
	}
	alice.Session.ActiveTeam = "t-1"
	return map[string]*gate.Principal{
		"alice": alice,
		"zoe": {
			Session: session("s-zoe", time.Minute, time.Hour),
			User:    gate.User{ID: "u-zoe", Name: "Zoë 100%", Email: "zoe@app.test"},
		},
		"mallory": {Session: session("s-mallory", time.Hour, time.Hour), User: gate.User{ID: "u-mallory", Banned: true}},
		"expired": {Session: session("s-expired", 25*time.Hour, -time.Second), User: gate.User{ID: "u-alice"}},
		"ghost":   {Session: session("s-ghost", time.Hour, time.Hour)},
	}
}

// identities are the headers a backend gets, by person; alice@other is alice asking for her second organization.
var identities = map[string]map[string]string{
	"nobody": {},
	"alice": {
		"x-user-id": "u-alice", "x-user-email": "alice@app.test", "x-user-email-verified": "true", "x-user-name": "Alice",
		"x-user-role": "user", "x-session-id": "s-alice", "x-org-id": "o-acme", "x-org-slug": "acme", "x-org-name": "Acme",
		"x-org-role": "owner", "x-team-id": "t-1", "x-auth-method": "cookie",
	},
	"alice@other": {
		"x-user-id": "u-alice", "x-user-email": "alice@app.test", "x-user-email-verified": "true", "x-user-name": "Alice",
		"x-user-role": "user", "x-session-id": "s-alice", "x-org-id": "o-other", "x-org-slug": "other",
		"x-org-name": "Other", "x-org-role": "member", "x-auth-method": "cookie",
	},
	"agent": {"x-auth-method": "internal", "x-internal-caller": "agent"},
	"alice-by-agent": {
		"x-user-id": "u-alice", "x-user-email": "alice@app.test", "x-user-email-verified": "true", "x-user-name": "Alice",
		"x-user-role": "user", "x-org-id": "o-acme", "x-org-slug": "acme", "x-org-name": "Acme", "x-org-role": "owner",
		"x-auth-method": "internal", "x-internal-caller": "agent",
	},
	"alice@other-by-agent": {
		"x-user-id": "u-alice", "x-user-email": "alice@app.test", "x-user-email-verified": "true", "x-user-name": "Alice",
		"x-user-role": "user", "x-org-id": "o-other", "x-org-slug": "other", "x-org-name": "Other", "x-org-role": "member",
		"x-auth-method": "internal", "x-internal-caller": "agent",
	},
	"zoe": {
		"x-user-id": "u-zoe", "x-user-email": "zoe@app.test", "x-user-email-verified": "false",
		"x-user-name": "Zo%C3%AB%20100%25", "x-session-id": "s-zoe", "x-auth-method": "bearer",
	},
}

func rules() []gate.Rule {
	return []gate.Rule{
		{Path: "/public/**", Access: gate.Open},
		{Path: "/feed", Access: gate.Optional},
		{Path: "/jobs", Internal: true},
		{Path: "/jobs/optional", Access: gate.Optional, Internal: true},
		{Name: "admin", Path: "/admin/**", OrgRoles: []string{"owner", "admin"}},
		{Name: "fresh", Path: "/fresh", Fresh: 15 * time.Minute},
		{Host: "free.test", Access: gate.Open},
		{Path: "/A/~user/A", Access: gate.Open},
		{Path: "/café", Access: gate.Open},
		{Path: "/a ", Access: gate.Open},
	}
}

// serviceTokensOf are two of agent and one of mailer.
func serviceTokensOf() []string {
	return []string{"ushi_" + strings.Repeat("A", 43), "ushi_" + strings.Repeat("B", 43), "ushi_" + strings.Repeat("M", 43)}
}

// world is a gate with both kinds of edges in front of it.
type world struct {
	gate     *gate.Gate
	http     *forwardauth.Handler
	grpc     *extauthz.Server
	sessions *gatetest.Resolver
	headers  *gate.Headers
}

func newWorld(t testing.TB, adjust ...func(*gate.Config)) *world {
	t.Helper()
	preset, _ := gate.Preset("usher")
	headers, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Organization: "X-Org-Id"})
	must(t, err)
	policy, err := gate.NewPolicy(rules())
	must(t, err)
	origins, err := gate.NewOrigins([]string{"https://trusted.test"})
	must(t, err)
	proxies, err := gate.NewProxies([]string{"10.0.0.0/8", "127.0.0.0/8"})
	must(t, err)
	var sums []string
	for _, token := range serviceTokensOf() {
		sum := sha256.Sum256([]byte(token))
		sums = append(sums, hex.EncodeToString(sum[:]))
	}
	callers, err := gate.NewCallers([]gate.Caller{
		{Name: "agent", TokenSHA256: sums[:2]},
		{Name: "mailer", TokenSHA256: sums[2:], Users: []string{"u-zoe"}, Organizations: []string{"o-other"}},
	})
	must(t, err)
	w := &world{sessions: gatetest.NewResolver(people()), headers: headers}
	config := gate.Config{
		Reader: gatetest.Reader{}, Resolver: w.sessions, Callers: callers, Headers: headers, Policy: policy, Origins: origins,
		OrgSources: []gate.OrgSource{gate.OrgFromHeader, gate.OrgFromActive, gate.OrgFromFirst},
		SignInURL:  signInURL, Timeout: 50 * time.Millisecond, Now: func() time.Time { return now },
	}
	for _, f := range adjust {
		f(&config)
	}
	w.gate, err = gate.New(config)
	must(t, err)
	w.grpc, err = extauthz.New(extauthz.Config{Gate: w.gate, Proxies: proxies})
	must(t, err)
	w.http, err = forwardauth.New(forwardauth.Config{
		Gate: w.gate, Proxies: proxies, TicketKey: []byte("a key of thirty-two bytes for it"),
		Now: func() time.Time { return now },
	})
	must(t, err)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tcp(host string) *net.TCPAddr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), 40000))
}
