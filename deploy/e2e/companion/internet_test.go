package companion

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/oauth/oauthtest"
)

// internet is all that a program sees of the world whose standard variables lead to it: a CONNECT proxy behind which the
// hosts of Google and GitHub are one provider of ours, under a certificate authority of the test's.
type internet struct {
	idp   *oauthtest.IdP
	proxy string // its URL
	ca    string // file of the authority's certificate

	mu    sync.Mutex
	asked []string // what was to be connected to, host:port, in order
}

// realHosts are the names that are answered here; nothing else is.
var realHosts = []string{"accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com", "github.com", "api.github.com"}

// change alters how the hosts speak TLS.
func newInternet(t *testing.T, change ...func(*tls.Config)) *internet {
	t.Helper()
	w := &internet{idp: oauthtest.Start(t), ca: filepath.Join(t.TempDir(), "ca.pem")}
	behind, err := url.Parse(w.idp.URL)
	if err != nil {
		t.Fatal(err)
	}
	hosts := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host
	}})
	hosts.TLS = &tls.Config{Certificates: []tls.Certificate{w.certificate(t)}}
	hosts.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are refused on purpose
	for _, alter := range change {
		alter(hosts.TLS)
	}
	hosts.StartTLS()
	t.Cleanup(hosts.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.asked = append(w.asked, r.Host)
		w.mu.Unlock()
		name, port, err := net.SplitHostPort(r.Host)
		if r.Method != http.MethodConnect || err != nil || port != "443" || !slices.Contains(realHosts, name) {
			http.Error(rw, "there is nothing there", http.StatusBadGateway)
			return
		}
		tunnel(rw, hosts.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	w.proxy = proxy.URL
	return w
}

// tunnel carries bytes until either end is closed.
func tunnel(rw http.ResponseWriter, to string) {
	far, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	defer far.Close()
	rw.WriteHeader(http.StatusOK)
	near, rest, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	go func() {
		defer far.Close()
		_, _ = io.Copy(far, rest)
	}()
	_, _ = io.Copy(near, far)
}

// certificate makes the authority, writes its certificate, and signs one for all the hosts.
func (w *internet) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	sign := func(template, parent *x509.Certificate, public any, by *ecdsa.PrivateKey) []byte {
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	authority, host := key(), key()
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: "a test's authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root := sign(ca, ca, authority.Public(), authority)
	leaf := sign(&x509.Certificate{DNSNames: realHosts, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca, host.Public(), authority)
	if err := os.WriteFile(w.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{leaf}, PrivateKey: host}
}

// env are the standard variables that lead a program here, for plain HTTP too.
func (w *internet) env() []string {
	return []string{"HTTPS_PROXY=" + w.proxy, "HTTP_PROXY=" + w.proxy, "SSL_CERT_FILE=" + w.ca, "SSL_CERT_DIR=" + filepath.Dir(w.ca) + "/none"}
}

// contacted are the hosts that were asked for, sorted, each once.
func (w *internet) contacted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(w.asked)))
}
