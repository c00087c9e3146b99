package companion

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/oauthtest"
)

// walkthrough is docs/system-b.md, done as it says.
type walkthrough struct {
	*testenv.Page
	site   *site
	studio string // the front end's origin
	off    string // the command that switches authentication off
}

func walk(t *testing.T, w *internet) *walkthrough {
	t.Helper()
	port := func() int { return testenv.FreePort(t) }
	router, studio, backend := port(), port(), port()
	x := &walkthrough{site: &site{url: fmt.Sprintf("http://localhost:%d", router)}, studio: fmt.Sprintf("http://localhost:%d", studio)}
	x.Page = &testenv.Page{
		Dir: testenv.PageDir(t),
		Env: append(w.env(), "NO_PROXY=localhost,127.0.0.1", "PATH="+strings.Join([]string{
			filepath.Dir(binary), filepath.Dir(testenv.Part(t, "nginx")), filepath.Dir(testenv.Part(t, "node")), os.Getenv("PATH"),
		}, ":")),
		Replace: strings.NewReplacer(
			":8080", fmt.Sprint(":", router), ":5173", fmt.Sprint(":", studio), ":3000", fmt.Sprint(":", backend), "listen(3000,", fmt.Sprintf("listen(%d,", backend),
			":4480", fmt.Sprint(":", port()), ":4481", fmt.Sprint(":", port()), ":4482", fmt.Sprint(":", port()),
			"your-google-client-id", oauthtest.ClientID, "your-github-client-id", oauthtest.ClientID,
			"your-google-client-secret", oauthtest.ClientSecret, "your-github-client-secret", oauthtest.ClientSecret,
			"postgres://usher:password@localhost:5432/artwork", testenv.Postgres(t).NewDatabase(t),
		),
	}
	x.Ready = map[string]func(*testenv.Proc, string){
		"usher": func(p *testenv.Proc, _ string) {
			x.Await(t, p, ":4480")
			p.WaitLine(t, "people sign in here")
		},
		"nginx": func(p *testenv.Proc, _ string) { x.Await(t, p, ":8080") },
		"node":  func(p *testenv.Proc, _ string) { x.Await(t, p, ":3000") },
	}
	x.Other = map[string]func(string){
		"sh off": func(body string) { x.off = body },
		"html": func(body string) {
			for _, link := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(body, -1) {
				x.signIn(t, w, link[1])
			}
		},
	}
	x.Do(t, "../../../docs/system-b.md", 14)
	return x
}

// signIn follows a link of the page to the end, and sees what the backend and the front end are told.
func (x *walkthrough) signIn(t *testing.T, w *internet, link string) {
	t.Helper()
	b := x.site.browser(t)
	begun := b.do(http.MethodGet, link, "")
	cookie := begun.Header.Get("Set-Cookie")
	if begun.StatusCode != http.StatusFound || begun.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(cookie, "better-auth.state=") {
		t.Fatalf("%s: %d %v %s", link, begun.StatusCode, begun.Header, begun.body)
	}
	back, err := w.idp.Consent(begun.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	done := b.do(http.MethodGet, back.String(), "")
	var session string
	for _, line := range done.Header.Values("Set-Cookie") {
		if pair, attributes, _ := strings.Cut(line, ";"); strings.HasPrefix(pair, "better-auth.session_token=") {
			session = pair
			if attributes != " Max-Age=604800; Path=/; HttpOnly; SameSite=Lax" {
				t.Errorf("%s: the session's cookie has%s", link, attributes)
			}
		}
	}
	if done.StatusCode != http.StatusFound || done.Header.Get("Location") != x.studio+"/" || session == "" {
		t.Fatalf("%s: %d to %q %s", link, done.StatusCode, done.Header.Get("Location"), done.body)
	}
	var me *struct {
		User    struct{ ID, Email, Name string }
		Session struct{ Token, ExpiresAt string }
	}
	a := b.do(http.MethodGet, "/api/auth/session", "")
	if err := json.Unmarshal([]byte(a.body), &me); err != nil || me == nil || me.User.Email != "alice@example.com" || me.Session.Token == "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s: session %d %v %s", link, a.StatusCode, a.Header, a.body)
	}
	told := fmt.Sprintf(`{"id":%q,"email":"alice@example.com","name":"Alice Liddell"}`, me.User.ID)
	for _, ask := range []string{"POST /protect", "GET /jobs/42", "GET /jobs/42/result", "GET /jobs/42/download/large"} {
		method, path, _ := strings.Cut(ask, " ")
		if a := b.do(method, path, ""); a.StatusCode != http.StatusOK || a.body != fmt.Sprintf(`{"asked":%q,"user":%s}`+"\n", ask, told) {
			t.Errorf("%s: the backend says %d %s, want %s", ask, a.StatusCode, a.body, told)
		}
	}
	// Pages of strangers do nothing in somebody's name, neither with the backend nor with the session.
	for _, path := range []string{"/protect", "/api/auth/sign-out"} {
		if a := b.with(http.MethodPost, path, "Origin", "http://evil.example"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, `"code":"INVALID_ORIGIN"`) {
			t.Errorf("POST %s from a stranger's page: %d %s", path, a.StatusCode, a.body)
		}
	}
	if a := b.do(http.MethodPost, "/api/auth/sign-out", "{}"); a.StatusCode != http.StatusOK || a.body != `{"success":true}` {
		t.Errorf("sign-out: %d %s", a.StatusCode, a.body)
	}
	if a := b.do(http.MethodGet, "/api/auth/session", ""); a.StatusCode != http.StatusOK || a.body != "null" {
		t.Errorf("session after sign-out: %d %s", a.StatusCode, a.body)
	}
	// Nor is the cookie good for anything to whoever kept it.
	b.Jar = nil
	if a := b.with(http.MethodPost, "/protect", "Cookie", session, "Origin", x.studio); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"user":null`) {
		t.Errorf("a cookie after sign-out: %d %s", a.StatusCode, a.body)
	}
}

// with is a request with these headers, by pairs, and no others.
func (b *browser) with(method, path string, pairs ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.site.url+path, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Header.Add(pairs[i], pairs[i+1])
	}
	return b.send(r)
}

func TestSystemBAsItsPageSays(t *testing.T) {
	t.Parallel()
	w := newInternet(t)
	x := walk(t, w)
	b := x.site.browser(t)
	x.crossOrigin(t, b)
	x.frontEnd(t, w)
	for _, host := range w.contacted() {
		if !strings.HasSuffix(host, ".googleapis.com:443") && !strings.HasSuffix(host, "github.com:443") {
			t.Errorf("%s was contacted", host)
		}
	}
	x.switchedOff(t)
}

// crossOrigin is what a browser asks before it lets a page of the front end ask.
func (x *walkthrough) crossOrigin(t *testing.T, b *browser) {
	t.Helper()
	for _, c := range []struct {
		method, path, origin string
		trusted              bool
	}{
		{http.MethodOptions, "/api/auth/sign-out", x.studio, true},
		{http.MethodOptions, "/api/auth/session", x.studio, true},
		{http.MethodGet, "/api/auth/session", x.studio, true},
		{http.MethodGet, "/api/auth/list-sessions", x.studio, true}, // 401
		{http.MethodPost, "/protect", x.studio, true},
		{http.MethodOptions, "/protect", x.studio, true},
		{http.MethodGet, "/api/auth/session", "http://evil.example", false},
		{http.MethodOptions, "/api/auth/sign-out", "http://evil.example", false},
		{http.MethodGet, "/api/auth/session", x.studio + ".evil.example", false},
		{http.MethodGet, "/api/auth/session", "null", false},
	} {
		pairs := []string{"Origin", c.origin}
		if c.method == http.MethodOptions {
			pairs = append(pairs, "Access-Control-Request-Method", http.MethodPost, "Access-Control-Request-Headers", "content-type")
		}
		h := b.with(c.method, c.path, pairs...).Header
		echo, credentials, vary := h.Get("Access-Control-Allow-Origin"), h.Get("Access-Control-Allow-Credentials"), strings.Join(h.Values("Vary"), ",")
		good := echo == "" && credentials == ""
		if c.trusted {
			good = echo == c.origin && credentials == "true" && strings.Contains(vary, "Origin")
		}
		if !good {
			t.Errorf("%s %s from %s: origin %q, credentials %q, vary %q", c.method, c.path, c.origin, echo, credentials, vary)
		}
	}
}

// frontEnd runs the page's own functions, with a fetch that sends what a browser would.
func (x *walkthrough) frontEnd(t *testing.T, w *internet) {
	t.Helper()
	b := x.site.browser(t)
	if to := b.link(w, "github", x.studio+"/"); to != x.studio+"/" {
		t.Fatalf("the callback led to %q", to)
	}
	var cookie string
	for _, c := range b.Jar.Cookies(parse(t, x.site.url)) {
		if c.Name == "better-auth.session_token" {
			cookie = c.Name + "=" + c.Value
		}
	}
	const drive = `
const plain = globalThis.fetch;
globalThis.fetch = async (url, init) => {
	if (init.credentials !== "include") throw new Error("without credentials");
	const response = await plain(url, { ...init, headers: { ...init.headers, cookie: process.env.COOKIE, origin: process.env.ORIGIN } });
	if (response.headers.get("access-control-allow-origin") !== process.env.ORIGIN) throw new Error("the browser would hide this answer");
	return response;
};
const { session, signOut, protect } = await import("./studio.mjs");
console.log(JSON.stringify([(await session()).user.email, (await protect("pixels")).user.email, await signOut(), await session(), (await protect("pixels")).user]));
`
	if err := os.WriteFile(filepath.Join(x.Dir, "drive.mjs"), []byte(drive), 0o600); err != nil {
		t.Fatal(err)
	}
	got := x.Run(t, fmt.Sprintf("COOKIE='%s' ORIGIN='%s' node drive.mjs\n", cookie, x.studio))
	if want := `["alice@example.com","alice@example.com",{"success":true},null,null]` + "\n"; got != want {
		t.Errorf("the front end gets %s, want %s", got, want)
	}
}

// switchedOff is the end of the page.
func (x *walkthrough) switchedOff(t *testing.T) {
	t.Helper()
	x.Started[0].Stop()
	gate := testenv.Start(t, testenv.Command{Path: "/bin/sh", Args: x.Script(t, x.off), Dir: x.Dir, Env: x.Env})
	gate.WaitListening(t, "127.0.0.1"+x.Replace.Replace(":4480"))
	b := x.site.browser(t)
	if a := b.with(http.MethodPost, "/protect", "X-User-Id", "somebody"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"user":null`) {
		t.Errorf("switched off, the backend says %d %s", a.StatusCode, a.body)
	}
	if a := b.with(http.MethodGet, "/api/auth/session"); a.StatusCode != http.StatusNotFound {
		t.Errorf("switched off, /api/auth/session: %d %s", a.StatusCode, a.body)
	}
}
