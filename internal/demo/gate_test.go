package demo

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/forwardauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/sqlite"
)

// startGate wires a real gate as internal/boot does, without what the demo does not look at: gRPC is an open port that
// nobody answers on, and /readyz is always ready.
func startGate(ctx context.Context, s GateSettings) (*Gate, error) {
	names, _ := gate.Preset("usher")
	headers, err := gate.NewHeaders(gate.HeadersConfig{Names: names, Organization: "X-Org-Id"})
	if err != nil {
		return nil, err
	}
	policy, err := gate.NewPolicy(s.Rules)
	if err != nil {
		return nil, err
	}
	reader, err := betterauth.NewReader(betterauth.Config{Secret: s.Secret, CookieName: betterauth.CookieName("", "", false)})
	if err != nil {
		return nil, err
	}
	sessions, err := sqlite.Open(ctx, sqlite.Config{URL: s.DatabaseURL})
	if err != nil {
		return nil, err
	}
	g, err := gate.New(gate.Config{
		Reader: reader, Resolver: sessions, Headers: headers, Policy: policy, SignInURL: s.BaseURL + "/sign-in",
		OrgSources: []gate.OrgSource{gate.OrgFromHeader, gate.OrgFromActive, gate.OrgFromFirst},
	})
	if err != nil {
		return nil, err
	}
	proxies, err := gate.NewProxies([]string{"127.0.0.0/8"})
	if err != nil {
		return nil, err
	}
	handler, err := forwardauth.New(forwardauth.Config{Gate: g, Proxies: proxies, TicketKey: make([]byte, 32)})
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // a test
		if r.URL.Path != "/readyz" {
			handler.ServeHTTP(w, r)
		}
	})}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			done <- err
		}
		sessions.Close()
		close(done)
	}()
	address := l.Addr().String()
	return &Gate{HTTP: address, GRPC: address, Ops: address, Headers: headers, Wait: func() error { return <-done }}, nil
}
