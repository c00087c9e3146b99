package boot

import (
	"context"
	"fmt"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/remote"
	"github.com/usherauth/usher/store/sqlite"
)

// Store is what the service asks of a storage.
type Store interface {
	gate.Resolver
	Ping(ctx context.Context) error
	Stats() store.PoolStats
	Close()
}

// OpenStore opens the storage of the configuration and looks at its schema.
func OpenStore(ctx context.Context, c *config.Config) (Store, error) {
	url := c.Store.URL.Reveal()
	switch kind := c.Store.Kind(); kind {
	case "postgres":
		return postgres.Open(ctx, postgres.Config{URL: url, Tables: tables(c)})
	case "sqlite":
		return sqlite.Open(ctx, sqlite.Config{URL: url, Tables: tables(c)})
	case "remote":
		return remote.Open(ctx, remote.Config{
			URL: url, CookieName: SessionCookie(c), Secret: c.CurrentSecret().Reveal(), Timeout: time.Duration(c.Store.Timeout),
		})
	default:
		return nil, &store.UnusableError{Err: fmt.Errorf("store.url: this version speaks postgres://, sqlite:// and https://, not %q", kind)}
	}
}

// tellers names those who tell what changes in the storage of the configuration, before it is opened.
func tellers(c *config.Config) []string {
	switch kind := c.Store.Kind(); kind {
	case "postgres", "sqlite":
		return []string{kind}
	default: // Better Auth itself tells nobody
		return nil
	}
}

// watcher finds who tells what changes, by one of these names, in a storage that is open.
func watcher(s Store, _ string) store.Watcher {
	w, _ := s.(store.Watcher)
	return w
}
