package page

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func draw(t *testing.T, b Brand, show func(*Pages, http.ResponseWriter)) *httptest.ResponseRecorder {
	t.Helper()
	pages, err := New(b)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	show(pages, w)
	return w
}

const script = `<script>alert(1)</script>"onload='x`

// full is an account that shows everything, with an attacker's words wherever words come from outside.
func full() Account {
	return Account{
		Name: "Ada " + script, Email: script, EmailVerified: true, Initials: Initials("Ada Lovelace"), Since: "2 Jan 2026",
		ShowOrgs: true, Organizations: []Organization{{"o1", script, script, script, true}, {"o2", "Beta", "beta", "member", false}},
		Sessions: []Session{
			{"h1", "Firefox on Linux", "192.0.2.1", "today", "now", true, false},
			{"h2", Device(script), script, "yesterday", "today", false, true},
		},
		Accounts: []Linked{{"a1", "Google", "2 Jan 2026", false}, {"a2", script, "3 Jan 2026", true}},
		Linkable: []Provider{{"github", "GitHub", ""}}, Action: "/account", Done: script, Failed: &Explanation{Title: script, Text: script, Code: "X"},
	}
}

func TestNothingFromOutsideIsMarkup(t *testing.T) {
	hostile := Explanation{script, script, []string{script}, script}
	for name, show := range map[string]func(*Pages, http.ResponseWriter){
		"sign-in": func(p *Pages, w http.ResponseWriter) {
			p.SignIn(w, 200, SignIn{Providers: []Provider{{script, script, "javascript:alert(1)"}}, Back: script, Person: script, Continue: "javascript:alert(1)", Why: &hostile})
		},
		"account": func(p *Pages, w http.ResponseWriter) { p.Account(w, 200, full()) },
		"problem": func(p *Pages, w http.ResponseWriter) {
			p.Problem(w, 200, Problem{hostile, "javascript:alert(1)", script})
		},
		"onward": func(p *Pages, w http.ResponseWriter) { p.Onward(w, Onward{"javascript:alert(1)", script}) },
	} {
		body := draw(t, Brand{Name: script, Home: "javascript:alert(1)"}, show).Body.String()
		if strings.Contains(body, "<script") || strings.Contains(body, `"onload='`) {
			t.Errorf("%s: outside words became markup:\n%s", name, body)
		}
		if strings.Contains(body, `"javascript:`) || strings.Contains(body, `url=javascript:`) {
			t.Errorf("%s: a script became a link", name)
		}
	}
}

// A page asks nobody for anything, runs nothing and cannot be framed, and no option loosens that (GHSA-gmfg of Authelia).
func TestPolicy(t *testing.T) {
	w := draw(t, Brand{}, func(p *Pages, w http.ResponseWriter) { p.Account(w, 200, full()) })
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q has no %q", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "script-src") {
		t.Errorf("policy %q admits too much", policy)
	}
	_, sheet, _ := strings.Cut(w.Body.String(), "<style>")
	sheet, _, _ = strings.Cut(sheet, "</style>")
	if !strings.Contains(policy, digest(sheet)) {
		t.Error("the policy does not name the style sheet that the page brings along")
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	for _, source := range []string{"src=\"http", "src=http", "@import", "url(http"} {
		if strings.Contains(w.Body.String(), source) {
			t.Errorf("the page asks somebody else: %s", source)
		}
	}
}

func TestBrand(t *testing.T) {
	for name, c := range map[string]struct {
		brand Brand
		err   string
	}{
		"none":           {Brand{}, ""},
		"whole":          {Brand{Name: "Acme", Logo: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), Accent: "#1a4fb4", AccentDark: "#8ab4f8"}, ""},
		"pale":           {Brand{Accent: "#ffe066"}, "too pale"},
		"dark on dark":   {Brand{AccentDark: "#202020"}, "too dark"},
		"no colour":      {Brand{Accent: "red;}*{display:none"}, "write a colour as"},
		"short colour":   {Brand{Accent: "#fff"}, "write a colour as"},
		"no image":       {Brand{Logo: []byte("<html>")}, "is no PNG"},
		"too large":      {Brand{Logo: make([]byte, MaxLogo+1)}, "at most"},
		"dark by itself": {Brand{Accent: "#000000"}, ""},
	} {
		_, err := New(c.brand)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
	}
}

// The bar leads back to the site, in one link that is called by the site's name; without a site it is no link.
func TestTheBarLeadsHome(t *testing.T) {
	for name, show := range map[string]func(*Pages, http.ResponseWriter){
		"sign-in": func(p *Pages, w http.ResponseWriter) { p.SignIn(w, 200, SignIn{}) },
		"account": func(p *Pages, w http.ResponseWriter) { p.Account(w, 200, Account{}) },
		"problem": func(p *Pages, w http.ResponseWriter) { p.Problem(w, 200, Problem{}) },
		"onward":  func(p *Pages, w http.ResponseWriter) { p.Onward(w, Onward{}) },
	} {
		for home, open := range map[string]string{"https://app.example.com/": `<header><a href="https://app.example.com/"><img `, "": "<header><img "} {
			bar := draw(t, Brand{Name: "Example", Home: home}, show).Body.String()
			_, bar, _ = strings.Cut(bar, "<body>")
			bar, _, _ = strings.Cut(bar, "</header>")
			if !strings.Contains(bar, open) || !strings.Contains(bar, "<span>Example</span>") || strings.Count(bar, "<a ") != strings.Count(open, "<a ") {
				t.Errorf("%s, home %q: %s", name, home, bar)
			}
		}
	}
}

// Whatever the accent is, text in it and on it can be read, in light and in dark.
func TestContrast(t *testing.T) {
	for _, accent := range []string{"", "#000000", "#0000ff", "#146c4a", "#a8321d", "#5a5a5a", "#6b2fb3"} {
		b, err := Brand{Accent: accent}.draw()
		if err != nil {
			t.Fatalf("%s: %v", accent, err)
		}
		for name, ratio := range map[string]float64{
			"on white": b.light.contrast(lightPaper), "text on it": b.light.contrast(b.light.on()),
			"on dark": b.dark.contrast(darkPaper), "text on it in the dark": b.dark.contrast(b.dark.on()),
		} {
			if ratio < readable {
				t.Errorf("%q %s: %.2f", accent, name, ratio)
			}
		}
	}
}

func TestDevice(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                 "Firefox on Linux",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":                  "Safari on macOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":              "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36":       "Samsung Internet on Android",
		"curl/8.5.0": "curl", "": "Unknown device", "\x00\xff": "Unknown device", "   ": "Unknown device",
		strings.Repeat("a", 4096): strings.Repeat("a", 40),
	} {
		if got := Device(agent); got != want {
			t.Errorf("Device(%.60q) = %q, want %q", agent, got, want)
		}
	}
}

// A code from outside is shown only if it could be one.
func TestCleanCode(t *testing.T) {
	for code, want := range map[string]string{
		"state_mismatch": "state_mismatch", "it's": "it's", "": "UNKNOWN", "<b>": "UNKNOWN", "a b": "UNKNOWN", "é": "UNKNOWN",
		strings.Repeat("x", 65): "UNKNOWN",
	} {
		if got := CleanCode(code); got != want {
			t.Errorf("CleanCode(%q) = %q, want %q", code, got, want)
		}
	}
	if e := Explain("nobody_knows_this", ""); e.Title == "" || e.Code != "nobody_knows_this" {
		t.Errorf("unknown code: %+v", e)
	}
	for code := range explanations {
		if e := Explain(code, "Google"); strings.Contains(e.Text, "PROVIDER") || len(e.Hints) == 0 || e.Title == "" {
			t.Errorf("%s: %+v", code, e)
		}
		if e := Explain(code, ""); e.Text[0] < 'A' || e.Text[0] > 'Z' {
			t.Errorf("%s, of nobody knows which provider: %q", code, e.Text)
		}
	}
}

func TestVisit(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	trail, circles := "", false
	for visit := 1; visit <= 3; visit++ {
		if trail, circles = Visit(trail, "/reports", now.Add(time.Duration(visit)*time.Second)); circles != (visit == 3) {
			t.Errorf("visit %d: circles is %v", visit, circles)
		}
	}
	if _, circles := Visit(trail, "/elsewhere", now.Add(4*time.Second)); circles {
		t.Error("another page counted as the same")
	}
	if _, circles := Visit(trail, "/reports", now.Add(TrailLifetime+2*time.Second)); circles {
		t.Error("an old visit counted")
	}
	for _, forged := range []string{"x", "a.b.c", "..", trail + ".1", strings.Replace(trail, ".3.", ".-5.", 1), strings.Replace(trail, ".3.", ".999999999999999999999.", 1)} {
		if next, circles := Visit(forged, "/reports", now); circles || len(next) > 40 {
			t.Errorf("Visit(%q) = %q, %v", forged, next, circles)
		}
	}
	if _, circles := Visit(trail, "/reports", now.Add(-time.Hour)); circles {
		t.Error("a visit in the future counted")
	}
}

// What a screen reader needs is there: one h1, a language, a title, and buttons that say what they do by themselves.
func TestReadAloud(t *testing.T) {
	body := draw(t, Brand{}, func(p *Pages, w http.ResponseWriter) { p.Account(w, 200, full()) }).Body.String()
	for _, want := range []string{`<html lang="en">`, "<title>Your account", "<main>", `role="status"`, `role="alert"`, `<span class="unseen"> to Beta</span>`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	if n := strings.Count(body, "<h1"); n != 1 {
		t.Errorf("%d h1", n)
	}
}

// Every template file is used, so none rots.
func TestEveryFileIsUsed(t *testing.T) {
	files, err := filepath.Glob("web/*.html")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("page.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "base.html" && !strings.Contains(string(source), `"`+name+`"`) {
			t.Errorf("nobody draws %s", file)
		}
	}
}
