package oauthtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signingKey is one key of the provider.
type signingKey struct {
	id, algorithm string
	private       crypto.Signer
}

func newKey(algorithm string) *signingKey {
	k := &signingKey{id: random("key-"), algorithm: algorithm}
	var err error
	switch algorithm {
	case "RS256":
		k.private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		panic("oauthtest: no such algorithm: " + algorithm)
	}
	if err != nil {
		panic(fmt.Sprintf("oauthtest: %v", err))
	}
	return k
}

// current is the key that signs.
func (p *IdP) current() *signingKey {
	if p.key == nil {
		p.key = newKey("RS256")
	}
	return p.key
}

func (p *IdP) keySet() string {
	k := p.current()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.private.Public(), KeyID: k.id, Algorithm: k.algorithm, Use: "sig"}}})
	if err != nil {
		return "{}"
	}
	return string(b)
}

// IDToken is one the provider signs for a person outside of any flow, as a native app holds it. Lies apply.
func (p *IdP) IDToken(person Person, nonce, shape string) (token string) {
	p.lock(func() { token = p.idToken(person, nonce, shape) })
	return token
}

func (p *IdP) idToken(person Person, nonce, shape string) string {
	now := p.now()
	claims := person.claims()
	claims["iss"], claims["aud"] = p.URL, ClientID
	if shape == "google" {
		claims["iss"], claims["azp"] = "https://accounts.google.com", ClientID
	}
	claims["iat"], claims["exp"] = now.Add(p.lies.IssuedAt).Unix(), now.Add(time.Hour).Unix()
	if nonce != "" {
		claims["nonce"] = nonce
	}
	for name, lie := range map[string]string{"iss": p.lies.Issuer, "aud": p.lies.Audience, "nonce": p.lies.Nonce, "sub": p.lies.Sub} {
		if lie != "" {
			claims[name] = lie
		}
	}
	if p.lies.Expired {
		claims["exp"] = now.Add(-time.Hour).Unix()
	}
	return p.sign(object(claims, p.lies.Claims))
}

// Sign signs any payload, JSON or not, with the provider's key. Lies about keys and algorithms apply.
func (p *IdP) Sign(payload string) (token string) {
	p.lock(func() { token = p.sign(payload) })
	return token
}

func (p *IdP) sign(payload string) string {
	key := p.current()
	switch {
	case p.lies.Algorithm == "none":
		return encoded(`{"alg":"none","kid":"`+key.id+`"}`) + "." + encoded(payload) + "."
	case p.lies.Algorithm == "HS256":
		return confused(key, payload)
	case p.lies.UnknownKey:
		key = newKey("ES256")
	case p.lies.StolenKeyID:
		id := key.id
		key = newKey(key.algorithm)
		key.id = id
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.SignatureAlgorithm(key.algorithm), Key: jose.JSONWebKey{Key: key.private, KeyID: key.id},
	}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(fmt.Sprintf("oauthtest: %v", err))
	}
	jws, err := signer.Sign([]byte(payload))
	if err != nil {
		panic(fmt.Sprintf("oauthtest: %v", err))
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		panic(fmt.Sprintf("oauthtest: %v", err))
	}
	return token
}

// confused is the classic: the public key, which everybody has, as an HMAC secret.
func confused(key *signingKey, payload string) string {
	der, err := x509.MarshalPKIXPublicKey(key.private.Public())
	if err != nil {
		panic(fmt.Sprintf("oauthtest: %v", err))
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	signed := encoded(`{"alg":"HS256","kid":"`+key.id+`"}`) + "." + encoded(payload)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encoded(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
