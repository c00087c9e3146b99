package companion

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/internal/testenv"
)

var pictures = flag.Bool("pictures", false, "take the pictures of docs/images")

// pictured are the pictures that docs/companion.md shows, by page and window.
var pictured = map[string]bool{
	"sign-in/phone-light": true, "sign-in/desktop-dark": true, "failed/phone-dark": true,
	"account/desktop-light": true, "account/phone-dark": true, "error/desktop-light": true,
}

// lived is somebody who uses the site: two browsers, two organizations.
func lived(t *testing.T, m *mall, s *shop) []*network.CookieParam {
	t.Helper()
	b := s.gate.browser(t)
	for _, agent := range []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
	} {
		b = s.gate.browser(t)
		b.Transport = spoken(agent)
		b.do("GET", b.visit(b.begin(s.url+"/"), ada.Sub), "")
	}
	if b.who() != "ada@example.com" {
		t.Fatal("nobody is signed in")
	}
	db, err := pgx.Connect(t.Context(), m.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	for _, statement := range []string{
		`insert into organization (id, name, slug, "createdAt") values ('o1', 'Analytical Engines', 'engines', now()), ('o2', 'The Society for the Diffusion of Useful Knowledge', 'useful-knowledge', now())`,
		`insert into member (id, "organizationId", "userId", role, "createdAt") select 'm' || o.id, o.id, u.id, case o.id when 'o1' then 'owner' else 'member' end, now() from organization o, "user" u`,
		`insert into account (id, "accountId", "providerId", "userId", "createdAt", "updatedAt") select 'a2', '1815', 'github', id, now(), now() from "user"`,
		`update session set "activeOrganizationId" = 'o1'`,
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	var cookies []*network.CookieParam
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range b.Jar.Cookies(at) {
		cookies = append(cookies, &network.CookieParam{Name: one.Name, Value: one.Value, URL: s.url})
	}
	return cookies
}

// TestPagesAreForEverybody looks at every page through every window: what axe-core finds, whether it fits, and whether the
// keyboard reaches everything.
func TestPagesAreForEverybody(t *testing.T) {
	m := newMall(t, 1)
	s := m.open(t, "traefik")
	script, err := os.ReadFile(filepath.Join(testenv.Part(t, "betterauth"), "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	cookies := lived(t, m, s)
	c := newChromium(t)
	pages := []struct {
		name, path string
		signedIn   bool
		says       string
		brief      bool // much like another page
	}{
		{"sign-in", "/sign-in?callbackURL=" + url.QueryEscape(s.url+"/reports/2026"), false, "/reports/2026", false},
		{"failed", "/sign-in?provider=acme&error=account_not_linked&callbackURL=%2Freports", false, "There is an account with this e-mail address", false},
		{"error", "/api/auth/error?error=state_mismatch", false, "no longer good", false},
		{"nothing", "/sign-in?callbackURL=https%3A%2F%2Fevil.example%2F", false, "Continue with Acme", true},
		{"account", "/account", true, "This device", false},
		{"done", "/account?done=revoke", true, "That device is signed out.", true},
		{"refused", "/account?error=FAILED_TO_UNLINK_LAST_ACCOUNT", true, "only way to sign in", true},
		{"signed-in", "/sign-in", true, "As Ada Lovelace", true},
	}
	signedIn := false
	for _, page := range pages {
		if page.signedIn && !signedIn {
			signedIn = true
			if _, err := chromedp.Call(c.ctx, network.SetCookies, network.SetCookiesParams{Cookies: cookies}); err != nil {
				t.Fatal(err)
			}
		}
		through := windows()
		if page.brief {
			through = through[1:3] // a phone in the dark, and a desk in the light
		}
		for _, w := range through {
			t.Run(page.name+"/"+w.name, func(t *testing.T) {
				c := &chromium{TB: t, ctx: c.ctx}
				c.through(w)
				c.open(s.url + page.path)
				if text := c.text(); !strings.Contains(text, page.says) {
					t.Fatalf("the page says:\n%s", text)
				}
				if wide := evaluate[int](c, "document.documentElement.scrollWidth"); wide > int(w.width) {
					t.Errorf("scrolls to the side: %d wide in a window of %d", wide, w.width)
				}
				if script := evaluate[int](c, "document.scripts.length"); script != 0 {
					t.Errorf("%d scripts", script)
				}
				if pictured[page.name+"/"+w.name] && *pictures {
					c.take(page.name + "-" + w.name)
				}
				for _, v := range c.judged(string(script)) {
					for _, n := range v.Nodes {
						t.Errorf("%s (%s): %s\n%s\n%s", v.ID, v.Impact, v.Help, n.HTML, n.FailureSummary)
					}
				}
				if !w.phone && !w.dark {
					c.tabThrough()
				}
			})
		}
	}
	c.mustBeQuiet(s.url)
	t.Run("the judge is awake", func(t *testing.T) {
		c := &chromium{TB: t, ctx: c.ctx}
		evaluate[chromedp.Void](c, `document.querySelector("main").insertAdjacentHTML("beforeend", "<img src='data:,'>")`)
		if found := c.judged(string(script)); len(found) != 1 || found[0].ID != "image-alt" {
			t.Errorf("axe finds %+v in a page with a picture that says nothing", found)
		}
	})
	t.Run("by keyboard", func(t *testing.T) { byKeyboard(t, m, s) })
}

// tabThrough presses Tab until every control had its turn, in the order of the page, and the focus could be seen.
func (c *chromium) tabThrough() {
	c.Helper()
	c.open(c.where())
	const controls = `[...document.querySelectorAll("a[href], button, input:not([type=hidden])")]`
	all := evaluate[int](c, controls+".length")
	for i := range all {
		c.do(chromedp.KeyEvent(kb.Tab))
		if at := evaluate[int](c, controls+".indexOf(document.activeElement)"); at != i {
			c.Errorf("Tab %d leads to control %d of %d: %s", i+1, at, all, evaluate[string](c, "document.activeElement.outerHTML"))
			return
		}
		if seen := evaluate[string](c, "getComputedStyle(document.activeElement).outlineStyle"); seen == "none" {
			c.Errorf("control %d has focus, and nobody sees it: %s", i, evaluate[string](c, "document.activeElement.outerHTML"))
		}
	}
}

// take writes a picture of the page into docs/images.
func (c *chromium) take(name string) {
	c.Helper()
	picture, err := chromedp.Run(c.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		c.Fatal(err)
	}
	picture = small(c, picture)
	if len(picture) > 60<<10 {
		c.Errorf("%s has %d bytes", name, len(picture))
	}
	file := filepath.Join("..", "..", "..", "docs", "images", name+".png")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		c.Fatal(err)
	}
}

// byKeyboard signs in, switches the organization, ends other sessions, unlinks an account and signs out, with nothing but
// Tab and Enter.
func byKeyboard(t *testing.T, m *mall, s *shop) {
	t.Helper()
	c := newChromium(t)
	enter := func(words string) {
		t.Helper()
		for range 30 {
			c.do(chromedp.KeyEvent(kb.Tab))
			if strings.HasPrefix(evaluate[string](c, "(document.activeElement.textContent || '').trim()"), words) {
				c.do(chromedp.KeyEvent(kb.Enter))
				return
			}
		}
		t.Fatalf("Tab never comes to %q at %s:\n%s", words, c.where(), c.text())
	}
	says := func(words string) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for !strings.Contains(c.text(), words) {
			if time.Now().After(deadline) {
				t.Fatalf("never says %q, but at %s:\n%s", words, c.where(), c.text())
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	c.open(s.url + "/account")
	c.arrive(s.url + "/sign-in?")
	enter("Continue with Acme")
	c.arrive(m.idp.URL)
	enter("Ada Lovelace")
	c.arrive(s.url + "/account")
	says("This device")
	enter("Switch to The Society")
	says("The organization is switched.")
	enter("Sign out Safari")
	says("That device is signed out.")
	enter("Sign out everywhere else")
	says("All other devices are signed out.")
	enter("Unlink GitHub")
	says("The account is unlinked.")
	enter("Sign out")
	c.arrive(m.idp.URL + "/session/end?")
	c.mustBeQuiet(s.url)
}

// small is a picture in its 256 commonest colours.
func small(t testing.TB, picture []byte) []byte {
	t.Helper()
	drawn, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	bounds, count := drawn.Bounds(), map[color.Color]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[drawn.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	palette := color.Palette(colours[:min(len(colours), 256)])
	index := map[color.Color]uint8{}
	for _, one := range colours {
		index[one] = uint8(palette.Index(one))
	}
	out := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			out.SetColorIndex(x, y, index[drawn.At(x, y)])
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
