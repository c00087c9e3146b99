package boot

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/telemetry"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// Refresher is what moves the ends of sessions.
type Refresher interface {
	gate.Refresher
	Close()
}

// OpenRefresher opens the database of the configuration for the one write that session.refresh is, and tries it.
func OpenRefresher(ctx context.Context, c *config.Config) (Refresher, error) {
	switch c.Store.Kind() {
	case "sqlite":
		return sqlite.OpenRefresher(ctx, sqliteConfig(c))
	case "remote": // Better Auth does it itself, when it is asked for the session
		return openRemote(ctx, c)
	}
	return postgres.OpenRefresher(ctx, postgresConfig(c))
}

// sliding completes what is to be done with sessions that are due by what the configuration says.
func sliding(c *config.Config, s gate.Sliding, reader *betterauth.Reader) (*gate.Sliding, error) {
	cookie, err := betterauth.NewSessionCookie(betterauth.SessionCookieConfig{
		Secret: c.CurrentSecret().Reveal(), Name: SessionCookie(c), Secure: c.SecureCookies(), ExpiresIn: c.BetterAuth.Session.ExpiresIn,
		Attributes: []betterauth.CookieAttributes{
			{Domain: c.CookieDomain()}, attributes(c.BetterAuth.DefaultCookieAttributes), attributes(c.BetterAuth.Cookies.SessionToken.Attributes),
		},
	})
	if err != nil {
		return nil, err
	}
	s.ExpiresIn, s.UpdateAge, s.Except = c.BetterAuth.Session.ExpiresIn, c.BetterAuth.Session.UpdateAge, c.AuthPath()
	s.Cookie, s.DontRemember = cookie.Set, reader.DontRemember
	return &s, nil
}

// said is what a toggle says; nil: nothing.
func said(t config.Toggle) *bool {
	if t == config.Auto {
		return nil
	}
	on := t == config.On
	return &on
}

func attributes(a config.CookieAttributes) betterauth.CookieAttributes {
	out := betterauth.CookieAttributes{
		SameSite: a.SameSite, Path: a.Path, Domain: a.Domain,
		Secure: said(a.Secure), HTTPOnly: said(a.HTTPOnly), Partitioned: said(a.Partitioned),
	}
	if out.SameSite == "auto" {
		out.SameSite = ""
	}
	return out
}

// retryRefresher is how often a database that cannot be written to is tried again: somebody may grant what it lacks.
const retryRefresher = 10 * time.Second

var errNoRefresher = errors.New("session.refresh: the database is not open for writing")

// refreshing is a gate.Refresher that may not be there yet, or never: sessions then end when they end.
type refreshing struct {
	open func(context.Context) (Refresher, error)
	log  *slog.Logger

	mu  sync.RWMutex
	now Refresher // nil: not yet

	renewed, failed atomic.Uint64
}

func newRefreshing(c *config.Config, log *slog.Logger, metrics *telemetry.Metrics) *refreshing {
	r := &refreshing{log: log, open: func(ctx context.Context) (Refresher, error) { return OpenRefresher(ctx, c) }}
	metrics.Counter("usher_session_refreshes_total", "Sessions whose end was moved.", func() float64 { return float64(r.renewed.Load()) })
	metrics.Counter("usher_session_refresh_failures_total", "Sessions that were due and could not be moved.", func() float64 { return float64(r.failed.Load()) })
	return r
}

// run opens it, and closes it when ctx ends.
func (r *refreshing) run(ctx context.Context) error {
	told := ""
	for {
		opening, cancel := context.WithTimeout(ctx, 5*time.Second)
		opened, err := r.open(opening)
		cancel()
		if err == nil {
			r.set(opened)
			r.log.Info("sessions are refreshed when they are due")
			<-ctx.Done()
			r.set(nil)
			opened.Close()
			return nil
		}
		if ctx.Err() == nil && told != err.Error() {
			told = err.Error()
			r.log.Warn("session.refresh is off: sessions end when they end", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryRefresher):
		}
	}
}

func (r *refreshing) set(now Refresher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = now
}

// Refresh implements gate.Refresher.
func (r *refreshing) Refresh(ctx context.Context, c gate.Credential, s *gate.Session, now, until time.Time) (bool, error) {
	r.mu.RLock()
	to := r.now
	r.mu.RUnlock()
	if to == nil {
		return false, errNoRefresher
	}
	return to.Refresh(ctx, c, s, now, until)
}

// observe logs what failed; what lacks altogether run has logged.
func (r *refreshing) observe(renewed bool, err error, took time.Duration) {
	switch {
	case renewed:
		r.renewed.Add(1)
	case err != nil:
		r.failed.Add(1)
	}
	if err != nil && !errors.Is(err, errNoRefresher) {
		r.log.Warn("a session could not be refreshed; the request passed all the same", "error", err, "took_us", took.Microseconds())
	}
}
