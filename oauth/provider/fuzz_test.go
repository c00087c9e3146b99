package provider_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/provider"
)

// says answers every request with one body.
type says string

func (s says) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(s))), Request: r}, nil
}

// silent answers nothing until its caller leaves.
func silent() *http.Client { return &http.Client{Transport: never{}} }

type never struct{}

func (never) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// sane is what must hold of every identity, whatever a provider said.
func sane(t *testing.T, id string, i *provider.Identity, err error) {
	t.Helper()
	if (i == nil) == (err == nil) {
		t.Fatalf("%s: %+v, %v", id, i, err)
	}
	if err != nil {
		if len(err.Error()) > 600 {
			t.Fatalf("%s: an error of %d bytes", id, len(err.Error()))
		}
		return
	}
	switch strings.TrimSpace(i.AccountID) {
	case "", "undefined", "null", "NaN":
		t.Fatalf("%s: account id %q", id, i.AccountID)
	}
	if i.EmailVerified && strings.Count(i.Email, "@") != 1 || !utf8.Valid(i.Raw) {
		t.Fatalf("%s: %+v", id, i)
	}
}

func FuzzUserInfo(f *testing.F) {
	for _, profile := range load[map[string]any](f, "profiles.json") {
		if b, ok := profile.(map[string]any); ok {
			f.Add(object(f, b))
		}
	}
	for _, junk := range []string{"", "{}", "[]", "null", `{"id":1e999}`, `{"sub":"a","sub":"b"}`, `{"data":[null]}`, `{"images":[1]}`, `{"picture":{"data":1}}`, "\xff", `{"email":"a@b@c","sub":"x","email_verified":true}`} {
		f.Add(junk)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, id := range provider.Presets() {
			p, err := provider.New(id, options(id), &http.Client{Transport: says(body)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			i, err := p.Identify(t.Context(), tokens("AT", ""), provider.Callback{AppleUser: body})
			sane(t, id, i, err)
		}
	})
}

func FuzzTokenAnswer(f *testing.F) {
	for _, s := range []string{`{"access_token":"a","expires_in":3600,"scope":"a b"}`, `{"access_token":"a","expires_in":"1e99","scope":["a",1]}`, `{"error":"x"}`, "", "a=b", `{"access_token":"a","expires_in":-1e300}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, id := range []string{"google", "wechat", "github"} {
			p, err := provider.New(id, options(id), &http.Client{Transport: says(body)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Exchange(t.Context(), provider.Exchange{Code: "CODE-CODE", Verifier: "VERIFIER"})
			switch {
			case (got == nil) == (err == nil):
				t.Fatalf("%s: %v %v", id, got, err)
			case err != nil && (len(err.Error()) > 600 || strings.Contains(err.Error(), "CODE-CODE")):
				t.Fatalf("%s: %v", id, err)
			case err == nil && (got.Access == nil || *got.Access == ""):
				t.Fatalf("%s: no access token", id)
			}
		}
	})
}

func FuzzIDToken(f *testing.F) {
	idp := oauthtest.New()
	f.Cleanup(idp.Close)
	idp.Rotate("ES256")
	p, err := provider.New("acme", idp.Options(), idp.Client(), nil)
	if err != nil {
		f.Fatal(err)
	}
	v := p.(provider.IDTokenVerifier)
	good := idp.IDToken(oauthtest.Alice(), "", "")
	for _, s := range []string{good, good[:len(good)-1], "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", strings.Repeat(".", 10)} {
		f.Add(s, `{"sub":"x"}`)
	}
	for _, payload := range []string{`{"iss":1}`, `{"aud":[]}`, `{"exp":1e999}`, `{"sub":"a","sub":"b"}`, `null`, `[]`, "\xff", `{"exp":"1"}`} {
		f.Add("", payload)
	}
	f.Fuzz(func(t *testing.T, token, payload string) {
		if i, err := v.VerifyIDToken(t.Context(), token, ""); err == nil && token != good {
			// ECDSA signatures and base64 have more than one spelling; what they say must be what was signed.
			if i.AccountID != "sub-alice" {
				t.Fatalf("%q passed as %+v", token, i)
			}
		}
		// Well signed, whatever it says.
		i, err := v.VerifyIDToken(t.Context(), idp.Sign(payload), "")
		sane(t, "acme", i, err)
		stored, err := p.Identify(t.Context(), tokens("", token), provider.Callback{Stored: true})
		sane(t, "acme", stored, err)
	})
}
