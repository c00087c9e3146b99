package betterauth

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/usherauth/usher/gate"
)

// Config is what a Reader must know of the application.
type Config struct {
	Secret string // what Better Auth signs with: secrets[0], or secret

	// OlderSecrets are accepted besides, so that a change of secret signs nobody out. The library itself is stricter: it
	// verifies signatures with its current secret alone, so a session that passes here can be none to the application.
	OlderSecrets []string

	CookieName       string // the whole name; see CookieName
	DontRemember     string // likewise, for Reader.DontRemember; empty: nobody has one
	RequireSignature bool   // a raw bearer token is refused (the bearer plugin's requireSignature)
}

// Reader finds the session token of a request and proves it. It is safe for concurrent use.
//
// It follows the library but for three things the contract wants: a bad bearer is refused, where the library would fall
// back to the cookie; each of several cookies of the name is tried, where the library knows the first only; and older
// secrets count.
type Reader struct {
	cookie           string
	dontRemember     string
	requireSignature bool
	provers          sync.Pool
}

// NewReader checks c and keys the signatures.
func NewReader(c Config) (*Reader, error) {
	if err := checkCookieName(c.CookieName); err != nil {
		return nil, err
	}
	if c.Secret == "" {
		return nil, errors.New("betterauth: the secret is empty, so anybody could sign")
	}
	secrets := [][]byte{[]byte(c.Secret)}
	for i, older := range c.OlderSecrets {
		if older == "" {
			return nil, fmt.Errorf("betterauth: older secret %d is empty, so anybody could sign", i+1)
		}
		if !slices.ContainsFunc(secrets, func(have []byte) bool { return string(have) == older }) {
			secrets = append(secrets, []byte(older))
		}
	}
	r := &Reader{cookie: c.CookieName, dontRemember: c.DontRemember, requireSignature: c.RequireSignature}
	r.provers.New = func() any { return newProver(secrets) }
	return r, nil
}

// Read implements gate.Reader. A Credential's token never shares memory with a prover; with the request's texts it may,
// which nobody can change.
func (rd *Reader) Read(r *gate.Request) (gate.Credentials, error) {
	if token, ours := gate.BearerToken(r.Authorization); ours {
		return rd.readBearer(token)
	}
	return rd.readCookies(r.Cookies)
}

func (rd *Reader) readBearer(token string) (gate.Credentials, error) {
	found := gate.Credentials{Method: gate.ByBearer}
	if strings.IndexByte(token, '.') < 0 {
		if rd.requireSignature || !bearerShape(token) {
			return found, gate.ErrBadCredential
		}
		found.Add(gate.Proven(gate.ByBearer, token))
		return found, nil
	}
	p := rd.provers.Get().(*prover)
	defer rd.provers.Put(p) // proven is p's own memory
	// The bearer plugin splits at the first dot and the cookie check behind it at the last, so a token with a dot, and
	// with it every JWT, verifies nowhere.
	proven, ok := p.prove(token)
	if !ok || bytes.IndexByte(proven, '.') >= 0 || !bearerShape(proven) {
		return found, gate.ErrBadCredential
	}
	found.Add(gate.Proven(gate.ByBearer, kept(proven, token)))
	return found, nil
}

// maxLooked bounds how many cookies of the name are looked at: a neighbour on the same domain can set any number of
// them, and each costs a signature.
const maxLooked = 64

func (rd *Reader) readCookies(lines []string) (gate.Credentials, error) {
	if len(lines) == 0 {
		return gate.Credentials{}, gate.ErrNoCredential
	}
	p := rd.provers.Get().(*prover)
	found, looked := p.tryCookies(lines, rd.cookie)
	rd.provers.Put(p)
	switch {
	case found.Len() > 0:
		return found, nil
	case looked > 0:
		found.Method = gate.ByCookie
		return found, gate.ErrBadCredential
	default:
		return found, gate.ErrNoCredential
	}
}

// tryCookies collects the genuine ones of all cookies of that name, and counts those it looked at.
func (p *prover) tryCookies(lines []string, name string) (found gate.Credentials, looked int) {
	for _, line := range lines {
		for looked < maxLooked {
			value, rest, ok := nextCookie(line, name)
			if !ok {
				break
			}
			line = rest
			if value == "" {
				continue // just cleared: signed out, nothing forged
			}
			looked++
			if token, ok := p.prove(value); ok && !found.Add(gate.Proven(gate.ByCookie, kept(token, value))) {
				return found, looked // as many as the gate will try
			}
		}
	}
	return found, looked
}

// kept is a token that outlives the prover's memory. Better Auth's own tokens need no escaping, so that the value it came
// in begins with them, and nothing has to be copied.
func kept(token []byte, value string) string {
	if len(value) >= len(token) && value[:len(token)] == string(token) {
		return value[:len(token)]
	}
	return string(token)
}
