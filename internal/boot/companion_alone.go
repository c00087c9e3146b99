package boot

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/server"
	"github.com/usherauth/usher/internal/telemetry"
)

// openSignIn makes the sign-in server alone.
func openSignIn(ctx context.Context, c *config.Config, o Options) (*App, error) {
	if !c.Companion() {
		return nil, nothingToServe(c)
	}
	metrics := telemetry.NewMetrics(o.Version, o.Commit)
	signIn, err := newCompanion(c, o.Log, metrics, nil)
	if err != nil {
		return nil, err
	}
	health := server.NewHealth(server.Check{Name: "companion", Ask: signIn.Ping})
	for _, note := range signIn.notes() {
		health.Note(note)
	}
	app := &App{
		store: newEventual(o.Log, nil), signIn: signIn,
		serve: server.Config{
			HTTP: signIn, Ops: server.Ops(health, metrics.Handler()), Health: health, Log: o.Log, DrainDelay: o.DrainDelay,
			DrainLimit: drainLimit(signIn),
		},
	}
	only := *c
	only.Listen.GRPC = ""
	if err := app.listen(ctx, &only); err != nil {
		signIn.close()
		return nil, err
	}
	return app, nil
}

// nothingToServe says why the sign-in server has nothing to do, by the first reason there is.
func nothingToServe(c *config.Config) error {
	why := "store.url has to be the database, PostgreSQL or SQLite"
	switch {
	case !c.Enabled:
		why = "AUTH_ENABLED=false (enabled: false) switches it off"
	case !c.OAuth.Enabled:
		why = "oauth.enabled: false switches it off"
	case len(c.SignInProviders()) == 0:
		why = "name a provider below oauth.providers, or set GOOGLE_CLIENT_ID or GITHUB_CLIENT_ID"
	case c.Origin() == "":
		why = "set better_auth.url to the URL that people use"
	}
	return errors.New("the sign-in server has nothing to serve: " + why)
}

// beside serves both on one address: the sign-in server has its paths, and the gate the rest.
func beside(signIn *companion, gate http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if signIn.serves(r.URL.Path) {
			signIn.ServeHTTP(w, r)
			return
		}
		gate.ServeHTTP(w, r)
	})
}

// drainLimit is what open requests may still take when the service ends. A callback waits for its provider, 10 s a call,
// and its state is used up: cut off, that person would have to begin again. Zero: the server's own.
func drainLimit(signIn *companion) time.Duration {
	if signIn == nil {
		return 0
	}
	return 15 * time.Second
}
