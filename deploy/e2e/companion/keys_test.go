package companion

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/internal/testenv"
)

const (
	newSecret = "the secret of today, 0123456789-ABCDEFGHIJKLMNOPQRSTUV"
	oldSecret = "the secret of last year, 9876543210-ZYXWVUTSRQPONMLKJI"
)

// plainJar keeps cookies also where they ask for a connection that is encrypted.
type plainJar struct{ http.CookieJar }

func (j plainJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Secure = false
	}
	j.CookieJar.SetCookies(u, cookies)
}

// What is sealed, hashed or named by an option on one side is opened, found and read on the other: secrets that were
// replaced, the first of them with the number 0; states in cookies and hashed ones; the names of an https site.
func TestOptionsThatChangeBytesMeanTheSameOnBothSides(t *testing.T) {
	for name, c := range map[string]struct {
		options map[string]any
		usher   string // into better_auth
	}{
		"replaced secrets, sealed tokens, states in cookies": {
			map[string]any{
				"secrets": []map[string]any{{"version": 1, "value": newSecret}, {"version": 0, "value": oldSecret}},
				"account": map[string]any{"encryptOAuthTokens": true, "storeStateStrategy": "cookie"},
			},
			fmt.Sprintf(`secret: %q, secrets: [{version: 1, value: %q}, {version: 0, value: %q}, %q], account: { encrypt_oauth_tokens: true, store_state_strategy: cookie }`,
				newSecret, newSecret, oldSecret, testenv.TestSecret),
		},
		"one secret with the number 0": {
			map[string]any{"secrets": []map[string]any{{"version": 0, "value": newSecret}}, "account": map[string]any{"encryptOAuthTokens": true}},
			fmt.Sprintf(`secret: %q, secrets: [{version: 0, value: %q}, %q], account: { encrypt_oauth_tokens: true }`, newSecret, newSecret, testenv.TestSecret),
		},
		"hashed states, names of an https site": {
			map[string]any{"verification": map[string]any{"storeIdentifier": "hashed"}, "advanced": map[string]any{"useSecureCookies": true}},
			fmt.Sprintf(`secret: %q, secure_cookies: true, verification: { store_identifier: hashed }`, testenv.TestSecret),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := "sqlite://" + filepath.Join(t.TempDir(), "app.db")
			s := newSite(t, storage{database: func(*testing.T) string { return database }}, nil, c.options)
			s.sides[goSide] = s.another(t, func(line string) string {
				return strings.Replace(line, fmt.Sprintf("secret: %q }", testenv.TestSecret), c.usher+" }", 1)
			}, "people sign in here").url
			sealed := c.options["secrets"] != nil
			for _, begin := range []side{goSide, js} {
				for _, finish := range []side{goSide, js} {
					name := string(begin) + " to " + string(finish)
					b := s.browser(t)
					jar, err := cookiejar.New(nil)
					if err != nil {
						t.Fatal(err)
					}
					b.Jar = plainJar{jar}
					for _, path := range []string{"sign-in/social", "link-social"} { // the latter has sealed the session's token
						s.at(begin)
						var to struct{ URL string }
						a := b.do(http.MethodPost, "/api/auth/"+path, `{"provider":"acme","callbackURL":"/in","errorCallbackURL":"/failed"}`)
						if err := json.Unmarshal([]byte(a.body), &to); err != nil || to.URL == "" {
							t.Fatalf("%s: %s: %d %s", name, path, a.StatusCode, a.body)
						}
						back := b.visit(to.URL, ada.Sub)
						s.at(finish)
						if done := b.do(http.MethodGet, back, ""); done.Header.Get("Location") != "/in" {
							t.Fatalf("%s: %s: %d to %q", name, path, done.StatusCode, done.Header.Get("Location"))
						}
					}
					tokens := map[side]string{}
					for _, reader := range []side{js, goSide} {
						s.at(reader)
						if got := b.who(); got != "ada@example.com" {
							t.Errorf("%s, read by %s: %q", name, reader, got)
						}
						tokens[reader] = b.accessToken()
					}
					if tokens[js] == "" || tokens[js] != tokens[goSide] {
						t.Errorf("%s: tokens %q", name, tokens)
					}
					if !sealed {
						continue
					}
					for what, kept := range map[string]string{
						"last year's": seal.NewKeys("", map[int]string{0: oldSecret}, 0).Encrypt("kept"), "older than numbers": seal.NewKeys(testenv.TestSecret, nil, 0).Encrypt("kept"),
						"this year's": seal.NewKeys("", map[int]string{1: newSecret}, 1).Encrypt("kept"),
					} {
						executeFile(t, database, `update account set "accessToken" = ?, "accessTokenExpiresAt" = null`, kept)
						for _, reader := range []side{js, goSide} {
							s.at(reader)
							tokens[reader] = b.accessToken()
						}
						if tokens[js] != tokens[goSide] || tokens[js] == "" && len(c.options["secrets"].([]map[string]any)) == 2 {
							t.Errorf("a token that is %s: %q", what, tokens)
						}
					}
				}
			}
		})
	}
}

// accessToken is what get-access-token says of somebody's only account; empty: an error.
func (b *browser) accessToken() string {
	b.t.Helper()
	var accounts []struct{ ID string }
	a := b.do(http.MethodGet, "/api/auth/list-accounts", "")
	if err := json.Unmarshal([]byte(a.body), &accounts); err != nil || len(accounts) != 1 {
		b.t.Fatalf("list-accounts: %d %s", a.StatusCode, a.body)
	}
	var tokens struct{ AccessToken string }
	a = b.do(http.MethodPost, "/api/auth/get-access-token", fmt.Sprintf(`{"accountId":%q}`, accounts[0].ID))
	if err := json.Unmarshal([]byte(a.body), &tokens); err != nil && a.StatusCode == http.StatusOK {
		b.t.Fatalf("get-access-token: %d %s", a.StatusCode, a.body)
	}
	return tokens.AccessToken
}
