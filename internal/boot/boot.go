package boot

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/extauthz"
	"github.com/usherauth/usher/forwardauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/server"
	"github.com/usherauth/usher/internal/telemetry"
	"github.com/usherauth/usher/store/provisioned"
)

// Options are what the configuration does not say.
type Options struct {
	Log             *slog.Logger
	Version, Commit string
	DrainDelay      time.Duration // zero: none
	Only            string        // gate or oauth, the sign-in server; empty: what the configuration asks for
}

// App is a service with open listeners, not yet serving.
type App struct {
	HTTP, GRPC, Ops string     // addresses that are listened on; empty: not
	Gate            *gate.Gate // nil: only the sign-in server runs

	serve  server.Config
	store  *eventual
	memory *memory
	moves  *refreshing // nil: sessions are not refreshed
	rows   *business   // nil: no business rows are made
	asks   bool        // whether there is a store to ask: not with AUTH_ENABLED=false
	signIn *companion  // nil: nobody signs in here
}

// Open makes everything that runs. It fails on what waiting does not mend: an address in use, a table without a column. A
// database that does not answer is waited for by Run. While the storage is asked for its schema, which is half of a start,
// the rest is made; addresses are listened on only after that.
func Open(ctx context.Context, c *config.Config, o Options) (*App, error) {
	if o.Only == "oauth" {
		return openSignIn(ctx, c, o)
	}
	sessions := newEventual(o.Log, func(ctx context.Context) (Store, error) { return OpenStore(ctx, c) })
	tried := make(chan error, 1)
	go func() {
		if !c.Enabled {
			tried <- nil
			return
		}
		tried <- sessions.try(ctx)
	}()
	app, err := wire(c, o, sessions)
	if refused := <-tried; refused != nil {
		err = refused // what is wrong with the storage is said first
	}
	if err == nil && app.rows != nil {
		err = app.rows.try(ctx)
	}
	if err == nil {
		err = app.listen(ctx, c)
	}
	if err != nil {
		if app != nil {
			if app.rows != nil {
				app.rows.close()
			}
			app.serve.GRPC.Stop()
			app.memory.close()
			if app.signIn != nil {
				app.signIn.close()
			}
		}
		sessions.close()
		return nil, err
	}
	if _, reached := sessions.now(); reached && app.rows == nil {
		app.serve.Health.Answered()
	}
	return app, nil
}

// wire makes all but the storage and the listeners, in the order of the life of one request, backwards.
func wire(c *config.Config, o Options, sessions *eventual) (app *App, err error) {
	metrics := telemetry.NewMetrics(o.Version, o.Commit)
	publishPool(metrics, sessions)
	people, rows := metrics.Resolver(sessions), newBusiness(c, o.Log, metrics)
	if rows != nil {
		people = provisioned.New(people, rows) // behind the memory, which remembers keys with the session
	}
	remembered, err := newMemory(c, people, o.Log, metrics)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			remembered.close()
		}
	}()
	var moves *refreshing
	var refresh *gate.Sliding
	if c.Enabled && c.BetterAuth.Session.Refresh {
		moves = newRefreshing(c, o.Log, metrics)
		refresh = &gate.Sliding{Refresher: moves, Observe: moves.observe, Forget: remembered.Drop}
	}
	g, err := NewGate(c, remembered, refresh, telemetry.Observer(o.Log, metrics, telemetry.Shares{
		Allowed: c.Log.Decisions.Allowed, Refused: c.Log.Decisions.Refused,
	}))
	if err != nil {
		return nil, err
	}

	proxies := c.Proxies()
	ticketKey, err := ticketKey(c)
	if err != nil {
		return nil, err
	}
	forward, err := forwardauth.New(forwardauth.Config{Gate: g, Proxies: proxies, TicketKey: ticketKey})
	if err != nil {
		return nil, err
	}
	envoy, err := extauthz.New(extauthz.Config{Gate: g, Proxies: proxies})
	if err != nil {
		return nil, err
	}

	checks := []server.Check{}
	if c.Enabled {
		checks = append(checks, server.Check{Name: "store", Ask: sessions.Ping})
	}
	if rows != nil {
		checks = append(checks, server.Check{Name: "business", Ask: rows.Ping})
	}
	health := server.NewHealth(checks...)
	if c.Enabled {
		for _, note := range remembered.notes() {
			health.Note(note)
		}
		if !c.Store.Secondary.URL.IsZero() {
			health.Note(sessions.secondary())
		}
	}
	rpc := grpc.NewServer(extauthz.ServerOptions()...)
	envoy.Register(rpc, health.GRPC)

	var answers http.Handler = forward
	var signIn *companion
	if c.Companion() && o.Only != "gate" {
		if signIn, err = newCompanion(c, o.Log, metrics, remembered.Drop); err != nil {
			return nil, err
		}
		for _, note := range append(signIn.notes(), signIn.note()) {
			health.Note(note)
		}
		answers = beside(signIn, forward)
	}
	return &App{
		Gate:  g,
		store: sessions, memory: remembered, rows: rows, moves: moves, asks: c.Enabled, signIn: signIn,
		serve: server.Config{
			HTTP: answers, Direct: forward.Answer, Handed: countHanded(metrics), GRPC: rpc, Ops: server.Ops(health, metrics.Handler()),
			Health: health, Log: o.Log, DrainDelay: o.DrainDelay, DrainLimit: drainLimit(signIn),
		},
	}, nil
}

// listen opens the addresses.
func (a *App) listen(ctx context.Context, c *config.Config) error {
	listeners, err := server.Listen(ctx, c.Listen.HTTP, c.Listen.GRPC, c.Listen.Ops)
	if err != nil {
		return err
	}
	a.HTTP, a.GRPC, a.Ops = address(listeners.HTTP), address(listeners.GRPC), address(listeners.Ops)
	// Whoever may not ask can hold few connections. Addresses are those of the listeners beneath. Where people sign in,
	// anybody may ask over HTTP; even so they take nothing from the proxies, which the gate is there for.
	proxies, most := c.Proxies(), server.Strangers
	if a.signIn != nil {
		most = server.Visitors
	}
	a.serve.Listeners = server.Listeners{
		HTTP: guard(listeners.HTTP, proxies, most), GRPC: guard(listeners.GRPC, proxies, server.Strangers), Ops: listeners.Ops,
	}
	return nil
}

func guard(l net.Listener, proxies gate.Proxies, most int) net.Listener {
	if l == nil {
		return nil
	}
	return server.Guard(l, proxies.Trusts, most)
}

// Run serves until ctx ends and what was open is answered. Store and memory live until then: a request that is answered
// while the service ends is answered like any other.
func (a *App) Run(ctx context.Context) error {
	defer a.store.close()
	group, ctx := errgroup.WithContext(ctx)
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if a.asks {
		group.Go(func() error { return a.store.run(living) })
		group.Go(func() error { return a.memory.run(living, a.store) })
	}
	if a.rows != nil {
		defer a.rows.close()
		group.Go(func() error { return a.rows.run(living) })
	}
	if a.moves != nil {
		group.Go(func() error { return a.moves.run(living) })
	}
	if a.signIn != nil {
		group.Go(func() error { return a.signIn.run(living) })
	}
	group.Go(func() error { a.serve.Health.Watch(ctx, a.tellHealth); return nil })
	group.Go(func() error { defer end(); return server.Serve(ctx, a.serve) })
	return group.Wait()
}

// tellHealth logs what was lost, and what is back: without traffic nobody else would.
func (a *App) tellHealth(name string, err error) {
	if err != nil {
		a.serve.Log.Warn(name+" lost; answering 503 until it is back", "error", err)
		return
	}
	a.serve.Log.Info(name + " is back")
}

// NewGate makes the decision from the configuration. Of refresh, Refresher and the hooks are used; nil: the gate only
// reads. Observe may be nil.
func NewGate(c *config.Config, sessions gate.Resolver, refresh *gate.Sliding, observe func(*gate.Request, gate.Decision, time.Duration)) (*gate.Gate, error) {
	headers, err := gate.NewHeaders(c.HeaderNames())
	if err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	gc := gate.Config{
		Resolver: sessions, Headers: headers, Business: c.Provision.Business(), Policy: c.Policy(), Callers: c.Callers(), OrgSources: c.OrgSources(), Origins: c.Origins(),
		Paths:     gate.PathRules{MergeSlashes: c.Paths.MergeSlashes, EncodedSlashes: c.Paths.EncodedSlashes},
		SignInURL: c.SignInPage(), Timeout: time.Duration(c.Store.Timeout), Disabled: !c.Enabled, Observe: observe,
	}
	if c.Enabled {
		reader, err := newReader(c)
		if err != nil {
			return nil, err
		}
		gc.Reader = reader
		if refresh != nil {
			if gc.Sliding, err = sliding(c, *refresh, reader); err != nil {
				return nil, err
			}
		}
	}
	return gate.New(gc)
}

// newReader makes what proves cookies and bearers.
func newReader(c *config.Config) (*betterauth.Reader, error) {
	return betterauth.NewReader(betterauth.Config{
		Secret: c.CurrentSecret().Reveal(), OlderSecrets: c.OlderSecrets(), CookieName: SessionCookie(c),
		DontRemember:     betterauth.DontRememberName(c.BetterAuth.CookiePrefix, c.BetterAuth.Cookies.DontRemember.Name, c.SecureCookies()),
		RequireSignature: c.BetterAuth.Bearer.RequireSignature,
	})
}

// SessionCookie is the whole name of the cookie that is looked for, and no other.
func SessionCookie(c *config.Config) string {
	return betterauth.CookieName(c.BetterAuth.CookiePrefix, c.BetterAuth.Cookies.SessionToken.Name, c.SecureCookies())
}

// publishPool shows the store's connections in the metrics.
func publishPool(m *telemetry.Metrics, sessions *eventual) {
	m.Gauge("usher_store_connections_max", "Connections the store may open.", func() float64 { return float64(sessions.stats().Max) })
	m.Gauge("usher_store_connections_open", "Connections to the store.", func() float64 { return float64(sessions.stats().Open) })
	m.Gauge("usher_store_connections_busy", "Connections that carry a lookup now.", func() float64 { return float64(sessions.stats().InUse) })
	m.Gauge("usher_store_waits", "Lookups that had to wait for others since the start.", func() float64 { return float64(sessions.stats().Waits) })
}

// countHanded makes what counts the connections that were read by net/http after all.
func countHanded(m *telemetry.Metrics) func() {
	var handed atomic.Int64
	m.Counter("usher_http_handed_total", "Connections on which something other than a check in its usual form was asked.",
		func() float64 { return float64(handed.Load()) })
	return func() { handed.Add(1) }
}

// ticketKey signs what /gate/nginx hands to /gate/nginx/answer. It comes from the secret, so that any replica reads
// another's tickets, and for this purpose alone, so that no ticket is ever a cookie.
func ticketKey(c *config.Config) ([]byte, error) {
	if secret := c.CurrentSecret().Reveal(); secret != "" {
		return hkdf.Key(sha256.New, []byte(secret), nil, "usher nginx ticket", 32)
	}
	key := make([]byte, 32) // AUTH_ENABLED=false: nothing is refused, so no other replica will ask
	_, err := rand.Read(key)
	return key, err
}

func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}
