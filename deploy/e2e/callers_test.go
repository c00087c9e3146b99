package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
)

// serviceToken finds one however it is spelled.
var serviceToken = regexp.MustCompile(gate.ServiceTokens)

// newToken makes a service token, and its hash as usher.yaml holds it.
func newToken(t *testing.T) (token, hash string) {
	t.Helper()
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		t.Fatal(err)
	}
	token = "ushi_" + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(token))
	return token, hex.EncodeToString(sum[:])
}

// TestInternalCallers sends services, and those who would like to be one, through every proxy as it is printed.
func TestInternalCallers(t *testing.T) {
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	s := &stage{ada: auth.SignUp(t, "Ada", "ada@example.com"), zoe: auth.SignUp(t, "Zoë", "zoe@example.com"), backend: testenv.EchoBackend(t)}
	acme := auth.CreateOrganization(t, s.ada, "Acme", "acme")
	token, hash := newToken(t)
	limited, limitedHash := newToken(t)
	unknown, _ := newToken(t)
	s.gate = startUsher(t, auth, databaseURL, rules+`
  - { path: "/jobs/**", internal: true }`, fmt.Sprintf(`internal:
  callers:
    - { name: agent, token_sha256: [%s] }
    - { name: mailer, token_sha256: [%s], users: [%s] }`, hash, limitedHash, s.zoe.UserID))
	s.proxies = startProxies(t, s.gate, s.backend.Address)

	bearer := "Authorization: Bearer " + token
	as := func(p *testenv.Person) string { return "X-User-Id: " + p.UserID }
	for _, p := range s.proxies {
		send := func(t *testing.T, target string, lines ...string) exchange {
			t.Helper()
			x := p.send(t, s.backend, request{target: target, lines: lines})
			x.nothingChosen(t)
			x.noServiceToken(t)
			return x
		}
		want := func(t *testing.T, x exchange, status int, reason string) {
			t.Helper()
			if x.Status != status || x.reached() != (status == 200) || status != 200 && x.Header.Get("X-Usher-Reason") != reason {
				t.Errorf("status %d %s, backend asked: %v, body %.200s; want %d %s", x.Status, x.Header.Get("X-Usher-Reason"), x.reached(), x.Body, status, reason)
			}
		}
		told := func(t *testing.T, x exchange, want map[string]string) {
			t.Helper()
			for name, value := range want {
				if got := x.identity(t, name); got != value {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
		}
		t.Run(p.name, func(t *testing.T) {
			t.Run("a caller is the user it names", func(t *testing.T) {
				x := send(t, "/private", bearer, as(s.ada), "X-Internal-Caller: evil", "X-Auth-Method: evil", "X-Session-Id: evil")
				want(t, x, 200, "")
				told(t, x, map[string]string{
					"x-user-id": s.ada.UserID, "x-user-email": "ada@example.com", "x-org-id": acme.ID, "x-org-role": "owner",
					"x-auth-method": "internal", "x-internal-caller": "agent", "x-session-id": "",
				})
				x = send(t, "/private", "AUTHORIZATION: BEARER  "+token, as(s.zoe))
				want(t, x, 200, "")
				told(t, x, map[string]string{"x-user-id": s.zoe.UserID, "x-org-id": "", "x-internal-caller": "agent"})
				x = send(t, "/optional/x", "authorization: bearer "+token, as(s.ada), "X-Org-Id: acme")
				want(t, x, 200, "")
				told(t, x, map[string]string{"x-user-id": s.ada.UserID, "x-org-id": acme.ID, "x-internal-caller": "agent"})
			})
			t.Run("and judged like anybody", func(t *testing.T) {
				want(t, send(t, "/private", bearer, as(s.zoe), "X-Org-Id: acme"), 403, "NOT_A_MEMBER")
				want(t, send(t, "/admin/x", bearer, as(s.zoe)), 403, "ORG_REQUIRED")
				want(t, send(t, "/admin/x", bearer, as(s.ada)), 200, "")
				want(t, send(t, "/private", bearer, "X-User-Id: nobody"), 403, "USER_UNKNOWN")
				want(t, send(t, "/private", bearer, as(s.ada), as(s.zoe)), 403, "AMBIGUOUS_REQUEST")
				want(t, send(t, "/private", bearer, as(s.ada), as(s.ada)), 403, "AMBIGUOUS_REQUEST")
			})
			t.Run("a caller itself", func(t *testing.T) {
				x := send(t, "/jobs/x", bearer, "X-Org-Id: acme", "X-User-Email: evil")
				want(t, x, 200, "")
				told(t, x, map[string]string{"x-internal-caller": "agent", "x-auth-method": "internal", "x-user-id": "", "x-user-email": "", "x-org-id": ""})
				want(t, send(t, "/private", bearer), 403, "USER_REQUIRED")
				send(t, "/optional/x", bearer).anonymousAt(t)
			})
			t.Run("limits", func(t *testing.T) {
				want(t, send(t, "/private", "Authorization: Bearer "+limited, as(s.ada)), 403, "CALLER_NOT_ALLOWED")
				x := send(t, "/private", "Authorization: Bearer "+limited, as(s.zoe))
				want(t, x, 200, "")
				told(t, x, map[string]string{"x-user-id": s.zoe.UserID, "x-internal-caller": "mailer"})
			})
			t.Run("nobody else's word about the user arrives", func(t *testing.T) {
				words := []string{as(s.zoe), "X-Internal-Caller: agent", "X-Auth-Method: internal"}
				for _, target := range []string{"/public/x", "/optional/x"} {
					x := send(t, target, words...)
					want(t, x, 200, "")
					x.anonymousAt(t)
				}
				want(t, send(t, "/private", words...), 401, "NO_CREDENTIAL")
				want(t, send(t, "/jobs/x", words...), 401, "NO_CREDENTIAL")
				x := send(t, "/private", append(words, cookie(s.ada))...)
				want(t, x, 200, "")
				told(t, x, map[string]string{"x-user-id": s.ada.UserID, "x-internal-caller": "", "x-auth-method": "cookie"})
				x = send(t, "/private", append(words, as(s.zoe), "Authorization: Bearer "+s.ada.Token)...)
				want(t, x, 200, "")
				told(t, x, map[string]string{"x-user-id": s.ada.UserID, "x-internal-caller": "", "x-auth-method": "bearer"})
			})
			t.Run("no token arrives, however it is spelled", func(t *testing.T) {
				for _, line := range []string{
					bearer, "authorization: bearer " + token, "AUTHORIZATION: BEARER   " + token, "Authorization:\tBearer " + token + "\t", "Authorization: Bearer\t" + token,
					"Authorization: Bearer \t " + token, "Authorization: " + token, "Authorization: Token token=\"" + token + "\"", "Authorization: Bearer:" + token,
					"Authorization: Basic x, Bearer " + token, "Authorization: Bearer " + unknown, "Authorization: Bearer ushi_",
				} {
					for _, target := range []string{"/public/x", "/optional/x", "/private"} {
						for _, more := range [][]string{nil, {cookie(s.ada)}, {as(s.ada)}} {
							send(t, target, append([]string{line}, more...)...)
						}
					}
					if x := send(t, "/public/x", line); x.Status == 200 {
						x.anonymousAt(t)
					} else if !strings.Contains(line, ",") {
						t.Errorf("%q on a public path: %d", strings.ReplaceAll(line, token, "…"), x.Status)
					}
				}
				x := p.send(t, s.backend, request{target: "/public/x", lines: []string{bearer, bearer}})
				x.noServiceToken(t)
				x = p.send(t, s.backend, request{target: "/private", lines: []string{bearer, as(s.ada), "Connection: close, X-User-Id, Authorization"}, keepConnection: true})
				x.noServiceToken(t)
				x.nothingChosen(t)
			})
			t.Run("what else is in Authorization is the backend's", func(t *testing.T) {
				for _, value := range []string{"Basic dXNlcjpwYXNz", "Bearer eyJhbGciOiJFUzI1NiJ9.eyJ1c2hpXyI6MX0.aushi_b-_c", "Digest a=b", "Bearer xushi_y"} {
					x := send(t, "/public/x", "Authorization: "+value)
					want(t, x, 200, "")
					if x.reached() {
						if got := x.received[0].Header.Values("Authorization"); len(got) != 1 || got[0] != value {
							t.Errorf("%q arrives as %q", value, got)
						}
					}
				}
				x := send(t, "/private", "Authorization: Bearer "+s.ada.Token)
				if got := x.received[0].Header.Values("Authorization"); len(got) != 1 || got[0] != "Bearer "+s.ada.Token {
					t.Errorf("a session's bearer arrives as %q", got)
				}
				if x := send(t, "/public/x"); x.reached() && len(x.received[0].Header.Values("Authorization")) > 0 {
					t.Errorf("an Authorization out of nowhere: %q", x.received[0].Header.Values("Authorization"))
				}
			})
			t.Run("an unknown token costs no lookup", func(t *testing.T) {
				before := s.gate.lookups(t)
				for _, target := range []string{"/private", "/optional/x", "/jobs/x"} {
					for _, line := range []string{"Authorization: Bearer " + unknown, "authorization: BEARER  ushi_", "Authorization: Bearer " + token + "x"} {
						want(t, send(t, target, line, as(s.ada)), 401, "UNKNOWN_CALLER")
						want(t, send(t, target, line, cookie(s.ada)), 401, "UNKNOWN_CALLER")
					}
				}
				if after := s.gate.lookups(t); after != before {
					t.Errorf("the store was asked:\n%s\n%s", before, after)
				}
			})
		})
	}
	if strings.Contains(s.gate.proc.Output(), token) || strings.Contains(s.gate.proc.Output(), unknown) {
		t.Error("a token is in the log")
	}

	auth.MakeAdmin(t, s.ada)
	auth.Ban(t, s.ada, s.zoe, 0)
	deadline := time.Now().Add(5 * time.Second) // the memory forgets within 2 s where nobody tells it
	for {
		x := s.proxies[0].send(t, s.backend, request{lines: []string{bearer, as(s.zoe)}})
		if x.Status == 403 && x.Header.Get("X-Usher-Reason") == "USER_BANNED" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a banned user passes: %d %s", x.Status, x.Header.Get("X-Usher-Reason"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// noServiceToken fails if the backend was shown anything of a service token, in any header.
func (x exchange) noServiceToken(t *testing.T) {
	t.Helper()
	for _, r := range x.received {
		for _, field := range append(append(testenv.Fields{}, r.Header...), r.Trailer...) {
			if strings.EqualFold(field.Name, "authorization") && serviceToken.MatchString(field.Value) {
				t.Errorf("the backend received %s: %.30s…", field.Name, field.Value)
			}
		}
	}
}

// lookups are the store's counters.
func (u *usher) lookups(t *testing.T) string {
	t.Helper()
	response, err := http.Get("http://" + u.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "usher_store_requests_total") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
