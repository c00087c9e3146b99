package demo

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth/record"
)

// providerPath is where the provider is, and its issuer's path.
const providerPath = "/demo-provider"

// providerID is the provider's name in the companion's configuration, in paths and in the account table.
const providerID = "demo"

// provider is an OpenID provider for development: who comes by picks whom they are, and is asked for no password. All else
// is as strict as a real one, so that what the companion does with it is what it does with Google (OpenID Connect Core 1.0,
// sections 3.1.2 and 3.1.3; RFC 7636). It has one client, the companion of the same process, and answers this machine
// alone. It keeps nothing but codes that wait to be exchanged; its key and its client's secret are made for each run.
type provider struct {
	issuer, host string // origin + providerPath, and the Host that requests must name
	clientID     string
	clientSecret string
	redirectURI  string // the only one
	people       []person
	key          ed25519.PrivateKey
	keyID        string
	codes        codes
	now          func() time.Time
	authorize    http.Handler // guarded
}

// newProvider makes the provider of a demo at origin, such as http://127.0.0.1:4488.
func newProvider(origin string, people []person) (*provider, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	p := &provider{
		issuer: origin + providerPath, host: strings.TrimPrefix(origin, "http://"),
		clientID: "usher-demo", clientSecret: record.Token(), redirectURI: origin + apiPath + "/callback/" + providerID,
		people: people, key: key, keyID: record.ID(), now: time.Now,
	}
	p.codes.open = make(map[string]grant)
	p.authorize = http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.decide)) // nobody is signed in by another site's form
	return p, nil
}

// settings are what the companion is told of the provider.
func (p *provider) settings() Provider {
	return Provider{
		ID: providerID, Name: "Demo ID", DiscoveryURL: p.issuer + discoveryPath, ClientID: p.clientID, ClientSecret: p.clientSecret,
		Scopes: []string{"openid", "profile", "email"},
	}
}

// discoveryPath follows the issuer (OpenID Connect Discovery 1.0, section 4).
const discoveryPath = "/.well-known/openid-configuration"

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A page elsewhere whose name suddenly means 127.0.0.1 (DNS rebinding) is not this machine's own.
	if r.Host != p.host || !fromLoopback(r.RemoteAddr) {
		http.Error(w, "Demo ID answers this machine alone, at "+p.issuer+".", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch path := strings.TrimPrefix(r.URL.Path, providerPath); {
	case path == discoveryPath && read:
		writeJSON(w, http.StatusOK, p.discovery())
	case path == "/jwks" && read:
		writeJSON(w, http.StatusOK, p.keys())
	case path == "/authorize" && read:
		p.show(w, r)
	case path == "/authorize" && r.Method == http.MethodPost:
		p.authorize.ServeHTTP(w, r)
	case path == "/token" && r.Method == http.MethodPost:
		p.token(w, r)
	default:
		http.NotFound(w, r)
	}
}

// maxForm is more than any form here needs.
const maxForm = 64 << 10

func fromLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// metadata is OpenID Connect Discovery 1.0, section 3.
type metadata struct {
	Issuer         string   `json:"issuer"`
	Authorization  string   `json:"authorization_endpoint"`
	Token          string   `json:"token_endpoint"`
	Keys           string   `json:"jwks_uri"`
	Scopes         []string `json:"scopes_supported"`
	ResponseTypes  []string `json:"response_types_supported"`
	GrantTypes     []string `json:"grant_types_supported"`
	SubjectTypes   []string `json:"subject_types_supported"`
	Algorithms     []string `json:"id_token_signing_alg_values_supported"`
	Authentication []string `json:"token_endpoint_auth_methods_supported"`
	Challenges     []string `json:"code_challenge_methods_supported"`
	Claims         []string `json:"claims_supported"`
	SendsIssuer    bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
}

func (p *provider) discovery() metadata {
	return metadata{
		Issuer: p.issuer, Authorization: p.issuer + "/authorize", Token: p.issuer + "/token", Keys: p.issuer + "/jwks",
		Scopes: []string{"openid", "profile", "email"}, ResponseTypes: []string{"code"}, GrantTypes: []string{"authorization_code"},
		SubjectTypes: []string{"public"}, Algorithms: []string{"EdDSA"}, Authentication: []string{"client_secret_post"},
		Challenges: []string{"S256"}, Claims: []string{"sub", "name", "email", "email_verified"}, SendsIssuer: true,
	}
}

// keySet is RFC 7517, section 5, with a key of RFC 8037, section 2.
type keySet struct {
	Keys []publicKey `json:"keys"`
}

type publicKey struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

func (p *provider) keys() keySet {
	public := p.key.Public().(ed25519.PublicKey) //nolint:errcheck,forcetypeassert // what crypto/ed25519 documents
	return keySet{[]publicKey{{
		Type: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(public), ID: p.keyID, Use: "sig", Algorithm: "EdDSA",
	}}}
}

// sign makes a compact JWS (RFC 7515, section 7.1).
func (p *provider) sign(claims any) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "EdDSA", "typ": "JWT", "kid": p.keyID})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(p.key, []byte(text))), nil
}
