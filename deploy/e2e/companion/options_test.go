package companion

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// overHTTP is a jar that a browser behind a proxy with https would have: it keeps and sends Secure cookies, though these
// servers answer without.
type overHTTP struct{ http.CookieJar }

func (j overHTTP) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Secure = false
	}
	j.CookieJar.SetCookies(u, cookies)
}

// Whatever option changes the bytes of a state, a cookie or a token changes them on both sides: a sign-in begins on one
// and finishes on the other, and each reads the tokens that the other kept (checklist 1 and 10).
func TestEitherSideFinishesUnderEveryOption(t *testing.T) {
	const old = "an-older-secret-0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	type object = map[string]any
	for name, c := range map[string]struct {
		theirs object
		ours   string // members of better_auth
		sealed bool   // whether rows hold tokens sealed
		kept   string // how a token in its row begins
		state  string // the name of the state's cookie
	}{
		"hashed identifiers": {object{"verification": object{"storeIdentifier": "hashed"}}, `verification: { store_identifier: hashed }`, false, "", "better-auth.state"},
		"states in cookies, tokens encrypted": {
			object{"account": object{"storeStateStrategy": "cookie", "encryptOAuthTokens": true}},
			`account: { store_state_strategy: cookie, encrypt_oauth_tokens: true }`, true, "", "better-auth.oauth_state",
		},
		"numbered secrets": {
			object{
				"secrets": []object{{"version": 2, "value": testenv.TestSecret}, {"version": 1, "value": old}},
				"account": object{"storeStateStrategy": "cookie", "encryptOAuthTokens": true},
			},
			fmt.Sprintf(`secrets: [{ version: 2, value: %q }, { version: 1, value: %q }], account: { store_state_strategy: cookie, encrypt_oauth_tokens: true }`, testenv.TestSecret, old),
			true, "$ba$2$", "better-auth.oauth_state",
		},
		"names for https": {object{"advanced": object{"useSecureCookies": true}}, `secure_cookies: "true"`, false, "", "__Secure-better-auth.state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := testenv.Postgres(t).NewDatabase(t)
			s := newSite(t, storage{database: func(*testing.T) string { return database }}, nil, c.theirs)
			s.sides[goSide] = s.another(t, func(line string) string {
				return strings.Replace(line, "better_auth: {", "better_auth: { "+c.ours+",", 1)
			}, "people sign in here").url
			for _, begin := range []side{goSide, js} {
				for _, finish := range []side{goSide, js} {
					name := string(begin) + " to " + string(finish)
					b := s.browser(t)
					b.Jar = overHTTP{b.Jar}
					s.at(begin)
					to := b.begin("/welcome")
					if !b.has(c.state) {
						t.Fatalf("%s: no cookie %s", name, c.state)
					}
					back := b.visit(to, ada.Sub)
					s.at(finish)
					if done := b.do(http.MethodGet, back, ""); done.Header.Get("Location") != "/welcome" {
						t.Fatalf("%s: %d to %q", name, done.StatusCode, done.Header.Get("Location"))
					}
					if n := number(t, database, fmt.Sprintf(`select count(*) from account where starts_with("accessToken", '%s')`, c.kept)); n != 1 {
						t.Errorf("%s: no access token is kept that begins with %q", name, c.kept)
					}
					told := map[side]string{}
					for _, reader := range []side{js, goSide} {
						s.at(reader)
						if got := b.who(); got != "ada@example.com" {
							t.Errorf("%s, read by %s: %q", name, reader, got)
						}
						var accounts []struct{ ID string }
						if list := b.do(http.MethodGet, "/api/auth/list-accounts", ""); json.Unmarshal([]byte(list.body), &accounts) != nil || len(accounts) != 1 {
							t.Fatalf("%s, read by %s: accounts %s", name, reader, list.body)
						}
						a := b.do(http.MethodPost, "/api/auth/get-access-token", fmt.Sprintf(`{"accountId":%q}`, accounts[0].ID))
						if told[reader] = a.body; a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"accessToken":"`) {
							t.Errorf("%s, read by %s: tokens %d %s", name, reader, a.StatusCode, a.body)
						}
					}
					var one struct{ AccessToken string }
					if err := json.Unmarshal([]byte(told[js]), &one); err != nil {
						t.Fatal(err)
					}
					if open := number(t, database, fmt.Sprintf(`select count(*) from account where "accessToken" = '%s'`, one.AccessToken)); (open == 0) != c.sealed {
						t.Errorf("%s: a token is kept as it is: %v", name, open != 0)
					}
					if told[js] != told[goSide] {
						t.Errorf("%s: Better Auth tells the tokens\n%s\nand Usher\n%s", name, told[js], told[goSide])
					}
				}
			}
		})
	}
}
