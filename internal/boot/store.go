package boot

import (
	"context"
	"fmt"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// Store is what the service asks of a database.
type Store interface {
	gate.Resolver
	Ping(ctx context.Context) error
	Stats() store.PoolStats
	Close()
}

// OpenStore opens the database of the configuration and looks at its schema.
func OpenStore(ctx context.Context, c *config.Config) (Store, error) {
	url := c.Store.URL.Reveal()
	switch kind := c.Store.Kind(); kind {
	case "postgres":
		return postgres.Open(ctx, postgres.Config{URL: url, Tables: tables(c)})
	case "sqlite":
		return sqlite.Open(ctx, sqlite.Config{URL: url, Tables: tables(c)})
	default:
		return nil, &store.UnusableError{Err: fmt.Errorf("store.url: this version speaks postgres:// and sqlite://, not %q", kind)}
	}
}
