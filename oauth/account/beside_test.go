package account

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/accounts"
)

// asked is one request that both sides are asked, each with the same rows in the database.
type asked struct {
	name    string
	method  string
	path    string // below /api/auth
	body    string
	headers []string
	differs bool // on purpose: docs/companion.md says why
}

const unknown = "unknownunknownunknownunknownunkn"

// rows are Ada's accounts, each for what its tokens lead to, and one of Eve's.
func rows(now time.Time, idToken, oldIDToken, sealed string) (ada []record.Account, eve record.Account) {
	alive, due, over := now.Add(time.Hour), now.Add(3*time.Second), now.Add(-time.Hour)
	with := func(id, provider string, access, refresh, idToken *string, until *time.Time) record.Account {
		return record.Account{ID: id, ProviderID: provider, AccessToken: access, RefreshToken: refresh, IDToken: idToken, AccessTokenExpiresAt: until, Scope: ptr("openid,email, profile,,")}
	}
	ada = []record.Account{
		{ID: "cred", ProviderID: "credential", Password: ptr("salt:hash")},
		with("live", "acme", ptr("at-full"), ptr("rt-good"), nil, &alive),
		with("due", "acme", ptr("at-old"), ptr("rt-good"), nil, &due),
		with("over", "acme", ptr("at-old"), ptr("rt-id"), ptr("old.id.token"), &over),
		with("keeps", "acme", ptr("at-old"), ptr("rt-keeps"), ptr("old.id.token"), &over),
		with("endless", "plain", ptr("at-old"), ptr("rt-endless"), nil, &over),
		with("nothing", "acme", ptr("at-old"), ptr("rt-nothing"), nil, &over),
		with("junk", "acme", ptr("at-old"), ptr("rt-junk"), nil, &over),
		with("down", "acme", ptr("at-old"), ptr("rt-down"), nil, &over),
		with("moved", "acme", ptr("at-old"), ptr("rt-moved"), nil, &over),
		with("refused", "plain", ptr("at-old"), ptr("rt-unknown"), nil, &over),
		with("norefresh", "acme", ptr("at-full"), nil, nil, &over),
		with("emptyrefresh", "acme", ptr("at-full"), ptr(""), nil, &over),
		with("forever", "acme", ptr("at-full"), ptr("rt-good"), nil, nil),
		with("notokens", "acme", nil, nil, nil, nil),
		with("noscope", "plain", ptr("at-full"), ptr("rt-good"), nil, nil),
		with("absent", "gone", ptr("at-full"), ptr("rt-good"), nil, &alive),
		with("stranger", "nowhere", ptr("at-full"), ptr("rt-good"), nil, &over),
		with("plain", "plain", ptr("at-full"), nil, nil, nil),
		with("bare", "acme", ptr("at-bare"), nil, nil, nil),
		with("strange", "acme", ptr("at-strange"), nil, nil, nil),
		with("junkinfo", "acme", ptr("at-junk"), nil, nil, nil),
		with("downinfo", "acme", ptr("at-down"), nil, nil, nil),
		with("badinfo", "acme", ptr("at-unknown"), nil, nil, nil),
		with("idtoken", "acme", ptr("at-full"), nil, &idToken, nil),
		with("oldidtoken", "acme", ptr("at-full"), nil, &oldIDToken, nil),
		with("junkidtoken", "acme", ptr("at-full"), nil, ptr("junk"), nil),
		with("sealed", "acme", &sealed, &sealed, nil, nil),
		with("google", "google", ptr("at-full"), ptr("rt-id"), &idToken, &alive),
		with("googleold", "google", ptr("at-full"), ptr("rt-good"), &oldIDToken, &due),
		with("googlenoid", "google", ptr("at-full"), nil, nil, nil),
		with("github", "github", ptr("at-full"), nil, nil, nil),
		with("githubgone", "github", ptr("at-revoked"), ptr("rt-keeps"), nil, nil),
		with("vercel", "vercel", ptr("at-full"), ptr("rt-good"), nil, &over),
	}
	for i := range ada {
		switch ada[i].ID {
		case "noscope":
			ada[i].Scope = nil
		case "keeps":
			ada[i].RefreshTokenExpiresAt = ptr(now.Add(30 * day))
		}
	}
	return ada, with("foreign", "acme", ptr("at-full"), ptr("rt-good"), nil, &over)
}

func with(token string, more ...string) []string {
	return append([]string{"Cookie", cookie(token)}, more...)
}

func posting(token string, more ...string) []string {
	return append(with(token, "Origin", base, "Content-Type", "application/json"), more...)
}

// requests are asked with the sessions young (an hour old), due (older than a day) and over (just expired).
func requests() []asked {
	var all []asked
	for _, path := range []string{"/list-accounts", "/account-info?accountId=live"} {
		all = append(all,
			asked{name: "GET " + path, method: "GET", path: path, headers: with("young")},
			asked{name: "GET " + path + ", due", method: "GET", path: path, headers: with("due")},
			asked{name: "GET " + path + ", over", method: "GET", path: path, headers: with("over")},
			asked{name: "GET " + path + ", unknown", method: "GET", path: path, headers: with(unknown)},
			asked{name: "GET " + path + ", nobody", method: "GET", path: path},
			asked{name: "GET " + path + ", by bearer", method: "GET", path: path, headers: []string{"Authorization", "Bearer young"}},
			asked{name: "GET " + path + ", forged bearer", method: "GET", path: path, headers: []string{"Authorization", "Bearer young.x"}},
			asked{name: "POST " + path, method: "POST", path: path, headers: posting("young"), body: "{}"},
			asked{name: "HEAD " + path, method: "HEAD", path: path, headers: with("young")})
	}
	for _, path := range []string{"/unlink-account", "/get-access-token", "/refresh-token"} {
		for _, id := range []string{"cred", "live", "foreign", "nope", ""} {
			all = append(all, asked{name: path + " " + id, method: "POST", path: path, headers: posting("young"), body: `{"accountId":"` + id + `"}`})
		}
		body := `{"accountId":"live"}`
		all = append(all,
			asked{name: path + ", due", method: "POST", path: path, headers: posting("due"), body: body},
			asked{name: path + ", over", method: "POST", path: path, headers: posting("over"), body: body},
			asked{name: path + ", unknown", method: "POST", path: path, headers: posting(unknown), body: body},
			asked{name: path + ", nobody", method: "POST", path: path, headers: []string{"Content-Type", "application/json"}, body: body},
			asked{name: path + ", by bearer", method: "POST", path: path, headers: []string{"Authorization", "Bearer young", "Content-Type", "application/json"}, body: body},
			asked{name: path + ", a foreign page", method: "POST", path: path, headers: with("young", "Origin", "https://evil.example", "Content-Type", "application/json"), body: body},
			asked{name: path + ", no origin", method: "POST", path: path, headers: with("young", "Content-Type", "application/json"), body: body},
			asked{name: path + ", not remembered", method: "POST", path: path, headers: []string{"Cookie", cookie("due") + "; better-auth.dont_remember=" + betterauth.Sign(testenv.TestSecret, "true"), "Origin", base, "Content-Type", "application/json"}, body: body},
			asked{name: path + " by GET", method: "GET", path: path, headers: with("young")})
		for _, body := range malformed() {
			all = append(all, asked{name: path + " " + body, method: "POST", path: path, headers: posting("young"), body: body})
		}
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json;charset=utf-8"} {
			all = append(all, asked{name: path + " of type " + kind, method: "POST", path: path, headers: with("young", "Origin", base, "Content-Type", kind), body: body})
		}
	}
	ada, _ := rows(time.Now(), "", "", "")
	for _, a := range ada {
		all = append(all,
			asked{name: "get-access-token of " + a.ID, method: "POST", path: "/get-access-token", headers: posting("young"), body: `{"accountId":"` + a.ID + `","userId":"somebody-else"}`},
			asked{name: "refresh-token of " + a.ID, method: "POST", path: "/refresh-token", headers: posting("young"), body: `{"accountId":"` + a.ID + `"}`},
			asked{name: "account-info of " + a.ID, method: "GET", path: "/account-info?accountId=" + a.ID, headers: with("young"), differs: slices.Contains([]string{"junkinfo", "downinfo", "google", "googleold"}, a.ID)})
	}
	for _, query := range []string{
		"", "?", "?accountId", "?accountId=", "?accountId=nope", "?accountId=foreign", "?accountId=live&accountId=due", "?accountId=live&userId=x", "?accountId=live&providerId=acme",
		"?accountId=live&a=1&b=2", "?useAccountCookie=true", "?userId=x", "?accountId=live&useAccountCookie=true", "?accountId=live&disableRefresh=true", "?accountId=%6cive", "?accountId=live%00",
	} {
		all = append(all, asked{name: "account-info" + query, method: "GET", path: "/account-info" + query, headers: with("young")},
			asked{name: "account-info" + query + ", nobody", method: "GET", path: "/account-info" + query})
	}
	all = append(all, asked{name: "list-accounts with a query", method: "GET", path: "/list-accounts?x=1&x=2&disableRefresh=true", headers: with("due")})
	return append(all, updates()...)
}

func malformed() []string {
	return []string{
		"", "{", "null", "1", "true", `"x"`, "[]", "{}", `{"accountId":1}`, `{"accountId":null}`, `{"accountId":["live"]}`, `{"accountId":{"id":"live"}}`, `{"providerId":"acme"}`,
		`{"accountId":"live","providerId":"acme"}`, `{"accountId":"live","a":1,"b":2}`, `{"accountId":"live","userId":7}`, `{"accountId":"live","userId":null}`, `{"useAccountCookie":true}`,
		`{"useAccountCookie":false}`, `{"useAccountCookie":"true"}`, `{"useAccountCookie":true,"userId":"x"}`, `{"useAccountCookie":true,"accountId":"live"}`, `{"useAccountCookie":true,"x":1}`,
		`{"userId":"x"}`, `{"accountId":"nope","accountId":"live"}`, "\ufeff{\"accountId\":\"live\"}", `{"accountId":"\u006cive"}`, `{"accountId":"live "}`, "{}x", "\xff", `{"callbackURL":"https://evil.example","accountId":"live"}`,
	}
}

func updates() []asked {
	var all []asked
	for _, body := range []string{
		"", "{", "null", "1", `"x"`, "[]", "{}", `{"name":"Ada L."}`, `{"name":""}`, `{"name":"☃ \" \\ \u0001"}`, `{"image":"https://x.test/a.png"}`, `{"image":null}`, `{"image":""}`, `{"name":"A","image":"B"}`,
		`{"image":"javascript:alert(1)"}`, `{"email":"new@example.com"}`, `{"email":"","name":"A"}`, `{"email":null,"name":"A"}`, `{"email":0}`, `{"email":{}}`, `{"emailVerified":true}`, `{"emailVerified":true,"name":"A"}`,
		`{"id":"x","name":"A"}`, `{"role":"admin"}`, `{"role":"admin","name":"A"}`, `{"role":"","name":"A"}`, `{"role":null}`, `{"banned":false,"name":"A"}`, `{"banned":true}`, `{"banReason":"x"}`, `{"banExpires":"2030-01-01"}`,
		`{"banExpires":0,"banReason":"","banned":0,"role":false,"name":"A"}`, `{"banReason":"x","role":"admin"}`, `{"email":"x","role":"admin"}`, `{"unknown":1}`, `{"unknown":1,"name":"A"}`, `{"createdAt":"2020-01-01T00:00:00.000Z","name":"A"}`,
		`{"__proto__":{"name":"x"}}`, `{"constructor":"x","name":"A"}`, `{"name":"A","name":"B"}`, `{"callbackURL":"/x","name":"A"}`, `{"callbackURL":7,"name":"A"}`,
	} {
		all = append(all, asked{name: "update-user " + body, method: "POST", path: "/update-user", headers: posting("young"), body: body})
	}
	body := `{"name":"Countess"}`
	forget := "; better-auth.dont_remember=" + betterauth.Sign(testenv.TestSecret, "true")
	return append(all,
		asked{name: "update-user, name null", method: "POST", path: "/update-user", headers: posting("young"), body: `{"name":null}`, differs: true},
		asked{name: "update-user, name a number", method: "POST", path: "/update-user", headers: posting("young"), body: `{"name":7}`, differs: true},
		asked{name: "update-user, name an object", method: "POST", path: "/update-user", headers: posting("young"), body: `{"name":{"a":1}}`, differs: true},
		asked{name: "update-user, image a list", method: "POST", path: "/update-user", headers: posting("young"), body: `{"image":["x"]}`, differs: true},
		asked{name: "update-user, due", method: "POST", path: "/update-user", headers: posting("due"), body: body},
		asked{name: "update-user, over", method: "POST", path: "/update-user", headers: posting("over"), body: body},
		asked{name: "update-user, unknown", method: "POST", path: "/update-user", headers: posting(unknown), body: body},
		asked{name: "update-user, nobody", method: "POST", path: "/update-user", headers: []string{"Content-Type", "application/json"}, body: body},
		asked{name: "update-user, by bearer", method: "POST", path: "/update-user", headers: []string{"Authorization", "Bearer young", "Content-Type", "application/json"}, body: body},
		asked{name: "update-user, not remembered", method: "POST", path: "/update-user", headers: []string{"Cookie", cookie("young") + forget, "Origin", base, "Content-Type", "application/json"}, body: body},
		asked{name: "update-user, a foreign page", method: "POST", path: "/update-user", headers: with("young", "Origin", "https://evil.example", "Content-Type", "application/json"), body: body},
		asked{name: "update-user, text", method: "POST", path: "/update-user", headers: with("young", "Origin", base, "Content-Type", "text/plain"), body: body},
		asked{name: "update-user by GET", method: "GET", path: "/update-user", headers: with("young")},
	)
}

// TestBesideBetterAuth asks the real library and our router the same, on the same database and with the same identity
// provider, and compares what they answer and what is left in the database.
func TestBesideBetterAuth(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { beside(t, "sqlite://"+t.TempDir()+"/auth.db", false, false) })
	t.Run("postgres, tokens encrypted", func(t *testing.T) { beside(t, testenv.Postgres(t).NewDatabase(t), true, true) })
}

func beside(t *testing.T, database string, encrypted, all bool) {
	idp := newScriptedIdP(t)
	client := func(more map[string]any) map[string]any {
		more["clientId"], more["clientSecret"] = "app", "app-secret"
		return more
	}
	preset := map[string]any{"clientId": "app", "clientSecret": "app-secret"}
	stand := map[string]string{}
	for _, host := range hosts() {
		stand[host] = idp.url
	}
	theirs := testenv.BetterAuth(t, testenv.BetterAuthConfig{
		DatabaseURL: database, BaseURL: base,
		Generic: []map[string]any{
			client(map[string]any{"providerId": "acme", "discoveryUrl": idp.discovery()}),
			client(map[string]any{"providerId": "plain", "authorizationUrl": idp.url + "/authorize", "tokenUrl": idp.url + "/token", "userInfoUrl": idp.url + "/userinfo"}),
			client(map[string]any{"providerId": "gone", "discoveryUrl": idp.url + "/nowhere"}),
		},
		Hosts:   stand,
		Options: map[string]any{"socialProviders": map[string]any{"google": preset, "github": preset, "vercel": preset}, "account": map[string]any{"encryptOAuthTokens": encrypted, "accountLinking": map[string]any{"allowUnlinkingAll": all}}},
	})
	ada, eve := theirs.SignUp(t, "Ada", "ada@example.com"), theirs.SignUp(t, "Eve", "eve@example.com")
	w := newWorldOn(t, accounts.Config{URL: database}, idp, func(c *Config) { c.EncryptTokens, c.AllowUnlinkingAll = encrypted, all })
	now := time.Now()
	r := &reset{
		world: w, ada: ada.UserID, eve: eve.UserID, sealed: w.keys.Encrypt("at-full"),
		id:  idp.idToken(t, now.Add(50*time.Minute), map[string]any{"email": "Ada@Example.com", "email_verified": "true", "name": "Ada", "picture": "https://img.example/a.png"}),
		old: idp.idToken(t, now.Add(-time.Minute), map[string]any{"email": "ada@example.com"}),
	}
	same := 0
	for _, c := range requests() {
		t.Run(c.name, func(t *testing.T) {
			request := raw(c.method, "/api/auth"+c.path, c.body, c.headers...)
			want := r.outcome(t, strings.TrimPrefix(theirs.URL, "http://"), request)
			got := r.outcome(t, w.address, request)
			switch {
			case got == want:
				same++
				if c.differs {
					t.Errorf("no difference any more, in spite of docs/companion.md:\n%s", got)
				}
			case !c.differs:
				t.Errorf("we say\n%s\n\nBetter Auth says\n%s", got, want)
			}
		})
	}
	t.Logf("%d requests, %d answered alike in every byte that counts", len(requests()), same)
}

// reset puts the rows in place before each request.
type reset struct {
	*world
	ada, eve        string
	id, old, sealed string
	one             bool // Ada has one account only
}

func (r *reset) outcome(t *testing.T, address, request string) string {
	t.Helper()
	w := r.world
	w.TB = t
	now := w.instant()
	for _, id := range []string{r.ada, r.eve} {
		w.must(w.store.DeleteSessionsOf(t.Context(), id, ""))
		all, err := w.store.AccountsOf(t.Context(), id)
		w.must(err)
		for i := range all {
			w.must(w.store.DeleteAccount(t.Context(), all[i].ID))
		}
	}
	picture := ptr("https://x.test/before.png")
	before := now.Add(-time.Hour)
	_, err := w.store.UpdateUser(t.Context(), r.ada, accounts.UserChange{Name: ptr("Ada"), Image: &picture}, before)
	w.must(err)
	mine, foreign := rows(now, r.id, r.old, r.sealed)
	for i := range mine {
		if i == 0 || !r.one {
			w.link(r.ada, mine[i])
		}
	}
	w.link(r.eve, foreign)
	user := &record.User{ID: r.ada}
	w.put(user, "young", time.Hour)
	w.put(user, "due", day+time.Hour)
	w.put(user, "over", 7*day+time.Second)
	asked := len(w.idp.asked())

	answer := testenv.RawHTTP(t, address, request)
	var b strings.Builder
	b.WriteString(strconv.Itoa(answer.Status) + " " + answer.Reason + "\n")
	var lines []string
	for _, h := range answer.Header {
		if name := strings.ToLower(h.Name); name != "set-cookie" && counts(name, h.Value) {
			lines = append(lines, name+": "+h.Value)
		}
	}
	slices.Sort(lines)
	for _, line := range append(lines, answer.Header.Values("Set-Cookie")...) {
		b.WriteString(line + "\n")
	}
	b.WriteString(instants.ReplaceAllString(sorted(answer.Body), "<instant>"))
	b.WriteString("\nthe provider was asked: " + strings.Join(w.idp.asked()[asked:], " then "))
	b.WriteString("\nrows:")
	for _, id := range []string{r.ada, r.eve} {
		r.describe(t, &b, id, now)
	}
	return b.String()
}

// sorted puts a list of accounts in one order: neither side asks PostgreSQL for any.
func sorted(body string) string {
	inner, ok := strings.CutPrefix(body, `[{"accountId"`)
	if !ok {
		return body
	}
	all := strings.Split(strings.TrimSuffix(inner, "}]"), `},{"accountId"`)
	slices.Sort(all)
	return "[" + strings.Join(all, ",\n") + "]"
}

// describe writes down what is left of somebody.
func (r *reset) describe(t *testing.T, b *strings.Builder, userID string, now time.Time) {
	t.Helper()
	w := r.world
	u, err := w.store.User(t.Context(), userID)
	w.must(err)
	b.WriteString("\n" + u.Name + " " + u.Email + " " + text(u.Image) + " " + text(u.Role) + " changed: " + strconv.FormatBool(u.UpdatedAt.After(now.Add(-time.Minute))))
	sessions, err := w.store.SessionsOf(t.Context(), userID)
	w.must(err)
	slices.SortFunc(sessions, func(a, b record.Session) int { return strings.Compare(a.Token, b.Token) })
	for i := range sessions {
		b.WriteString("\nsession " + sessions[i].Token + " for " + sessions[i].ExpiresAt.Sub(now).Round(time.Minute).String())
	}
	all, err := w.store.AccountsOf(t.Context(), userID)
	w.must(err)
	slices.SortFunc(all, func(a, b record.Account) int { return strings.Compare(a.ID, b.ID) })
	for i := range all {
		a := &all[i]
		changed := a.UpdatedAt.After(now.Add(-time.Minute))
		if !changed && !strings.HasPrefix(a.ID, "live") {
			b.WriteString("\n" + a.ID)
			continue
		}
		b.WriteString("\n" + a.ID + " " + strconv.FormatBool(changed) + " " + r.token(a.AccessToken) + " " + r.token(a.RefreshToken) + " " + text(a.IDToken) + " " + text(a.Scope) + " " +
			until(a.AccessTokenExpiresAt, now) + " " + until(a.RefreshTokenExpiresAt, now))
	}
}

// token is a token as it is stored: whether it is sealed, and what is in it.
func (r *reset) token(stored *string) string {
	if stored == nil {
		return "NULL"
	}
	if plain, err := r.keys.Decrypt(*stored); err == nil {
		return "sealed(" + plain + ")"
	}
	return strconv.Quote(*stored)
}

func text(s *string) string {
	if s == nil {
		return "NULL"
	}
	return strconv.Quote(*s)
}

func until(t *time.Time, now time.Time) string {
	if t == nil {
		return "NULL"
	}
	return t.Sub(now).Round(time.Minute).String()
}

var instants = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)

// counts leaves out what either server adds to every answer, and what docs/companion.md says we add.
func counts(name, value string) bool {
	switch name {
	case "date", "connection", "keep-alive", "transfer-encoding", "content-length":
		return false
	case "vary", "x-content-type-options", "access-control-allow-origin", "access-control-allow-credentials":
		return false
	case "cache-control":
		return value != "no-store" // on every answer of ours
	}
	return true
}
