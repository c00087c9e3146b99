package gate_test

import (
	"testing"

	"github.com/usherauth/usher/gate"
)

// TestConformanceRows is the gate's share of the conformance matrix of the proxies: what it says to each URL form, on
// a policy where /public is open and everything else demands a session.
func TestConformanceRows(t *testing.T) {
	w := newWorld(t, []gate.Rule{
		{Name: "public", Path: "/public/**", Access: gate.Open},
		{Name: "tilde", Path: "/A/~user/A", Access: gate.Open},
		{Name: "cafe", Path: "/café", Access: gate.Open},
		{Name: "space", Path: "/a ", Access: gate.Open},
		{Name: "c", Path: "/c", Access: gate.Open},
		{Name: "asterisk", Host: "evil.test", Access: gate.Open},
	})
	const unsafe, ambiguous = "deny UNSAFE_PATH", "deny AMBIGUOUS_REQUEST"
	for _, c := range []struct {
		row  string
		r    *gate.Request
		want string
	}{
		{"U01 C01", get("/public/%2e%2e/private"), unsafe},
		{"U02 C02", get("/public/../private"), unsafe},
		{"U03 C03", get("//private//x"), unsafe},
		{"U03 with merge_slashes is another test", get("/private/x"), "sign-in NO_CREDENTIAL"},
		{"U04 C04", get("/public/x;a=b"), unsafe},
		{"U04 C09", get("/public/..;/private"), unsafe},
		{"U05 C05", get("/public%2Fx"), unsafe},
		{"U05 C07", get("/public/..%2fprivate"), unsafe},
		{"U05 C16", get("/public/%2e%2e%2fprivate"), unsafe},
		{"U06 C08", get("/public/%252e%252e/private"), unsafe},
		{"U07 C10", get(`/public\..\private`), unsafe},
		{"U07 C11", get("/public/a%00b"), unsafe},
		{"U08 C12", get("/caf\xc3\xa9"), "allow PUBLIC"},
		{"U08 its encoding", get("/caf%C3%A9"), "allow PUBLIC"},
		{"U09 C13", get("/public/a#frag"), unsafe},
		{"U10 C14", get("/c?x=/../%2f"), "allow PUBLIC"},
		{"U10 C20", get("/c?a?b"), "allow PUBLIC"},
		{"U10 the query opens nothing", get("/private?/public/x"), "sign-in NO_CREDENTIAL"},
		{"U11 C18", get("/A/%7Euser/%41"), "allow PUBLIC"},
		{"U12 C06", get("/a%20"), "allow PUBLIC"},
		{"U12 without the space", get("/a"), "sign-in NO_CREDENTIAL"},
		{"U12 C17", get("/c?"), "allow PUBLIC"},
		{"U12 C19", get("/public/.."), unsafe},
		{"U13 C30", get("http://evil.test/x"), unsafe},
		{"U13 the host is the one used for routing", get("/x", host("evil.test")), "allow PUBLIC"},
		{"U14 C31", get("*", method("OPTIONS"), host("evil.test")), unsafe},
		{"U14 C32", get("h:443", method("CONNECT"), host("evil.test")), "deny METHOD_REFUSED"},
		{"U14 C33", get("private", host("evil.test")), unsafe},
		{"U14 A14", get("/public/x", method("TRACE")), "deny METHOD_REFUSED"},
		{"R11", get("/x", host("EVIL.test:8443")), "allow PUBLIC"},
		{"R12", get("/public/x", host("")), ambiguous},
		{"S20", get("/public/x", host("app.test,evil.test")), ambiguous},
		{"E03", get(""), ambiguous},
	} {
		if got := w.decide(t, c.r); got != c.want {
			t.Errorf("%s: %s %s: got %s, want %s", c.row, c.r.Method, c.r.Target, got, c.want)
		}
	}
}
