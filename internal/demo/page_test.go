package demo

import (
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestPageShowsBothSides(t *testing.T) {
	d := start(t)
	rozsa, ada := d.person("Rózsa Péter"), d.person("Ada Lovelace")
	answer, page := d.send(d.request("GET", "/reports?x=<script>", append(navigation,
		"Cookie", "other=1; "+rozsa.Cookie, "User-Agent", "<b>Test</b>", "X-User-Id", ada.UserID, "X-Org-Id", "analytical-engines")...))
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s %v", answer.Status, answer.Header)
	}
	for _, want := range []string{
		"Hello, Rózsa Péter.", "member of Analytical Engines", "R%C3%B3zsa%20P%C3%A9ter", "decodes to Rózsa Péter",
		`<div class="claim"><dt>X-User-Id</dt><dd>` + ada.UserID, `<div class="verified"><dt>X-User-Id</dt><dd>` + rozsa.UserID,
		`<div class="claim"><dt>X-Org-Id</dt><dd>analytical-engines`, "SIGNED_IN", "&lt;b&gt;Test&lt;/b&gt;",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "<b>Test") || strings.Contains(page, "x=<script>") {
		t.Error("the page has markup of the client's")
	}
	if !strings.Contains(answer.Header.Get("Server-Timing"), "gate;") {
		t.Errorf("Server-Timing: %q", answer.Header.Get("Server-Timing"))
	}
	// Every curl line of the page does in sh what its button does; that sh reads it as one word each is curl_test's.
	if lines := regexp.MustCompile(`<pre tabindex="0"><code>(curl [^<]*)</code>`).FindAllStringSubmatch(page, -1); len(lines) < 8 {
		t.Errorf("%d curl lines", len(lines))
	} else {
		for _, line := range lines {
			if text := html.UnescapeString(line[1]); strings.Contains(text, "other=1") {
				t.Errorf("%s: somebody else's cookie", text)
			}
		}
	}
}

func TestPagesWithoutIdentity(t *testing.T) {
	d := start(t)
	ada := d.person("Ada Lovelace")
	for path, reason := range map[string]string{"/public/": "PUBLIC", "/optional/": "ANONYMOUS"} {
		_, page := d.send(d.request("GET", path, navigation...))
		if !strings.Contains(page, "No identity header at all.") || !strings.Contains(page, reason) {
			t.Errorf("%s: %s", path, page)
		}
	}
	if _, page := d.send(d.request("GET", "/public/", append(navigation, "Cookie", ada.Cookie)...)); strings.Contains(page, "Hello, Ada") {
		t.Error("a public page knows who it is")
	}
	if _, page := d.send(d.request("GET", "/optional/", append(navigation, "Cookie", ada.Cookie)...)); !strings.Contains(page, "Hello, Ada") {
		t.Error("an optional page does not know who it is")
	}
}

// TestPolicyCoversThePages: a browser runs an inline style or script only if its hash is in the policy.
func TestPolicyCoversThePages(t *testing.T) {
	d := start(t)
	authorize, _ := d.browser().open("/api/auth/signin/demo?callbackURL=%2F")
	for path, headers := range map[string][]string{"/": {"Cookie", d.People[0].Cookie}, authorize.Request.URL.RequestURI(): nil} {
		answer, page := d.send(d.request("GET", path, headers...))
		csp := answer.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", path, csp)
		}
		inline := regexp.MustCompile(`(?s)<(?:style|script)>(.*?)</(?:style|script)>`).FindAllStringSubmatch(page, -1)
		if len(inline) == 0 {
			t.Errorf("%s has no style", path)
		}
		for _, one := range inline {
			if !strings.Contains(csp, "'"+hash(one[1])+"'") {
				t.Errorf("%s: the policy does not allow %.60q", path, one[1])
			}
		}
		if outside := regexp.MustCompile(`(?:src|href|action)="(?:https?:|//)`).FindString(page); outside != "" {
			t.Errorf("%s asks somebody else: %s", path, outside)
		}
		if strings.Contains(page, " style=") || strings.Contains(page, " onclick=") || strings.Contains(page, "ZgotmplZ") {
			t.Errorf("%s has what its policy forbids", path)
		}
	}
}

func TestAroundTheProxy(t *testing.T) {
	people, organizations := cast()
	b := &backend{identity: []string{"X-User-Id"}, ledger: newLedger(), view: &view{people, organizations, "http://127.0.0.1:1"}}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-User-Id", people[0].ID)
	b.ServeHTTP(w, r)
	if page := w.Body.String(); !strings.Contains(page, "You came around the proxy") || !strings.Contains(page, `<div class="claim"><dt>X-User-Id`) {
		t.Error(page)
	}
}

func TestPrefersJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json": true, "APPLICATION/JSON": true, "text/html": false,
		"application/json, text/plain, */*": true, "text/html, application/json": false,
		"text/html;q=0.5, application/json": true, "application/json;q=0.5, text/html": false, "application/json;q=0": false,
		"application/json; charset=utf-8": true, "application/json;q=x": false,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": false,
	} {
		if got := prefersJSON([]string{accept}); got != want {
			t.Errorf("%q: %t", accept, got)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"Cookie", "a=1; better-auth.session_token=abcdefghijk.signature", "a=1; better-auth.session_token=abcdefgh…"},
		{"Authorization", "Bearer abcdefghijk", "Bearer abcdefgh…"},
		{"Authorization", "nothing", "nothing "},
		{"User-Agent", "curl/8.0.0 and more", "curl/8.0.0 and more"},
	} {
		if got := shorten(c.name, c.value); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	got := curl("http://127.0.0.1:1/a?b=$HOME", "n=it's", []header{{"X", "y"}})
	if want := `curl -H 'Accept: application/json' -H 'Cookie: n=it'\''s' -H 'X: y' 'http://127.0.0.1:1/a?b=$HOME'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
