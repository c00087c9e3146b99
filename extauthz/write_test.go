package extauthz

import (
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"

	"github.com/usherauth/usher/gate"
)

// E01: the zero CheckResponse lets pass, so nothing here may ever be it by accident.
func TestZeroAnswersDeny(t *testing.T) {
	for _, a := range []gate.Answer{
		{},
		{Status: 200},
		{Status: 204, Identity: []gate.Header{{Name: "X-User-Id", Value: "u"}}},
		{Status: 999},
		{Verdict: gate.SignIn, Status: 200},
		{Verdict: gate.Unavailable},
		{Verdict: 77, Status: 299},
	} {
		got := decode(t, encode(a, nil))
		if shown(got) != 403 || got.GetOkResponse() != nil || len(got.GetDeniedResponse().GetHeaders()) != 0 {
			t.Errorf("%+v: %v", a, got)
		}
	}
	if got := decode(t, new(Server).answer(from("10.0.0.7"), marshal(t, asking("GET", "/public/x")))); shown(got) != 503 {
		t.Errorf("the zero Server: %v", got)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New without a gate")
	}
}

func TestAllow(t *testing.T) {
	s, _ := newServer(t)
	q := asking("GET", "/private", "cookie", "session=alice", "x-user-id", "evil", "x_user_id", "evil", "x-team-id", "evil",
		"x.user.id", "evil")
	got := decode(t, s.answer(from("10.0.0.7"), marshal(t, q)))
	if got.GetStatus() == nil || got.GetStatus().GetCode() != 0 || got.GetDeniedResponse() != nil {
		t.Fatalf("%v", got)
	}
	ok := got.GetOkResponse()
	identity := make(map[string]string)
	for _, option := range ok.GetHeaders() {
		name := option.GetHeader().GetKey()
		if _, twice := identity[name]; twice {
			t.Errorf("%s occurs twice", name)
		}
		identity[name] = option.GetHeader().GetValue()
		old, action := switches(option)
		if old == nil || old.GetValue() || action != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Errorf("%s does not overwrite: %v", name, option)
		}
		if strings.HasPrefix(strings.ToLower(name), "x-usher-") || name == "Cache-Control" {
			t.Errorf("the backend is sent %s", name)
		}
	}
	for name, want := range map[string]string{
		"X-User-Id": "u-alice", "X-User-Name": "Zo%C3%AB%20alice", "X-Org-Id": "o-alice", "X-Auth-Method": "cookie", "X-Session-Id": "s-alice",
	} {
		if identity[name] != want {
			t.Errorf("%s is %q, want %q", name, identity[name], want)
		}
	}
	if want := []string{"x-team-id", "x.user.id", "x_user_id"}; !slices.Equal(ok.GetHeadersToRemove(), want) {
		t.Errorf("removes %q, want %q", ok.GetHeadersToRemove(), want)
	}
	if len(ok.GetResponseHeadersToAdd()) != 0 {
		t.Errorf("the client is sent %v", ok.GetResponseHeadersToAdd())
	}
	facts := got.GetDynamicMetadata().GetFields()
	for name, want := range map[string]string{
		"user_id": "u-alice", "session_id": "s-alice", "auth_method": "cookie", "org_id": "o-alice", "org_role": "owner", "reason": "SIGNED_IN",
	} {
		if facts[name].GetStringValue() != want {
			t.Errorf("metadata %s is %v, want %q", name, facts[name], want)
		}
	}
	if strings.Contains(got.String(), "session=alice") {
		t.Error("the answer holds the credential")
	}
}

func TestRefusals(t *testing.T) {
	s, sessions := newServer(t)
	for what, c := range map[string]struct {
		headers []string
		down    error
		status  int
		code    codes.Code
		reason  string
		lines   map[string]string
		body    string
	}{
		"nobody": {nil, nil, 401, codes.Unauthenticated, "NO_CREDENTIAL", map[string]string{"WWW-Authenticate": "Bearer"}, "UNAUTHORIZED"},
		"nobody in a browser": {
			[]string{"accept", "text/html"},
			nil, 302, codes.Unauthenticated, "NO_CREDENTIAL",
			map[string]string{"Location": "https://app.test/sign-in?callbackURL=https%3A%2F%2Fapp.test%2Fprivate"},
			"",
		},
		"not a member": {
			[]string{"cookie", "session=alice", "x-org-id", "rival"},
			nil, 403, codes.PermissionDenied, "NOT_A_MEMBER",
			nil, "NOT_A_MEMBER",
		},
		"store down": {
			[]string{"cookie", "session=alice"},
			errTest, 503, codes.PermissionDenied, "STORE_UNAVAILABLE",
			map[string]string{"Retry-After": "1"},
			"STORE_UNAVAILABLE",
		},
	} {
		sessions.Break(c.down)
		got := decode(t, s.answer(from("10.0.0.7"), marshal(t, asking("GET", "/private", c.headers...))))
		if shown(got) != c.status || codes.Code(got.GetStatus().GetCode()) != c.code || got.GetOkResponse() != nil || reason(got) != c.reason {
			t.Errorf("%s: %v", what, got)
		}
		lines := make(map[string]string)
		for _, option := range got.GetDeniedResponse().GetHeaders() {
			lines[option.GetHeader().GetKey()] = option.GetHeader().GetValue()
			if old, action := switches(option); old != nil || action != 0 {
				t.Errorf("%s: %v must leave both switches unset", what, option)
			}
			if strings.HasPrefix(option.GetHeader().GetKey(), "X-User-") || strings.HasPrefix(option.GetHeader().GetKey(), "X-Org-") {
				t.Errorf("%s: the refusal shows identity", what)
			}
		}
		if lines["Cache-Control"] != "no-store" || lines["X-Usher-Reason"] != c.reason {
			t.Errorf("%s: %v", what, lines)
		}
		for name, want := range c.lines {
			if lines[name] != want {
				t.Errorf("%s: %s is %q, want %q", what, name, lines[name], want)
			}
		}
		if body := got.GetDeniedResponse().GetBody(); !strings.Contains(body, c.body) || (c.body == "") != (body == "") {
			t.Errorf("%s: body %q", what, body)
		}
	}
	sessions.Break(nil)
	got := decode(t, s.answer(from("10.0.0.7"), marshal(t, asking("GET", "/private", "cookie", "session=alice", "x-org-id", "rival"))))
	if user := got.GetDynamicMetadata().GetFields()["user_id"].GetStringValue(); user != "u-alice" {
		t.Errorf("a refusal's metadata says user %q", user)
	}
}

// E07: what the gate never says must not be written either.
func TestUnsoundAnswersAreNotWritten(t *testing.T) {
	user := gate.Header{Name: "X-User-Id", Value: "u"}
	bad := []gate.Header{
		{Name: "X-User-Name", Value: "a\r\nX-User-Id: evil"},
		{Name: "X-User-Name", Value: "a\x00"},
		{Name: "X-User-Name", Value: "a\x7f"},
		{Name: "X-User-Name", Value: "a\tb"},
		{Name: "X-User-Name", Value: "caf\xe9"},
		{Name: "X-User-Name", Value: ""},
		{Name: "", Value: "a"},
		{Name: "X User", Value: "a"},
		{Name: "X_User_Id", Value: "a"},
		{Name: ":path", Value: "/"},
		{Name: "X\n", Value: "a"},
		{Name: "Ü", Value: "a"},
	}
	answers := []gate.Answer{
		{Verdict: gate.Allow, Status: 200, Identity: []gate.Header{user}, Remove: []string{"x\xff"}},
		{Verdict: gate.Allow, Status: 200, Identity: []gate.Header{user}, Remove: []string{""}},
		{Status: 403, Body: "\xff"},
	}
	for _, line := range bad {
		answers = append(answers,
			gate.Answer{Verdict: gate.Allow, Status: 200, Identity: []gate.Header{user, line}},
			gate.Answer{Status: 403, Headers: []gate.Header{line}})
	}
	for _, a := range answers {
		got := decode(t, encode(a, []gate.Fact{{Name: "reason", Value: "SIGNED_IN"}}))
		if shown(got) != 503 || got.GetOkResponse() != nil || reason(got) != "INTERNAL_ERROR" {
			t.Errorf("%+v: %v", a, got)
		}
	}
	raw := gate.Answer{Verdict: gate.Allow, Status: 200, Identity: []gate.Header{{Name: "X-User-Name", Value: "Zoë"}}}
	if got := decode(t, encode(raw, []gate.Fact{{Name: "user_id", Value: "u\xff"}})); shown(got) != 200 ||
		got.GetDynamicMetadata().GetFields()["user_id"].GetStringValue() != "u\uFFFD" {
		t.Errorf("UTF-8 as it is, and a fact that is not: %v", got)
	}
}

func TestRemovalsAreNamedOnce(t *testing.T) {
	a := gate.Answer{Verdict: gate.Allow, Status: 200, Remove: []string{"x_b", "x-a", "x_b", "x-a", "x_b"}}
	if got := decode(t, encode(a, nil)).GetOkResponse().GetHeadersToRemove(); !slices.Equal(got, []string{"x-a", "x_b"}) {
		t.Errorf("%q", got)
	}
}

func TestNestingOfAnyLength(t *testing.T) {
	for _, n := range []int{0, 1, 126, 127, 128, 129, 16382, 16383, 16384, 70000} {
		b, mark := open([]byte("before"), 3)
		b = closeAt(append(b, strings.Repeat("x", n)...), mark)
		f, rest, ok := cut(string(b[len("before"):]))
		if !ok || f.number != 3 || f.value != strings.Repeat("x", n) || rest != "" || !strings.HasPrefix(string(b), "before") {
			t.Errorf("%d bytes are not read back", n)
		}
	}
}

// TestCookie: a renewed cookie goes to the client beside the backend's, and its answer to nobody's cache.
func TestCookie(t *testing.T) {
	const line = "better-auth.session_token=TOKEN.c2ln%3D; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"
	allow := gate.Answer{Verdict: gate.Allow, Status: 200, Identity: []gate.Header{{Name: "X-User-Id", Value: "u"}}, Cookie: gate.NewSetCookie(line)}
	got := decode(t, encode(allow, nil))
	var added []string
	for _, option := range got.GetOkResponse().GetResponseHeadersToAdd() {
		old, action := switches(option)
		if old == nil {
			t.Fatalf("%v does not say what it means", option)
		}
		added = append(added, strings.Join([]string{option.GetHeader().GetKey(), option.GetHeader().GetValue(), old.String(), action.String()}, " | "))
	}
	want := []string{
		"set-cookie | " + line + " | value:true | APPEND_IF_EXISTS_OR_ADD",
		"cache-control | no-store |  | OVERWRITE_IF_EXISTS_OR_ADD",
	}
	if !slices.Equal(added, want) {
		t.Errorf("the client is sent\n%s\nwant\n%s", strings.Join(added, "\n"), strings.Join(want, "\n"))
	}
	for _, option := range got.GetOkResponse().GetHeaders() {
		if strings.Contains(option.String(), "TOKEN") {
			t.Errorf("the backend is sent %v", option)
		}
	}
	if strings.Contains(got.GetDynamicMetadata().String(), "TOKEN") {
		t.Error("the cookie is in the metadata")
	}

	for _, verdict := range []gate.Verdict{gate.Deny, gate.SignIn, gate.Unavailable} {
		refused := gate.Answer{Verdict: verdict, Status: 401, Cookie: gate.NewSetCookie(line)}
		if text := decode(t, encode(refused, nil)).String(); strings.Contains(text, "TOKEN") {
			t.Errorf("a refusal hands it out: %s", text)
		}
	}
	allow.Cookie = gate.NewSetCookie("a=b\r\nX-User-Id: evil")
	if got := decode(t, encode(allow, nil)); shown(got) != 503 || got.GetOkResponse() != nil {
		t.Errorf("a cookie of two lines: %v", got)
	}
}
