package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/gate"
)

// Options are what Run needs.
type Options struct {
	Listen string       // address of the page, on loopback; empty: 127.0.0.1:4488, or a free port when that is taken
	JSON   bool         // print one JSON object (contract section 2.1) instead of text for a person
	Stdout io.Writer    // where that goes; nothing else is written to it
	Log    *slog.Logger // what goes wrong between the parts; nil: nobody listens

	// StartUsher starts a real gate and a real companion with these settings, on free ports of 127.0.0.1. They stop when
	// ctx ends.
	StartUsher func(ctx context.Context, s Settings) (*Usher, error)
}

// Settings are the configuration of the demo's Usher; all else is as it comes.
type Settings struct {
	DatabaseURL string      // sqlite:///…: Better Auth's tables, with sample people in them
	Secret      string      // BETTER_AUTH_SECRET, made for this run
	BaseURL     string      // BETTER_AUTH_URL, without a path; the sign-in page is BaseURL + /sign-in, Usher's default
	Rules       []gate.Rule // Name, Path, Access and OrgRoles are used, nothing else
	Provider    Provider    // where people sign in
	Brand       string      // what the companion's pages call the site
}

// Provider is an entry of oauth.providers. It is asked over HTTP, at the time of the first sign-in.
type Provider struct {
	ID, Name, DiscoveryURL, ClientID, ClientSecret string

	Scopes []string
}

// Usher is a running one: the gate, and on the same address the companion.
type Usher struct {
	HTTP, GRPC, Ops string        // addresses, host:port
	Headers         *gate.Headers // the identity headers it sends
	Wait            func() error  // blocks until the gate has stopped, and says why if nobody asked it to
}

// rules are the demo's policy. What no rule names demands a session, as everywhere.
func rules() []gate.Rule {
	return []gate.Rule{
		{Name: "public", Path: "/public/**", Access: gate.Open},
		{Name: "optional", Path: "/optional/**", Access: gate.Optional},
		{Name: "admin", Path: "/admin/**", OrgRoles: []string{"owner", "admin"}},
	}
}

// drainLimit is how long open requests may take after Ctrl-C. Browsers keep unused connections open, which look the
// same as slow ones, so it is also how long Ctrl-C takes at most.
const drainLimit = 300 * time.Millisecond

// Run starts everything, checks that everything answers, prints where it is, and blocks until ctx ends. Then, or when
// the start fails half-way, it stops what it started and removes its folder.
func Run(ctx context.Context, o Options) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	listener, err := listen(ctx, o.Listen)
	if err != nil {
		return err
	}
	defer closeQuietly(listener)
	folder, err := os.MkdirTemp("", "usher-demo-")
	if err != nil {
		return fmt.Errorf("a temporary folder: %w", err)
	}
	err = run(ctx, o, listener, folder)
	if removed := os.RemoveAll(folder); removed != nil {
		err = errors.Join(err, fmt.Errorf("the temporary folder: %w", removed))
	}
	return err
}

func run(ctx context.Context, o Options, listener net.Listener, folder string) error {
	origin := "http://" + listener.Addr().String()
	secret := record.Token()
	people, organizations := cast()
	url, tickets, err := sample(ctx, folder, secret, people, organizations)
	if err != nil {
		return err
	}
	who, err := newProvider(origin, people)
	if err != nil {
		return fmt.Errorf("the provider: %w", err)
	}

	// Usher outlives ctx by the time the proxy needs to finish what it is answering.
	usherCtx, stopUsher := context.WithCancel(context.WithoutCancel(ctx))
	defer stopUsher()
	running, err := o.StartUsher(usherCtx, Settings{
		DatabaseURL: url, Secret: secret, BaseURL: origin, Rules: rules(), Provider: who.settings(), Brand: "Usher demo",
	})
	if err != nil {
		return fmt.Errorf("usher itself: %w", err)
	}

	var config net.ListenConfig
	inner, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		stopUsher()
		return errors.Join(fmt.Errorf("the backend: %w", err), running.Wait())
	}
	seen := newLedger()
	identity := running.Headers.Names()
	forward := newProxy("http://"+running.HTTP+"/gate/traefik", inner.Addr().String(), identity, seen, o.Log)
	before := &front{companion: toCompanion(running.HTTP, forward.forward, o.Log), provider: who, proxy: forward}
	behind := &backend{identity: identity, ledger: seen, view: &view{people, organizations, origin}}

	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := running.Wait(); usherCtx.Err() == nil {
			return errors.Join(errors.New("usher stopped by itself"), err)
		}
		return nil
	})
	stopBefore := serve(group, listener, before, o.Log)
	stopBehind := serve(group, inner, behind, o.Log)
	group.Go(func() error {
		<-groupCtx.Done()
		stopBefore()
		forward.close() // a connection that was never used would keep the servers behind waiting for its request
		stopBehind()
		stopUsher()
		return nil
	})
	group.Go(func() error {
		a := announcement{origin: origin, usher: running, people: tickets}
		switch err := a.ready(groupCtx); {
		case groupCtx.Err() != nil:
			return nil // Ctrl-C, or another part failed and has said so
		case err != nil:
			return err
		}
		return a.print(o.Stdout, o.JSON)
	})
	return group.Wait()
}

// sample makes the database, and a session for each person.
func sample(ctx context.Context, folder, secret string, people []person, organizations []organization) (url string, tickets []ticket, err error) {
	db, err := openDatabase(ctx, folder)
	if err != nil {
		return "", nil, fmt.Errorf("the sample database: %w", err)
	}
	defer closeQuietly(db)
	if err := db.seed(ctx, people, organizations); err != nil {
		return "", nil, fmt.Errorf("sample data: %w", err)
	}
	tickets, err = db.issue(ctx, people, secret)
	return db.url, tickets, err
}

// serve answers on l until the returned function is called.
func serve(group *errgroup.Group, l net.Listener, h http.Handler, log *slog.Logger) (stop func()) {
	// Shutdown knows nothing of WebSockets; ending the context they live in does.
	base, end := context.WithCancel(context.Background())
	s := &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),

		DisableGeneralOptionsHandler: true, // "OPTIONS *" is for the gate to refuse
	}
	group.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return func() {
		defer end()
		limit, cancel := context.WithTimeout(context.Background(), drainLimit)
		defer cancel()
		if s.Shutdown(limit) != nil {
			_ = s.Close() // the limit is over; what is still open is cut
		}
	}
}
