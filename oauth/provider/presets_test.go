package provider_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/oauth/provider"
)

// recorded is one request, as testdata/observed.json has it.
type recorded struct {
	Method, URL, Body string
	Headers           map[string]string
}

// observed is what Better Auth 1.7.25 did with one preset.
type observed struct {
	Name, Authorize          string
	Token, UserInfo, Refresh []recorded
	User, UserWithoutEmail   map[string]any
	AccountID                json.RawMessage
}

func load[T any](t testing.TB, name string) T {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// world answers for every provider there is, and notes what it was asked.
type world struct {
	profiles     map[string]any
	withoutEmail bool
	idToken      string
	signer       *oauthtest.IdP
	replace      map[string]string // URL -> body

	mu  sync.Mutex
	log []recorded
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	answer := func(status int, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
	url := r.URL.String()
	switch {
	case url == "https://idp.paybin.io/.well-known/openid-configuration":
		return answer(200, `{"issuer":"https://idp.paybin.io","jwks_uri":"https://idp.paybin.io/jwks"}`)
	case strings.HasSuffix(url, "/keys") || strings.HasSuffix(url, "/jwks") || strings.HasSuffix(url, "/jwks.json") || strings.HasSuffix(url, "/certs") || strings.HasSuffix(url, "/jwks/"):
		resp, err := w.signer.Client().Get(w.signer.URL + "/jwks") //nolint:noctx // ours
		if err != nil {
			return nil, err
		}
		return resp, nil
	}
	headers := map[string]string{}
	for name, values := range r.Header {
		if name != "User-Agent" || values[0] != "usher" {
			headers[strings.ToLower(name)] = values[0]
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, recorded{r.Method, url, string(body), headers})
	if text, ok := w.replace[url]; ok {
		return answer(200, text)
	}
	if strings.HasSuffix(url, "/user/emails") {
		if w.withoutEmail {
			return answer(200, `[]`)
		}
		return answer(200, `[{"email":"other@example.com","primary":true,"verified":true},{"email":"User@Example.COM","verified":true}]`)
	}
	if profile, ok := w.profiles[url]; ok {
		if raw, ok := profile.(string); ok {
			return answer(200, raw)
		}
		if w.withoutEmail {
			profile = stripped(profile)
		}
		b, err := json.Marshal(profile)
		if err != nil {
			return nil, err
		}
		return answer(200, string(b))
	}
	tokens := map[string]any{"access_token": "AT", "refresh_token": "RT", "expires_in": 3600, "scope": "a b", "openid": "OPENID", "unionid": "UNIONID"}
	if w.idToken != "" {
		tokens["id_token"] = w.idToken
	}
	b, err := json.Marshal(tokens)
	if err != nil {
		return nil, err
	}
	return answer(200, string(b))
}

// stripped is a profile without anything about e-mail.
func stripped(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, inner := range v {
			if !strings.Contains(k, "email") && k != "verified" {
				m[k] = stripped(inner)
			}
		}
		return m
	case []any:
		list := []any{}
		for _, inner := range v {
			list = append(list, stripped(inner))
		}
		return list
	}
	return v
}

func (w *world) take() []recorded {
	w.mu.Lock()
	defer w.mu.Unlock()
	log := w.log
	w.log = nil
	return log
}

// options are those the recording was made with.
func options(id string) provider.Options {
	o := provider.Options{ClientIDs: []string{"CID"}, ClientSecret: "CSECRET"}
	switch id {
	case "cognito":
		o.Domain, o.Region, o.UserPoolID = "pool.auth.example", "eu-west-1", "eu-west-1_abc"
	case "tiktok": // whose name for it is client key
		o.ClientIDs = []string{"CKEY"}
	}
	return o
}

// claimsOf is what a provider signs.
func claimsOf(id string, email bool) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{
		"sub": "SUB", "name": "Name N", "picture": "https://img/picture", "preferred_username": "pref", "oid": "OID",
		"aud": "CID", "iat": now, "exp": now + 600, "tid": "8d1b6d2c-0000-4000-8000-000000000001",
	}
	if email {
		c["email"], c["email_verified"] = "User@Example.COM", true
	}
	c["iss"] = map[string]string{
		"apple": "https://appleid.apple.com", "google": "https://accounts.google.com", "twitch": "https://id.twitch.tv/oauth2",
		"cognito": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", "paybin": "https://idp.paybin.io",
		"line": "https://access.line.me", "microsoft": "https://login.microsoftonline.com/8d1b6d2c-0000-4000-8000-000000000001/v2.0",
		"facebook": "https://www.facebook.com",
	}[id]
	return c
}

func sign(t testing.TB, idp *oauthtest.IdP, id string, claims map[string]any) string {
	t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	if id != "line" {
		return idp.Sign(string(b))
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(b)
	mac := hmac.New(sha256.New, []byte("CSECRET"))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestPresetsDoWhatBetterAuthDoes(t *testing.T) {
	golden := load[map[string]observed](t, "observed.json")
	if got, want := provider.Presets(), slices.Sorted(maps.Keys(golden)); !slices.Equal(got, want) {
		t.Errorf("presets %v\nrecorded %v", got, want)
	}
	idp := shared()
	for id, want := range golden {
		t.Run(id, func(t *testing.T) {
			for _, email := range []bool{true, false} {
				w := &world{profiles: load[map[string]any](t, "profiles.json"), withoutEmail: !email, signer: idp}
				if id != "facebook" {
					w.idToken = sign(t, idp, id, claimsOf(id, email))
				}
				p, err := provider.New(id, options(id), &http.Client{Transport: w}, nil)
				if err != nil {
					t.Fatal(err)
				}
				replay(t, p, w, id, want, email)
			}
		})
	}
}

func replay(t *testing.T, p provider.Provider, w *world, id string, want observed, email bool) {
	t.Helper()
	redirect := "https://app.example/api/auth/callback/" + id
	if p.ID() != id || p.Name() != want.Name {
		t.Errorf("%s %q, recorded %q", p.ID(), p.Name(), want.Name)
	}
	to, err := p.Authorize(provider.Authorization{State: "STATE", Verifier: "VERIFIER", RedirectURI: redirect, LoginHint: "hint@example.com"})
	if err != nil || to != want.Authorize {
		t.Errorf("authorize\n got %s\nwant %s\n%v", to, want.Authorize, err)
	}
	tokens, err := p.Exchange(t.Context(), provider.Exchange{Code: "CODE", Verifier: "VERIFIER", RedirectURI: redirect, DeviceID: "DEV"})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "token", w.take(), want.Token)
	cb := provider.Callback{}
	if id == "apple" && email {
		cb.AppleUser = `{"name":{"firstName":"First","lastName":"Last"},"email":"mallory@example.com"}`
	}
	i, err := p.Identify(t.Context(), tokens, cb)
	compare(t, "userinfo", w.take(), want.UserInfo)
	user := want.User
	if !email {
		user = want.UserWithoutEmail
	}
	switch {
	case user == nil:
		if !errors.Is(err, provider.ErrUserInfo) {
			t.Errorf("without e-mail: %+v %v", i, err)
		}
	case err != nil:
		t.Fatal(err)
	default:
		person(t, i, user, strings.Trim(string(want.AccountID), `"`))
	}
	r, can := p.(provider.Refresher)
	if can != (len(want.Refresh) > 0) {
		t.Fatalf("refreshes: %v", can)
	}
	if can {
		if _, err := r.Refresh(t.Context(), "RT"); err != nil {
			t.Error(err)
		}
		compare(t, "refresh", w.take(), want.Refresh)
	}
}

func compare(t *testing.T, what string, got, want []recorded) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d calls, recorded %d: %+v", what, len(got), len(want), got)
		return
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%s\n got %+v\nwant %+v", what, got[i], want[i])
		}
	}
}

func person(t *testing.T, i *provider.Identity, want map[string]any, id string) {
	t.Helper()
	image := ""
	if i.Image != nil {
		image = *i.Image
	}
	text := func(name string) string { s, _ := want[name].(string); return s }
	if i.AccountID != id || i.Email != text("email") || i.Name != text("name") || image != text("image") || i.EmailVerified != (want["emailVerified"] == true) {
		t.Errorf("got %+v (image %s)\nwant %v, account %s", i, image, want, id)
	}
	if !json.Valid(i.Raw) || !bytes.HasPrefix(i.Raw, []byte("{")) {
		t.Errorf("profile %s", i.Raw)
	}
}

func object(t testing.TB, m map[string]any) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
