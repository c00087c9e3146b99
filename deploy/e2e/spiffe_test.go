package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}
}

// issue makes a certificate of what change says.
func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// workload issues the certificate of a service.
func (a *authority) workload(t *testing.T, ids ...string) tls.Certificate {
	return a.issue(t, func(c *x509.Certificate) {
		for _, id := range ids {
			u, err := url.Parse(id)
			if err != nil {
				t.Fatal(err)
			}
			c.URIs = append(c.URIs, u)
		}
	})
}

// write makes the files that Envoy reads.
func (a *authority) write(t *testing.T, dir string, server tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: a.certificate.Raw}, "server.pem": {Type: "CERTIFICATE", Bytes: server.Certificate[0]},
		"key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificates is Envoy as it is printed, with a listener that demands certificates where the file says they go.
// docs/internal-callers.md shows the same lines.
func TestCertificates(t *testing.T) {
	databaseURL := testenv.Postgres(t).NewDatabase(t)
	auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: databaseURL})
	ada, zoe := auth.SignUp(t, "Ada", "ada@example.com"), auth.SignUp(t, "Zoë", "zoe@example.com")
	token, hash := newToken(t)
	backend := testenv.EchoBackend(t)
	gate := startUsher(t, auth, databaseURL, rules+`
  - { path: "/jobs/**", internal: true }`, fmt.Sprintf(`internal:
  callers:
    - { name: agents, spiffe: ["spiffe://prod/ns/agents/*"] }
    - { name: mailer, token_sha256: [%s], spiffe: ["spiffe://prod/mail/**"], users: [%s] }`, hash, zoe.UserID))

	ca, stranger := newAuthority(t), newAuthority(t)
	server := ca.issue(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("127.0.0.1")} })
	worker := ca.workload(t, "spiffe://prod/ns/agents/worker")
	mailer := ca.workload(t, "spiffe://prod/mail/eu")
	user := func(p *testenv.Person) []string { return []string{"X-User-Id", p.UserID} }
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	session := func(p *testenv.Person) []string { return []string{"Cookie", p.Cookie} }
	xfcc := []string{"X-Forwarded-Client-Cert", "By=spiffe://prod/usher;URI=spiffe://prod/ns/agents/worker"}

	for _, mode := range []string{"grpc", "http"} {
		address := freeAddress(t)
		file, asked := "envoy.yaml", gate.grpc
		if mode == "http" {
			file, asked = "envoy-http.yaml", gate.http
		}
		dir := printed(t, "envoy", "-config", gate.config, "-listen", address, "-upstream", backend.Address, "-gate", asked, "-mode", mode)
		ca.write(t, dir, server)
		demandCertificates(t, filepath.Join(dir, file), dir)
		testenv.Start(t, envoyCommand(t, filepath.Join(dir, file))).WaitListening(t, address)

		for _, c := range []struct {
			it          string
			certificate tls.Certificate
			target      string
			headers     [][]string
			grpc        string // status, reason, user and caller
			http        string // where there is no word about certificates; empty: the same
		}{
			{"for a user", worker, "/private", [][]string{user(ada)}, "200  " + ada.UserID + " agents", "401 NO_CREDENTIAL  "},
			{"itself", worker, "/jobs/x", nil, "200   agents", "401 NO_CREDENTIAL  "},
			{"itself elsewhere", worker, "/private", nil, "403 USER_REQUIRED  ", "401 NO_CREDENTIAL  "},
			{"a session over it", worker, "/private", [][]string{session(zoe)}, "200  " + zoe.UserID + " ", ""},
			{"a session and a user", worker, "/private", [][]string{session(zoe), user(ada)}, "403 AMBIGUOUS_REQUEST  ", "200  " + zoe.UserID + " "},
			{"a bearer and a user", worker, "/private", [][]string{bearer(zoe.Token), user(ada)}, "403 AMBIGUOUS_REQUEST  ", "200  " + zoe.UserID + " "},
			{"limited", mailer, "/private", [][]string{user(ada)}, "403 CALLER_NOT_ALLOWED  ", "401 NO_CREDENTIAL  "},
			{"within its limits", mailer, "/private", [][]string{user(zoe)}, "200  " + zoe.UserID + " mailer", "401 NO_CREDENTIAL  "},
			{"with its token besides", mailer, "/private", [][]string{user(zoe), bearer(token)}, "200  " + zoe.UserID + " mailer", ""},
			{"with another's token", worker, "/private", [][]string{user(zoe), bearer(token)}, "403 AMBIGUOUS_REQUEST  ", "200  " + zoe.UserID + " mailer"},
			{"a name below the pattern", ca.workload(t, "spiffe://prod/ns/agents/a/b"), "/private", [][]string{user(ada)}, "401 NO_CREDENTIAL  ", ""},
			{"another trust domain", ca.workload(t, "spiffe://prod.evil/ns/agents/worker"), "/private", [][]string{user(ada)}, "401 NO_CREDENTIAL  ", ""},
			{"another id first", ca.workload(t, "spiffe://prod/other", "spiffe://prod/ns/agents/worker"), "/private", [][]string{user(ada)}, "401 NO_CREDENTIAL  ", ""},
			{"a name that is no id", ca.issue(t, func(c *x509.Certificate) {
				c.DNSNames, c.Subject.CommonName = []string{"spiffe.prod.ns.agents.worker"}, "spiffe://prod/ns/agents/worker"
			}), "/private", [][]string{user(ada)}, "401 NO_CREDENTIAL  ", ""},
			{"a certificate in a header", ca.workload(t, "spiffe://prod/other"), "/private", [][]string{user(ada), xfcc}, "401 NO_CREDENTIAL  ", ""},
			{"public", worker, "/public/x", [][]string{user(ada)}, "200   ", ""},
		} {
			t.Run(mode+"/"+c.it, func(t *testing.T) {
				want := c.grpc
				if mode == "http" && c.http != "" {
					want = c.http
				}
				if got := askTLS(t, ca, c.certificate, backend, "https://"+address+c.target, c.headers); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
		t.Run(mode+"/another authority", func(t *testing.T) {
			forged := stranger.workload(t, "spiffe://prod/ns/agents/worker")
			if got := askTLS(t, ca, forged, backend, "https://"+address+"/private", [][]string{user(ada)}); !strings.HasPrefix(got, "refused") {
				t.Errorf("got %q", got)
			}
		})
	}
}

// demandCertificates puts the server's certificate and the clients' authority where the printed file says they go.
func demandCertificates(t *testing.T, file, dir string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const place = "    - # transport_socket: your certificate goes here; without one this listener speaks plain HTTP\n"
	before, after, found := strings.Cut(string(text), place)
	if !found {
		t.Fatal("the printed file changed; say elsewhere where certificates go")
	}
	socket := fmt.Sprintf(`    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            tls_certificates: [{certificate_chain: {filename: %[1]s/server.pem}, private_key: {filename: %[1]s/key.pem}}]
            validation_context: {trusted_ca: {filename: %[1]s/ca.pem}}
`, dir)
	if err := os.WriteFile(file, []byte(before+socket+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// askTLS shows a certificate and says, as one line, what came of it: status, reason of a refusal, user and caller at the
// backend.
func askTLS(t *testing.T, ca *authority, certificate tls.Certificate, backend *testenv.Echo, target string, headers [][]string) string {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(ca.certificate)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		r.Header.Add(h[0], h[1])
	}
	backend.Reset()
	response, err := transport.RoundTrip(r)
	if err != nil {
		return "refused: " + err.Error()
	}
	response.Body.Close()
	x := exchange{received: backend.Requests()}
	x.nothingChosen(t)
	x.noServiceToken(t)
	if !x.reached() {
		return fmt.Sprintf("%d %s  ", response.StatusCode, response.Header.Get("X-Usher-Reason"))
	}
	return fmt.Sprintf("%d  %s %s", response.StatusCode, x.identity(t, "x-user-id"), x.identity(t, "x-internal-caller"))
}
