package endpoint

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func said(words string) Handler {
	return func(c *Call) error { return c.JSON(http.StatusOK, []byte(`"`+words+c.Param+`"`)) }
}

func taking(o *Object) Handler {
	return func(c *Call) error {
		v, err := c.Body(o)
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, v.v.AppendJSON(nil))
	}
}

// What does not fit together is told to whoever puts it together.
func TestRoutersThatCannotBe(t *testing.T) {
	ok := Route{Method: "GET", Path: "/ok", Handler: said("ok")}
	for name, c := range map[string]struct {
		change func(*Config)
		routes []Route
		says   string
	}{
		"fine":            {func(*Config) {}, []Route{ok, {Method: "POST", Path: "/ok", Handler: said("ok")}}, ""},
		"nobody trusts":   {func(c *Config) { c.Trusts = nil }, nil, "Trusts"},
		"no proofs":       {func(c *Config) { c.Reader = nil }, nil, "Reader"},
		"no cookies":      {func(c *Config) { c.Cookies = nil }, nil, "Cookies"},
		"no sessions":     {func(c *Config) { c.Sessions = nil }, nil, "Sessions"},
		"no log":          {func(c *Config) { c.Log = nil }, nil, "Log"},
		"twice the same":  {func(*Config) {}, []Route{ok, ok}, "two routes GET /ok"},
		"by other names":  {func(*Config) {}, []Route{{Method: "GET", Path: "/a/{b}", Handler: said("")}, {Method: "GET", Path: "/a/{c}", Handler: said("")}}, "two routes GET /a/{c}"},
		"nothing answers": {func(*Config) {}, []Route{{Method: "GET", Path: "/ok"}}, "a handler"},
		"no method":       {func(*Config) {}, []Route{{Path: "/ok", Handler: said("")}}, "a method"},
		"no slash":        {func(*Config) {}, []Route{{Method: "GET", Path: "{ok}", Handler: said("")}}, "slash"},
	} {
		config := newWorld(t, nil).config
		c.change(&config)
		h, err := NewRouter(config, c.routes...)
		if (err == nil) != (c.says == "") || err != nil && (!strings.Contains(err.Error(), c.says) || h != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing is cleaned: a path that some other part reads differently is nobody's (GHSA-x732-6j76-qmhm).
func TestPathsAreExact(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "GET", Path: "/ok", Handler: said("ok")},
		Route{Method: "GET", Path: "/callback/{provider}", Handler: said("of ")}, Route{Method: "POST", Path: "/callback/{provider}", Handler: said("to ")})
	for target, want := range map[string]string{
		"/api/auth/ok":                     `"ok"`,
		"/api/auth/ok?x=1":                 `"ok"`,
		"/api/auth/callback/google":        `"of google"`,
		"/api/auth/callback/goo%67le":      `"of goo%67le"`,
		"/api/auth/callback/a%2Fb":         `"of a%2Fb"`,
		"/api/auth":                        "",
		"/api/auth/":                       "",
		"/ok":                              "",
		"/api/authok":                      "",
		"/api/auth//ok":                    "",
		"//api/auth/ok":                    "",
		"/api/auth/ok/":                    "",
		"/api/auth/OK":                     "",
		"/api/auth/o%6b":                   "",
		"/api/auth/./ok":                   "",
		"/api/auth/x/../ok":                "",
		"/api/auth/ok%00":                  "",
		"/api/auth/callback/":              "",
		"/api/auth/callback/google/":       "",
		"/api/auth/callback/google/deeper": "",
		"/api/auth/callback//google":       "",
	} {
		r := w.ask("GET", target, "")
		status := http.StatusOK
		if want == "" {
			status = http.StatusNotFound
		}
		if got := text(t, r); r.StatusCode != status || got != want {
			t.Errorf("%s: %d %s, want %d %s", target, r.StatusCode, got, status, want)
		}
		if kind := r.Header["Content-Type"]; want == "" && len(kind) > 0 {
			t.Errorf("%s: nothing has the content type %v", target, kind)
		}
	}
	for _, method := range []string{"HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "get"} {
		if r := w.ask(method, "/api/auth/ok", ""); r.StatusCode != 404 || text(t, r) != "" || r.Header.Get("Allow") != "" || r.Header["Content-Type"] != nil {
			t.Errorf("%s: %d %v", method, r.StatusCode, r.Header)
		}
	}
}

func TestBodies(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "POST", Path: "/take", Handler: taking(schemas["token"])}, Route{Method: "POST", Path: "/ignore", Handler: said("fine"), NoBody: true},
		Route{Method: "POST", Path: "/form", Handler: taking(&Object{}), Media: []string{"application/x-www-form-urlencoded", "application/json"}})
	const missing = `{"message":"[body] Invalid input: expected object, received undefined","code":"VALIDATION_ERROR"}`
	for _, c := range []struct {
		path, kind, body string
		status           int
		want             string
	}{
		{"/take", "application/json", `{"token":"x"}`, 200, `{"token":"x"}`},
		{"/take", "Application/JSON; charset=utf-8", `{"token":"x"}`, 200, `{"token":"x"}`},
		{"/take", "application/json", "\ufeff" + `{"token":"x"}`, 200, `{"token":"x"}`},
		{"/take", "", `{"token":"x"}`, 400, missing},
		{"/take", "application/json", "", 400, missing},
		{"/take", "text/plain", "", 400, missing},
		{"/take", "application/json", "{", 400, `{"message":"Invalid JSON in request body","code":"BAD_REQUEST"}`},
		{"/take", "text/plain", "{}", 415, `{"message":"Content-Type \"text/plain\" is not allowed. Allowed types: application/json","code":"UNSUPPORTED_MEDIA_TYPE"}`},
		{"/take", "application/json+x", "{}", 415, `{"message":"Content-Type \"application/json+x\" is not allowed. Allowed types: application/json","code":"UNSUPPORTED_MEDIA_TYPE"}`},
		{"/take", "a\"b\\\xe9", "{}", 415, `{"message":"Content-Type \"a\"b\\é\" is not allowed. Allowed types: application/json","code":"UNSUPPORTED_MEDIA_TYPE"}`},
		{"/take", "application/json", `{"token":"` + strings.Repeat("x", maxBody) + `"}`, 413, `{"message":"Request body is too large","code":"PAYLOAD_TOO_LARGE"}`},
		{"/take", "application/json", strings.Repeat("[", 60_000), 400, `{"message":"Invalid JSON in request body","code":"BAD_REQUEST"}`},
		{"/ignore", "text/plain", "{", 200, `"fine"`},
		{"/form", "application/x-www-form-urlencoded", "a=1&b=x+y%20z&a=2&c&%zz=%e2%82%ac%ff", 200, `{"a":"2","b":"x y z","c":"","%zz":"€�"}`},
		{"/form", "text/html", "x", 415, `{"message":"Content-Type \"text/html\" is not allowed. Allowed types: application/x-www-form-urlencoded, application/json","code":"UNSUPPORTED_MEDIA_TYPE"}`},
	} {
		var headers []string
		if c.kind != "" {
			headers = []string{"Content-Type", c.kind}
		}
		r := w.ask("POST", "/api/auth"+c.path, c.body, headers...)
		if got := text(t, r); r.StatusCode != c.status || got != c.want || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with %s %.40q:\n got %d %s %s\nwant %d %s", c.path, c.kind, c.body, r.StatusCode, r.Header.Get("Content-Type"), got, c.status, c.want)
		}
	}
}

func TestQueries(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "GET", Path: "/q", Handler: func(c *Call) error {
		v, err := c.Query(&Object{Fields: []Field{{Name: "code", Optional: true}, {Name: "state", Optional: true}}})
		if err != nil {
			return err
		}
		return c.JSON(200, v.v.AppendJSON(nil))
	}})
	for query, want := range map[string]string{
		"":                      `{}`,
		"code=a+b%2B&x=1;y=2":   `{"code":"a b+","x":"1;y=2"}`,
		"code=%zz&state=%C3%28": `{"code":"%zz","state":"�("}`,
		"code=1&code=2":         `{"message":"[query.code] Invalid input: expected string, received array","code":"VALIDATION_ERROR"}`,
		"code=1&code=2&state=1&state=2&state=3": `{"message":"[query.code] Invalid input: expected string, received array; ` +
			`[query.state] Invalid input: expected string, received array","code":"VALIDATION_ERROR"}`,
	} {
		if got := text(t, w.ask("GET", "/api/auth/q?"+query, "")); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// What is told when two things are wrong, in the library's order.
func TestFaultsAreToldInOrder(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "POST", Path: "/take", Handler: func(c *Call) error {
		if _, err := c.Body(schemas["token"]); err != nil {
			return err
		}
		_, _, err := c.Need()
		return err
	}})
	evil := []string{"Cookie", "a=b", "Origin", "https://evil.example", "Content-Type", "application/json"}
	for _, c := range []struct {
		body    string
		headers []string
		status  int
		code    string
	}{
		{"{", evil, 400, "BAD_REQUEST"},
		{"{}", evil, 403, "INVALID_ORIGIN"},
		{`{"callbackURL":"//evil.example"}`, evil[4:], 403, "INVALID_CALLBACK_URL"},
		{`{}`, evil[4:], 400, "VALIDATION_ERROR"},
		{`{"token":"x"}`, evil[4:], 401, "UNAUTHORIZED"},
	} {
		r := w.ask("POST", "/api/auth/take", c.body, c.headers...)
		if got := text(t, r); r.StatusCode != c.status || !strings.Contains(got, `"code":"`+c.code+`"`) {
			t.Errorf("%s: %d %s, want %d %s", c.body, r.StatusCode, got, c.status, c.code)
		}
	}
}

func TestErrors(t *testing.T) {
	w := newWorld(t, nil,
		Route{Method: "GET", Path: "/broken", Handler: func(*Call) error { return errors.New("secret sauce") }},
		Route{Method: "GET", Path: "/bare", Handler: func(c *Call) error { c.SetCookie("a=b"); return &Error{Status: 401} }},
		Route{Method: "GET", Path: "/worded", Handler: func(*Call) error { return &Error{Status: 400, Message: "No fields to update"} }},
		Route{Method: "GET", Path: "/away", Handler: func(c *Call) error { return c.Redirect("/x?<>#é") }})
	r := w.ask("GET", "/api/auth/broken", "")
	if body := text(t, r); r.StatusCode != 500 || body != "" || r.Header["Content-Type"] != nil {
		t.Errorf("%d %q %v", r.StatusCode, body, r.Header)
	}
	if lines := strings.Count(w.log.String(), "\n"); lines != 1 || !strings.Contains(w.log.String(), "GET /broken") {
		t.Errorf("logged %q", w.log.String())
	}
	r = w.ask("GET", "/api/auth/bare", "")
	if body := text(t, r); r.StatusCode != 401 || body != "" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Set-Cookie") != "a=b" {
		t.Errorf("%d %q %v", r.StatusCode, body, r.Header)
	}
	if body := text(t, w.ask("GET", "/api/auth/worded", "")); body != `{"message":"No fields to update"}` {
		t.Error(body)
	}
	r = w.ask("GET", "/api/auth/away", "")
	if body := text(t, r); r.StatusCode != 302 || body != "" || r.Header.Get("Location") != "/x?<>#é" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %q %v", r.StatusCode, body, r.Header)
	}
}

func TestCORS(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "GET", Path: "/both", Handler: said("x")}, Route{Method: "POST", Path: "/both", Handler: said("x")})
	r := w.ask("OPTIONS", "/api/auth/both", "", "Origin", app, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
	h := r.Header
	if r.StatusCode != 204 || text(t, r) != "" || h.Get("Access-Control-Allow-Origin") != app || h.Get("Access-Control-Allow-Credentials") != "true" ||
		h.Get("Access-Control-Allow-Methods") != "GET, POST" || h.Get("Access-Control-Allow-Headers") == "" || h.Get("Access-Control-Max-Age") == "" {
		t.Errorf("%d %v", r.StatusCode, h)
	}
	for _, origin := range []string{"", "null", "https://evil.example", app + "/", app + "/x", app + ".evil.example", "https://APP.example.com", "*"} {
		for _, method := range []string{"OPTIONS", "GET"} {
			r := w.ask(method, "/api/auth/both", "", "Origin", origin)
			if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" || method == "OPTIONS" && r.StatusCode != 404 {
				t.Errorf("%s from %q: %d %q", method, origin, r.StatusCode, got)
			}
		}
	}
	for _, target := range []string{"/api/auth/both", "/api/auth/nothing", "/api/auth/both/"} {
		r := w.ask("GET", target, "", "Origin", app)
		if r.Header.Get("Access-Control-Allow-Origin") != app || r.Header.Get("Access-Control-Allow-Credentials") != "true" || r.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: %v", target, r.Header)
		}
		if got := w.ask("GET", target, "").Header.Get("Vary"); got != "Origin" {
			t.Errorf("%s without an origin: Vary %q", target, got)
		}
	}
}

func TestOrigins(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "POST", Path: "/do", Handler: said("done")}, Route{Method: "GET", Path: "/do", Handler: said("got")})
	const cookie = "anything=at all"
	for _, c := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"nothing", nil, "done"},
		{"no cookie, evil origin", []string{"Origin", "https://evil.example"}, "done"},
		{"trusted", []string{"Cookie", cookie, "Origin", app}, "done"},
		{"ourselves", []string{"Cookie", cookie, "Origin", ours}, "done"},
		{"cookie only", []string{"Cookie", cookie}, "MISSING_OR_NULL_ORIGIN"},
		{"empty cookie header", []string{"Cookie", ""}, "MISSING_OR_NULL_ORIGIN"},
		{"null", []string{"Cookie", cookie, "Origin", "null"}, "MISSING_OR_NULL_ORIGIN"},
		{"null and referer", []string{"Cookie", cookie, "Origin", "null", "Referer", app + "/x"}, "MISSING_OR_NULL_ORIGIN"},
		{"null, cross-site", []string{"Cookie", cookie, "Origin", "null", "Sec-Fetch-Site", "cross-site"}, "MISSING_OR_NULL_ORIGIN"},
		{"null, same origin", []string{"Cookie", cookie, "Origin", "null", "Sec-Fetch-Site", "same-origin"}, "done"},
		{"evil", []string{"Cookie", cookie, "Origin", "https://evil.example"}, "INVALID_ORIGIN"},
		{"evil with a good referer", []string{"Cookie", cookie, "Origin", "https://evil.example", "Referer", app}, "INVALID_ORIGIN"},
		{"referer", []string{"Cookie", cookie, "Referer", app + "/page"}, "done"},
		{"evil referer", []string{"Cookie", cookie, "Referer", "https://evil.example/" + app}, "INVALID_ORIGIN"},
		{"a path is no origin of anybody", []string{"Cookie", cookie, "Origin", "/x"}, "INVALID_ORIGIN"},
	} {
		if got := text(t, w.ask("POST", "https://auth.example.com/api/auth/do", "", c.headers...)); !strings.Contains(got, `"`+c.want+`"`) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := text(t, w.ask("GET", "/api/auth/do", "", "Cookie", cookie, "Origin", "https://evil.example")); got != `"got"` {
		t.Error(got)
	}
}

// Every field that leads somewhere is looked at, wherever it is sent (GHSA-36rg-gfq2-3h56, GHSA-hjpm-7mrm-26w8).
func TestReturnURLs(t *testing.T) {
	w := newWorld(t, nil, Route{Method: "POST", Path: "/do", Handler: said("done")}, Route{Method: "GET", Path: "/do", Handler: said("got")})
	for _, c := range []struct{ query, body, want string }{
		{"", `{"callbackURL":"/x"}`, `"done"`},
		{"", `{"callbackURL":""}`, `"done"`},
		{"", `{"callbackURL":null}`, `"done"`},
		{"", `["callbackURL"]`, `"done"`},
		{"", `{"callbackURL":"//evil.example"}`, `{"message":"Invalid callbackURL","code":"INVALID_CALLBACK_URL"}`},
		{"", `{"redirectTo":"https://evil.example"}`, `{"message":"Invalid redirectURL","code":"INVALID_REDIRECT_URL"}`},
		{"", `{"errorCallbackURL":"https://evil.example"}`, `{"message":"Invalid errorCallbackURL","code":"INVALID_ERROR_CALLBACK_URL"}`},
		{"", `{"newUserCallbackURL":"https://evil.example"}`, `{"message":"Invalid newUserCallbackURL","code":"INVALID_NEW_USER_CALLBACK_URL"}`},
		{"", `{"callbackURL":1}`, `{"message":"Invalid callbackURL: expected a string"}`},
		{"", `{"callbackURL":0}`, `"done"`},
		{"", `{"redirectTo":{}}`, `{"message":"Invalid redirectURL: expected a string"}`},
		{"callbackURL=https://evil.example", ``, `{"message":"Invalid callbackURL","code":"INVALID_CALLBACK_URL"}`},
		{"callbackURL=https://evil.example", `{"callbackURL":"/x"}`, `"done"`},
		{"callbackURL=/x&callbackURL=/x", ``, `{"message":"Invalid callbackURL: expected a string"}`},
	} {
		if got := text(t, w.ask("POST", "/api/auth/do?"+c.query, c.body, "Content-Type", "application/json")); got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.query, c.body, got, c.want)
		}
	}
	if got := text(t, w.ask("GET", "/api/auth/do?callbackURL=https://evil.example", "")); got != `"got"` {
		t.Error(got)
	}
}

// counter admits most requests of a key, ever.
type counter struct{ taken map[string]int }

func (c *counter) Take(_ context.Context, key string, _ time.Duration, most int) (bool, time.Duration) {
	c.taken[key]++
	return c.taken[key] <= most, 9200 * time.Millisecond
}

func TestLimits(t *testing.T) {
	limiter := &counter{taken: map[string]int{}}
	w := newWorld(t, func(c *Config) { c.Limiter = limiter },
		Route{Method: "POST", Path: "/sign-in/social", Handler: said("x")},
		Route{Method: "GET", Path: "/signin/{provider}", Handler: said("x"), Bucket: "/sign-in/social"},
		Route{Method: "GET", Path: "/callback/{provider}", Handler: said("x"), Known: func(p string) bool { return p == "google" }},
		Route{Method: "GET", Path: "/get-session", Handler: said("x")})
	for i := range 5 {
		r := w.ask("GET", "/api/auth/signin/google", "", "X-Forwarded-For", "203.0.113.9", "Origin", app)
		if i < 3 {
			if r.StatusCode != 200 {
				t.Fatalf("request %d: %d", i, r.StatusCode)
			}
			continue
		}
		if body := text(t, r); r.StatusCode != 429 || r.Header.Get("X-Retry-After") != "10" || r.Header.Get("Retry-After") != "" ||
			r.Header.Get("Content-Type") != "application/json" || body != `{"message":"Too many requests. Please try again later."}` ||
			r.Header.Get("Access-Control-Allow-Origin") != app {
			t.Errorf("request %d: %d %v %s", i, r.StatusCode, r.Header, body)
		}
	}
	if r := w.ask("POST", "/api/auth/sign-in/social", "", "X-Forwarded-For", "203.0.113.9"); r.StatusCode != 429 {
		t.Errorf("the other way to sign in has a limit of its own: %d", r.StatusCode)
	}
	for range 100 {
		w.ask("GET", "/api/auth/get-session", "", "X-Forwarded-For", "203.0.113.9")
	}
	if r := w.ask("GET", "/api/auth/get-session", "", "X-Forwarded-For", "203.0.113.9"); r.StatusCode != 429 {
		t.Errorf("request 101: %d", r.StatusCode)
	}
	before := len(limiter.taken)
	w.ask("GET", "/api/auth/nothing/such", "")
	w.ask("OPTIONS", "/api/auth/get-session", "", "Origin", app)
	if len(limiter.taken) != before {
		t.Errorf("what nobody answers is counted: %v", limiter.taken)
	}
	// Names that are made up have one count: each with its own would be no limit, and a key in Redis besides.
	for _, name := range []string{strings.Repeat("x", 1000), "a", "b", "goo%67le", "google%00"} {
		w.ask("GET", "/api/auth/callback/"+name, "", "X-Forwarded-For", "203.0.113.9")
	}
	w.ask("POST", "/api/auth/callback/c", "", "X-Forwarded-For", "203.0.113.9")
	w.ask("GET", "/api/auth/callback/google", "", "X-Forwarded-For", "203.0.113.9")
	if limiter.taken["203.0.113.9|/callback/{provider}"] != 6 || limiter.taken["203.0.113.9|/callback/google"] != 1 {
		t.Errorf("counted %v", limiter.taken)
	}
}

func TestAddresses(t *testing.T) {
	var got string
	w := newWorld(t, nil, Route{Method: "GET", Path: "/a", Handler: func(c *Call) error { got = c.Address(); return c.JSON(200, nil) }})
	for forwarded, want := range map[string]string{
		"":                               "192.0.2.1",
		"203.0.113.9":                    "203.0.113.9",
		"1.2.3.4, 203.0.113.9, 10.1.2.3": "203.0.113.9",
		"203.0.113.9, junk":              "192.0.2.1",
		"::ffff:203.0.113.9":             "203.0.113.9",
		"2001:db8:1:2:3:4:5:6":           "2001:0db8:0001:0002:0000:0000:0000:0000",
		"fe80::1%eth0":                   "fe80:0000:0000:0000:0000:0000:0000:0000",
	} {
		if w.ask("GET", "/api/auth/a", "", "X-Forwarded-For", forwarded); got != want {
			t.Errorf("%q: %q, want %q", forwarded, got, want)
		}
	}
}

func TestUserAgents(t *testing.T) {
	var got string
	w := newWorld(t, nil, Route{Method: "GET", Path: "/a", Handler: func(c *Call) error { got = c.UserAgent(); return c.JSON(200, nil) }})
	for raw, want := range map[string]string{"": "", "Mozilla/5.0": "Mozilla/5.0", "caf\xe9\x00": "café"} {
		if w.ask("GET", "/api/auth/a", "", "User-Agent", raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
	if w.ask("GET", "/api/auth/a", "", "User-Agent", strings.Repeat("\xe9", 1<<16)); len(got) > 1024 || len(got) < 1000 {
		t.Errorf("%d bytes", len(got))
	}
}
