package session

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/roomtest"
)

func itoa(n int) string { return strconv.Itoa(n) }

// asked is one request that both sides are asked, each with the same sessions in the database.
type asked struct {
	name    string
	method  string
	path    string // below /api/auth
	body    string
	headers []string
	differs bool // on purpose: docs/companion.md says why
}

const (
	jsonBody = "application/json"
	unknown  = "unknownunknownunknownunknownunkn"
)

// requests are asked with these sessions: young (an hour old), due (older than a day), over (just expired), other (of the
// same person, of a browser elsewhere), and foreign (of somebody else).
func requests() []asked {
	with := func(token string, more ...string) []string {
		return append([]string{"Cookie", roomtest.Cookie(token)}, more...)
	}
	posting := func(token string, more ...string) []string {
		return append(with(token, "Origin", base, "Content-Type", jsonBody), more...)
	}
	forget := "; better-auth.dont_remember=" + betterauth.Sign(testenv.TestSecret, "true")
	bearer := func(token string) string {
		return strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace(betterauth.Sign(testenv.TestSecret, token))
	}
	all := []asked{
		{name: "ok", method: "GET", path: "/ok"},

		{name: "get-session, nobody", method: "GET", path: "/get-session"},
		{name: "get-session", method: "GET", path: "/get-session", headers: with("young")},
		{name: "get-session, with a foreign page's origin", method: "GET", path: "/get-session", headers: with("young", "Origin", "https://evil.example")},
		{name: "get-session, due", method: "GET", path: "/get-session", headers: with("due")},
		{name: "get-session, due, not refreshed", method: "GET", path: "/get-session?disableRefresh=false", headers: with("due")},
		{name: "get-session, due, refreshed", method: "GET", path: "/get-session?disableRefresh=", headers: with("due")},
		{name: "get-session, query twice", method: "GET", path: "/get-session?disableRefresh=&disableRefresh=&disableCookieCache=x", headers: with("due")},
		{name: "get-session, due, not remembered", method: "GET", path: "/get-session", headers: []string{"Cookie", roomtest.Cookie("due") + forget}},
		{name: "get-session, over", method: "GET", path: "/get-session", headers: with("over")},
		{name: "get-session, over, not remembered", method: "GET", path: "/get-session", headers: []string{"Cookie", roomtest.Cookie("over") + forget}},
		{name: "get-session, unknown", method: "GET", path: "/get-session", headers: with(unknown)},
		{name: "get-session, unsigned", method: "GET", path: "/get-session", headers: []string{"Cookie", "better-auth.session_token=young"}},
		{name: "get-session, forged", method: "GET", path: "/get-session", headers: []string{"Cookie", "better-auth.session_token=" + betterauth.Sign("another", "young")}},
		{name: "get-session, raw bearer", method: "GET", path: "/get-session", headers: []string{"Authorization", "Bearer young"}},
		{name: "get-session, signed bearer", method: "GET", path: "/get-session", headers: []string{"Authorization", "bearer   " + bearer("young")}},
		{name: "get-session, escaped bearer", method: "GET", path: "/get-session", headers: []string{"Authorization", "BEARER " + betterauth.Sign(testenv.TestSecret, "young")}},
		{name: "get-session, bearer due", method: "GET", path: "/get-session", headers: []string{"Authorization", "Bearer due"}},
		{name: "get-session, bearer over", method: "GET", path: "/get-session", headers: []string{"Authorization", "Bearer over"}},
		{name: "get-session, unknown bearer", method: "GET", path: "/get-session", headers: []string{"Authorization", "Bearer " + unknown}},
		{name: "get-session, unknown bearer before a cookie", method: "GET", path: "/get-session", headers: with("young", "Authorization", "Bearer "+unknown)},
		{name: "get-session, forged bearer before a cookie", method: "GET", path: "/get-session", headers: with("young", "Authorization", "Bearer young.forged")},
		{name: "get-session, forged bearer", method: "GET", path: "/get-session", headers: []string{"Authorization", "Bearer young.forged"}},
		{name: "get-session, basic before a cookie", method: "GET", path: "/get-session", headers: with("young", "Authorization", "Basic eA==")},
		{name: "get-session, a cookie cache", method: "GET", path: "/get-session", headers: []string{"Cookie", roomtest.Cookie("young") + "; better-auth.session_data=x"}},
		{name: "get-session, pieces of a cache", method: "GET", path: "/get-session", headers: []string{"Cookie", "better-auth.session_data.1=b; " + roomtest.Cookie("young") + "; better-auth.session_data.0=a; better-auth.session_data.x=c"}},
		{name: "get-session, a cookie cache and nobody", method: "GET", path: "/get-session", headers: []string{"Cookie", "better-auth.session_data=x"}},
		{name: "get-session, a cookie cache and unknown", method: "GET", path: "/get-session", headers: []string{"Cookie", roomtest.Cookie(unknown) + "; better-auth.session_data=x; better-auth.session_data.0=y"}},
		{name: "get-session by POST", method: "POST", path: "/get-session", headers: posting("young"), body: "{}"},
		{name: "get-session by POST, a foreign page", method: "POST", path: "/get-session", headers: with("young", "Origin", "https://evil.example")},
		{name: "get-session by POST, another type", method: "POST", path: "/get-session", headers: with("young", "Origin", base, "Content-Type", "text/plain"), body: "x"},

		{name: "list-sessions", method: "GET", path: "/list-sessions", headers: with("young")},
		{name: "list-sessions, by bearer", method: "GET", path: "/list-sessions", headers: []string{"Authorization", "Bearer young"}},
		{name: "list-sessions, nobody", method: "GET", path: "/list-sessions"},
		{name: "list-sessions, not fresh", method: "GET", path: "/list-sessions", headers: with("due")},
		{name: "list-sessions, not fresh, by bearer", method: "GET", path: "/list-sessions", headers: []string{"Authorization", "Bearer due"}},
		{name: "list-sessions, unknown", method: "GET", path: "/list-sessions", headers: with(unknown)},
		{name: "list-sessions, over", method: "GET", path: "/list-sessions", headers: with("over")},
		{name: "list-sessions, query", method: "GET", path: "/list-sessions?disableRefresh=1&x=1&x=2", headers: with("young")},

		{name: "sign-out", method: "POST", path: "/sign-out", headers: posting("young"), body: "{}"},
		{name: "sign-out, by bearer", method: "POST", path: "/sign-out", headers: []string{"Authorization", "Bearer young"}},
		{name: "sign-out, no body", method: "POST", path: "/sign-out", headers: with("young", "Origin", base)},
		{name: "sign-out, nobody", method: "POST", path: "/sign-out", headers: []string{"Content-Type", jsonBody}, body: "{}"},
		{name: "sign-out, unknown", method: "POST", path: "/sign-out", headers: posting(unknown), body: "{}"},
		{name: "sign-out, over", method: "POST", path: "/sign-out", headers: posting("over"), body: "{}"},
		{name: "sign-out, callbackURL", method: "POST", path: "/sign-out", headers: posting("young"), body: `{"callbackURL":"/bye","state":"s","disableRedirect":true}`},
		{name: "sign-out, evil callbackURL", method: "POST", path: "/sign-out", headers: posting("young"), body: `{"callbackURL":"https://evil.example"}`},
		{name: "sign-out, a cookie cache", method: "POST", path: "/sign-out", headers: []string{"Origin", base, "Cookie", roomtest.Cookie("young") + "; better-auth.session_data=x; better-auth.session_data.3=y"}},
		{name: "sign-out by GET", method: "GET", path: "/sign-out", headers: with("young")},

		{name: "revoke-session, other", method: "POST", path: "/revoke-session", headers: posting("young"), body: `{"token":"other"}`},
		{name: "revoke-session, itself", method: "POST", path: "/revoke-session", headers: posting("young"), body: `{"token":"young"}`},
		{name: "revoke-session, foreign", method: "POST", path: "/revoke-session", headers: posting("young"), body: `{"token":"foreign"}`},
		{name: "revoke-session, over", method: "POST", path: "/revoke-session", headers: posting("young"), body: `{"token":"over"}`},
		{name: "revoke-session, unknown", method: "POST", path: "/revoke-session", headers: posting("young"), body: `{"token":"` + unknown + `"}`},
		{name: "revoke-session, empty", method: "POST", path: "/revoke-session", headers: posting("young"), body: `{"token":""}`},
		{name: "revoke-session, due", method: "POST", path: "/revoke-session", headers: posting("due"), body: `{"token":"other"}`},
		{name: "revoke-session, due, itself", method: "POST", path: "/revoke-session", headers: posting("due"), body: `{"token":"due"}`},
		{name: "revoke-session, nobody", method: "POST", path: "/revoke-session", headers: []string{"Content-Type", jsonBody}, body: `{"token":"other"}`},
		{name: "revoke-session, unknown session", method: "POST", path: "/revoke-session", headers: posting(unknown), body: `{"token":"other"}`},
		{name: "revoke-session, session over", method: "POST", path: "/revoke-session", headers: posting("over"), body: `{"token":"other"}`},

		{name: "revoke-sessions", method: "POST", path: "/revoke-sessions", headers: posting("young"), body: "{}"},
		{name: "revoke-sessions, no body", method: "POST", path: "/revoke-sessions", headers: with("young", "Origin", base)},
		{name: "revoke-sessions, nobody", method: "POST", path: "/revoke-sessions"},
		{name: "revoke-sessions, due", method: "POST", path: "/revoke-sessions", headers: posting("due"), body: "{}"},
		{name: "revoke-other-sessions", method: "POST", path: "/revoke-other-sessions", headers: posting("young"), body: "{}"},
		{name: "revoke-other-sessions, by bearer", method: "POST", path: "/revoke-other-sessions", headers: []string{"Authorization", "Bearer young"}},
		{name: "revoke-other-sessions, due", method: "POST", path: "/revoke-other-sessions", headers: posting("due"), body: "{}"},
		{name: "revoke-other-sessions, nobody", method: "POST", path: "/revoke-other-sessions"},

		{name: "two sessions' cookies", method: "GET", path: "/get-session", headers: []string{"Cookie", roomtest.Cookie("young") + "; " + roomtest.Cookie("other")}},
		{name: "a cookie header twice", method: "GET", path: "/get-session", headers: []string{"Cookie", "a=b", "Cookie", roomtest.Cookie("young")}},
		{name: "a bad cookie before a good one", method: "GET", path: "/get-session", headers: []string{"Cookie", "better-auth.session_token=junk; " + roomtest.Cookie("young")}, differs: true},
		{name: "an unknown session before a good one", method: "GET", path: "/get-session", headers: []string{"Cookie", roomtest.Cookie(unknown) + "; " + roomtest.Cookie("young")}, differs: true},
		{name: "a secure cookie on a plain site", method: "GET", path: "/get-session", headers: []string{"Cookie", "__Secure-" + roomtest.Cookie("young")}},
	}
	all = append(all, spellings()...)
	all = append(all, malformed(posting)...)
	return append(all, origins(with)...)
}

// spellings are the ways a cookie may be written, good and bad.
func spellings() []asked {
	const name = "better-auth.session_token"
	escaped := betterauth.Sign(testenv.TestSecret, "young")
	plain, _ := url.PathUnescape(escaped)
	token, signature, _ := strings.Cut(plain, ".")
	percent := ""
	for i := range len(plain) {
		percent += fmt.Sprintf("%%%02X", plain[i])
	}
	var all []asked
	for _, line := range []string{
		name + "=" + plain, name + "=" + strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d").Replace(escaped), name + "=" + percent,
		name + `="` + escaped + `"`, name + `="` + escaped + "x", name + ` = ` + escaped, "a=b;" + name + "=" + escaped, "junk; " + name + "=" + escaped + "; =; ;", "\t" + name + "\t=\t" + escaped,
		name + "=" + strings.ReplaceAll(escaped, "%", "%25"), name + "=" + strings.ReplaceAll(plain, "+", " "), name + "=" + strings.NewReplacer("+", "-", "/", "_").Replace(plain) + ".",
		name + "=" + strings.TrimRight(plain, "="), name + "=" + plain + "=", name + "=" + token, name + "=" + token + ".", name + "=." + signature, name + "=", strings.ToUpper(name) + "=" + escaped,
		name + "=" + escaped + ", a=b", name + "=%zz" + plain, name + "x=" + escaped, "x" + name + "=" + escaped, name + "=" + escaped + "%00",
	} {
		all = append(all, asked{name: "cookie " + line, method: "GET", path: "/get-session", headers: []string{"Cookie", line}})
	}
	for _, value := range []string{
		"Bearer", "Bearer ", "Bearer  young", "Bearer\tyoung", "Bearers young", "bearer young", "Bearer young ", "Bearer " + plain, "Bearer " + percent,
		"Bearer young.", "Bearer .young", "Token young", "young", "Bearer a.b.c", "Bearer young,x", "Bearer " + plain + ".x", "Bearer " + strings.TrimRight(plain, "="),
	} {
		comma := strings.Contains(value, ",")
		almost := strings.HasSuffix(value, "=.x") || value == "Bearer "+strings.TrimRight(plain, "=")
		all = append(all,
			asked{name: "bearer " + value, method: "GET", path: "/get-session", headers: []string{"Authorization", value}, differs: comma},
			asked{name: "before a cookie, bearer " + value, method: "GET", path: "/get-session", headers: []string{"Authorization", value, "Cookie", roomtest.Cookie("other")}, differs: comma || almost})
	}
	return all
}

// malformed is what no client sends.
func malformed(posting func(string, ...string) []string) []asked {
	var all []asked
	for _, path := range []string{"", "/", "/nope", "/get-session/", "//get-session", "/ok/", "/OK", "/o%6b", "/ok%2f", "/get-session%00", "/ok;x=1", "/revoke-session/x"} {
		all = append(all, asked{name: "path " + path, method: "GET", path: path, headers: []string{"Cookie", roomtest.Cookie("young")}})
	}
	all = append(all, asked{name: "dots in the path", method: "GET", path: "/x/../ok", differs: true}, asked{name: "a dot in the path", method: "GET", path: "/./ok", differs: true})
	for _, method := range []string{"HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"} {
		for _, path := range []string{"/get-session", "/ok", "/revoke-session", "/nope"} {
			all = append(all, asked{name: method + " " + path, method: method, path: path, headers: []string{"Cookie", roomtest.Cookie("young")}})
		}
	}
	all = append(all, asked{name: "POST /ok", method: "POST", path: "/ok", headers: posting("young")}, asked{name: "POST /list-sessions", method: "POST", path: "/list-sessions", headers: posting("young")})
	for _, path := range []string{"/revoke-session", "/sign-out", "/revoke-sessions"} {
		for _, body := range []string{
			"", "{", "null", "1", "true", `"x"`, "[]", "{}", `{"token":1}`, `{"token":null}`, `{"token":["a"]}`, `{"token":"other","x":1}`, `{"callbackURL":1}`, `{"callbackURL":["/x"]}`, `{"callbackURL":""}`,
			`{"callbackURL":"//evil.example"}`, `{"redirectTo":"https://evil.example"}`, `{"errorCallbackURL":"https://evil.example"}`, `{"newUserCallbackURL":"https://evil.example"}`, `{"redirectTo":7}`, `{"disableRedirect":"x","state":1}`, "\ufeff{}", "{}x", "\xff",
		} {
			all = append(all, asked{name: path + " " + body, method: "POST", path: path, body: body, headers: posting("young")})
		}
		for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "application/vnd.api+json", "APPLICATION/JSON;charset=utf-16", "application/json, text/plain", `a"b`, " application/json "} {
			headers := []string{"Cookie", roomtest.Cookie("young"), "Origin", base}
			if kind != "" {
				headers = append(headers, "Content-Type", kind)
			}
			all = append(all, asked{name: path + " of type " + kind, method: "POST", path: path, body: `{"token":"other"}`, headers: headers})
		}
		all = append(all,
			asked{name: path + ", faults in turn: body, origin", method: "POST", path: path, body: "{", headers: []string{"Cookie", "a=b", "Origin", "https://evil.example", "Content-Type", jsonBody}},
			asked{name: path + ", faults in turn: origin, members", method: "POST", path: path, body: "{}", headers: []string{"Cookie", "a=b", "Origin", "https://evil.example", "Content-Type", jsonBody}},
			asked{name: path + ", faults in turn: members, session", method: "POST", path: path, body: "{}", headers: []string{"Content-Type", jsonBody}},
			asked{name: path + "?callbackURL of evil", method: "POST", path: path + "?callbackURL=https://evil.example", body: `{"token":"other"}`, headers: posting("young")},
			asked{name: path + "?callbackURL twice", method: "POST", path: path + "?callbackURL=/x&callbackURL=/y", body: `{"token":"other"}`, headers: posting("young")})
	}
	return all
}

func origins(with func(string, ...string) []string) []asked {
	var all []asked
	for _, headers := range [][]string{
		{},
		{"Origin", base},
		{"Origin", "null"},
		{"Origin", "null", "Sec-Fetch-Site", "same-origin"},
		{"Origin", "null", "Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "https://app.example.com"},
		{"Origin", "https://app.example.com.evil.example"},
		{"Origin", "http://auth.test"},
		{"Origin", "HTTP://AUTH.TEST:3000"},
		{"Origin", base + "/path"},
		{"Referer", base + "/page"},
		{"Referer", "https://evil.example/x"},
		{"Referer", "/x"},
		{"Origin", "", "Referer", base + "/page"},
		{"Origin", "null", "Referer", base + "/page"},
		{"Origin", "https://evil.example", "Referer", base + "/page"},
		{"Origin", "x"},
		{"Origin", "/"},
	} {
		name := strings.Join(headers, " ")
		all = append(all, asked{name: "from " + name, method: "POST", path: "/revoke-other-sessions", headers: with("young", headers...)},
			asked{name: "with a stranger's cookie from " + name, method: "POST", path: "/sign-out", headers: append([]string{"Cookie", "a=b"}, headers...)},
			asked{name: "without a cookie from " + name, method: "POST", path: "/sign-out", headers: headers})
	}
	return all
}
