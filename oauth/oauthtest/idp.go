package oauthtest

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/usherauth/usher/oauth/provider"
)

// ClientID and ClientSecret are the only client the provider knows. The secret needs escaping in a Basic header.
const (
	ClientID     = "client-1"
	ClientSecret = "sec/ret:x"
)

// Person is whoever sits before the browser. Empty fields are left out of claims and profiles.
type Person struct {
	Sub, Email, Name, Picture string
	Verified                  bool
	Extra                     map[string]any // more claims, or claims of another kind; nil values leave one out
	GitHubID                  int64          // GitHub's id; 0 is a valid one
	Login                     string         // GitHub's
	Emails                    []GitHubEmail  // GitHub's /user/emails; nil makes one of Email
}

// GitHubEmail is one entry of GitHub's /user/emails.
type GitHubEmail struct {
	Email    string `json:"email"`
	Primary  bool   `json:"primary"`
	Verified bool   `json:"verified"`
}

// Alice is who sits there if nobody says otherwise.
func Alice() Person {
	return Person{
		Sub: "sub-alice", Email: "alice@example.com", Verified: true, Name: "Alice Liddell",
		Picture: "https://img.example/alice.png", GitHubID: 1001, Login: "alice",
	}
}

// IdP is the provider. Safe for concurrent use.
type IdP struct {
	URL    string // of the server, and the issuer
	server *httptest.Server

	mu      sync.Mutex
	now     func() time.Time
	person  Person
	faults  map[Endpoint]Fault
	lies    Lies
	key     *signingKey // nil: an RS256 one, made when it is needed
	codes   map[string]*grant
	access  map[string]Person
	refresh map[string]Person
	calls   []Call
	replays int
}

// grant is what a code was given for.
type grant struct {
	person                        Person
	redirectURI, challenge, nonce string
	scope, shape                  string
	used                          bool
}

// Call is one request the provider got.
type Call struct {
	Endpoint          Endpoint
	Method, URL, Body string // URL as the caller wrote it, host included
	Header            http.Header
}

// T is what Start needs of a *testing.T.
type T interface {
	Helper()
	Cleanup(func())
}

// Start runs a provider until the test ends.
func Start(t T) *IdP {
	t.Helper()
	p := New()
	t.Cleanup(p.Close)
	return p
}

// New runs a provider until Close.
func New() *IdP {
	p := &IdP{
		now: time.Now, person: Alice(), faults: map[Endpoint]Fault{}, codes: map[string]*grant{},
		access: map[string]Person{}, refresh: map[string]Person{},
	}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	p.URL = p.server.URL
	return p
}

// Close stops it. Calls that a Fault keeps waiting end at once.
func (p *IdP) Close() { p.server.CloseClientConnections(); p.server.Close() }

// Options are those of a generic provider behind this one.
func (p *IdP) Options() provider.Options {
	return provider.Options{
		DiscoveryURL: p.URL + "/.well-known/openid-configuration", ClientIDs: []string{ClientID}, ClientSecret: ClientSecret,
		Scopes: []string{"profile", "email"},
	}
}

// PresetOptions are those of the google and github presets; use Client, which sends their hosts' names here.
func (p *IdP) PresetOptions() provider.Options {
	return provider.Options{ClientIDs: []string{ClientID}, ClientSecret: ClientSecret}
}

// Sit puts somebody before the browser, for authorizations from now on.
func (p *IdP) Sit(person Person) { p.lock(func() { p.person = person }) }

// Clock sets the provider's time.
func (p *IdP) Clock(now func() time.Time) { p.lock(func() { p.now = now }) }

// Rotate replaces the signing key; the old one leaves the key set. algorithm is RS256, ES256 or EdDSA.
func (p *IdP) Rotate(algorithm string) { p.lock(func() { p.key = newKey(algorithm) }) }

// Calls counts the requests to an endpoint; "" counts all.
func (p *IdP) Calls(e Endpoint) int { return len(p.Log(e)) }

// Log are the requests to an endpoint, in order; "" is all.
func (p *IdP) Log(e Endpoint) []Call {
	var found []Call
	p.lock(func() {
		for _, c := range p.calls {
			if e == "" || c.Endpoint == e {
				found = append(found, c)
			}
		}
	})
	return found
}

// Replays counts codes that somebody tried to redeem again.
func (p *IdP) Replays() (n int) { p.lock(func() { n = p.replays }); return n }

func (p *IdP) lock(do func()) { p.mu.Lock(); defer p.mu.Unlock(); do() }

// hosts are the real names that Client sends here.
func hosts() []string {
	return []string{"accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com", "github.com", "api.github.com"}
}

// Client reaches this provider under its own URL and under the names of Google and GitHub, and nobody else. Redirects
// are left to the caller.
func (p *IdP) Client() *http.Client {
	return &http.Client{
		Transport:     divert{p},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// divert is the network in which real names lead here.
type divert struct{ idp *IdP }

// RoundTrip implements http.RoundTripper.
func (d divert) RoundTrip(r *http.Request) (*http.Response, error) {
	own, err := url.Parse(d.idp.URL)
	if err != nil {
		return nil, err
	}
	sent := r.Clone(r.Context())
	if slices.Contains(hosts(), r.URL.Host) {
		sent.Host = r.URL.Host
		sent.URL.Scheme, sent.URL.Host = own.Scheme, own.Host
	} else if r.URL.Host != own.Host {
		return nil, &url.Error{Op: r.Method, URL: r.URL.Host, Err: http.ErrAbortHandler}
	}
	return d.idp.server.Client().Transport.RoundTrip(sent)
}

// random is a code, a token or a key id.
func random(prefix string) string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return prefix + hex.EncodeToString(b)
}

// external is the URL a request was sent to, before divert.
func external(r *http.Request) string {
	if slices.Contains(hosts(), r.Host) {
		return "https://" + r.Host + r.URL.RequestURI()
	}
	return "http://" + r.Host + r.URL.RequestURI()
}
