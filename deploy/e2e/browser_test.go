package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// TestABrowserIsLedToTheSignInPage opens the demo in a real Chromium, whose own Sec-Fetch headers decide that it is a
// person and not a program that is refused.
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
	if got := page(about.URL + "reports?x=1"); !strings.Contains(got, about.People[0].Name) || !strings.Contains(got, "reports?x=1") || !strings.Contains(got, "<form") {
		t.Errorf("nobody did not reach the sign-in page, or it forgot where to lead back:\n%.600s", got)
	}
	if got := page(about.URL + "public/"); strings.Contains(got, "Sign in as") || !strings.Contains(got, "public") {
		t.Errorf("the public page:\n%.600s", got)
	}
}
