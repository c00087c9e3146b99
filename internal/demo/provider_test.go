package demo

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testOrigin   = "http://127.0.0.1:4488"
	testVerifier = "verifier-verifier-verifier-verifier-verifier-1"
)

func testProvider(t *testing.T) *provider {
	t.Helper()
	people, _ := cast()
	p, err := newProvider(testOrigin, people)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask sends a request as this machine would; body nil is GET.
func (p *provider) ask(path string, body url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, testOrigin+providerPath+path, nil)
	if body != nil {
		r = httptest.NewRequest(http.MethodPost, testOrigin+providerPath+path, strings.NewReader(body.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func (p *provider) authorization() url.Values {
	sum := sha256.Sum256([]byte(testVerifier))
	return url.Values{
		"response_type": {"code"}, "client_id": {p.clientID}, "redirect_uri": {testOrigin + "/api/auth/callback/demo"},
		"scope": {"openid email"}, "state": {"s"}, "nonce": {"n"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"},
	}
}

// pick is the code that choosing Ada leads back with.
func (p *provider) pick(t *testing.T) string {
	t.Helper()
	w := p.ask("/authorize?"+p.authorization().Encode(), url.Values{"person": {"ada"}})
	back, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusSeeOther || !strings.HasPrefix(back.String(), testOrigin+"/api/auth/callback/demo?") ||
		back.Query().Get("state") != "s" || back.Query().Get("iss") != p.issuer || len(back.Query().Get("code")) != 32 {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	return back.Query().Get("code")
}

func (p *provider) exchange(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.redirectURI}, "code_verifier": {testVerifier},
		"client_id": {p.clientID}, "client_secret": {p.clientSecret},
	}
}

func TestProviderRefusesToAuthorize(t *testing.T) {
	p := testProvider(t)
	if w := p.ask("/authorize?"+p.authorization().Encode(), nil); w.Code != 200 || !strings.Contains(w.Body.String(), "Who are you today?") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for name, c := range map[string]struct {
		parameter string
		values    []string
		code      string // of the redirect; empty: nobody is led anywhere
	}{
		"unknown client":        {"client_id", []string{"other"}, ""},
		"no client":             {"client_id", nil, ""},
		"two clients":           {"client_id", []string{p.clientID, p.clientID}, ""},
		"redirect elsewhere":    {"redirect_uri", []string{"https://evil.example/"}, ""},
		"redirect with more":    {"redirect_uri", []string{p.redirectURI + "/x"}, ""},
		"redirect with a query": {"redirect_uri", []string{p.redirectURI + "?x"}, ""},
		"another port":          {"redirect_uri", []string{"http://127.0.0.1:1/api/auth/callback/demo"}, ""},
		"two redirects":         {"redirect_uri", []string{p.redirectURI, "https://evil.example/"}, ""},
		"no redirect":           {"redirect_uri", nil, ""},
		"implicit":              {"response_type", []string{"id_token"}, "unsupported_response_type"},
		"no openid":             {"scope", []string{"email"}, "invalid_scope"},
		"no state":              {"state", nil, "invalid_request"},
		"two states":            {"state", []string{"s", "s"}, "invalid_request"},
		"no PKCE":               {"code_challenge", nil, "invalid_request"},
		"plain PKCE":            {"code_challenge_method", []string{"plain"}, "invalid_request"},
		"no method, so plain":   {"code_challenge_method", nil, "invalid_request"},
		"a short challenge":     {"code_challenge", []string{"short"}, "invalid_request"},
	} {
		v := maps.Clone(p.authorization())
		v[c.parameter] = c.values
		for _, body := range []url.Values{nil, {"person": {"ada"}}} {
			w := p.ask("/authorize?"+v.Encode(), body)
			to, _ := url.Parse(w.Header().Get("Location"))
			switch {
			case c.code == "" && (w.Code != http.StatusBadRequest || to.String() != ""):
				t.Errorf("%s: %d to %s", name, w.Code, to)
			case c.code != "" && (w.Code != http.StatusSeeOther || to.Query().Get("error") != c.code || to.Query().Has("code") ||
				!strings.HasPrefix(to.String(), p.redirectURI+"?")):
				t.Errorf("%s: %d to %s", name, w.Code, to)
			}
		}
	}
}

func TestProviderSaysWhoWasPicked(t *testing.T) {
	p := testProvider(t)
	w := p.ask("/token", p.exchange(p.pick(t)))
	var got tokenAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	parts := strings.Split(got.IDToken, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims idClaims
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Issuer != p.issuer || claims.Subject != "ada" || claims.Audience != p.clientID || claims.Nonce != "n" ||
		claims.Email != "ada@demo.example" || !claims.EmailVerified || claims.Name != "" || claims.ExpiresAt-claims.IssuedAt != 3600 {
		t.Errorf("%s", payload)
	}
}

func TestProviderRefusesToExchange(t *testing.T) {
	p := testProvider(t)
	for name, c := range map[string]struct {
		parameter, value string
		status           int
		code             string
		spent            bool // whether the code is gone afterwards
	}{
		"another client":      {"client_id", "other", 401, "invalid_client", false},
		"no secret":           {"client_secret", "", 401, "invalid_client", false},
		"another grant":       {"grant_type", "refresh_token", 400, "unsupported_grant_type", false},
		"another redirect":    {"redirect_uri", "https://evil.example/", 400, "invalid_grant", true},
		"no verifier":         {"code_verifier", "", 400, "invalid_grant", true},
		"another's verifier":  {"code_verifier", testVerifier + "x", 400, "invalid_grant", true},
		"the challenge again": {"code_verifier", p.authorization().Get("code_challenge"), 400, "invalid_grant", true},
		"an invented code":    {"code", "invented", 400, "invalid_grant", false},
	} {
		code := p.pick(t)
		form := p.exchange(code)
		form.Set(c.parameter, c.value)
		if w := p.ask("/token", form); w.Code != c.status || !strings.Contains(w.Body.String(), c.code) || strings.Contains(w.Body.String(), "id_token") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w := p.ask("/token", p.exchange(code)); (w.Code != 200) != c.spent {
			t.Errorf("%s: the code afterwards: %d", name, w.Code)
		}
	}
	form := p.exchange(p.pick(t))
	form.Add("code", "x")
	if w := p.ask("/token", form); w.Code != 400 {
		t.Errorf("two codes: %d", w.Code)
	}
}

// TestACodeIsGoodOnce, also when many come with it at the same instant, and not for long.
func TestACodeIsGoodOnce(t *testing.T) {
	p := testProvider(t)
	form := p.exchange(p.pick(t))
	var all sync.WaitGroup
	statuses := make([]int, 20)
	for i := range statuses {
		all.Go(func() { statuses[i] = p.ask("/token", form).Code })
	}
	all.Wait()
	good := 0
	for _, status := range statuses {
		if status == 200 {
			good++
		}
	}
	if good != 1 {
		t.Errorf("exchanged %d times", good)
	}

	code, start := p.pick(t), time.Now()
	p.now = func() time.Time { return start.Add(2 * codeLifetime) }
	if w := p.ask("/token", p.exchange(code)); w.Code != 400 {
		t.Errorf("a stale code: %d", w.Code)
	}
	for range maxCodes {
		p.pick(t)
	}
	w := p.ask("/authorize?"+p.authorization().Encode(), url.Values{"person": {"ada"}})
	if !strings.Contains(w.Header().Get("Location"), "error=temporarily_unavailable") || len(p.codes.open) != maxCodes {
		t.Errorf("%d codes wait, and then: %v", len(p.codes.open), w.Header())
	}
}

// TestProviderAnswersThisMachineAlone: neither another machine, nor a name that was made to mean 127.0.0.1.
func TestProviderAnswersThisMachineAlone(t *testing.T) {
	p := testProvider(t)
	for _, c := range []struct {
		host, from string
		status     int
	}{
		{"127.0.0.1:4488", "127.0.0.1:1", 200},
		{"127.0.0.1:4488", "[::1]:1", 200},
		{"127.0.0.1:4488", "192.0.2.1:1", 403},
		{"127.0.0.1:4488", "", 403},
		{"evil.example:4488", "127.0.0.1:1", 403},
		{"127.0.0.1", "127.0.0.1:1", 403},
	} {
		for _, path := range []string{discoveryPath, "/jwks", "/authorize?" + p.authorization().Encode()} {
			r := httptest.NewRequest(http.MethodGet, testOrigin+providerPath+path, nil)
			r.Host, r.RemoteAddr = c.host, c.from
			w := httptest.NewRecorder()
			if p.ServeHTTP(w, r); w.Code != c.status {
				t.Errorf("%s from %q to %s: %d", path, c.from, c.host, w.Code)
			}
		}
	}
	for _, path := range []string{"/", "/userinfo", "/jwks/", "/token"} {
		if w := p.ask(path, nil); w.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
}
