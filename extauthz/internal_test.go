package extauthz

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/usherauth/usher/gate"
)

// serviceToken is that of the caller agent.
const serviceToken = "ushi_0123456789012345678901234567890123456789012"

// agents are the callers of these tests.
func agents(t testing.TB) *gate.Callers {
	t.Helper()
	sum := sha256.Sum256([]byte(serviceToken))
	callers, err := gate.NewCallers([]gate.Caller{
		{Name: "agent", TokenSHA256: []string{hex.EncodeToString(sum[:])}, SPIFFE: []string{"spiffe://prod/agent"}},
		{Name: "mail", SPIFFE: []string{"spiffe://prod/mail/*"}},
	})
	must(t, err)
	return callers
}

// TestInternalCallers: by token and by certificate, and what becomes of the token. What a backend is told is in headers,
// what it is not shown in headers_to_remove.
func TestInternalCallers(t *testing.T) {
	for _, c := range []struct {
		it        string
		principal string
		from      string
		path      string
		headers   []string
		status    int
		reason    string
		identity  string // user and caller
		removed   []string
	}{
		{"a token", "", "", "/x", []string{"authorization", "Bearer " + serviceToken, "x-user-id", "u-alice", "x-internal-caller", "evil"}, 200, "INTERNAL", "u-alice agent", []string{"authorization"}},
		{"a certificate", "spiffe://prod/agent", "", "/x", []string{"x-user-id", "u-alice"}, 200, "INTERNAL", "u-alice agent", nil},
		{"a certificate by pattern", "spiffe://prod/mail/eu", "", "/x", []string{"x-user-id", "u-bob"}, 200, "INTERNAL", "u-bob mail", nil},
		{"another certificate", "spiffe://prod/other", "", "/x", []string{"x-user-id", "u-alice"}, 401, "NO_CREDENTIAL", "", nil},
		{"a name that is no URI", "prod/agent", "", "/x", []string{"x-user-id", "u-alice"}, 401, "NO_CREDENTIAL", "", nil},
		{"a stranger's word about a certificate", "spiffe://prod/agent", "192.0.2.1", "/x", []string{"x-user-id", "u-alice"}, 403, "UNTRUSTED_PROXY", "", nil},
		{"a header about a certificate", "", "", "/x", []string{"x-forwarded-client-cert", "URI=spiffe://prod/agent", "x-user-id", "u-alice"}, 401, "NO_CREDENTIAL", "", nil},
		{"a certificate and a bearer", "spiffe://prod/agent", "", "/x", []string{"authorization", "Bearer bob", "x-user-id", "u-alice"}, 403, "AMBIGUOUS_REQUEST", "", nil},
		{"a certificate and a session", "spiffe://prod/agent", "", "/x", []string{"authorization", "Bearer bob"}, 200, "SIGNED_IN", "u-bob ", nil},
		{"public", "spiffe://prod/agent", "", "/public/x", []string{"authorization", "bearer\t" + serviceToken, "x-user-id", "u-alice"}, 200, "PUBLIC", " ", []string{"authorization", "x-user-id"}},
		{"another bearer on a public path", "", "", "/public/x", []string{"authorization", "Bearer eyJ.abc.def"}, 200, "PUBLIC", " ", nil},
		{"unknown", "", "", "/feed", []string{"authorization", "BEARER  " + serviceToken + "x", "x-user-id", "u-alice"}, 401, "UNKNOWN_CALLER", "", nil},
		{"two users", "", "", "/x", []string{"authorization", "Bearer " + serviceToken, "x-user-id", "u-alice,u-bob"}, 403, "AMBIGUOUS_REQUEST", "", nil},
		{"nobody's user", "", "", "/feed", []string{"x-user-id", "u-alice"}, 200, "ANONYMOUS", " ", []string{"x-user-id"}},
	} {
		t.Run(c.it, func(t *testing.T) {
			s, sessions := newServer(t, func(config *gate.Config) { config.Callers = agents(t) })
			q := asking("GET", c.path, c.headers...)
			q.Attributes.Source.Principal = c.principal
			peer := c.from
			if peer == "" {
				peer = "10.0.0.7"
			}
			for form, q := range map[string]*authv3.CheckRequest{"map": q, "list": listed(q)} {
				before := sessions.Calls()
				got := decode(t, s.answer(from(peer), marshal(t, q)))
				if shown(got) != c.status || reason(got) != c.reason {
					t.Errorf("%s: %d %s, want %d %s", form, shown(got), reason(got), c.status, c.reason)
				}
				if c.status == 401 && sessions.Calls() != before {
					t.Errorf("%s: the store was asked", form)
				}
				if c.status != 200 {
					if strings.Contains(got.String(), serviceToken) {
						t.Errorf("%s: the token is shown", form)
					}
					continue
				}
				identity := map[string]string{}
				for _, h := range got.GetOkResponse().GetHeaders() {
					identity[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
				}
				if have := identity["X-User-Id"] + " " + identity["X-Internal-Caller"]; have != c.identity {
					t.Errorf("%s: the backend is told %q, want %q", form, have, c.identity)
				}
				if removed := got.GetOkResponse().GetHeadersToRemove(); !slices.Equal(removed, c.removed) {
					t.Errorf("%s: removed are %q, want %q", form, removed, c.removed)
				}
				if caller := got.GetDynamicMetadata().GetFields()["internal_caller"].GetStringValue(); caller != identity["X-Internal-Caller"] {
					t.Errorf("%s: metadata says %q", form, caller)
				}
			}
		})
	}
}

// TestTheNextRequestHasNoCertificate: an exchange is used again for somebody else.
func TestTheNextRequestHasNoCertificate(t *testing.T) {
	s, _ := newServer(t, func(config *gate.Config) { config.Callers = agents(t) })
	q := asking("GET", "/x", "x-user-id", "u-alice")
	q.Attributes.Source.Principal = "spiffe://prod/agent"
	plain := asking("GET", "/x", "x-user-id", "u-alice")
	for range 50 {
		if got := decode(t, s.answer(from("10.0.0.7"), marshal(t, q))); shown(got) != 200 {
			t.Fatal(got)
		}
		if got := decode(t, s.answer(from("10.0.0.7"), marshal(t, plain))); shown(got) != 401 {
			t.Fatal(got)
		}
	}
}
