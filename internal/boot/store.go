package boot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/redis"
	"github.com/usherauth/usher/store/remote"
	"github.com/usherauth/usher/store/sqlite"
)

// Store is what the service asks of a storage. One that is also a store.Watcher tells what changes in it; one that has a
// Run works in the background until its context ends.
type Store interface {
	gate.Resolver
	Ping(ctx context.Context) error
	Stats() store.PoolStats
	Close()
}

type runner interface{ Run(ctx context.Context) }

// OpenStore opens the storage of the configuration and looks at its schema.
func OpenStore(ctx context.Context, c *config.Config) (Store, error) {
	switch kind := c.Store.Kind(); kind {
	case "postgres", "sqlite":
		if c.Store.Secondary.URL.IsZero() {
			return openDatabase(ctx, c)
		}
		return openBoth(ctx, c)
	case "redis":
		return redis.Open(ctx, redis.Config{URL: c.Store.URL.Reveal(), Prefix: c.Store.Secondary.Prefix})
	case "remote":
		return openRemote(ctx, c)
	default:
		return nil, &store.UnusableError{Err: fmt.Errorf("store.url: this version does not speak %q", kind)}
	}
}

func openRemote(ctx context.Context, c *config.Config) (*remote.Store, error) {
	return remote.Open(ctx, remote.Config{
		URL: c.Store.URL.Reveal(), CookieName: SessionCookie(c), Secret: c.CurrentSecret().Reveal(), Timeout: time.Duration(c.Store.Timeout),
	})
}

// database is a Store that also knows people without a session, and tells what changes.
type database interface {
	Store
	store.Watcher
	redis.People
}

func openDatabase(ctx context.Context, c *config.Config) (database, error) {
	if c.Store.Kind() == "sqlite" {
		return sqlite.Open(ctx, sqliteConfig(c))
	}
	return postgres.Open(ctx, postgresConfig(c))
}

func postgresConfig(c *config.Config) postgres.Config {
	return postgres.Config{URL: c.Store.URL.Reveal(), Tables: tables(c), WithoutSessions: sessionsElsewhere(c)}
}

func sqliteConfig(c *config.Config) sqlite.Config {
	return sqlite.Config{URL: c.Store.URL.Reveal(), Tables: tables(c), WithoutSessions: sessionsElsewhere(c)}
}

// sessionsElsewhere reports whether the database knows nothing of sessions that counts: they are in Redis alone, or in
// an archive that keeps those that ended.
func sessionsElsewhere(c *config.Config) bool {
	s := &c.Store.Secondary
	return !s.URL.IsZero() && (!s.StoreSessionInDatabase || s.PreserveSessionInDatabase)
}

// both is a database whose sessions live in a Redis beside it.
type both struct {
	*redis.Store
	database           database
	sessionsInDatabase bool
}

func openBoth(ctx context.Context, c *config.Config) (*both, error) {
	s := &c.Store.Secondary
	db, err := openDatabase(ctx, c)
	if err != nil {
		return nil, err
	}
	rc := redis.Config{
		URL: s.URL.Reveal(), Prefix: s.Prefix, People: db,
		StoreSessionInDatabase: s.StoreSessionInDatabase, PreserveSessionInDatabase: s.PreserveSessionInDatabase,
	}
	if !sessionsElsewhere(c) {
		rc.Fallback = db
	}
	rs, err := redis.Open(ctx, rc)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("store.secondary: %w", err)
	}
	return &both{rs, db, !sessionsElsewhere(c)}, nil
}

// Ping asks what answers cannot be given without: both, or the database where it knows the sessions as well.
func (b *both) Ping(ctx context.Context) error {
	var group errgroup.Group
	var dbErr, redisErr error
	group.Go(func() error { dbErr = b.database.Ping(ctx); return nil })
	if !b.sessionsInDatabase {
		group.Go(func() error { redisErr = b.Store.Ping(ctx); return nil })
	}
	_ = group.Wait()
	return errors.Join(dbErr, redisErr)
}

// Close closes both.
func (b *both) Close() {
	b.Store.Close()
	b.database.Close()
}

// tellers names those who tell what changes in the storage of the configuration, before it is opened.
func tellers(c *config.Config) []string {
	switch kind := c.Store.Kind(); kind {
	case "postgres", "sqlite":
		if c.Store.Secondary.URL.IsZero() {
			return []string{kind}
		}
		return []string{kind, "redis"}
	case "redis":
		return []string{kind}
	default: // Better Auth itself tells nobody
		return nil
	}
}

// watcher finds who tells what changes, by one of these names, in a storage that is open.
func watcher(s Store, name string) store.Watcher {
	if b, ok := s.(*both); ok {
		if name == "redis" {
			return b.Store
		}
		return b.database
	}
	w, _ := s.(store.Watcher)
	return w
}
