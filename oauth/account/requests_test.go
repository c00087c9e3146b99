package account

import (
	"slices"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/roomtest"
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
	return append([]string{"Cookie", roomtest.Cookie(token)}, more...)
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
			asked{name: path + ", not remembered", method: "POST", path: path, headers: []string{"Cookie", roomtest.Cookie("due") + "; better-auth.dont_remember=" + betterauth.Sign(testenv.TestSecret, "true"), "Origin", base, "Content-Type", "application/json"}, body: body},
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
		asked{name: "update-user, not remembered", method: "POST", path: "/update-user", headers: []string{"Cookie", roomtest.Cookie("young") + forget, "Origin", base, "Content-Type", "application/json"}, body: body},
		asked{name: "update-user, a foreign page", method: "POST", path: "/update-user", headers: with("young", "Origin", "https://evil.example", "Content-Type", "application/json"), body: body},
		asked{name: "update-user, text", method: "POST", path: "/update-user", headers: with("young", "Origin", base, "Content-Type", "text/plain"), body: body},
		asked{name: "update-user by GET", method: "GET", path: "/update-user", headers: with("young")},
	)
}
