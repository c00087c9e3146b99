package testenv

import (
	"encoding/json"
	"os"
	"testing"
)

// OIDCConfig says whom npm's oidc-provider serves.
type OIDCConfig struct {
	Clients []OIDCClient
	People  []OIDCPerson
	Claims  bool // whether id tokens hold e-mail and name, and not only userinfo
	Port    int  // 0: any
}

// OIDCClient is one application.
type OIDCClient struct {
	ID                     string   `json:"client_id"`
	Secret                 string   `json:"client_secret"`
	RedirectURIs           []string `json:"redirect_uris"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	TokenEndpointAuth      string   `json:"token_endpoint_auth_method"` // client_secret_post or client_secret_basic
	GrantTypes             []string `json:"grant_types,omitempty"`      // nil: authorization_code; refresh tokens need refresh_token too
}

// OIDCPerson is somebody who may sign in, without a password.
type OIDCPerson struct {
	Sub           string `json:"sub"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name,omitempty"`
	Picture       string `json:"picture,omitempty"`
}

// OIDCServer is a running provider. login_hint picks a person without a page; otherwise its page has one button a
// person, of the form field sub.
type OIDCServer struct {
	URL  string // its issuer
	proc *Proc
}

// OIDC starts npm's oidc-provider until the test ends.
func OIDC(t testing.TB, c OIDCConfig) *OIDCServer {
	t.Helper()
	for i := range c.Clients {
		if c.Clients[i].TokenEndpointAuth == "" {
			c.Clients[i].TokenEndpointAuth = "client_secret_post"
		}
	}
	text, err := json.Marshal(struct {
		Clients []OIDCClient `json:"clients"`
		People  []OIDCPerson `json:"people"`
		Claims  bool         `json:"claims"`
		Port    int          `json:"port,omitempty"`
	}{c.Clients, c.People, c.Claims, c.Port})
	if err != nil {
		t.Fatal(err)
	}
	p := Start(t, Command{
		Path: Part(t, "node"), Args: []string{RigScript(t, "provider.mjs")},
		Env: []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "RIG_OPTIONS=" + string(text)},
	})
	var ready struct{ URL string }
	if err := json.Unmarshal([]byte(p.WaitLine(t, `{"url":`)), &ready); err != nil {
		t.Fatal(err)
	}
	return &OIDCServer{URL: ready.URL, proc: p}
}

// DiscoveryURL is where its metadata are.
func (s *OIDCServer) DiscoveryURL() string { return s.URL + "/.well-known/openid-configuration" }

// Stop ends the provider before the test does.
func (s *OIDCServer) Stop() { s.proc.Stop() }
