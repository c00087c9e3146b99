package companion

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/usherauth/usher/internal/testenv"
)

// chromium is one tab of a real browser with nothing in it, and what it complained of.
type chromium struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	violated []string // entries of the console about security, such as the Content-Security-Policy's
	asked    []asked
}

// asked is a URL that a page asked for.
type asked struct{ page, url string }

// window is how a page is looked at.
type window struct {
	name  string
	width int64
	phone bool
	dark  bool
}

func windows() []window {
	return []window{
		{"phone-light", 360, true, false},
		{"phone-dark", 360, true, true},
		{"desktop-light", 1200, false, false},
		{"desktop-dark", 1200, false, true},
	}
}

func newChromium(t testing.TB) *chromium {
	t.Helper()
	browser, end := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(testenv.Part(t, "chromium")), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
	)
	ctx, cancel := chromedp.NewContext(browser)
	c := &chromium{TB: t, ctx: ctx}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until it has ended: its folder is removed next
		cancel()
		end()
	})
	if err := chromedp.Listen(ctx, c.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	c.through(windows()[2])
	return c
}

func (c *chromium) hear(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Source == "security" || strings.Contains(e.Entry.Text, "Content Security Policy") {
			c.violated = append(c.violated, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		c.asked = append(c.asked, asked{e.DocumentURL, e.Request.URL})
	}
}

// through looks through a window from now on.
func (c *chromium) through(w window) {
	c.Helper()
	height := int64(800)
	var options []chromedp.EmulateViewportOption
	if w.phone {
		height, options = 740, append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	scheme := "light"
	if w.dark {
		scheme = "dark"
	}
	c.do(chromedp.EmulateViewport(w.width, height, options...))
	if _, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		c.Fatal(err)
	}
}

// do does these steps within half a minute.
func (c *chromium) do(steps ...chromedp.Action[chromedp.Void]) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		c.Fatalf("%v, at %s", err, c.where())
	}
}

func (c *chromium) open(url string) { c.Helper(); c.do(chromedp.Navigate(url)) }

// press clicks the first element whose words are these.
func (c *chromium) press(words string) {
	c.Helper()
	quoted := fmt.Sprintf("%q", words)
	c.do(chromedp.Click(chromedp.Search(`(//a|//button)[normalize-space()=` + quoted + ` or text()=` + quoted + `]`)))
}

// where is the URL of the page.
func (c *chromium) where() string {
	at, err := chromedp.Run(c.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return at
}

// arrive waits until the browser is at a place that begins like this.
func (c *chromium) arrive(at string) {
	c.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !strings.HasPrefix(c.where(), at) {
		if time.Now().After(deadline) {
			c.Fatalf("never came to %s, but is at %s:\n%.2000s", at, c.where(), c.text())
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.do(chromedp.WaitReady(chromedp.CSS("body")))
}

// text is what the page says.
func (c *chromium) text() string {
	return evaluate[string](c, `document.body ? document.body.innerText : ""`)
}

func evaluate[T any](c *chromium, script string, options ...chromedp.EvaluateOption) T {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 30*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, options...))
	if err != nil {
		c.Fatalf("%.80s: %v", script, err)
	}
	return v
}

// mustBeQuiet fails if a page of the site was kept from something by its policy, or asked others for anything.
func (c *chromium) mustBeQuiet(site string) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range c.violated {
		c.Errorf("the console: %s", text)
	}
	own := 0
	for _, a := range c.asked {
		if !strings.HasPrefix(a.page, site+"/") {
			continue
		}
		if own++; !strings.HasPrefix(a.url, site+"/") && !strings.HasPrefix(a.url, "data:") {
			c.Errorf("%s asked for %q", a.page, a.url)
		}
	}
	if own == 0 {
		c.Error("nothing was heard of what pages ask for")
	}
}

// violation is one of axe's.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// judged is what axe-core finds wrong with the page. DevTools bring the script in, past the page's policy and without a
// change to it.
func (c *chromium) judged(axe string) (found []violation) {
	c.Helper()
	evaluate[chromedp.Void](c, axe)
	text := evaluate[string](c, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise)
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		c.Fatal(err)
	}
	return found
}

// spoken is a transport that says it is this browser.
type spoken string

// RoundTrip implements http.RoundTripper.
func (s spoken) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.Header.Set("User-Agent", string(s))
	return http.DefaultTransport.RoundTrip(sent)
}
