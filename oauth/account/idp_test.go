package account

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// scriptedIdP is an identity provider that answers the same to everybody: what it says is in the tokens it is shown.
type scriptedIdP struct {
	url string
	key *rsa.PrivateKey

	mu    sync.Mutex
	calls []string // the bodies of what the token endpoint was asked
	once  map[string]bool
}

func newScriptedIdP(t testing.TB) *scriptedIdP {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &scriptedIdP{key: key, once: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *scriptedIdP) discovery() string { return p.url + "/.well-known/openid-configuration" }

func (p *scriptedIdP) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.calls...)
}

// spend uses a refresh token that works once.
func (p *scriptedIdP) spend(refresh string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.once[refresh] = true
}

func (p *scriptedIdP) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		say(w, http.StatusOK, map[string]any{
			"issuer": p.url, "authorization_endpoint": p.url + "/authorize", "token_endpoint": p.url + "/token",
			"userinfo_endpoint": p.url + "/userinfo", "jwks_uri": p.url + "/jwks", "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	case "/jwks":
		say(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	case "/token", "/login/oauth/access_token", "/login/oauth/token": // ours and Google's, GitHub's, Vercel's
		p.token(w, r)
	case "/userinfo":
		p.userInfo(w, r)
	case "/user":
		p.gitHub(w, r, `{"id":1001,"login":"ada","name":null,"email":"Ada@Example.com","avatar_url":"https://img.example/ada.png","plan":{"private_repos":1}}`)
	case "/user/emails":
		p.gitHub(w, r, `[{"email":"Ada@Example.com","primary":true,"verified":true}]`)
	default:
		http.NotFound(w, r)
	}
}

func (p *scriptedIdP) gitHub(w http.ResponseWriter, r *http.Request, body string) {
	if r.Header.Get("Authorization") != "Bearer at-full" {
		say(w, http.StatusUnauthorized, map[string]any{"message": "Requires authentication"})
		return
	}
	say(w, http.StatusOK, json.RawMessage(body))
}

// hosts are the real names that lead here.
func hosts() []string {
	return []string{"oauth2.googleapis.com", "github.com", "api.github.com", "api.vercel.com"}
}

// RoundTrip is the network in which they do.
func (p *scriptedIdP) RoundTrip(r *http.Request) (*http.Response, error) {
	if slices.Contains(hosts(), r.URL.Host) {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(p.url, "http://")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// token knows refresh tokens by what it is to answer to them.
func (p *scriptedIdP) token(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil {
		return
	}
	refresh := r.PostForm.Get("refresh_token")
	p.mu.Lock()
	p.calls = append(p.calls, r.PostForm.Encode())
	spent := p.once[refresh]
	if strings.HasPrefix(refresh, "once-") {
		p.once[refresh] = true
	}
	p.mu.Unlock()
	answer := map[string]any{"access_token": "at-new", "token_type": "Bearer", "refresh_token": "rt-new", "expires_in": 3600, "refresh_token_expires_in": 86400, "scope": "openid"}
	switch refresh {
	case "rt-good", "once-1", "once-2":
		if spent {
			say(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
			return
		}
		answer["access_token"] = "at-new-of-" + refresh
	case "rt-id":
		answer["id_token"] = "new.id.token"
	case "rt-keeps":
		delete(answer, "refresh_token")
		delete(answer, "refresh_token_expires_in")
	case "rt-endless":
		delete(answer, "expires_in")
	case "rt-nothing":
		answer = map[string]any{"token_type": "Bearer"}
	case "rt-junk":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("<html>"))
		return
	case "rt-down":
		panic(http.ErrAbortHandler)
	case "rt-moved":
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		return
	default:
		say(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "not " + refresh})
		return
	}
	say(w, http.StatusOK, answer)
}

// userInfo knows access tokens by what it is to answer to them.
func (p *scriptedIdP) userInfo(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") {
	case "at-full", "at-new", "at-new-of-rt-good":
		say(w, http.StatusOK, json.RawMessage(`{"sub":"s-1","id":"p-1","name":"Ada \u2603","email":"Ada@Example.com","email_verified":true,"picture":"https://img.example/ada.png","nested":{"b":1,"a":[true,null,1.50]}}`))
	case "at-bare":
		say(w, http.StatusOK, json.RawMessage(`{"sub":"s-1"}`))
	case "at-strange":
		say(w, http.StatusOK, json.RawMessage(`{"email_verified":"true","sub":"s-1","email":"x@example.com","name":"X"}`))
	case "at-junk":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("<html>"))
	case "at-down":
		panic(http.ErrAbortHandler)
	default:
		say(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
	}
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever left does not read it
}

// idToken is one of ours for the client "app", until then.
func (p *scriptedIdP) idToken(t testing.TB, until time.Time, more map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: p.key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{
		"iss": p.url, "aud": "app", "sub": "s-1", "iat": until.Add(-time.Hour).Unix(), "exp": until.Unix(), "nonce": "n-1",
	}
	for k, v := range more {
		claims[k] = v
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}
