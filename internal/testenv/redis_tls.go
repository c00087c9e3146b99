package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// StartRedisTLS starts a server that speaks TLS at the URL, with a certificate for 127.0.0.1 that is its own authority,
// in the file ca. Call still speaks without, at another port.
func StartRedisTLS(t testing.TB, settings ...string) (s *RedisServer, url, ca string) {
	t.Helper()
	cert, key := selfSigned(t)
	port := FreePort(t)
	s = StartRedis(t, append([]string{
		"--tls-port", strconv.Itoa(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert,
		"--tls-auth-clients", "no",
	}, settings...)...)
	return s, fmt.Sprintf("rediss://127.0.0.1:%d", port), cert
}

// selfSigned writes a certificate for 127.0.0.1, of a server and of a client, and its key.
func selfSigned(t testing.TB) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "testenv"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, file := range []struct {
		name *string
		base string
		kind string
		der  []byte
	}{{&certFile, "cert.pem", "CERTIFICATE", cert}, {&keyFile, "key.pem", "PRIVATE KEY", private}} {
		*file.name = filepath.Join(dir, file.base)
		text := pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.der})
		if err := os.WriteFile(*file.name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
