package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// Listeners are open sockets. Opening them before anything is served makes addresses known and conflicts early.
type Listeners struct {
	HTTP net.Listener // nil: not served
	GRPC net.Listener
	Ops  net.Listener
}

// Listen opens the addresses; an empty one is left out. On an error nothing stays open.
func Listen(ctx context.Context, httpAddress, grpcAddress, opsAddress string) (Listeners, error) {
	var l Listeners
	for _, one := range []struct {
		key, address string
		into         *net.Listener
	}{{"listen.http", httpAddress, &l.HTTP}, {"listen.grpc", grpcAddress, &l.GRPC}, {"listen.ops", opsAddress, &l.Ops}} {
		if one.address == "" {
			continue
		}
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", one.address)
		if err != nil {
			l.Close()
			return Listeners{}, fmt.Errorf("%s: %w; choose another address, or off", one.key, err)
		}
		*one.into = listener
	}
	return l, nil
}

// Close closes what is open.
func (l Listeners) Close() {
	for _, listener := range []net.Listener{l.HTTP, l.GRPC, l.Ops} {
		if listener != nil {
			_ = listener.Close() // nothing was promised on it yet
		}
	}
}

// Config is what Serve needs.
type Config struct {
	Listeners Listeners
	HTTP      http.Handler
	Direct    Direct // answers on the listener of HTTP what it knows, without net/http; nil: nothing
	Handed    func() // hears of each connection that Direct leaves to HTTP; nil: nobody does. Called by many at once
	GRPC      *grpc.Server
	Ops       http.Handler
	Health    *Health
	Log       *slog.Logger

	DrainDelay time.Duration // between "not ready" and closing, for load balancers to notice; zero: none
	DrainLimit time.Duration // what open requests may still take; zero: 10 s
	WriteLimit time.Duration // what an answer may take, from the request's header to its last byte; zero: one minute
}

// Serve blocks until ctx ends and everything open was answered, or a listener fails.
func Serve(ctx context.Context, c Config) error {
	if c.DrainLimit <= 0 {
		c.DrainLimit = 10 * time.Second
	}
	if c.GRPC != nil {
		defer c.GRPC.Stop() // also one that nobody can reach has goroutines
	}
	if c.WriteLimit <= 0 {
		c.WriteLimit = time.Minute
	}
	group, groupCtx := errgroup.WithContext(ctx)
	var stops []func(context.Context)
	start := func(listener net.Listener, handler http.Handler, answer Direct) {
		if listener == nil || handler == nil {
			return
		}
		var front *direct
		if answer != nil {
			front = newDirect(listener, answer, c)
			group.Go(func() error { front.run(); return nil })
			listener = front
		}
		s := &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: headLimit,
			// From a request's beginning until its body was read, which the gate never does and the sign-in server to 64 KiB.
			// What is not answered by then sees its context end: three calls to a provider that answers none.
			ReadTimeout:    30 * time.Second,
			WriteTimeout:   c.WriteLimit, // so that nobody holds an answer by not reading it
			IdleTimeout:    idleLimit,
			MaxHeaderBytes: 256 << 10, // beyond the gate's limits, so that it can say why it refuses
			ErrorLog:       slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),

			DisableGeneralOptionsHandler: true, // an original "OPTIONS *" is for the gate to refuse
		}
		group.Go(func() error {
			if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		stops = append(stops, func(ctx context.Context) {
			if front != nil {
				s.SetKeepAlivesEnabled(false) // at once, as Shutdown would: drain may take all the time there is
				front.drain(ctx)
			}
			if err := s.Shutdown(ctx); err != nil {
				_ = s.Close() // the limit is over; what is still open is cut, not answered
			}
		})
	}
	start(c.Listeners.HTTP, c.HTTP, c.Direct)
	if c.Listeners.GRPC != nil && c.GRPC != nil {
		group.Go(func() error { return c.GRPC.Serve(c.Listeners.GRPC) })
		stops = append(stops, func(ctx context.Context) {
			done := make(chan struct{})
			go func() { c.GRPC.GracefulStop(); close(done) }()
			select {
			case <-done:
			case <-ctx.Done():
				c.GRPC.Stop()
				<-done
			}
		})
	}
	drained := len(stops)
	start(c.Listeners.Ops, c.Ops, nil)

	group.Go(func() error {
		<-groupCtx.Done()
		c.Health.Drain()
		if ctx.Err() != nil && c.DrainDelay > 0 {
			time.Sleep(c.DrainDelay)
		}
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.DrainLimit)
		defer cancel()
		var gateStops errgroup.Group
		for _, stop := range stops[:drained] {
			gateStops.Go(func() error { stop(limit); return nil })
		}
		_ = gateStops.Wait()
		for _, stop := range stops[drained:] { // the ops listener last: it tells how the rest is doing
			stop(limit)
		}
		return nil
	})
	return group.Wait()
}
