package provider

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// endpointAuth is how a client proves itself at a token endpoint.
type endpointAuth int

const (
	authPost  endpointAuth = iota // client_id and client_secret in the body; without a secret client_id alone
	authBasic                     // form-encoded and in the Authorization header; client_id is not in the body then
	authNone                      // client_id alone
)

// client speaks to one provider's token endpoint.
type client struct {
	caller     *wire.Caller
	now        func() time.Time
	id, secret string
	auth       endpointAuth
}

// tokenRequest is one question to a token endpoint; form is everything up to the client's proof.
type tokenRequest struct {
	url     string
	form    []Param
	headers []Param
	auth    endpointAuth
	proof   []Param  // replaces client_id and client_secret where a provider has names of its own
	secrets []string // never to be seen in an error
}

// codeForm is the body of a code exchange up to the client's proof, in Better Auth's order.
func codeForm(e Exchange, redirectURI, verifier, deviceID string) []Param {
	form := params("grant_type", "authorization_code", "code", e.Code)
	form = append(form, present(params("code_verifier", verifier, "device_id", deviceID))...)
	return append(form, Param{Name: "redirect_uri", Value: redirectURI})
}

func refreshForm(token string) []Param {
	return params("grant_type", "refresh_token", "refresh_token", token)
}

// tokens asks. x/oauth2 would sort the body and send another Accept; hence by hand.
func (c *client) tokens(ctx context.Context, r tokenRequest) (*Tokens, error) {
	headers := params("content-type", "application/x-www-form-urlencoded", "accept", "application/json")
	for _, h := range r.headers {
		headers = wire.Set(headers, h.Name, h.Value)
	}
	form := r.form
	switch {
	case r.proof != nil:
		for _, p := range r.proof {
			form = wire.Set(form, p.Name, p.Value)
		}
	case r.auth == authBasic:
		pair := wire.Escape(c.id) + ":" + wire.Escape(c.secret)
		headers = append(headers, Param{Name: "authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))})
	default:
		form = wire.Set(form, "client_id", c.id)
		if r.auth == authPost && c.secret != "" {
			form = wire.Set(form, "client_secret", c.secret)
		}
	}
	answer, err := c.caller.Do(ctx, wire.Request{Method: http.MethodPost, URL: r.url, Headers: headers, Body: wire.Encode(form)})
	if err != nil {
		return nil, err
	}
	return c.read(answer, append(r.secrets, c.secret))
}

// read is what a token endpoint's answer means.
func (c *client) read(answer *wire.Answer, secrets []string) (*Tokens, error) {
	t, err := parseTokens(answer.Body, c.now(), secrets...)
	if !answer.OK() {
		if err == nil || errors.Is(err, errNoAccessToken) || errors.Is(err, wire.ErrJSON) {
			return nil, fmt.Errorf("status %d", answer.Status)
		}
		return nil, fmt.Errorf("status %d: %w", answer.Status, err)
	}
	return t, err
}

// object asks an API with the access token for one JSON object.
func (c *client) object(ctx context.Context, r wire.Request) (*wire.Object, error) {
	answer, err := c.caller.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	if !answer.OK() {
		return nil, fmt.Errorf("status %d", answer.Status)
	}
	return wire.ParseObject(answer.Body)
}

// bearer is a GET with the access token, headers added.
func bearer(url, token string, headers ...Param) wire.Request {
	return wire.Request{Method: http.MethodGet, URL: url, Headers: append(params("authorization", "Bearer "+token), headers...)}
}
