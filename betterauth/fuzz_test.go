package betterauth

import (
	"strings"
	"testing"

	"github.com/usherauth/usher/gate"
)

// genuineSigns writes signed values for marks, so that the fuzzer works next to what verifies instead of guessing HMACs.
var genuineSigns = strings.NewReplacer("@1", Sign(rigSecret, ada), "@2", Sign("old", bob), "@3", bare(ada), "@4", Sign("other", ada))

// neverUnproven fails where a credential is not what the slow reader proves; that one computes every HMAC anew.
func neverUnproven(t *testing.T, r *gate.Request) {
	t.Helper()
	headers := append([]string{r.Authorization}, r.Cookies...)
	for _, c := range []Config{
		{Secret: rigSecret, CookieName: name},
		{Secret: rigSecret, OlderSecrets: []string{"old"}, CookieName: name, RequireSignature: true},
	} {
		found, err := newReader(t, c).Read(r)
		got, want := outcome(found, err), slowOutcome(c, r)
		if got != want {
			t.Errorf("%q: got %q, want %q", headers, got, want)
		}
		if err != nil && found.Len() > 0 || err == nil && found.Len() == 0 || found.Len() > gate.MaxCandidates {
			t.Errorf("%q: %d credentials with error %v", headers, found.Len(), err)
		}
		for i := range found.Len() {
			if token := found.At(i).Token(); token == "" || len(token) > maxToken || strings.ContainsAny(token, "\x00\r\n") {
				t.Errorf("%q: %q is no token", headers, token)
			}
		}
	}
}

func FuzzCookieHeader(f *testing.F) {
	f.Add("_ga=GA1.2.3; better-auth.session_token=@1; theme=dark", "")
	f.Add("better-auth.session_token=@4", "better-auth.session_token=@2")
	f.Add(` better-auth.session_token = "@3" `, "better-auth.session_token=")
	f.Fuzz(func(t *testing.T, line, second string) {
		neverUnproven(t, &gate.Request{Cookies: []string{genuineSigns.Replace(line), genuineSigns.Replace(second)}})
	})
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer @1")
	f.Add("bearer  @3")
	f.Add("Bearer IUIZ9AJQ4Yg3wnILBRwcfcyvDNF8Mn1j")
	f.Add("Bearer\t@2")
	f.Add("Basic dTpw")
	f.Fuzz(func(t *testing.T, authorization string) {
		neverUnproven(t, &gate.Request{Authorization: genuineSigns.Replace(authorization), Cookies: []string{good(bob)}})
	})
}
