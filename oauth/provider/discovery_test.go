package provider_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/usherauth/usher/oauth/provider"
)

// answering is a host that answers everything with one document, and counts who asks.
type answering struct {
	document map[string]any
	asked    []string
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked = append(a.asked, r.URL.String())
	body, err := json.Marshal(a.document)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, nil
}

// GHSA-5rr4, GHSA-gv74 (a provider that is registered makes the server ask its own network): a document that came by TLS
// names no place without, this machine's own services least of all, nor one that is no place. Nothing there is asked.
func TestDiscoveryLeadsNowhereInside(t *testing.T) {
	whole := func() map[string]any {
		return map[string]any{
			"issuer": "https://id.acme.test", "authorization_endpoint": "https://id.acme.test/a", "token_endpoint": "https://id.acme.test/t",
			"userinfo_endpoint": "https://id.acme.test/u", "end_session_endpoint": "https://id.acme.test/e", "jwks_uri": "https://id.acme.test/k",
		}
	}
	discover := func(document map[string]any) (*answering, error) {
		host := &answering{document: document}
		p, err := provider.New("acme", provider.Options{
			ClientIDs: []string{"id"}, ClientSecret: "secret", DiscoveryURL: "https://id.acme.test/.well-known/openid-configuration",
		}, &http.Client{Transport: host}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return host, p.(provider.Discoverer).Discover(t.Context())
	}
	if _, err := discover(whole()); err != nil {
		t.Fatal(err) // else nothing below is tested
	}
	for member := range whole() {
		for _, inside := range []string{
			"http://127.0.0.1:6379/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest/meta-data", "http://id.acme.test/", "HTTP://127.0.0.1/",
			"file:///etc/passwd", "gopher://127.0.0.1/", "https://user:pw@id.acme.test/", "https://id.acme.test\\@10.0.0.1/", "https://", "javascript:alert(1)",
		} {
			document := whole()
			document[member] = inside
			host, err := discover(document)
			if !errors.Is(err, provider.ErrAbsent) {
				t.Errorf("%s may be %s: %v", member, inside, err)
			}
			if len(host.asked) != 1 {
				t.Errorf("%s is %s: asked for %v", member, inside, host.asked)
			}
		}
	}
}
