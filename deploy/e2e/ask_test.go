package e2e

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// question is one request of a client, as a proxy tells a gate of it.
type question struct {
	target  string // empty: /private
	cookie  string // the whole Cookie header
	bearer  string
	org     string // X-Org-Id
	browser bool   // a person opens a page
}

func (q question) headers() map[string]string {
	headers := map[string]string{}
	set := func(name, value string) {
		if value != "" {
			headers[name] = value
		}
	}
	set("cookie", q.cookie)
	set("x-org-id", q.org)
	if q.bearer != "" {
		set("authorization", "Bearer "+q.bearer)
	}
	if q.browser {
		set("sec-fetch-mode", "navigate")
		set("sec-fetch-dest", "document")
	}
	return headers
}

func (q question) path() string {
	if q.target == "" {
		return "/private"
	}
	return q.target
}

// answer is what a gate said. The zero answer is none.
type answer struct {
	status int         // 200: the request passes; else what the client is told
	header http.Header // 200: what the backend is told; else what the client is
	err    error       // there was no answer
}

// passes reports whether the request passes as this user.
func (a answer) passes(userID string) bool {
	return a.status == 200 && a.header.Get("X-User-Id") == userID
}

// refused reports whether the gate knows of nobody.
func (a answer) refused() bool { return a.status == http.StatusUnauthorized }

// unavailable reports whether the gate could not find out, and says when to try again.
func (a answer) unavailable() bool {
	return a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != ""
}

// asker asks one gate without a proxy in between, which would only take time. It is safe for concurrent use.
type asker interface {
	ask(ctx context.Context, q question) answer
}

// overHTTP asks as Traefik does. Connections are kept, and end with the test.
func (u *usher) overHTTP(t *testing.T) *httpAsker {
	t.Helper()
	a := &httpAsker{url: "http://" + u.http + "/gate/traefik", client: http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1000},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(a.client.CloseIdleConnections)
	return a
}

type httpAsker struct {
	url    string
	client http.Client
}

func (a *httpAsker) ask(ctx context.Context, q question) answer {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return answer{err: err}
	}
	for name, value := range q.headers() {
		r.Header.Set(name, value)
	}
	r.Header.Set("X-Forwarded-Method", "GET")
	r.Header.Set("X-Forwarded-Proto", "http")
	r.Header.Set("X-Forwarded-Host", "app.test")
	r.Header.Set("X-Forwarded-Uri", q.path())
	r.Header.Set("X-Forwarded-For", "203.0.113.50")
	response, err := a.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return answer{err: err}
	}
	return answer{status: response.StatusCode, header: response.Header}
}

// overGRPC asks as Envoy does, over one connection.
func (u *usher) overGRPC(t *testing.T) asker {
	t.Helper()
	conn, err := grpc.NewClient(u.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return grpcAsker{authv3.NewAuthorizationClient(conn)}
}

type grpcAsker struct{ envoy authv3.AuthorizationClient }

func (a grpcAsker) ask(ctx context.Context, q question) answer {
	headers := q.headers()
	for name, value := range map[string]string{":method": "GET", ":path": q.path(), ":authority": "app.test", ":scheme": "http"} {
		headers[name] = value
	}
	response, err := a.envoy.Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "203.0.113.50", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000}},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: q.path(), Host: "app.test", Scheme: "http", Headers: headers,
		}},
	}})
	if err != nil {
		return answer{err: err}
	}
	said := answer{status: http.StatusOK, header: http.Header{}}
	options := response.GetOkResponse().GetHeaders()
	if response.GetStatus().GetCode() != 0 {
		denied := response.GetDeniedResponse()
		said.status, options = int(denied.GetStatus().GetCode()), denied.GetHeaders()
	}
	for _, option := range options {
		value := option.GetHeader().GetValue()
		if raw := option.GetHeader().GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		said.header.Add(option.GetHeader().GetKey(), value)
	}
	return said
}

// until asks again and again, until the answer is as wanted or the time is over. It returns when the wanted answer came,
// and the last answer.
func until(a asker, q question, patience time.Duration, wanted func(answer) bool) (time.Time, answer, bool) {
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		said := a.ask(ctx, q)
		cancel()
		now := time.Now()
		if wanted(said) {
			return now, said, true
		}
		if now.After(deadline) {
			return now, said, false
		}
		time.Sleep(time.Millisecond)
	}
}
