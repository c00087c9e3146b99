package gate_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/gate"
)

func TestNavigationsAreLedToTheSignInPage(t *testing.T) {
	accept := func(a string) func(*gate.Request) { return func(r *gate.Request) { r.Accept = a } }
	fetch := func(mode, dest string) func(*gate.Request) {
		return func(r *gate.Request) { r.FetchMode, r.FetchDest = mode, dest }
	}
	const chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
	for _, c := range []struct {
		it   string
		r    *gate.Request
		want int
	}{
		{"a browser", get("/x", browser), 302},
		{"a browser's HEAD", get("/x", browser, method("HEAD")), 302},
		{"a browser that sends what all send", get("/x", browser, accept(chrome)), 302},
		{"a form", get("/x", browser, method("POST")), 401},
		{"a frame", get("/x", fetch("navigate", "iframe"), accept(chrome)), 401},
		{"fetch()", get("/x", fetch("cors", "empty"), accept(chrome)), 401},
		{"fetch() that wants HTML", get("/x", fetch("same-origin", "empty"), accept("text/html")), 401},
		{"an image", get("/x", fetch("no-cors", "image")), 401},
		{"a script", get("/x", fetch("no-cors", "script")), 401},
		{"a service worker's navigation", get("/x", fetch("navigate", ""), accept(chrome)), 401},
		{"only the destination", get("/x", fetch("", "document"), accept(chrome)), 401},
		{"a WebSocket", get("/x", fetch("websocket", "empty"), upgrade), 401},
		{"a WebSocket that says navigate (R14)", get("/x", browser, upgrade), 401},
		{"a WebSocket of an old browser", get("/x", accept(chrome), upgrade), 401},
		{"an old browser", get("/x", accept(chrome)), 302},
		{"an old browser's form", get("/x", accept(chrome), method("POST")), 401},
		{"XHTML", get("/x", accept("application/xhtml+xml")), 302},
		{"HTML in capitals", get("/x", accept("TEXT/HTML")), 302},
		{"HTML, level 1", get("/x", accept("text/html;level=1;q=0.9, application/json;q=0.5")), 302},
		{"HTML as good as another, named first", get("/x", accept("text/html, application/json")), 302},
		{"HTML as good as another, named later", get("/x", accept("application/json, text/html")), 401},
		{"HTML behind nothing", get("/x", accept(" ,, text/html")), 302},
		{"HTML a little, JSON less", get("/x", accept("text/html;q=0.05, application/json;q=0.01")), 302},
		{"HTML fully, in three digits", get("/x", accept("application/json;q=0.999, text/html;q=1.000")), 302},
		{"HTML with a parameter, less than JSON", get("/x", accept("text/html;level=1;q=0.3, application/json;q=0.5")), 401},
		{"HTML with a flag, less than JSON", get("/x", accept("text/html;flag;q=0.3, application/json;q=0.5")), 401},
		{"HTML with an unfinished quality", get("/x", accept("text/html;q=0., application/json;q=0.001")), 401},
		{"HTML with a wrong digit", get("/x", accept("text/html;q=0.9x, application/json;q=0.001")), 401},
		{"rather JSON", get("/x", accept("text/html;q=0.5, application/json")), 401},
		{"rather anything", get("/x", accept("*/*, text/html;q=0.9")), 401},
		{"anything", get("/x", accept("*/*")), 401},
		{"no HTML at all", get("/x", accept("text/html;q=0, application/json;q=0")), 401},
		{"only refused HTML", get("/x", accept("text/html;q=0")), 401},
		{"nonsense", get("/x", accept("text/html;q=abc, ,;,q=1")), 401},
		{"too good", get("/x", accept("text/html;q=2, application/json;q=0.1")), 401},
		{"nothing", get("/x"), 401},
		{"an event stream", get("/x", accept("text/event-stream")), 401},
		{"a method in lower case", get("/x", browser, method("get")), 401},
	} {
		w := newWorld(t, nil)
		for _, credential := range []func(*gate.Request){func(*gate.Request) {}, cookie("expired"), bearer("forged")} {
			credential(c.r)
			d := w.Check(t.Context(), c.r)
			a := w.Answer(c.r, d)
			if a.Verdict != gate.SignIn || a.Status != c.want {
				t.Errorf("%s: %s, %d, want %d", c.it, a.Verdict, a.Status, c.want)
			}
			if c.want == 302 {
				if got, want := header(a, "Location"), signInURL+"?callbackURL="+url.QueryEscape("https://app.test/x"); got != want {
					t.Errorf("%s: led to %s, want %s", c.it, got, want)
				}
				if header(a, "WWW-Authenticate") != "" || a.Body != "" {
					t.Errorf("%s: %+v", c.it, a)
				}
			} else if a.Body != `{"message":"Unauthorized","code":"UNAUTHORIZED"}` || header(a, "WWW-Authenticate") != "Bearer" ||
				header(a, "Content-Type") != "application/json" || header(a, "Location") != "" {
				t.Errorf("%s: %+v", c.it, a)
			}
			if header(a, "Cache-Control") != "no-store" || header(a, "X-Usher-Reason") == "" || len(a.Identity) != 0 {
				t.Errorf("%s: %+v", c.it, a)
			}
		}
	}
}

func TestTheSignInPageLeadsBack(t *testing.T) {
	for _, c := range []struct {
		signIn, host, target, want string
	}{
		{"https://app.test/sign-in", "app.test", "/a?b=c&d=%20e", "https://app.test/sign-in?callbackURL=https%3A%2F%2Fapp.test%2Fa%3Fb%3Dc%26d%3D%2520e"},
		{"https://app.test/sign-in?theme=dark", "app.test", "/a", "https://app.test/sign-in?theme=dark&callbackURL=https%3A%2F%2Fapp.test%2Fa"},
		{"https://app.test/sign-in", "other.test:8443", "/", "https://app.test/sign-in?callbackURL=https%3A%2F%2Fother.test%3A8443%2F"},
		{"https://app.test/sign-in", "app.test", "/a%0D%0A?x=\"<script>", ""}, // an unsafe path leads nowhere
		{"https://app.test/sign-in", "app.test", `/a?x="<script>'`, "https://app.test/sign-in?callbackURL=https%3A%2F%2Fapp.test%2Fa%3Fx%3D%22%3Cscript%3E%27"},
		{"https://app.test/sign-in", "app.test", "/caf\u00e9", "https://app.test/sign-in?callbackURL=https%3A%2F%2Fapp.test%2Fcaf%C3%A9"},
		{"", "app.test", "/a", ""},
		// A redirect to where one is already never ends.
		{"https://app.test/sign-in", "app.test", "/sign-in", ""},
		{"https://app.test/sign-in", "app.test", "/sign-in?callbackURL=x", ""},
		{"https://app.test/sign-in?a=b", "app.test", "/sign-in", ""},
		{"https://app.test/sign-in", "APP.test:443", "/sign-in", ""},
		{"https://App.test:443/sign-in", "app.test.", "/sign-in", ""},
		{"https://app.test/sign-in#form", "app.test", "/sign-in", ""},
		{"https://app.test", "app.test", "/", ""},
		{"https://app.test?a=b", "app.test", "/", ""},
		{"https://app.test/#/sign-in", "app.test", "/x", "https://app.test/?callbackURL=https%3A%2F%2Fapp.test%2Fx#/sign-in"},
		{"https://app.test/sign-in", "app.test", "/%73ign-in", ""},
		{"https://app.test/sign-in", "app.test:8443", "/sign-in", "https://app.test/sign-in?callbackURL=https%3A%2F%2Fapp.test%3A8443%2Fsign-in"},
		{"https://app.test/sign-in", "app.test", "/sign-in/help", "https://app.test/sign-in?callbackURL=https%3A%2F%2Fapp.test%2Fsign-in%2Fhelp"},
	} {
		w := newWorld(t, nil, func(g *gate.Config) { g.SignInURL = c.signIn })
		r := get(c.target, browser, host(c.host))
		d := w.Check(t.Context(), r)
		a := w.Answer(r, d)
		if got := header(a, "Location"); got != c.want || w.SignInURL(r, d) != c.want || (a.Status == 302) != (c.want != "") {
			t.Errorf("%s from %s%s: %d %s, want %s", c.signIn, c.host, c.target, a.Status, got, c.want)
		}
		if location, err := url.Parse(header(a, "Location")); err != nil || c.want != "" && location.Query().Get("callbackURL") != "https://"+c.host+c.target {
			t.Errorf("%s leads back to %v, %v", c.target, location, err)
		}
	}
	w := newWorld(t, nil)
	if got := w.SignInURL(get("/x", browser), gate.Decision{Verdict: gate.Unavailable}); got != "" {
		t.Errorf("a broken store leads to %s", got)
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Path: "/owner", OrgRoles: []string{"owner"}}})
	for _, r := range []*gate.Request{
		get("/x", cookie("banned")), get("/x", cookie("alice"), org("nowhere")), get("/owner", cookie("alice")), get("/x", named("unknown")),
		get("/a//b"), get("/x", method("TRACE")), get("/x", host("a,b")), get("/x", cookie("alice"), method("POST"), fetchSite("cross-site")),
	} {
		browser(r)
		d := w.Check(t.Context(), r)
		a := w.Answer(r, d)
		var body struct{ Message, Code string }
		if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
			t.Fatalf("%s: %v", a.Body, err)
		}
		if a.Status != 403 || a.Verdict != gate.Deny || body.Code != string(d.Reason) || body.Message == "" || header(a, "X-Usher-Reason") != body.Code {
			t.Errorf("%s %s: %+v", r.Method, r.Target, a)
		}
		if len(a.Identity) != 0 || header(a, "Location") != "" || header(a, "WWW-Authenticate") != "" {
			t.Errorf("%s %s: %+v", r.Method, r.Target, a)
		}
	}
}

func TestIdentityOfAPerson(t *testing.T) {
	w := newWorld(t, []gate.Rule{{Path: "/public", Access: gate.Open}, {Path: "/feed", Access: gate.Optional}})
	for _, c := range []struct {
		r    *gate.Request
		want []gate.Header
	}{
		{get("/x", cookie("alice-active")), []gate.Header{
			{Name: "X-User-Id", Value: "u-alice"},
			{Name: "X-User-Email", Value: "alice@app.test"},
			{Name: "X-User-Email-Verified", Value: "true"},
			{Name: "X-User-Name", Value: "Alice"},
			{Name: "X-User-Role", Value: "user,support"},
			{Name: "X-Session-Id", Value: "s-alice"},
			{Name: "X-Org-Id", Value: "o-other"},
			{Name: "X-Org-Slug", Value: "other"},
			{Name: "X-Org-Name", Value: "Other"},
			{Name: "X-Org-Role", Value: "owner,billing"},
			{Name: "X-Auth-Method", Value: "cookie"},
		}},
		{get("/x", bearer("zoe")), []gate.Header{
			{Name: "X-User-Id", Value: "u-zoe"},
			{Name: "X-User-Email", Value: "zoe@app.test"},
			{Name: "X-User-Email-Verified", Value: "false"},
			{Name: "X-User-Name", Value: "Zo%C3%AB%20100%25%0D%0AX-User-Role%3A%20admin"},
			{Name: "X-Session-Id", Value: "s"},
			{Name: "X-Org-Id", Value: "%C3%B6-1"},
			{Name: "X-Org-Slug", Value: "caf%C3%A9"},
			{Name: "X-Org-Name", Value: "%20Caf%C3%A9%20"},
			{Name: "X-Auth-Method", Value: "bearer"},
			{Name: "X-Impersonated-By", Value: "u-root"},
		}},
		{get("/feed", cookie("loner")), []gate.Header{
			{Name: "X-User-Id", Value: "u-loner"},
			{Name: "X-User-Email-Verified", Value: "false"},
			{Name: "X-Session-Id", Value: "s-loner"},
			{Name: "X-Auth-Method", Value: "cookie"},
		}},
		{get("/feed", cookie("expired")), nil},
		{get("/feed"), nil},
		{get("/public", cookie("alice")), nil},
	} {
		a := w.Answer(c.r, w.Check(t.Context(), c.r))
		if diff := cmp.Diff(c.want, a.Identity); diff != "" || a.Status != 200 {
			t.Errorf("%s: status %d, identity (-want +got):\n%s", c.r.Target, a.Status, diff)
		}
		for _, line := range a.Identity {
			if line.Value == "" || strings.ContainsAny(line.Value, "\r\n\x00") {
				t.Errorf("%s: %q", line.Name, line.Value)
			}
		}
		// Every identity header is either set or named as unset, never both, never neither.
		for _, name := range w.Headers().Names() {
			set := slices.ContainsFunc(a.Identity, func(h gate.Header) bool { return strings.EqualFold(h.Name, name) })
			if unset := contains(a.Unset, strings.ToLower(name)); set == unset {
				t.Errorf("%s: %s is set: %v, unset: %v", c.r.Target, name, set, unset)
			}
		}
	}
}

func TestWhatTheClientSentNeverStays(t *testing.T) {
	rules := []gate.Rule{{Path: "/public", Access: gate.Open}, {Path: "/feed", Access: gate.Optional}}
	spoofs := []string{
		"X-User-Id", "x-user-id", "X-USER-ID", "x-USER-id", "X_User_Id", "x_user_id", "X.User.Id", "x~user~id", "X-User_Id", "x!user+id",
		"X|User'Id", "x#user$id", "X%User&Id", "x*user^id", "X`User-Id", "X\xffUser-Id", "x user id", "X-Auth-Method", "x.auth.method",
		"X-Internal-Caller", "X_Auth_User_Id", "X-Org-Role", "x~org~role", "X-Org-Id", "X_Org_Id",
	}
	for _, c := range []struct {
		it string
		r  *gate.Request
	}{
		{"public, anonymous", get("/public")},
		{"public, signed in", get("/public", cookie("alice"))},
		{"optional, anonymous", get("/feed")},
		{"optional, forged cookie", get("/feed", cookie("forged"))},
		{"optional, signed in", get("/feed", cookie("alice"))},
		{"required", get("/x", cookie("alice"))},
		{"required, bearer of a user with little", get("/x", bearer("loner"))},
		{"a preflight", get("/x", method("OPTIONS"), origin("https://app.test"), func(r *gate.Request) { r.Announced = "PUT" })},
	} {
		w := newWorld(t, rules)
		for _, name := range spoofs {
			value := "evil"
			if strings.EqualFold(name, "X-Org-Id") {
				value = "" // it is a question, and would be judged
			}
			w.Headers().Collect(c.r, name, value)
		}
		d := w.Check(t.Context(), c.r)
		a := w.Answer(c.r, d)
		if a.Verdict != gate.Allow {
			t.Fatalf("%s: %s", c.it, verdict(d))
		}
		for _, name := range spoofs {
			overwritten := slices.ContainsFunc(a.Identity, func(h gate.Header) bool { return strings.EqualFold(h.Name, name) })
			removed := slices.ContainsFunc(a.Remove, func(gone string) bool { return strings.EqualFold(gone, name) })
			if overwritten == removed { // Envoy removes what is both set and removed
				t.Errorf("%s: %q is overwritten: %v, removed: %v", c.it, name, overwritten, removed)
			}
		}
		for _, line := range a.Identity {
			if line.Value == "evil" {
				t.Errorf("%s: %s: evil", c.it, line.Name)
			}
		}
	}
}

func TestAlwaysRemoved(t *testing.T) {
	preset, _ := gate.Preset("usher")
	headers, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Organization: "X-Org-Id", AlwaysRemove: []string{"x-forwarded-user", "x-user-id"}})
	must(t, err)
	w := newWorld(t, []gate.Rule{{Path: "/public", Access: gate.Open}}, func(g *gate.Config) { g.Headers = headers })
	for path, want := range map[string][]string{"/public": {"x-forwarded-user", "x-user-id"}, "/x": {"x-forwarded-user"}} {
		for range 2 { // no answer changes another's
			r := get(path, cookie("alice"))
			if got := w.Answer(r, w.Check(t.Context(), r)).Remove; !cmp.Equal(got, want) {
				t.Errorf("%s: %v, want %v", path, got, want)
			}
		}
	}
}

func TestFactsHoldNoCredential(t *testing.T) {
	w := newWorld(t, nil)
	for token, want := range map[string][]gate.Fact{
		"alice-active": {
			{Name: "user_id", Value: "u-alice"},
			{Name: "session_id", Value: "s-alice"},
			{Name: "auth_method", Value: "cookie"},
			{Name: "org_id", Value: "o-other"},
			{Name: "org_role", Value: "owner,billing"},
			{Name: "reason", Value: "SIGNED_IN"},
		},
		"banned":  {{Name: "user_id", Value: "u"}, {Name: "session_id", Value: "s"}, {Name: "auth_method", Value: "cookie"}, {Name: "reason", Value: "USER_BANNED"}},
		"expired": {{Name: "reason", Value: "SESSION_EXPIRED"}},
	} {
		if diff := cmp.Diff(want, w.Check(t.Context(), get("/x", cookie(token))).Facts()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", token, diff)
		}
	}
}
