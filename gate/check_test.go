package gate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
)

func TestWhoPasses(t *testing.T) {
	rules := []gate.Rule{{Path: "/public", Access: gate.Open}, {Path: "/feed", Access: gate.Optional}}
	for _, c := range []struct {
		it                         string
		with                       func(*gate.Request)
		public, optional, required string
	}{
		{"nobody", func(*gate.Request) {}, "allow PUBLIC", "allow ANONYMOUS", "sign-in NO_CREDENTIAL"},
		{"a good cookie", cookie("alice"), "allow PUBLIC", "allow SIGNED_IN", "allow SIGNED_IN"},
		{"a good bearer", bearer("alice"), "allow PUBLIC", "allow SIGNED_IN", "allow SIGNED_IN"},
		{"a forged cookie", cookie("forged"), "allow PUBLIC", "allow ANONYMOUS", "sign-in BAD_COOKIE"},
		{"a forged bearer", bearer("forged"), "allow PUBLIC", "sign-in BAD_BEARER", "sign-in BAD_BEARER"},
		{"an unknown cookie", cookie("unknown"), "allow PUBLIC", "allow ANONYMOUS", "sign-in SESSION_UNKNOWN"},
		{"an unknown bearer", bearer("unknown"), "allow PUBLIC", "sign-in SESSION_UNKNOWN", "sign-in SESSION_UNKNOWN"},
		{"an expired cookie", cookie("expired"), "allow PUBLIC", "allow ANONYMOUS", "sign-in SESSION_EXPIRED"},
		{"an expired bearer", bearer("expired"), "allow PUBLIC", "sign-in SESSION_EXPIRED", "sign-in SESSION_EXPIRED"},
		{"a cookie that expires this instant", cookie("just-expired"), "allow PUBLIC", "allow ANONYMOUS", "sign-in SESSION_EXPIRED"},
		{"a cookie in its last instant", cookie("last-instant"), "allow PUBLIC", "allow SIGNED_IN", "allow SIGNED_IN"},
		{"a session without expiry", cookie("no-expiry"), "allow PUBLIC", "allow ANONYMOUS", "sign-in SESSION_EXPIRED"},
		{"a deleted user's cookie", cookie("ghost"), "allow PUBLIC", "allow ANONYMOUS", "sign-in USER_DELETED"},
		{"a deleted user's bearer", bearer("ghost"), "allow PUBLIC", "sign-in USER_DELETED", "sign-in USER_DELETED"},
		{"a banned user", cookie("banned"), "allow PUBLIC", "deny USER_BANNED", "deny USER_BANNED"},
		{"a banned user's bearer", bearer("banned"), "allow PUBLIC", "deny USER_BANNED", "deny USER_BANNED"},
		{"a ban with an end to come", cookie("banned-still"), "allow PUBLIC", "deny USER_BANNED", "deny USER_BANNED"},
		{"a ban that is over", cookie("banned-once"), "allow PUBLIC", "allow SIGNED_IN", "allow SIGNED_IN"},
		{"a ban that ends this instant", cookie("ban-just-over"), "allow PUBLIC", "allow SIGNED_IN", "allow SIGNED_IN"},
		{"an end without a ban", cookie("ban-lifted"), "allow PUBLIC", "allow SIGNED_IN", "allow SIGNED_IN"},
	} {
		t.Run(c.it, func(t *testing.T) {
			w := newWorld(t, rules)
			for path, want := range map[string]string{"/public": c.public, "/feed": c.optional, "/x": c.required} {
				if got := w.decide(t, get(path, c.with)); got != want {
					t.Errorf("%s: got %s, want %s", path, got, want)
				}
			}
		})
	}
}

func TestNoStoreIsAskedInVain(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Path: "/public/**", Access: gate.Open}, {Path: "/feed", Access: gate.Optional}})
	w.sessions.Break(errDown)
	for _, r := range []*gate.Request{
		get("/x"), get("/feed"), get("/public/x", cookie("alice")), get("/x", cookie("forged")), get("/feed", cookie("forged")),
		get("/x", bearer("forged")), get("/public/../x", cookie("alice")), get("/x", cookie("alice"), method("TRACE")),
		get("/x", cookie("alice"), host("a,b")), get("/x", cookie("alice"), named("unknown")),
		get("/x", cookie("alice"), method("OPTIONS"), origin("https://app.test"), func(r *gate.Request) { r.Announced = "POST" }),
	} {
		if got := w.decide(t, r); strings.HasPrefix(got, "unavailable") {
			t.Errorf("%s %s: %s", r.Method, r.Target, got)
		}
	}
	if w.sessions.Calls() != 0 {
		t.Errorf("%d lookups", w.sessions.Calls())
	}
}

func TestSeveralCookiesAreTriedInOrder(t *testing.T) {
	for _, c := range []struct {
		tokens   candidates
		want     string
		optional string
		lookups  int
	}{
		{candidates{"alice", "root"}, "allow SIGNED_IN", "allow SIGNED_IN", 1},
		{candidates{"unknown", "alice"}, "allow SIGNED_IN", "allow SIGNED_IN", 2},
		{candidates{"unknown", "expired", "ghost", "alice"}, "allow SIGNED_IN", "allow SIGNED_IN", 4},
		{candidates{"unknown", "expired"}, "sign-in SESSION_UNKNOWN", "allow ANONYMOUS", 2},
		{candidates{"expired", "unknown"}, "sign-in SESSION_EXPIRED", "allow ANONYMOUS", 2},
		{candidates{"ghost", "expired"}, "sign-in USER_DELETED", "allow ANONYMOUS", 2},
		{candidates{"unknown", "banned", "alice"}, "deny USER_BANNED", "deny USER_BANNED", 2},
		{candidates{"u1", "u2", "u3", "u4", "alice"}, "sign-in SESSION_UNKNOWN", "allow ANONYMOUS", 4}, // MaxCandidates
		{candidates{}, "sign-in BAD_BEARER", "sign-in BAD_BEARER", 0},                                  // a Reader that breaks its word
	} {
		for path, want := range map[string]string{"/x": c.want, "/feed": c.optional} {
			w := newWorld(t, []gate.Rule{{Path: "/feed", Access: gate.Optional}}, func(g *gate.Config) { g.Reader = c.tokens })
			if got := w.decide(t, get(path)); got != want || w.sessions.Calls() != c.lookups {
				t.Errorf("%v on %s: got %s after %d lookups, want %s after %d", c.tokens, path, got, w.sessions.Calls(), want, c.lookups)
			}
		}
	}
}

// resolve is a Resolver made of a function.
type resolve func(ctx context.Context, c gate.Credential) (*gate.Principal, error)

func (f resolve) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	return f(ctx, c)
}

// read is a Reader made of a function.
type read func(r *gate.Request) (gate.Credentials, error)

func (f read) Read(r *gate.Request) (gate.Credentials, error) { return f(r) }

func TestWhatCannotBeFoundOutIsUnavailable(t *testing.T) {
	alice := people()["alice"]
	for it, c := range map[string]struct {
		resolver resolve
		want     gate.Reason
	}{
		"the store is down": {func(context.Context, gate.Credential) (*gate.Principal, error) { return nil, errDown }, gate.StoreUnavailable},
		"it is down, wrapped": {func(context.Context, gate.Credential) (*gate.Principal, error) {
			return nil, fmt.Errorf("postgres: resolve: %w", errDown)
		}, gate.StoreUnavailable},
		"an error beside a principal": {func(context.Context, gate.Credential) (*gate.Principal, error) { return alice, errDown }, gate.StoreUnavailable},
		"the deadline": {func(ctx context.Context, _ gate.Credential) (*gate.Principal, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, gate.StoreTimeout},
		"the deadline, in the driver's words": {func(ctx context.Context, _ gate.Credential) (*gate.Principal, error) {
			<-ctx.Done()
			return nil, errors.New("conn closed")
		}, gate.StoreTimeout},
		"the store's own deadline": {func(context.Context, gate.Credential) (*gate.Principal, error) {
			return nil, fmt.Errorf("pool: %w", context.DeadlineExceeded)
		}, gate.StoreTimeout},
		"nothing at all": {func(context.Context, gate.Credential) (*gate.Principal, error) { return nil, nil }, gate.InternalError},
		"a panic":        {func(context.Context, gate.Credential) (*gate.Principal, error) { panic("index out of range") }, gate.InternalError},
		"a nil map": {func(context.Context, gate.Credential) (*gate.Principal, error) {
			var m map[string]int
			//lint:ignore SA5000 the panic is the point
			m["x"] = 1
			return alice, nil
		}, gate.InternalError},
		"down after one unknown": {func(_ context.Context, c gate.Credential) (*gate.Principal, error) {
			if c.Token() == "second" {
				return nil, errDown
			}
			return nil, gate.ErrNoSession
		}, gate.StoreUnavailable},
	} {
		t.Run(it, func(t *testing.T) {
			w := newWorld(t, []gate.Rule{{Path: "/feed", Access: gate.Optional}, {Path: "/admin", OrgRoles: []string{"owner"}}}, func(g *gate.Config) {
				g.Resolver = c.resolver
				g.Reader = candidates{"first", "second"}
			})
			for _, path := range []string{"/feed", "/x", "/admin"} {
				r := get(path, browser) // a person, who must not be led to sign in again
				d := w.Check(t.Context(), r)
				if d.Verdict != gate.Unavailable || d.Reason != c.want || d.Err == nil || d.Principal != nil {
					t.Errorf("%s: got %+v, want unavailable, %s", path, d, c.want)
				}
				a := w.Answer(r, d)
				if a.Status != 503 || len(a.Identity) != 0 || header(a, "Retry-After") == "" || header(a, "Location") != "" || header(a, "WWW-Authenticate") != "" {
					t.Errorf("%s: answer %+v", path, a)
				}
				if strings.Contains(a.Body, "refused") || strings.Contains(a.Body, "range") {
					t.Errorf("%s: the body tells what went wrong inside: %s", path, a.Body)
				}
			}
		})
	}
}

func TestTheTimeoutCoversAllLookupsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(g *gate.Config) {
			g.Now, g.Timeout = time.Now, 0 // 1.5 s
			g.Reader = candidates{"a", "b", "c", "d"}
			g.Resolver = resolve(func(ctx context.Context, _ gate.Credential) (*gate.Principal, error) {
				select {
				case <-time.After(time.Second):
					return nil, gate.ErrNoSession
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			})
		})
		start := time.Now()
		d := w.Check(t.Context(), get("/x"))
		if took := time.Since(start); took != 1500*time.Millisecond || verdict(d) != "unavailable STORE_TIMEOUT" {
			t.Errorf("%s after %s", verdict(d), took)
		}
	})
}

func TestACallerThatLeavesEndsTheLookup(t *testing.T) {
	w := newWorld(t, nil, func(g *gate.Config) { g.Timeout = time.Hour })
	w.sessions.Hang(true)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if d := w.Check(ctx, get("/x", cookie("alice"))); d.Verdict != gate.Unavailable {
		t.Errorf("got %s", verdict(d))
	}
}

func TestPanicsAreAnswered(t *testing.T) {
	for it, adjust := range map[string]func(*gate.Config){
		"in the reader": func(g *gate.Config) {
			g.Reader = read(func(*gate.Request) (gate.Credentials, error) { panic("reader") })
		},
		"in the observer": func(g *gate.Config) {
			g.Observe = func(*gate.Request, gate.Decision, time.Duration) { panic("observer") }
		},
		"in a missing resolver": func(g *gate.Config) { g.Resolver = (*gatetest.Resolver)(nil) },
	} {
		t.Run(it, func(t *testing.T) {
			w := newWorld(t, nil, adjust)
			d := w.Check(t.Context(), get("/x", cookie("alice")))
			if d.Verdict != gate.Unavailable || d.Reason != gate.InternalError || d.Principal != nil || d.Err == nil {
				t.Errorf("got %+v", d)
			}
		})
	}
	w := newWorld(t, nil)
	r := get("/x", cookie("alice"), func(r *gate.Request) { r.Trace = func(step, _ string) { panic(step) } })
	if d := w.Check(t.Context(), r); d.Verdict != gate.Unavailable {
		t.Errorf("in a trace: %+v", d)
	}
}

func TestAReaderThatFailsNeverLetsAnybodyPass(t *testing.T) {
	for _, c := range []struct {
		found gate.Credentials
		err   error
		want  string
	}{
		{gate.Credentials{}, errors.New("something else"), "sign-in BAD_BEARER"},
		{gate.Credentials{Method: gate.ByBearer}, fmt.Errorf("wrapped: %w", gate.ErrBadCredential), "sign-in BAD_BEARER"},
		{gate.Credentials{Method: gate.ByCookie}, fmt.Errorf("wrapped: %w", gate.ErrBadCredential), "sign-in BAD_COOKIE"},
		{gate.Credentials{}, nil, "sign-in BAD_BEARER"},
		{gate.Credentials{Method: gate.ByCookie}, nil, "sign-in BAD_BEARER"},
	} {
		w := newWorld(t, nil, func(g *gate.Config) {
			g.Reader = read(func(*gate.Request) (gate.Credentials, error) { return c.found, c.err })
		})
		if got := w.decide(t, get("/x")); got != c.want {
			t.Errorf("%v, %v: got %s, want %s", c.found, c.err, got, c.want)
		}
	}
}

func TestDisabledLetsEverybodyPassAsNobody(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Path: "/admin", OrgRoles: []string{"owner"}}}, func(g *gate.Config) {
		g.Disabled, g.Reader, g.Resolver = true, nil, nil
	})
	headers := w.Headers()
	r := get("/admin", cookie("alice"), method("POST"), fetchSite("cross-site"))
	headers.Collect(r, "X-User-Id", "evil")
	headers.Collect(r, "X-Org-Id", "o-acme")
	headers.Collect(r, "X_User_Role", "admin")
	d := w.Check(t.Context(), r)
	if verdict(d) != "allow DISABLED" || d.Principal != nil {
		t.Fatalf("got %+v", d)
	}
	a := w.Answer(r, d)
	if len(a.Identity) != 0 || a.Status != 200 {
		t.Errorf("answer %+v", a)
	}
	for _, name := range []string{"x-user-id", "x-org-id", "X_User_Role"} {
		if !contains(a.Remove, name) {
			t.Errorf("%s is not removed: %v", name, a.Remove)
		}
	}
	if got := w.decide(t, get("/public/../x")); got != "allow DISABLED" {
		t.Errorf("an odd path: %s", got)
	}
	// Where identity headers cannot be removed, not even then.
	for _, why := range []gate.Reason{gate.UntrustedProxy, gate.AliasedHeader} {
		r := get("/x")
		r.Refuse(why)
		if got := w.decide(t, r); got != "deny "+string(why) {
			t.Errorf("%s: %s", why, got)
		}
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	headers := newHeaders(t)
	resolver := gatetest.NewResolver(nil)
	for it, c := range map[string]gate.Config{
		"nothing":                  {},
		"no headers":               {Reader: gatetest.Reader{}, Resolver: resolver},
		"no reader":                {Resolver: resolver, Headers: headers},
		"no resolver":              {Reader: gatetest.Reader{}, Headers: headers},
		"disabled without headers": {Disabled: true},
	} {
		if g, err := gate.New(c); err == nil || g != nil {
			t.Errorf("%s: no error", it)
		}
	}
}

func TestAGateWithoutPolicyDemandsASession(t *testing.T) {
	for it, policy := range map[string]*gate.Policy{"nil": nil, "zero": {}} {
		w := newWorld(t, nil, func(g *gate.Config) { g.Policy = policy })
		if got := w.decide(t, get("/")); got != "sign-in NO_CREDENTIAL" {
			t.Errorf("%s policy: %s", it, got)
		}
		if got := w.decide(t, get("/", named("admin"))); got != "deny UNKNOWN_RULE" {
			t.Errorf("%s policy, named rule: %s", it, got)
		}
	}
}

func TestSetPolicyTakesEffectAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.decide(t, get("/a")); got != "sign-in NO_CREDENTIAL" {
		t.Fatal(got)
	}
	open, err := gate.NewPolicy([]gate.Rule{{Path: "/a", Access: gate.Open}})
	must(t, err)
	w.SetPolicy(open)
	if got := w.decide(t, get("/a")); got != "allow PUBLIC" {
		t.Errorf("after a reload: %s", got)
	}
	w.SetPolicy(nil)
	if got := w.decide(t, get("/a")); got != "sign-in NO_CREDENTIAL" {
		t.Errorf("without rules: %s", got)
	}
}

func TestZeroValuesDeny(t *testing.T) {
	var d gate.Decision
	var a gate.Answer
	if d.Verdict == gate.Allow || d.Verdict.String() != "deny" || a.Verdict == gate.Allow || a.Status == 200 {
		t.Errorf("a zero decision is %s, a zero answer %s", d.Verdict, a.Verdict)
	}
	w := newWorld(t, nil)
	r := get("/x", browser)
	for _, d := range []gate.Decision{{}, {Verdict: 200}, {Verdict: gate.Deny, Principal: people()["alice"]}} {
		a := w.Answer(r, d)
		if a.Verdict != gate.Deny || a.Status != 403 || len(a.Identity) != 0 || header(a, "Location") != "" {
			t.Errorf("%+v: answer %+v", d, a)
		}
	}
	var access gate.Access
	if access != gate.Required {
		t.Errorf("a zero access is %s", access)
	}
	if got := w.decide(t, &gate.Request{}); !strings.HasPrefix(got, "deny ") {
		t.Errorf("a zero request: %s", got)
	}
	if facts := (gate.Decision{}).Facts(); !cmp.Equal(facts, []gate.Fact{{Name: "reason", Value: ""}}) {
		t.Errorf("the facts of a zero decision are %v", facts)
	}
	if (gate.Credential{}).Token() != "" || (&gate.Credentials{}).Len() != 0 {
		t.Error("a zero credential holds something")
	}
}

func TestFaultsOfTheEdgeComeFirst(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Access: gate.Open}})
	for _, why := range []gate.Reason{gate.UntrustedProxy, gate.AmbiguousRequest, gate.AliasedHeader, gate.RequestTooLarge} {
		r := get("/public/../x", method("TRACE"))
		r.Refuse(why)
		if got := w.decide(t, r); got != "deny "+string(why) {
			t.Errorf("got %s, want %s", got, why)
		}
	}
	r := get("/x")
	r.Refuse(gate.RequestTooLarge)
	r.Refuse(gate.AliasedHeader)
	r.Refuse(gate.AmbiguousRequest)
	if r.Fault != gate.AliasedHeader {
		t.Errorf("of three faults %s stays", r.Fault)
	}
}

func TestRequestsThatAreNotJudged(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Access: gate.Open}}) // the most lenient rule there is
	for it, c := range map[string]struct {
		r    *gate.Request
		want gate.Reason
	}{
		"no scheme":                            {get("/x", func(r *gate.Request) { r.Scheme = "" }), gate.AmbiguousRequest},
		"another scheme":                       {get("/x", func(r *gate.Request) { r.Scheme = "ftp" }), gate.AmbiguousRequest},
		"a WebSocket's scheme":                 {get("/x", func(r *gate.Request) { r.Scheme = "wss" }), gate.AmbiguousRequest},
		"a scheme in upper case":               {get("/x", func(r *gate.Request) { r.Scheme = "HTTPS" }), gate.AmbiguousRequest},
		"no host":                              {get("/x", host("")), gate.AmbiguousRequest},
		"two hosts":                            {get("/x", host("app.test,evil.test")), gate.AmbiguousRequest},
		"user information":                     {get("/x", host("evil@app.test")), gate.AmbiguousRequest},
		"no target":                            {get(""), gate.AmbiguousRequest},
		"an odd path":                          {get("/a/../b"), gate.UnsafePath},
		"a host in the target (U13)":           {get("http://evil.test/x"), gate.UnsafePath},
		"OPTIONS * (U14)":                      {get("*", method("OPTIONS")), gate.UnsafePath},
		"no leading slash (U14)":               {get("x"), gate.UnsafePath},
		"CONNECT (U14)":                        {get("app.test:443", method("CONNECT")), gate.MethodRefused},
		"TRACE (U14)":                          {get("/x", method("TRACE")), gate.MethodRefused},
		"more cookies than there are":          {get("/x", func(r *gate.Request) { r.Cookies = []string{strings.Repeat("a", 30<<10), strings.Repeat("b", 30<<10)} }), gate.RequestTooLarge},
		"an upgrade naming an identity header": {get("/x", upgrade, func(r *gate.Request) { r.Connection = "Upgrade, X-User-Id" }), gate.AmbiguousRequest},
		"an upgrade naming a cookie":           {get("/x", upgrade, func(r *gate.Request) { r.Connection = "cookie,upgrade" }), gate.AmbiguousRequest},
		"an upgrade to h2c":                    {get("/x", upgrade, func(r *gate.Request) { r.Connection = "Upgrade, HTTP2-Settings" }), gate.AmbiguousRequest},
	} {
		if got := w.decide(t, c.r); got != "deny "+string(c.want) {
			t.Errorf("%s: got %s, want deny %s", it, got, c.want)
		}
	}
	for it, r := range map[string]*gate.Request{
		"http":                               get("/x", func(r *gate.Request) { r.Scheme = "http" }),
		"an upgrade":                         get("/x", upgrade),
		"an upgrade in a browser's words":    get("/x", upgrade, func(r *gate.Request) { r.Connection = "keep-alive, Upgrade" }),
		"an upgrade without Connection line": get("/x", upgrade, func(r *gate.Request) { r.Connection = "" }),
		"an upgrade and close":               get("/x", upgrade, func(r *gate.Request) { r.Connection = " UPGRADE ,\tClose," }),
		"Connection without upgrade":         get("/x", func(r *gate.Request) { r.Connection = "X-User-Id" }),
		"48 KiB of cookies":                  get("/x", func(r *gate.Request) { r.Cookies = []string{strings.Repeat("a", 48<<10)} }),
	} {
		if got := w.decide(t, r); got != "allow PUBLIC" {
			t.Errorf("%s: %s", it, got)
		}
	}
}

func TestMethods(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Access: gate.Open}})
	for method, want := range map[string]string{
		"GET": "allow PUBLIC", "POST": "allow PUBLIC", "PROPFIND": "allow PUBLIC", "M-SEARCH": "allow PUBLIC", "get": "allow PUBLIC",
		"CONNECT": "deny METHOD_REFUSED", "connect": "deny METHOD_REFUSED", "Connect": "deny METHOD_REFUSED",
		"TRACE": "deny METHOD_REFUSED", "trace": "deny METHOD_REFUSED", "TrAcE": "deny METHOD_REFUSED",
		"": "deny AMBIGUOUS_REQUEST", "GET,POST": "deny AMBIGUOUS_REQUEST", "GET POST": "deny AMBIGUOUS_REQUEST",
		"GET\r\n": "deny AMBIGUOUS_REQUEST", "GÉT": "deny AMBIGUOUS_REQUEST", "GET/": "deny AMBIGUOUS_REQUEST",
		"T\u0280ACE": "deny AMBIGUOUS_REQUEST", strings.Repeat("A", 65): "deny AMBIGUOUS_REQUEST",
		strings.Repeat("A", 64): "allow PUBLIC", "!X#": "allow PUBLIC",
	} {
		if got := w.decide(t, get("/x", func(r *gate.Request) { r.Method = method })); got != want {
			t.Errorf("%.20q: got %s, want %s", method, got, want)
		}
	}
}

func TestUnsafePathsOnEveryAccess(t *testing.T) {
	w := newWorld(t, []gate.Rule{
		{Name: "open", Path: "/public/**", Access: gate.Open},
		{Name: "optional", Path: "/feed/**", Access: gate.Optional},
		{Name: "required", Path: "/private/**"},
	})
	for _, prefix := range []string{"/public", "/feed", "/private"} {
		for _, rest := range []string{
			"/../x", "/%2e%2e/x", "/%252e%252e/x", "/%25%32%65/x", "/..;/x", ";a=b", "/%3b", "//x", "/%2Fx", "/..%2fx", `/\x`, "/%5cx", "/%00", "/#x",
		} {
			for _, rule := range []string{"", "open", "optional", "required"} {
				for _, who := range []func(*gate.Request){func(*gate.Request) {}, cookie("alice"), bearer("alice")} {
					if got := w.decide(t, get(prefix+rest, who, named(rule))); got != "deny UNSAFE_PATH" {
						t.Errorf("%s%s by rule %q: %s", prefix, rest, rule, got)
					}
				}
			}
		}
	}
}

func TestTraceTellsEveryStepAndNoSecret(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Name: "a", Path: "/**"}}, func(g *gate.Config) { g.Paths.EncodedSlashes = true })
	var steps, findings []string
	r := get("/x%2Fy", cookie("alice-active"), func(r *gate.Request) {
		r.Trace = func(step, finding string) { steps, findings = append(steps, step), append(findings, finding) }
	})
	if got := w.decide(t, r); got != "allow SIGNED_IN" {
		t.Fatal(got)
	}
	if want := []string{"request", "rule", "credential", "session", "organization", "decision"}; !cmp.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	all := strings.Join(findings, "\n")
	if strings.Contains(all, "alice-active") || strings.ContainsRune(all, 0) {
		t.Errorf("the trace tells a token or a control byte:\n%s", all)
	}
	if !strings.Contains(all, "/x%2Fy") {
		t.Errorf("the trace does not tell the path as it was asked for:\n%s", all)
	}
}

func TestTraceTellsWhy(t *testing.T) {
	byHost, err := gate.OrgFromHost("{org}.app.test")
	must(t, err)
	byPath, err := gate.OrgFromPath("/orgs/{org}/")
	must(t, err)
	w := newWorld(t, []gate.Rule{
		{Name: "fresh", Path: "/fresh/**", Methods: []string{"GET"}, Host: "*.app.test", Fresh: 15 * time.Minute},
		{Name: "role", Path: "/role", UserRoles: []string{"admin"}},
		{Name: "org", Path: "/org", Org: true},
		{Name: "org-role", Path: "/org-role", OrgRoles: []string{"owner"}},
		{Path: "/feed", Access: gate.Optional},
	}, func(g *gate.Config) {
		g.OrgSources = []gate.OrgSource{gate.OrgFromHeader, byPath, byHost, gate.OrgFromActive, gate.OrgFromFirst}
	})
	for _, c := range []struct {
		r    *gate.Request
		want string
	}{
		{get("/x", bearer("alice")), "credential: bearer: a plain token, only the store can say"},
		{get("/x", bearer("alice")), "rule: default (no rule matches): access required"},
		{get("/x", named("nope")), "rule: no rule is named nope"},
		{get("/feed"), "rule: rules[4] (path /feed): access optional"},
		{get("/fresh/x", host("a.app.test")), "rule: fresh (host *.app.test, path /fresh/**, methods GET): access required"},
		{get("/x", cookie("expired")), "session: ended 2026-11-24T11:59:59Z, 1s ago"},
		{get("/x", cookie("no-expiry")), "session: ended at a time the store does not tell"},
		{get("/fresh/x", named("fresh"), cookie("15m-old")), "rule: wants a sign-in younger than 15m0s; this one was 2026-11-24T11:45:00Z, 15m0s ago"},
		{get("/role", cookie("alice")), "rule: wants one of the user roles admin; the user has user,support"},
		{get("/role", cookie("loner")), "rule: wants one of the user roles admin; the user has none"},
		{get("/org", cookie("loner")), "rule: wants an organization"},
		{get("/org-role", cookie("alice")), "rule: wants one of the organization roles owner; the member has member"},
		{get("/x", cookie("alice"), org("other")), "organization: o-other as owner,billing; source: header, asked for other"},
		{get("/x", cookie("alice"), org("foreign")), "organization: NOT_A_MEMBER: the user is no member of it; source: header, asked for foreign"},
		{get("/orgs/other/x", cookie("alice")), "organization: o-other as owner,billing; source: path /orgs/{org}/, asked for other"},
		{get("/x", cookie("alice"), host("acme.app.test")), "organization: o-acme as member; source: host {org}.app.test, asked for acme"},
		{get("/x", cookie("alice-active")), "organization: o-other as owner,billing; source: active organization, asked for o-other"},
		{get("/x", cookie("alice-stale")), "organization: skipped: the user is no member of the session's active organization; source: active organization, asked for o-gone"},
		{get("/x", cookie("alice-stale")), "organization: o-acme as member; source: first membership"},
		{get("/x", cookie("loner")), "organization: none: no source names one"},
		{
			get("/x", method("POST"), cookie("alice"), origin("https://evil.test")),
			"origin: origin https://evil.test; only the request's own (https://app.test), that of better_auth.url and better_auth.trusted_origins count",
		},
		{
			get("/x", method("POST"), cookie("alice"), fetchSite("cross-site")),
			"origin: no Origin, and Sec-Fetch-Site: cross-site; only the request's own (https://app.test), that of better_auth.url and better_auth.trusted_origins count",
		},
	} {
		var told []string
		c.r.Trace = func(step, finding string) { told = append(told, step+": "+finding) }
		silent := *c.r
		silent.Trace = nil
		if with, without := w.decide(t, c.r), w.decide(t, &silent); with != without {
			t.Errorf("%s: %s with a trace, %s without", c.r.URL(), with, without)
		}
		if !contains(told, c.want) {
			t.Errorf("%s told\n%s\nwant\n%s", c.r.URL(), strings.Join(told, "\n"), c.want)
		}
	}
}

func TestCredentialsPrintAsPlaceholders(t *testing.T) {
	var found gate.Credentials
	found.Add(gate.Proven(gate.ByBearer, "t0ken"))
	holder := struct {
		C  gate.Credential
		Cs gate.Credentials
		P  *gate.Credentials
	}{found.At(0), found, &found}
	for _, v := range []any{found.At(0), found, &found, holder, &holder, []gate.Credentials{found}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if printed := fmt.Sprintf(verb, v); strings.Contains(printed, "t0ken") || strings.Contains(printed, "74306b656e") {
				t.Errorf("%s of %T prints the token", verb, v)
			}
		}
		var logged strings.Builder
		slog.New(slog.NewTextHandler(&logged, nil)).Info("it", "v", v)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("it", "v", v)
		if strings.Contains(logged.String(), "t0ken") {
			t.Errorf("a log of %T tells the token: %s", v, logged.String())
		}
	}
}

func TestCredentials(t *testing.T) {
	var found gate.Credentials
	for i, token := range []string{"a", "b", "a", "c", "d", "b"} {
		if !found.Add(gate.Proven(gate.ByCookie, token)) {
			t.Errorf("no room for %d: %s", i, token)
		}
	}
	if found.Len() != gate.MaxCandidates || found.Add(gate.Proven(gate.ByCookie, "e")) {
		t.Errorf("%d candidates, and one more", found.Len())
	}
	if !found.Add(gate.Proven(gate.ByCookie, "a")) {
		t.Error("what is there already needs no room")
	}
	var tokens []string
	for i := range found.Len() {
		tokens = append(tokens, found.At(i).Token())
	}
	if !cmp.Equal(tokens, []string{"a", "b", "c", "d"}) || found.Method != gate.ByCookie || found.At(0).Method() != gate.ByCookie {
		t.Errorf("%v by %s", tokens, found.Method)
	}
}

func header(a gate.Answer, name string) string {
	for _, h := range a.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}
