package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// stage is one gate with two people, and every proxy in front of one backend.
type stage struct {
	ada, zoe *testenv.Person
	gate     *usher
	backend  *testenv.Echo
	proxies  []*proxied
}

func setStage(t *testing.T) *stage {
	t.Helper()
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	s := &stage{ada: auth.SignUp(t, "Ada", "ada@example.com"), zoe: auth.SignUp(t, "Zoë", "zoe@example.com")}
	auth.CreateOrganization(t, s.ada, "Acme", "acme")
	s.gate = startUsher(t, auth, databaseURL, rules)
	s.backend = testenv.EchoBackend(t)
	s.proxies = startProxies(t, s.gate, s.backend.Address)
	return s
}

// attack is one stimulus of the conformance matrix and what may come of it. Whatever its outcome, no backend may see
// anything the client chose as identity: nothingChosen is asked after every one.
type attack struct {
	row      string
	request  func(s *stage, p *proxied) request
	statuses []int // the client may see one of these

	// If the backend was reached:
	signedIn bool // Ada's identity must be there
	nobody   bool // no identity may be there
	never    bool // it must not be
	path     string
}

// refused are the ways proxies and the gate say no to something malformed.
var refused = []int{400, 401, 403, 404, 405, 421, 426, 431, 501, 0}

func with(statuses ...int) []int { return append(statuses, refused...) }

func TestSpoofs(t *testing.T) {
	s := setStage(t)
	spoofed := func(value string, names ...string) []string {
		var lines []string
		for _, name := range names {
			lines = append(lines, name+": "+value)
		}
		return lines
	}
	all := func(lines ...[]string) []string { return slices.Concat(lines...) }
	signedIn := func(lines ...string) func(*stage, *proxied) request {
		return func(s *stage, _ *proxied) request { return request{lines: append([]string{cookie(s.ada)}, lines...)} }
	}
	anonymous := func(target string, lines ...string) func(*stage, *proxied) request {
		return func(*stage, *proxied) request { return request{target: target, lines: lines} }
	}
	everyHeader := spoofed(evil, identityHeaders...)
	forwarding := []string{ // Authelia CVE-2021-32637 (GHSA-68wm): nginx' own words, said by a client
		"X-Forwarded-Uri: /public/x", "X-Forwarded-Method: OPTIONS", "X-Forwarded-Host: evil.test", "X-Forwarded-Proto: https",
		"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Port: 443", "X-Forwarded-Prefix: /public", "X-Original-URL: http://evil.test/public/x",
		"X-Original-URI: /public/x", "X-Original-Method: OPTIONS", "X-Rewrite-URL: /public/x", "Forwarded: for=127.0.0.1;host=evil.test;proto=https",
		"X-Auth-Request-Redirect: /public/x", "X-Scheme: https", "X-Real-IP: 127.0.0.1", "X-Envoy-Original-Path: /public/x",
		"X-Usher-Ticket: AAAA", "X-Usher-Reason: SIGNED_IN",
	}
	aliasCharacters := strings.Split("~ ! + | ' # $ % & * ^ `", " ")
	var aliases12 []string
	for _, c := range aliasCharacters {
		aliases12 = append(aliases12, "X"+c+"User"+c+"Id: "+evil)
	}
	handshake := []string{"Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}

	attacks := []attack{
		{row: "S01 forwarding headers, nobody", request: anonymous("/private", forwarding...), statuses: []int{401}, never: true},
		{row: "S01 forwarding headers, Ada", request: signedIn(forwarding...), statuses: []int{200}, signedIn: true, path: "/private"},
		{row: "S02 every identity header, optional path", request: anonymous("/optional/x", everyHeader...), statuses: []int{200}, nobody: true},
		{row: "S02 every identity header, public path", request: anonymous("/public/x", everyHeader...), statuses: []int{200}, nobody: true},
		{row: "S02 every identity header, required path", request: anonymous("/private", everyHeader...), statuses: []int{401}, never: true},
		{row: "S03 identity header beside the real one", request: signedIn(spoofed(evil, "X-User-Id", "X-Org-Role", "X-User-Role", "X-Impersonated-By", "X-Internal-Caller")...), statuses: []int{200}, signedIn: true},
		{row: "S04 the same twice", request: signedIn(all(spoofed(evil, "X-User-Id"), spoofed(evil, "X-User-Id"))...), statuses: []int{200}, signedIn: true},
		{row: "S05 underscores", request: signedIn(spoofed(evil, "X_User_Id", "X-User_Id")...), statuses: with(200), signedIn: true},
		{row: "S05 underscores, nobody, public", request: anonymous("/public/x", spoofed(evil, "X_User_Id", "X_Org_Id")...), statuses: with(200), nobody: true},
		{row: "S06 dots", request: signedIn(spoofed(evil, "X.User.Id", "X.Org-Id")...), statuses: with(200), signedIn: true},
		{row: "S06 trailing dash", request: signedIn(spoofed(evil, "X-User-Id-")...), statuses: with(200), signedIn: true},
		{row: "S07 twelve other characters", request: signedIn(aliases12...), statuses: with(200), signedIn: true},
		{row: "S07 twelve other characters, nobody, public", request: anonymous("/public/x", aliases12...), statuses: with(200), nobody: true},
		{row: "S08 another case", request: signedIn(spoofed(evil, "x-USER-id", "X-ORG-ROLE")...), statuses: []int{200}, signedIn: true},
		{row: "S09 Connection names identity headers", request: func(s *stage, _ *proxied) request {
			return request{lines: []string{cookie(s.ada), "Connection: close, X-User-Id, X-Org-Id, X-Org-Role"}, keepConnection: true}
		}, statuses: []int{200}, signedIn: true},
		{row: "S10 the same on a WebSocket", request: func(s *stage, _ *proxied) request {
			return request{lines: append([]string{cookie(s.ada), "Connection: Upgrade, X-User-Id"}, handshake...), keepConnection: true}
		}, statuses: with(101), signedIn: true},
		{row: "S11 Connection names credentials", request: func(s *stage, _ *proxied) request {
			return request{lines: []string{cookie(s.ada), "Connection: close, Cookie, Authorization"}, keepConnection: true}
		}, statuses: []int{200, 401}},
		{row: "S12 Connection names the forwarding headers", request: func(*stage, *proxied) request {
			return request{lines: append([]string{"Connection: close, X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-Host, X-Forwarded-Proto, X-Original-URL, X-Original-Method"}, forwarding...), keepConnection: true}
		}, statuses: refused, never: true},
		{row: "S15 two Authorization lines", request: func(s *stage, _ *proxied) request {
			return request{lines: []string{"Authorization: Bearer " + s.ada.Token, "Authorization: Bearer " + s.zoe.Token}}
		}, statuses: refused, never: true},
		{row: "S15 two Cookie lines", request: func(s *stage, _ *proxied) request {
			return request{lines: []string{"Cookie: a=b; c=d", cookie(s.ada)}}
		}, statuses: []int{200}, signedIn: true},
		{row: "S15 two organizations", request: signedIn("X-Org-Id: acme", "X-Org-Id: beta"), statuses: refused, never: true},
		{row: "S16 bytes beyond ASCII", request: signedIn("X-Note: \xc3\xa9\xe9", "User-Agent: \xff\xfe"), statuses: with(200), signedIn: true},
		{row: "S18 a control byte", request: signedIn("X-Note: a\x01b"), statuses: with(200, 503), signedIn: true}, // nginx passes it on, and the gate's server does not read it
		{row: "S19 a blank before the colon", request: signedIn("X-User-Id : " + evil), statuses: with(200), signedIn: true},
		{row: "S19 a folded line", request: signedIn("X-Note: a\r\n X-User-Id: " + evil), statuses: with(200), signedIn: true},
		{row: "S20 two hosts", request: anonymous("/public/x", "Host: evil.test"), statuses: refused, never: true},
		{row: "S20 length and chunks", request: func(s *stage, _ *proxied) request {
			return request{method: "POST", lines: []string{cookie(s.ada), "Content-Length: 5", "Transfer-Encoding: chunked"}, body: "0\r\n\r\nGET /private HTTP/1.1\r\nHost: x\r\nX-User-Id: evil\r\n\r\n"}
		}, statuses: with(200), signedIn: true},
		{row: "S25 Envoy's own words", request: signedIn("x-envoy-auth-failure-mode-allowed: true", "x-envoy-auth-partial-body: true"), statuses: []int{200}, signedIn: true},
		{row: "S26 aliases beside the real one", request: signedIn(spoofed(evil, "x.user.id", "x~user~id", "x_org_role")...), statuses: with(200), signedIn: true},
		{row: "S27 TRACE", request: func(s *stage, _ *proxied) request { return request{method: "TRACE", lines: []string{cookie(s.ada)}} }, statuses: refused, never: true},
		{row: "an internal caller's words", request: anonymous("/private", "X-User-Id: "+s.ada.UserID, "X-Auth-Method: internal", "X-Internal-Caller: agent"), statuses: []int{401}, never: true},
		{row: "a service token", request: anonymous("/private", "Authorization: Bearer ushi_AAAAAAAAAAAAAAAAAAAAAAAA", "X-User-Id: "+s.ada.UserID), statuses: []int{401}, never: true},
		{row: "h2c smuggling from a public path", request: func(*stage, *proxied) request {
			return request{target: "/public/x", lines: []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"}, keepConnection: true}
		}, statuses: with(200, 418), nobody: true},
		{row: "a preflight that upgrades", request: func(s *stage, p *proxied) request {
			return request{method: "OPTIONS", lines: []string{"Origin: http://" + p.address, "Access-Control-Request-Method: GET", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"}, keepConnection: true}
		}, statuses: with(200, 418), nobody: true},
		{row: "97 headers", request: func(s *stage, _ *proxied) request { // HAProxy 2.6 died of them
			q := request{lines: []string{cookie(s.ada)}}
			for i := range 97 {
				q.lines = append(q.lines, fmt.Sprintf("H%d: v", i))
			}
			return q
		}, statuses: with(200, 500), signedIn: true},
		{row: "and it lives on", request: signedIn(), statuses: []int{200}, signedIn: true},
		{row: "a cookie of 64 KB", request: func(s *stage, _ *proxied) request {
			return request{lines: []string{"Cookie: x=" + strings.Repeat("a", 64<<10) + "; " + s.ada.Cookie}}
		}, statuses: refused, never: true},
	}
	for _, p := range s.proxies {
		t.Run(p.name, func(t *testing.T) {
			for _, a := range attacks {
				t.Run(a.row, func(t *testing.T) { s.mount(t, p, a) })
			}
		})
	}
}

// mount runs one attack and checks what came of it.
func (s *stage) mount(t *testing.T, p *proxied, a attack) {
	t.Helper()
	x := p.send(t, s.backend, a.request(s, p))
	x.nothingChosen(t)
	if !slices.Contains(a.statuses, x.Status) {
		t.Errorf("status %d, want one of %v; body %.300s", x.Status, a.statuses, x.Body)
	}
	if x.Status >= 300 && x.Status != 101 && x.reached() {
		t.Errorf("status %d, yet the backend was asked", x.Status)
	}
	if !x.reached() {
		return
	}
	switch {
	case a.never:
		t.Errorf("the backend was asked: %q", x.received[0].Target)
	case a.nobody:
		x.anonymousAt(t)
	case a.signedIn:
		if got := x.identity(t, "x-user-id"); got != s.ada.UserID {
			t.Errorf("x-user-id %q, want Ada's %q", got, s.ada.UserID)
		}
	}
	if a.path != "" && x.received[0].Target != a.path {
		t.Errorf("the backend was asked for %q, want %q", x.received[0].Target, a.path)
	}
	if x.Status == 101 { // S10
		for _, line := range x.received[0].Header.Values("Connection") {
			if strings.Contains(strings.ToLower(line), "x-user-id") {
				t.Errorf("the next hop is told to drop the identity: Connection: %s", line)
			}
		}
	}
	for _, to := range x.received[0].Header.Values("Upgrade") { // another protocol would tunnel past the gate
		if !strings.EqualFold(to, "websocket") {
			t.Errorf("the backend is asked to speak %s", to)
		}
	}
	internal := []string{"X-Usher-Ticket"}
	if strings.HasPrefix(p.name, "envoy") { // elsewhere they are any header
		internal = append(internal, "X-Envoy-Auth-Partial-Body", "X-Envoy-Auth-Failure-Mode-Allowed")
	}
	for _, name := range internal {
		if values := x.received[0].Header.Values(name); len(values) > 0 {
			t.Errorf("the backend received %s: %q", name, values)
		}
	}
}

// TestOddPaths sends every form of proxies.md, section 2.4, as nobody: what is private in any reading must not be
// reached, and what is plainly public must pass untouched.
func TestOddPaths(t *testing.T) {
	s := setStage(t)
	private := map[string]string{
		"U01 encoded dots": "/public/%2e%2e/private", "U01 half encoded": "/public/.%2e/private", "U02 dots": "/public/../private",
		"U02 many dots": "/public/x/../../private", "U03 slashes": "//private//x", "U03 slashes in public": "/public//../private",
		"U04 parameter": "/public;a=b/x", "U04 dots and parameter": "/public/..;/private", "U05 encoded slash": "/public/..%2fprivate",
		"U05 upper case": "/public/..%2Fprivate", "U05 all encoded": "/public/%2e%2e%2fprivate", "U06 twice encoded": "/public/%252e%252e/private",
		"U06 twice encoded slash": "/public/..%252fprivate", "U07 backslash": `/public/..\private`, "U07 encoded backslash": "/public/..%5cprivate",
		"U07 NUL": "/public/%00/../private", "U09 fragment": "/private#/public/x", "U12 ends in dots": "/public/..",
		"overlong dots": "/public/%c0%ae%c0%ae/private", "overlong slash": "/public/..%c0%afprivate", "query looks public": "/private?/public/x",
		"query looks like a path": "/private?x=/public/x", "another case": "/PUBLIC/x", "U14 asterisk": "*", "no slash": "private",
		"U13 other host": "http://evil.test/private",
	}
	for _, p := range s.proxies {
		t.Run(p.name, func(t *testing.T) {
			for row, target := range private {
				t.Run(row, func(t *testing.T) {
					method := "GET"
					if target == "*" {
						method = "OPTIONS"
					}
					x := p.send(t, s.backend, request{method: method, target: target})
					x.nothingChosen(t)
					if x.reached() {
						// A proxy may resolve the path before it asks: then both judge what is served, if it is plain.
						if got := x.received[0].Target; !strings.HasPrefix(got, "/public/") || strings.ContainsAny(got[1:], ".%;\\?#") || strings.Contains(got, "//") {
							t.Errorf("nobody reached %q by %q", got, target)
						}
						return
					}
					if !slices.Contains(refused, x.Status) && !(target == "*" && x.Status == 200) { // Go answers "OPTIONS *" itself
						t.Errorf("status %d", x.Status)
					}
				})
			}
			t.Run("U14 CONNECT", func(t *testing.T) {
				s.mount(t, p, attack{request: func(s *stage, _ *proxied) request {
					return request{method: "CONNECT", target: s.backend.Address, host: s.backend.Address, lines: []string{cookie(s.ada)}}
				}, statuses: refused, never: true})
			})
			public := map[string]struct{ target, want string }{
				"plain":                 {"/public/x", "/public/x"},
				"U08 encoded UTF-8":     {"/public/caf%C3%A9", "/public/caf%C3%A9"},
				"U10 query untouched":   {"/public/x?a=/../b&c=%2f&d=1?2", "/public/x?a=/../b&c=%2f&d=1?2"},
				"U12 blank":             {"/public/a%20b", "/public/a%20b"},
				"U12 empty query":       {"/public/x?", "/public/x?"},
				"U15 a query of 6 KiB":  {"/public/x?q=" + strings.Repeat("a", 6<<10), "/public/x?q=" + strings.Repeat("a", 6<<10)},
				"the folder itself":     {"/public", "/public"},
				"characters of segment": {"/public/a:b@c!$&'()*+,=-._~", "/public/a:b@c!$&'()*+,=-._~"},
			}
			for row, c := range public {
				t.Run(row, func(t *testing.T) {
					x := p.send(t, s.backend, request{target: c.target})
					x.nothingChosen(t)
					if x.Status != 200 || !x.reached() {
						t.Fatalf("status %d, body %.300s", x.Status, x.Body)
					}
					if got := x.received[0].Target; got != c.want {
						t.Errorf("the backend was asked for %.100q, want %.100q", got, c.want)
					}
				})
			}
			t.Run("U11 unreserved characters encoded", func(t *testing.T) {
				x := p.send(t, s.backend, request{target: "/public/%7Euser/%41"})
				if x.Status != 200 || !x.reached() || !slices.Contains([]string{"/public/%7Euser/%41", "/public/~user/A"}, x.received[0].Target) {
					t.Errorf("status %d, %v", x.Status, x.received)
				}
			})
		})
	}
}

// TestOnlyTrustedProxiesMayAsk is S22: whoever reaches the gate's port without being a proxy learns nothing.
func TestOnlyTrustedProxiesMayAsk(t *testing.T) {
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	ada := auth.SignUp(t, "Ada", "ada@example.com")
	backend := testenv.EchoBackend(t)
	closed := startUsher(t, auth, databaseURL, rules, `trusted_proxies: ["10.9.8.7"]`)
	for _, c := range []struct{ path, lines string }{
		{"/gate/traefik", "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: app.test\r\nX-Forwarded-Uri: /private\r\nX-Forwarded-For: 10.9.8.7\r\n"},
		{"/gate/nginx", "X-Original-Method: GET\r\nX-Original-URL: http://app.test/private\r\n"},
		{"/gate/envoy/private", "X-Forwarded-Proto: http\r\n"},
	} {
		response := testenv.RawHTTP(t, closed.http, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: app.test\r\n%s\r\n%sConnection: close\r\n\r\n", c.path, cookie(ada), c.lines))
		if response.Status != 403 || response.Header.Get("X-Usher-Reason") != "UNTRUSTED_PROXY" || response.Header.Get("X-User-Id") != "" {
			t.Errorf("%s: %d %v", c.path, response.Status, response.Header)
		}
	}
	for _, name := range []string{"envoy-grpc", "traefik"} {
		p := startProxy(t, name, closed, backend.Address)
		x := p.send(t, backend, request{lines: []string{cookie(ada)}})
		if x.Status != 403 || x.reached() {
			t.Errorf("%s: %d", name, x.Status)
		}
	}
}

// TestALuaErrorLetsNothingPass injects a fault into our Lua: HAProxy itself would go on with the request.
func TestALuaErrorLetsNothingPass(t *testing.T) {
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	backend := testenv.EchoBackend(t)
	gate := startUsher(t, auth, databaseURL, rules)
	p := &proxied{name: "haproxy", address: freeAddress(t)}
	dir := printed(t, "haproxy", "-listen", p.address, "-upstream", backend.Address, "-gate", gate.http)
	file := filepath.Join(dir, "usher.lua")
	lua, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(lua), "local headers = words(txn)", "local headers = nil + 1", 1)
	if broken == string(lua) {
		t.Fatal("the Lua changed; inject the fault elsewhere")
	}
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	p.proc = testenv.Start(t, testenv.Command{Path: testenv.Part(t, "haproxy"), Args: []string{"-f", "haproxy.cfg"}, Dir: dir})
	p.proc.WaitListening(t, p.address)
	for _, target := range []string{"/private", "/public/x"} {
		if x := p.send(t, backend, request{target: target, lines: []string{"X-User-Id: evil"}}); x.Status != 503 || x.reached() {
			t.Errorf("%s: status %d, backend asked %v", target, x.Status, x.reached())
		}
	}
}
