package boot_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/boot"
	"github.com/usherauth/usher/oauth/oauthtest"
)

// A provider that is down, slow or talks junk spoils the sign-in with it, and nothing else.
func TestABrokenProviderSpoilsItsOwnSignInsOnly(t *testing.T) {
	t.Parallel()
	idp := oauthtest.Start(t)
	idp.Break(oauthtest.Discovery, oauthtest.Fault{Down: true})
	c, path := companionConfig(t, idp)
	if _, err := boot.ApplySchema(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	r := run(t, c, "oauth")
	until(t, 3*time.Second, "it serves although discovery fails", func() bool { status, _ := r.readyz(t); return status == http.StatusOK })
	if status := asks(t, r); status != http.StatusNotFound {
		t.Errorf("nothing was discovered: %d", status)
	}
	idp.Mend()
	until(t, 12*time.Second, "what is up again is asked again", func() bool { return asks(t, r) == http.StatusOK })
	for name, one := range map[string]struct {
		at    oauthtest.Endpoint
		fault oauthtest.Fault
		want  string
	}{
		"down":             {oauthtest.Token, oauthtest.Fault{Down: true}, "/failed?error=invalid_code"},
		"refusing":         {oauthtest.Token, oauthtest.Fault{Status: http.StatusInternalServerError}, "/failed?error=invalid_code"},
		"junk":             {oauthtest.Token, oauthtest.Fault{Body: "<html>"}, "/failed?error=invalid_code"},
		"far too much":     {oauthtest.Token, oauthtest.Fault{Huge: true}, "/failed?error=invalid_code"},
		"leads elsewhere":  {oauthtest.Token, oauthtest.Fault{Redirect: "http://127.0.0.1:1/"}, "/failed?error=invalid_code"},
		"slower than 10 s": {oauthtest.Token, oauthtest.Fault{Slow: time.Minute}, "/failed?error=invalid_code"},
	} {
		back, cookie := begin(t, r, idp)
		idp.Break(one.at, one.fault)
		asked, start := idp.Calls(one.at), time.Now()
		done := make(chan *http.Response, 1)
		go func() { done <- finish(t, r, back, cookie) }()
		until(t, 3*time.Second, "the provider is asked", func() bool { return idp.Calls(one.at) > asked })
		if response, body := get(t, "http://"+r.HTTP+"/api/auth/get-session"); response.StatusCode != http.StatusOK || body != "null" || time.Since(start) > 3*time.Second {
			t.Errorf("%s: others meanwhile: %d %s after %v", name, response.StatusCode, body, time.Since(start))
		}
		response := <-done
		if took := time.Since(start); response.StatusCode != http.StatusFound || response.Header.Get("Location") != one.want || took > 12*time.Second {
			t.Errorf("%s: %d to %q after %v, want %s", name, response.StatusCode, response.Header.Get("Location"), took, one.want)
		}
		idp.Mend()
		if got := count(t, path, "user") + count(t, path, "account") + count(t, path, "session"); got != 0 {
			t.Errorf("%s: %d rows of nobody", name, got)
		}
	}
	if back, cookie := begin(t, r, idp); finish(t, r, back, cookie).Header.Get("Location") != "/welcome" {
		t.Error("mended, and nobody can sign in")
	}
}

// asks is what somebody hears who wants to sign in.
func asks(t *testing.T, r *running) int {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.HTTP+"/api/auth/sign-in/social", strings.NewReader(`{"provider":"acme"}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	response, _ := send(t, q)
	return response.StatusCode
}
