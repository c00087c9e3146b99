package idtoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/usherauth/usher/oauth/provider/wire"
)

const (
	// fresh is how long keys are used without asking again (jose's createRemoteJWKSet has the same ten minutes).
	fresh = 10 * time.Minute
	// stale is how long they are used while the provider does not answer. A key it withdrew lives no longer than this.
	stale = time.Hour
	// unknownPause lies between two fetches that only an unknown key id caused: anybody can make those up.
	unknownPause = 30 * time.Second
	// failurePause lies between a failed fetch and the next.
	failurePause = 3 * time.Second
	// maxKeys is how many keys of a set are looked at. Google has three, Microsoft about ten.
	maxKeys = 100
)

// ErrKeys says that there was no key to verify with: the provider did not answer, or its set has no such key.
var ErrKeys = errors.New("no key to verify the token with")

// Keys is the JSON Web Key Set behind a URL. It implements oidc.KeySet: go-oidc's own asks again for every unknown key
// id, and never again for a known one. Safe for concurrent use.
type Keys struct {
	url     func(context.Context) (string, error)
	caller  *wire.Caller
	headers []wire.Param
	now     func() time.Time
	turn    chan struct{} // whoever fetches holds it; the others wait as long as their context lets them

	mu      sync.Mutex
	set     []jose.JSONWebKey
	fetched time.Time // of set
	asked   time.Time // when an unknown key id last was reason enough to fetch
	wanted  bool      // that fetch is still to come
	failed  time.Time // the last fetch that failed, if it was the last
}

// NewKeys are the keys behind what url returns, asked when first needed.
func NewKeys(url func(context.Context) (string, error), caller *wire.Caller, now func() time.Time, headers ...wire.Param) *Keys {
	return &Keys{url: url, caller: caller, headers: headers, now: now, turn: make(chan struct{}, 1)}
}

// At is a url for NewKeys that is known beforehand.
func At(url string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return url, nil }
}

// VerifySignature returns the payload of a compact JWS which one of the keys signed.
func (k *Keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, asymmetric())
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("not a token with one asymmetric signature")
	}
	header := jws.Signatures[0].Header
	set, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	payload, matched := verify(jws, set)
	if payload != nil {
		return payload, nil
	}
	if matched && header.KeyID != "" {
		return nil, errors.New("the signature is wrong") // the key is known: asking again would not help
	}
	if set, err = k.again(ctx); err != nil {
		return nil, err
	}
	if payload, _ = verify(jws, set); payload == nil {
		return nil, fmt.Errorf("%w: none of that id", ErrKeys)
	}
	return payload, nil
}

// verify tries the keys a token may be signed with. matched says whether there was one.
func verify(jws *jose.JSONWebSignature, set []jose.JSONWebKey) (payload []byte, matched bool) {
	header := jws.Signatures[0].Header
	for i := range set {
		key := &set[i]
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		matched = true
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, matched
}

// current are keys young enough, fetched if need be.
func (k *Keys) current(ctx context.Context) ([]jose.JSONWebKey, error) { return k.fetch(ctx, false) }

// again are the keys after an unknown key id. Whoever comes while they are being asked for waits for the answer.
func (k *Keys) again(ctx context.Context) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	if now := k.now(); k.asked.IsZero() || now.Sub(k.asked) >= unknownPause {
		k.asked, k.wanted = now, true
	}
	k.mu.Unlock()
	return k.fetch(ctx, true)
}

// fetch asks for the keys when they are too old, or when wanted counts and they are; one caller at a time.
func (k *Keys) fetch(ctx context.Context, wanted bool) ([]jose.JSONWebKey, error) {
	if set, ok, err := k.known(wanted); ok || err != nil {
		return set, err
	}
	ctx, cancel := context.WithTimeout(ctx, wire.Timeout)
	defer cancel()
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrKeys, ctx.Err())
	}
	if set, ok, err := k.known(wanted); ok || err != nil {
		return set, err // somebody else asked meanwhile
	}
	set, err := k.load(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) { // a caller who left says nothing about the provider
			k.failed, k.wanted = now, false
		}
		if k.set != nil && now.Sub(k.fetched) < stale {
			return k.set, nil
		}
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	k.set, k.fetched, k.failed, k.wanted = set, now, time.Time{}, false
	return set, nil
}

// known is what can be said without asking: the keys if nothing is due, the keys or an error right after a failure.
func (k *Keys) known(wanted bool) (set []jose.JSONWebKey, ok bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	usable := k.set != nil && now.Sub(k.fetched) < stale
	if usable && now.Sub(k.fetched) < fresh && (!wanted || !k.wanted) {
		return k.set, true, nil
	}
	if !k.failed.IsZero() && now.Sub(k.failed) < failurePause {
		if usable {
			return k.set, true, nil
		}
		return nil, false, fmt.Errorf("%w: the provider did not answer a moment ago", ErrKeys)
	}
	return nil, false, nil
}

func (k *Keys) load(ctx context.Context) ([]jose.JSONWebKey, error) {
	url, err := k.url(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := k.caller.Do(ctx, wire.Request{Method: http.MethodGet, URL: url, Headers: k.headers})
	if err != nil {
		return nil, err
	}
	if !answer.OK() {
		return nil, fmt.Errorf("status %d", answer.Status)
	}
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(answer.Body, &document) != nil || document.Keys == nil {
		return nil, errors.New("not a key set")
	}
	set := []jose.JSONWebKey{}
	for _, raw := range document.Keys[:min(len(document.Keys), maxKeys)] {
		var key jose.JSONWebKey
		// A key of a kind nobody here knows must not take the others with it. Symmetric and private keys are none of
		// ours: a secret in a public set proves nothing.
		if key.UnmarshalJSON(raw) == nil && key.IsPublic() && key.Valid() && key.Use != "enc" {
			set = append(set, key)
		}
	}
	return set, nil
}
