package forwardauth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
)

func answer(method string, out reply) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	respond(recorder, httptest.NewRequest(method, "/gate/traefik", nil), out)
	return recorder
}

func TestZeroReplyRefuses(t *testing.T) {
	if got := answer("GET", reply{}); got.Code != 403 {
		t.Errorf("the zero reply is %d", got.Code)
	}
	for _, a := range []gate.Answer{
		{},
		{Status: 200},
		{Status: 204},
		{Status: 999},
		{Verdict: gate.SignIn, Status: 200},
		{Verdict: gate.Unavailable},
		{Status: 200, Identity: []gate.Header{{Name: "X-User-Id", Value: "u"}}},
		{Verdict: 77, Status: 100},
	} {
		if got := answer("GET", plain(&a, nil)); got.Code != 403 || got.Header().Get("X-User-Id") != "" {
			t.Errorf("%+v is %d with identity %q", a, got.Code, got.Header().Get("X-User-Id"))
		}
	}
}

// E07: what the gate never says must not be written either.
func TestUnsoundLinesAreNotWritten(t *testing.T) {
	for _, line := range []gate.Header{
		{Name: "X-User-Name", Value: "a\r\nX-User-Id: evil"},
		{Name: "X-User-Name", Value: "a\nb"},
		{Name: "X-User-Name", Value: "a\x00b"},
		{Name: "X-User-Name", Value: "a\x7f"},
		{Name: "X-User-Name", Value: "\t"},
		{Name: "", Value: "a"},
		{Name: "X-User-Name", Value: ""},
		{Name: "X User", Value: "a"},
		{Name: "X:", Value: "a"},
		{Name: "X\r\nY", Value: "a"},
		{Name: "X_User_Id", Value: "a"},
		{Name: "Ü", Value: "a"},
	} {
		got := answer("GET", plain(&gate.Answer{Verdict: gate.Allow, Status: 200, Identity: []gate.Header{{Name: "X-User-Id", Value: "u"}, line}}, nil))
		if got.Code != 503 || got.Header().Get("X-User-Id") != "" || got.Header().Get("X-Usher-Reason") != "INTERNAL_ERROR" {
			t.Errorf("%q: %d %v", line, got.Code, got.Header())
		}
	}
}

func TestHeadHasNoBody(t *testing.T) {
	if got := answer("HEAD", reply{status: 403, body: "x"}); got.Body.Len() != 0 {
		t.Errorf("body %q", got.Body)
	}
}

func TestTicketCarriesNoAllow(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	ts := tickets{make([]byte, 32), func() time.Time { return now }}
	binding := [2][]string{{"GET"}, {"https://app.test/"}}
	for _, d := range []gate.Decision{
		{Verdict: gate.Allow, Reason: gate.SignedIn},
		{Verdict: gate.SignIn, Reason: gate.NoCredential},
		{Verdict: gate.Unavailable, Reason: gate.StoreTimeout},
		{Reason: gate.UserBanned},
		{},
		{Verdict: 77},
	} {
		got, ok := ts.redeem(ts.issue(d, binding), binding)
		want := d
		if d.Verdict == gate.Allow || d.Verdict == 77 {
			want.Verdict = gate.Deny
		}
		if !ok || got != want {
			t.Errorf("%v: redeemed as %v, %v", d, got, ok)
		}
	}
	// Signed by us, yet not something we write.
	for _, text := range []string{
		"1.a.SIGNED_IN.9999999999", "1..SIGNED_IN.9999999999", "1.1.SIGNED_IN.9999999999", "2.d.X.9999999999", "1.d.X.", "1.d.X.x",
		"1.d.X", "1.d.X.9999999999.", "", "....", "1.d.X.-1",
	} {
		signed := text + "." + encode(ts.sign(text, binding))
		if d, ok := ts.redeem(signed, binding); ok {
			t.Errorf("%q is redeemed as %v", text, d)
		}
	}
	one := [2][]string{{"GET", "https://app.test/"}, nil}
	if _, ok := ts.redeem(ts.issue(gate.Decision{}, binding), one); ok {
		t.Error("lines may move from one header to the other")
	}
}

func TestAliased(t *testing.T) {
	c := &check{dialect: traefik()}
	for name, want := range map[string]bool{
		"X-Forwarded-Uri": false, "x-forwarded-uri": false, "X_forwarded_uri": true, "X-Forwarded.uri": true, "X-Forwarded-": false,
		"X-Forwarded_": true, "X-Forwarded": false, "X_forwarded": false, "X-Forwardedyuri": false, "Y-Forwarded_uri": false,
		"X-Forwarded-Uri~": true, "": false, http.CanonicalHeaderKey("x_FORWARDED_uri"): true,
	} {
		if got := c.aliased(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
