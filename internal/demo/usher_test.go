package demo

import (
	"context"
	"log/slog"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
)

// startUsher is what cmd/usher gives to Run: the real gate and the real companion.
func startUsher(ctx context.Context, s Settings) (*Usher, error) {
	c := config.Default()
	c.Listen = config.Listen{HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0", Ops: "127.0.0.1:0"}
	c.TrustedProxies = []string{"127.0.0.0/8", "::1"}
	c.Store.URL = config.NewURL(s.DatabaseURL)
	c.BetterAuth.URL, c.BetterAuth.Secret = s.BaseURL, config.NewSecret(s.Secret)
	for _, r := range s.Rules {
		c.Rules = append(c.Rules, config.Rule{Name: r.Name, Path: r.Path, Access: r.Access.String(), OrgRoles: r.OrgRoles})
	}
	c.OAuth.Brand.Name = s.Brand
	c.OAuth.Providers = map[string]config.Provider{s.Provider.ID: {
		Name: s.Provider.Name, DiscoveryURL: s.Provider.DiscoveryURL, Scopes: s.Provider.Scopes, PKCE: config.On,
		ClientID: s.Provider.ClientID, ClientSecret: config.NewSecret(s.Provider.ClientSecret),
	}}
	app, err := boot.Open(ctx, c, boot.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	stopped := make(chan error, 1)
	go func() { stopped <- app.Run(ctx) }()
	return &Usher{
		HTTP: app.HTTP, GRPC: app.GRPC, Ops: app.Ops, Headers: app.Gate.Headers(),
		Wait: func() error { return <-stopped },
	}, nil
}
