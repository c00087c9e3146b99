package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/usherauth/usher/internal/boot"
	"github.com/usherauth/usher/internal/telemetry"
)

func runServe(ctx context.Context, t terminal, args []string) int {
	set := flags(t, "serve", "[-config usher.yaml] [-only gate|oauth]", `
Runs the gate: HTTP sub-requests for Traefik, nginx, Caddy, HAProxy and Envoy on
listen.http, Envoy's gRPC ext_authz on listen.grpc, and /healthz, /readyz and
/metrics on listen.ops. Where a provider is configured (oauth.providers, or
GOOGLE_CLIENT_ID and the like), also people's sign-in: /sign-in, /account and
Better Auth's own API below /api/auth, on listen.http. This is enough to run:

  BETTER_AUTH_SECRET=… BETTER_AUTH_URL=https://app.example.com DATABASE_URL=postgres://… usher serve

SIGTERM and Ctrl-C drain: readiness first, then connections. SIGHUP reloads the rules
and internal callers.`)
	path := set.String("config", "", configFlagHelp)
	only := set.String("only", "", "run one `part`: gate, or oauth, which is the sign-in server")
	if done, code := parse(t, set, args); done {
		return code
	}
	if !noArguments(t, set) {
		return exitUsage
	}
	if *only != "" && *only != "gate" && *only != "oauth" {
		fmt.Fprintf(t.err, "usher serve: -only %s: write gate or oauth\n", *only)
		return exitUsage
	}
	tended := allowGarbage() // early, so that nothing is collected while everything is made
	c, warnings := loadQuietly(t, *path)
	if c == nil {
		return exitUsage
	}
	log, err := telemetry.NewLogger(t.err, telemetry.LogConfig{Level: c.Log.Level, Format: c.Log.Format})
	if err != nil {
		return fail(t, err)
	}
	for _, w := range warnings {
		log.Warn("configuration", "problem", w.String())
	}
	b := thisBuild()
	app, err := boot.Open(ctx, c, boot.Options{Log: log, Version: b.Version, Commit: b.Commit, DrainDelay: 500 * time.Millisecond, Only: *only})
	if err != nil {
		return fail(t, err)
	}
	log.Info("usher listens", "version", b.Version, "http", app.HTTP, "grpc", app.GRPC, "ops", app.Ops)
	if !c.Enabled {
		log.Warn("AUTH_ENABLED=false: EVERY REQUEST PASSES AS ANONYMOUS; identity headers are still removed")
	}

	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	go reload(ctx, t, *path, log, app, hangups)
	if tended {
		go tendGarbage(ctx)
	}

	if err := app.Run(ctx); err != nil {
		return fail(t, err)
	}
	log.Info("usher stopped")
	return exitOK
}

// reload swaps the rules on every SIGHUP. A file with a problem changes nothing: the last good rules stay.
func reload(ctx context.Context, t terminal, path string, log *slog.Logger, app *boot.App, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		c, problems := read(t, path)
		bad := 0
		for _, p := range problems {
			if !p.Warning {
				bad++
				log.Error("reload: problem", "problem", p.String())
			}
		}
		if bad > 0 {
			log.Error("reload refused; the last good rules stay", "problems", bad)
			continue
		}
		if app.Gate == nil {
			log.Info("nothing to reload: the sign-in server has no rules")
			continue
		}
		app.Gate.SetPolicy(c.Policy())
		app.Gate.SetCallers(c.Callers())
		log.Info("rules reloaded, and internal callers; listeners, store and other keys keep their values until a restart", "rules", len(c.Rules))
	}
}
