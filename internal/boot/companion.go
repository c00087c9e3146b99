package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/ratelimit"
	"github.com/usherauth/usher/internal/server"
	"github.com/usherauth/usher/internal/telemetry"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/page"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/redisconn"
)

// companion is the sign-in server beside the gate. It may not be there yet: its database may be away, or lack a grant.
// Meanwhile it answers 503, says why in the log and in /readyz, and tries again; the gate does not notice.
type companion struct {
	c     *config.Config
	parts *companionParts
	log   *slog.Logger
	limit *ratelimit.Shared // nil: counted in this process
	redis redis.UniversalClient
	alone bool // whether there is no gate beside it

	mu   sync.RWMutex
	now  http.Handler // nil: not yet
	last error        // why it does not serve; with a handler: what it last found wrong with its database
}

const (
	// retryCompanion is how often a database that cannot be used is tried again: somebody may start it, or grant what it
	// lacks.
	retryCompanion = 2 * time.Second
	// watchCompanion is how often a database in use is looked at, grants and schema included: /readyz would not notice else.
	watchCompanion = 2 * time.Second
	// longestRequest ends what waits for a database that does not answer, for anybody may ask and go on asking. A provider
	// takes 10 s for each of three calls at most, and the server gives an answer a minute.
	longestRequest = 45 * time.Second
	// sweepStates is how often states that nobody came back with are removed.
	sweepStates = 10 * time.Minute
)

// newCompanion makes everything that needs no connection. forget drops a session from the gate's memory; nil: there is
// none.
func newCompanion(c *config.Config, log *slog.Logger, metrics *telemetry.Metrics, forget func(token string)) (*companion, error) {
	x := &companion{c: c, log: log, alone: forget == nil}
	var limiter endpoint.Limiter
	if c.RateLimited() {
		limiter = ratelimit.NewLocal(nil)
		if raw := c.Redis.URL.Reveal(); raw != "" {
			client, err := redisconn.Open(raw, redisconn.Options{})
			if err != nil {
				return nil, fmt.Errorf("redis.url: %w", err)
			}
			x.redis = client
			x.limit = ratelimit.NewShared(ratelimit.SharedConfig{Client: client, Prefix: "usher:limit:", Changed: func(err error) {
				if err != nil {
					log.Warn("rate limits are counted in this process alone until redis.url answers", "error", err)
					return
				}
				log.Info("rate limits are shared through redis.url")
			}})
			limiter = x.limit
		}
	}
	parts, err := newCompanionParts(c, log, metrics, limiter, forget)
	if err != nil {
		x.close()
		return nil, err
	}
	x.parts = parts
	return x, nil
}

// errNotOpen is what readiness says before the first try.
var errNotOpen = errors.New("not open yet")

// run opens the database, serves until ctx ends, and closes. It fails only where no gate could go on without it and
// waiting does not mend it.
func (x *companion) run(ctx context.Context) error {
	defer x.close()
	if x.limit != nil {
		counting := make(chan struct{})
		go func() { defer close(counting); x.limit.Run(ctx) }()
		defer func() { <-counting }() // before its connections are closed
	}
	for told := ""; ; {
		opening, cancel := context.WithTimeout(ctx, 5*time.Second)
		db, err := accounts.Open(opening, x.parts.store)
		cancel()
		if err == nil {
			if err = x.serve(ctx, db); err == nil {
				return nil
			}
		}
		if x.alone && store.Permanent(err) {
			return err
		}
		x.set(nil, err)
		if ctx.Err() == nil && told != err.Error() {
			told = err.Error()
			x.log.Error("signing in through Usher is off until this is mended", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryCompanion):
		}
	}
}

// serve serves until ctx ends. It fails only where the parts do not fit together.
func (x *companion) serve(ctx context.Context, db *accounts.Store) error {
	defer db.Close()
	handler, err := x.parts.handler(db)
	if err != nil {
		return &store.UnusableError{Err: err} // not of the database, but waiting does not mend it either
	}
	x.set(handler, nil)
	x.log.Info("people sign in here", "page", x.c.Origin()+"/sign-in", "api", x.c.Origin()+x.c.AuthPath())
	looking, sweeping := time.NewTicker(watchCompanion), time.NewTicker(sweepStates)
	defer looking.Stop()
	defer sweeping.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-looking.C:
			x.look(ctx, db, handler)
		case <-sweeping.C:
			if err := db.SweepVerifications(ctx, time.Now()); err != nil && ctx.Err() == nil {
				x.log.Warn("states of sign-ins that nobody finished could not be removed", "error", err)
			}
		}
	}
}

// look tells the log and /readyz when the database stops being of use, and when it is again. Requests go on trying: each
// is answered by what it finds itself.
func (x *companion) look(ctx context.Context, db *accounts.Store, handler http.Handler) {
	pinging, cancel := context.WithTimeout(ctx, watchCompanion)
	defer cancel()
	err := db.Ping(pinging)
	if ctx.Err() != nil {
		return // it is the end that was noticed
	}
	_, before := x.state()
	x.set(handler, err)
	switch {
	case err != nil && before == nil:
		x.log.Error("nobody can sign in until this is mended", "error", err)
	case err == nil && before != nil:
		x.log.Info("people can sign in again")
	}
}

func (x *companion) close() {
	if x.redis != nil {
		_ = x.redis.Close() // nobody asks it any more
	}
}

func (x *companion) set(now http.Handler, last error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.now, x.last = now, last
}

func (x *companion) state() (http.Handler, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.now == nil && x.last == nil {
		return nil, errNotOpen
	}
	return x.now, x.last
}

// note is the companion's part of /readyz: it does not decide whether the gate is ready.
func (x *companion) note() server.Note {
	return server.Note{Name: "companion", Say: func() string {
		if _, err := x.state(); err != nil {
			return "off: " + err.Error()
		}
		return "serving"
	}}
}

// notes are what /readyz says of what it uses besides its database.
func (x *companion) notes() []server.Note {
	if x.limit == nil {
		return nil
	}
	return []server.Note{{Name: "rate_limits", Say: func() string {
		if x.limit.Sharing() {
			return "shared"
		}
		return "counted in this process alone: redis.url does not answer"
	}}}
}

// Ping is its whole readiness, where it is served alone.
func (x *companion) Ping(context.Context) error {
	_, err := x.state()
	return err
}

// serves reports whether a path is the companion's.
func (x *companion) serves(path string) bool { return x.parts.serves(path) }

func (x *companion) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if now, _ := x.state(); now != nil {
		ctx, cancel := context.WithTimeout(r.Context(), longestRequest)
		defer cancel()
		now.ServeHTTP(w, r.WithContext(ctx))
		return
	}
	h := w.Header()
	h.Set("Retry-After", "2")
	h.Set("Cache-Control", "no-store")
	if x.parts.draws(r.URL.Path) {
		x.parts.pages.Problem(w, http.StatusServiceUnavailable, page.Problem{Explanation: page.Explain("internal_server_error", ""), Retry: r.URL.Path})
		return
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(`{"message":"Signing in is not possible right now","code":"SERVICE_UNAVAILABLE"}`))
}
