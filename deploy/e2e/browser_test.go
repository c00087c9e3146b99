package e2e

import (
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// TestABrowserIsLedToTheSignInPage opens the demo in a real Chromium, whose own Sec-Fetch headers decide that it is a
// person and not a program that is refused, and goes on to the demo's provider.
func TestABrowserIsLedToTheSignInPage(t *testing.T) {
	demo := testenv.Start(t, testenv.Command{
		Path: binary, Args: []string{"demo", "-json", "-listen", freeAddress(t)}, Env: []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()},
	})
	var about struct {
		URL    string
		People []struct{ Name, Cookie string }
	}
	if err := json.Unmarshal([]byte(demo.WaitLine(t, `"people"`)), &about); err != nil {
		t.Fatal(err)
	}
	page := func(url string) string {
		t.Helper()
		browser := exec.CommandContext(t.Context(), testenv.Part(t, "chromium"), "--headless", "--no-sandbox", "--disable-gpu",
			"--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
			"--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(), "--timeout=20000", "--dump-dom", url)
		out, err := browser.Output()
		if err != nil {
			t.Fatalf("chromium: %v\n%s", err, out)
		}
		return string(out)
	}
	got := page(about.URL + "reports?x=1")
	link := regexp.MustCompile(`href="/(api/auth/signin/demo\?[^"]*)"`).FindStringSubmatch(got)
	if link == nil || !strings.Contains(link[1], "reports%3Fx%3D1") || !strings.Contains(got, "Sign in") || !strings.Contains(got, "/reports") {
		t.Fatalf("nobody did not reach the sign-in page, or it forgot where to lead back:\n%s", got)
	}
	got = page(about.URL + html.UnescapeString(link[1]))
	if !strings.Contains(got, "Who are you today?") || !strings.Contains(got, about.People[0].Name) || !strings.Contains(got, "<form") {
		t.Errorf("the sign-in page did not lead to the provider:\n%s", got)
	}
	if got := page(about.URL + "public/"); strings.Contains(got, "Sign in") || !strings.Contains(got, "public") {
		t.Errorf("the public page:\n%.600s", got)
	}
}
