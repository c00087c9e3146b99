package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
	"github.com/usherauth/usher/internal/demo"
	"github.com/usherauth/usher/internal/telemetry"
)

func runDemo(ctx context.Context, t terminal, args []string) int {
	set := flags(t, "demo", "[-json] [-listen 127.0.0.1:4488]", `
Shows the whole thing in one process, with nothing installed: sample people and
organizations in a temporary SQLite database, the real sign-in pages with a built-in
provider that asks for no password, a small reverse proxy that asks the real gate as
Traefik would, and a backend page that shows what your browser sent beside what the
backend received. Open the URL it prints; Ctrl-C stops it and leaves nothing behind.`)
	listen := set.String("listen", "", "`address` of the page, on loopback (default 127.0.0.1:4488, or a free port)")
	asJSON := set.Bool("json", false, "print one JSON object as soon as everything answers, for programs")
	verbose := set.Bool("v", false, "log every decision to standard error")
	if done, code := parse(t, set, args); done {
		return code
	}
	if !noArguments(t, set) {
		return exitUsage
	}
	if !loopback(*listen) {
		fmt.Fprintf(t.err, "usher demo: -listen %s: write an address on this machine, as 127.0.0.1:4488; the demo signs anybody in\n", *listen)
		return exitUsage
	}
	log := slog.New(slog.DiscardHandler)
	if *verbose {
		var err error
		if log, err = telemetry.NewLogger(t.err, telemetry.LogConfig{}); err != nil {
			return fail(t, err)
		}
	}
	err := demo.Run(ctx, demo.Options{
		Listen: *listen, JSON: *asJSON, Stdout: t.out, Log: log,
		StartUsher: func(ctx context.Context, s demo.Settings) (*demo.Usher, error) { return startForDemo(ctx, s, log) },
	})
	if err != nil {
		return fail(t, err)
	}
	return exitOK
}

// loopback reports whether an address is one of this machine alone; empty is.
func loopback(address string) bool {
	if address == "" {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// startForDemo runs what `usher serve` runs, on free ports. What is in the environment does not matter to it.
func startForDemo(ctx context.Context, s demo.Settings, log *slog.Logger) (*demo.Usher, error) {
	c := config.Default()
	c.Listen = config.Listen{HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0", Ops: "127.0.0.1:0"}
	c.TrustedProxies = []string{"127.0.0.0/8", "::1"}
	c.Store.URL = config.NewURL(s.DatabaseURL)
	c.BetterAuth.URL = s.BaseURL
	c.BetterAuth.Secret = config.NewSecret(s.Secret)
	c.Log.Decisions = config.Decisions{Allowed: 1, Refused: 1}
	for _, r := range s.Rules {
		c.Rules = append(c.Rules, config.Rule{Name: r.Name, Path: r.Path, Access: r.Access.String(), OrgRoles: r.OrgRoles})
	}
	c.OAuth.Brand.Name = s.Brand
	c.OAuth.Providers = map[string]config.Provider{s.Provider.ID: {
		Name: s.Provider.Name, DiscoveryURL: s.Provider.DiscoveryURL, Scopes: s.Provider.Scopes, PKCE: config.On,
		ClientID: s.Provider.ClientID, ClientSecret: config.NewSecret(s.Provider.ClientSecret),
	}}
	b := thisBuild()
	app, err := boot.Open(ctx, c, boot.Options{Log: log, Version: b.Version, Commit: b.Commit})
	if err != nil {
		return nil, err
	}
	stopped := make(chan error, 1)
	go func() { stopped <- app.Run(ctx) }()
	return &demo.Usher{
		HTTP: app.HTTP, GRPC: app.GRPC, Ops: app.Ops, Headers: app.Gate.Headers(),
		Wait: func() error { return <-stopped },
	}, nil
}
