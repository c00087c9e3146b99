package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSpoofsOverHTTP2 is S24 and R09: names in lower case, pseudo headers, crumbled cookies. Envoy speaks HTTP/2 on the
// port it prints; the others only where TLS is configured.
func TestSpoofsOverHTTP2(t *testing.T) {
	s := setStage(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	for _, p := range s.proxies {
		if !strings.HasPrefix(p.name, "envoy") {
			continue
		}
		for row, c := range map[string]struct {
			header http.Header
			target string
			want   int // 0: refused in any way
			person bool
		}{
			"identity headers, nobody":  {http.Header{"x-user-id": {evil}, "x-org-role": {evil}}, "/public/x", 200, false},
			"identity headers, Ada":     {http.Header{"x-user-id": {evil}, "Cookie": {"a=b", s.ada.Cookie}}, "/private", 200, true},
			"an alias":                  {http.Header{"x_user_id": {evil}, "Cookie": {s.ada.Cookie}}, "/private", 0, true},
			"dots in the path":          {http.Header{}, "/public/../private", 0, false},
			"two authorizations":        {http.Header{"Authorization": {"Bearer " + s.ada.Token, "Bearer " + s.zoe.Token}}, "/private", 0, false},
			"an organization asked for": {http.Header{"X-Org-Id": {"acme"}, "Cookie": {s.ada.Cookie}}, "/private", 200, true},
		} {
			t.Run(p.name+"/"+row, func(t *testing.T) {
				s.backend.Reset()
				client := &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: 20 * time.Second}
				defer client.CloseIdleConnections()
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.address, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.URL.Opaque = c.target
				r.Header = c.header
				x := exchange{}
				if response, err := client.Do(r); err == nil {
					if response.ProtoMajor != 2 {
						t.Errorf("spoke %s", response.Proto)
					}
					x.Status = response.StatusCode
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				} else if c.want != 0 {
					t.Fatal(err)
				}
				x.received = s.backend.Requests()
				x.nothingChosen(t)
				switch {
				case c.want == 0 && x.Status == 200 && !c.person:
					t.Errorf("it passed: %v", x.received)
				case c.want != 0 && x.Status != c.want:
					t.Errorf("status %d, want %d", x.Status, c.want)
				case x.Status == 200 && c.person && x.identity(t, "x-user-id") != s.ada.UserID:
					t.Errorf("x-user-id %q", x.identity(t, "x-user-id"))
				case x.Status == 200 && !c.person:
					x.anonymousAt(t)
				}
			})
		}
	}
}
