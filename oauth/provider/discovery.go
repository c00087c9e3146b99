package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/usherauth/usher/oauth/provider/idtoken"
	"github.com/usherauth/usher/oauth/provider/wire"
)

// discoveryPause lies between a discovery that failed and the next: a provider that is down is not asked by every
// sign-in anew.
const discoveryPause = 2 * time.Second

// metadata is what a provider says of itself (OpenID Connect Discovery 1.0, section 3), as far as it is used.
type metadata struct {
	authorize, token, userInfo, endSession, issuer, jwks string

	algorithms []string // nil where it lists none: then it is not taken for OIDC
	oidc       bool
	sendsIss   bool // RFC 9207: a callback without iss is not from it
}

// discovery asks a provider about itself, once. Until that worked the provider is absent.
type discovery struct {
	url    string
	issuer string                // what it must say, "" is anything
	usable func(*metadata) error // a last look: what leaves us without an endpoint is asked for again
	caller *wire.Caller
	now    func() time.Time
	turn   chan struct{} // whoever asks holds it

	mu     sync.Mutex
	found  *metadata
	failed time.Time
	reason error
}

// known is what was found so far, nil is nothing.
func (d *discovery) known() *metadata {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.found
}

// get is what the provider says of itself. Several callers ask once; each leaves when its own context ends.
func (d *discovery) get(ctx context.Context) (*metadata, error) {
	ctx, cancel := context.WithTimeout(ctx, wire.Timeout)
	defer cancel()
	if m, err := d.before(); m != nil || err != nil {
		return m, err
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if m, err := d.before(); m != nil || err != nil {
		return m, err
	}
	m, err := d.load(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) { // a caller who left says nothing about the provider
			d.failed, d.reason = d.now(), err
		}
		return nil, err
	}
	d.found = m
	return m, nil
}

// before is the answer of an earlier caller: what was found, or why not a moment ago.
func (d *discovery) before() (*metadata, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.found == nil && !d.failed.IsZero() && d.now().Sub(d.failed) < discoveryPause {
		return nil, d.reason
	}
	return d.found, nil
}

func (d *discovery) load(ctx context.Context) (*metadata, error) {
	answer, err := d.caller.Do(ctx, wire.Request{Method: http.MethodGet, URL: d.url})
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	if !answer.OK() {
		return nil, fmt.Errorf("discovery: status %d", answer.Status)
	}
	document, err := wire.ParseObject(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	m := &metadata{
		authorize: document.Text("authorization_endpoint"), token: document.Text("token_endpoint"),
		userInfo: document.Text("userinfo_endpoint"), endSession: document.Text("end_session_endpoint"),
		issuer: document.Text("issuer"), jwks: document.Text("jwks_uri"),
		sendsIss: document.Get("authorization_response_iss_parameter_supported") == true,
	}
	if m.jwks, err = resolve(d.url, m.jwks); err != nil {
		return nil, errors.New("discovery: jwks_uri is not a URL")
	}
	if list, ok := document.Get("id_token_signing_alg_values_supported").([]any); ok && len(list) > 0 {
		m.oidc = true
		var offered []string
		for _, a := range list {
			if s, ok := a.(string); ok {
				offered = append(offered, s)
			}
		}
		offered = append(offered, "") // a list of nothing we know must not read as "any"
		m.algorithms = idtoken.Algorithms(offered)
	} else {
		m.algorithms = idtoken.Algorithms(nil)
	}
	for name, raw := range map[string]string{
		"authorization_endpoint": m.authorize, "token_endpoint": m.token, "userinfo_endpoint": m.userInfo,
		"end_session_endpoint": m.endSession, "jwks_uri": m.jwks, "issuer": m.issuer,
	} {
		if raw == "" {
			continue
		}
		if err := endpoint(raw); err != nil {
			return nil, fmt.Errorf("discovery: %s %w", name, err)
		}
		// A document fetched with TLS that sends us to plain http on this machine is none of the provider's business.
		if u, err := url.Parse(raw); err != nil || u.Scheme == "http" && d.url[:5] != "http:" {
			return nil, fmt.Errorf("discovery: %s %w", name, errEndpoint)
		}
	}
	if d.issuer != "" && m.issuer != d.issuer {
		return nil, errors.New("discovery: names another issuer than the configured one")
	}
	if err := d.usable(m); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	return m, nil
}

// resolve makes ref absolute, as Better Auth does for jwks_uri; "" stays.
func resolve(base, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u, err := b.Parse(ref)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}
