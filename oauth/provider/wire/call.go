package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Timeout is how long one call to a provider may take, its body included. Better Auth has none.
const Timeout = 10 * time.Second

// Limit is how many bytes of an answer are read. A longer answer is an error, not half an answer.
const Limit = 1 << 20

// What may go wrong before there is an answer to look at.
var (
	ErrUnreachable = errors.New("no answer")
	ErrTooLarge    = errors.New("the answer is longer than 1 MiB")
	ErrRedirect    = errors.New("answered with a redirect, which is not followed")
)

// Caller makes calls to a provider. It follows no redirect and keeps no cookie: a redirect could carry a code or a
// secret elsewhere, and let a provider point us at our own network.
type Caller struct{ client *http.Client }

// NewCaller uses the transport of client; nil is a client of the standard library's defaults.
func NewCaller(client *http.Client) *Caller {
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if client != nil {
		c.Transport = client.Transport
	}
	return &Caller{c}
}

// Request is one call. Body is sent when it is not empty; its type stands in Headers.
type Request struct {
	Method, URL string
	Headers     []Param
	Body        string
}

// Answer is what came back, whatever its status, except a redirect.
type Answer struct {
	Status int
	Body   []byte
}

// OK is whether the status is one of success.
func (a *Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Do makes the call. Its errors name no URL, as URLs of some providers carry tokens.
func (c *Caller) Do(ctx context.Context, r Request) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, strings.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: not a URL", ErrUnreachable)
	}
	if r.Body == "" {
		req.Body, req.GetBody = http.NoBody, nil
	}
	req.Header.Set("User-Agent", "usher")
	for _, h := range r.Headers {
		req.Header.Set(h.Name, h.Value)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, ErrRedirect
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, Limit+1))
	switch {
	case err != nil:
		return nil, unreachable(ctx, err)
	case len(body) > Limit:
		return nil, ErrTooLarge
	}
	return &Answer{resp.StatusCode, body}, nil
}

// unreachable keeps what a caller branches on (its own cancellation) and what a person needs, without the URL.
func unreachable(ctx context.Context, err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, cause)
	}
	return fmt.Errorf("%w: %s", ErrUnreachable, Quote(err.Error()))
}
