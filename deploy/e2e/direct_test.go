package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// TestChecksAreAnsweredDirectly: every proxy that asks over HTTP, configured as printed, writes its checks in the form that is
// read without net/http. Elsewhere it would be answered as well, and nobody would see that it takes twice the time.
func TestChecksAreAnsweredDirectly(t *testing.T) {
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	ada, backend := auth.SignUp(t, "Ada", "ada@example.com"), testenv.EchoBackend(t)
	u := startUsher(t, auth, databaseURL, rules)
	const handed = "usher_http_handed_total"
	if _, ok := u.mustMetrics(t)[handed]; !ok {
		t.Fatalf("/metrics has no %s", handed)
	}
	if response, err := http.Get("http://" + u.http + "/sign-in"); err != nil || response.Body.Close() != nil || u.mustMetrics(t)[handed] != 1 {
		t.Fatalf("%v, and %v connections are counted; a page is no check", err, u.mustMetrics(t)[handed])
	}
	for _, p := range startProxies(t, u, backend.Address) {
		t.Run(p.name, func(t *testing.T) {
			before := u.mustMetrics(t).sum(handed)
			for _, q := range []request{
				{},
				{lines: []string{"Cookie: " + ada.Cookie}},
				{target: "/private?a=%41&b=%zz", lines: []string{"Cookie: " + ada.Cookie}},
				{method: "POST", lines: []string{"Cookie: " + ada.Cookie, "Origin: https://elsewhere.example", "Content-Length: 4"}, body: "body"},
				{method: "HEAD", lines: []string{"Cookie: " + ada.Cookie}},
				{method: "HEAD", target: "/private"},
				{method: "PROPFIND", lines: []string{"Cookie: " + ada.Cookie}},
				{method: "PUT", lines: []string{"Authorization: Bearer x", "Content-Length: 4"}, body: "body"},
				{lines: []string{"Cookie: " + ada.Cookie, "Pragma: no-cache", "Accept-Language: é", "X-Request-Id: 1"}},
			} {
				q.keepConnection, q.lines = true, append(q.lines, "Connection: keep-alive")
				x := p.send(t, backend, q)
				if x.Status != 200 && x.Status != 401 && x.Status != 403 && x.Status != 302 {
					t.Errorf("%+v: status %d", q, x.Status)
				}
			}
			upload, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.address+"/private", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}

			upload.Header = http.Header{"Cookie": {ada.Cookie}, "Expect": {"100-continue"}} // as curl asks before it sends a file
			if response, err := http.DefaultClient.Do(upload); err != nil || response.Body.Close() != nil || response.StatusCode != 200 {
				t.Errorf("an upload: %v, %v", response, err)
			}
			if n := u.mustMetrics(t).sum(handed) - before; n != 0 {
				t.Errorf("%v connections were read by net/http", n)
			}
		})
	}
}
