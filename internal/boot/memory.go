package boot

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/server"
	"github.com/usherauth/usher/internal/telemetry"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
	"github.com/usherauth/usher/store/redisconn"
	"github.com/usherauth/usher/store/shared"
)

// memory is what answers most requests: a cache in front of the store, where redis.url is set another one behind it that
// replicas share, and those who tell both what changed.
type memory struct {
	*cached.Cache
	shared   *shared.Cache // nil: none
	client   redis.UniversalClient
	channels map[string]store.Notices
}

// newMemory makes the cache in front of next, with a channel for each who will tell.
func newMemory(c *config.Config, next gate.Resolver, log *slog.Logger, metrics *telemetry.Metrics) (*memory, error) {
	m := &memory{channels: make(map[string]store.Notices)}
	names := tellers(c)
	switch {
	case c.Redis.URL.IsZero() || !c.Enabled || c.Cache.Size == 0 || c.Cache.TTL < time.Second:
	case len(names) == 0:
		log.Warn("redis.url has no effect: this kind of store cannot tell what changes in it, so answers are not shared")
	default:
		if err := m.share(c, next, log); err != nil {
			return nil, err
		}
		next = m.shared
	}
	m.Cache = cached.New(next, cached.Config{
		Size: c.Cache.Size, TTL: c.Cache.TTL, TTLUnnotified: c.Cache.TTLUnnotified,
		LookupTimeout: c.Store.Timeout,
		ObserveLag:    metrics.Lag("usher_revocation_lag_seconds", "How late notices of changes arrive, from the beginning of their transaction."),
		ObserveRevocation: func(r cached.Revocation) {
			if r.Notified {
				log.Info("revocation: complete; whatever changes is known at once", "remembered_for", c.Cache.TTL.String())
				return
			}
			log.Warn("revocation: ttl-bound; changes may go untold, so answers are remembered for cache.ttl_unnotified only",
				"ttl_unnotified", c.Cache.TTLUnnotified.String(), "why", r.String())
		},
	})
	for _, name := range names {
		m.channels[name] = m.Channel(name)
		if m.shared != nil {
			m.channels[name] = m.shared.Notices(m.channels[name])
		}
	}
	if len(names) == 0 && c.Enabled {
		m.Revocation() // says so: nobody else will, and nothing changes it
	}
	m.publish(metrics)
	return m, nil
}

// share puts Usher's own Redis in front of next. What is in it is sealed with a key made from Better Auth's secret.
func (m *memory) share(c *config.Config, next gate.Resolver, log *slog.Logger) error {
	client, err := redisconn.Open(c.Redis.URL.Reveal(), redisconn.Options{})
	if err != nil {
		return fmt.Errorf("redis.url: %w", err)
	}
	key, err := sharedKey(c)
	if err != nil {
		return err
	}
	m.client = client
	m.shared, err = shared.New(next, shared.Config{
		Client: client, Key: key, TTL: c.Cache.TTL,
		Changed: func(err error) {
			if err == nil {
				log.Info("the shared cache is back")
				return
			}
			log.Warn("the shared cache is lost; the store is asked in its place", "error", err, "next", redisconn.Remedy(err))
		},
	})
	return err
}

// sharedKey is for the shared cache alone, and for replicas that read the same tables of the same storage: notices of one
// say nothing about another, be it a copy under the same secret, or the one that was left an hour ago.
func sharedKey(c *config.Config) ([]byte, error) {
	s := &c.Store
	purpose := fmt.Sprintf("usher shared cache of %q, %q %q %v %v, %q, %q", s.URL.Reveal(), s.Secondary.URL.Reveal(), s.Secondary.Prefix,
		s.Secondary.StoreSessionInDatabase, s.Secondary.PreserveSessionInDatabase, fmt.Sprintf("%+v", tables(c)), fmt.Sprintf("%+v", provisionedConfig(c)))
	return hkdf.Key(sha256.New, []byte(c.CurrentSecret().Reveal()), nil, purpose, 32)
}

// Drop forgets the session with this token in this process, after it was changed by it.
func (m *memory) Drop(token string) {
	if m.shared != nil {
		m.shared.Drop(token)
	}
	m.Cache.Drop(token)
}

// close ends a memory that does not run.
func (m *memory) close() {
	m.Close()
	if m.client != nil {
		_ = m.client.Close()
	}
}

// run hears what changes until ctx ends.
func (m *memory) run(ctx context.Context, sessions *eventual) error {
	defer m.Close()
	var group errgroup.Group
	group.Go(func() error { <-ctx.Done(); return nil }) // also where nobody has anything to tell
	if m.shared != nil {
		defer m.client.Close()
		group.Go(func() error { m.shared.Run(ctx); return nil })
	}
	if opened, ok := sessions.wait(ctx); ok {
		for name, channel := range m.channels {
			if w := watcher(opened, name); w != nil {
				group.Go(func() error { w.Watch(ctx, channel); return nil })
			}
		}
		if r, ok := opened.(runner); ok {
			group.Go(func() error { r.Run(ctx); return nil })
		}
	}
	return group.Wait()
}

// notes are what /readyz says of revocation, and of the shared cache where there is one.
func (m *memory) notes() []server.Note {
	notes := []server.Note{{Name: "revocation", Say: func() string {
		if r := m.Revocation(); !r.Notified {
			return r.String()
		}
		return "complete"
	}}}
	if m.shared == nil {
		return notes
	}
	return append(notes, server.Note{Name: "shared_cache", Say: func() string {
		switch s := m.shared.Stats(); {
		case s.Breaker.Open && s.Breaker.Err != nil:
			return "lost; the store is asked in its place: " + s.Breaker.Err.Error()
		case s.Breaker.Open:
			return "not reached yet; the store is asked in its place"
		case s.Refused != nil:
			return "takes no answers: " + s.Refused.Error()
		default:
			return "ok"
		}
	}})
}

// publish shows the cache in the metrics.
func (m *memory) publish(metrics *telemetry.Metrics) {
	counter := func(name, help string, value func(cached.Stats) uint64) {
		metrics.Counter(name, help, func() float64 { return float64(value(m.Stats())) })
	}
	counter("usher_cache_hits_total", "Sessions answered from memory.", func(s cached.Stats) uint64 { return s.Hits })
	counter("usher_cache_unknown_hits_total", "Worthless tokens answered from memory.", func(s cached.Stats) uint64 { return s.BriefHits })
	counter("usher_cache_misses_total", "Sessions memory had no answer for.", func(s cached.Stats) uint64 { return s.Misses })
	counter("usher_cache_joined_total", "Misses that waited for a lookup under way.", func(s cached.Stats) uint64 { return s.Collapsed })
	counter("usher_cache_evictions_total", "Entries that made room for others.", func(s cached.Stats) uint64 { return s.Evictions })
	counter("usher_cache_overlapped_total", "Answers not kept because a notice about them came meanwhile.", func(s cached.Stats) uint64 { return s.Discarded })
	counter("usher_revocations_total", "Notices of changes that were heard.", func(s cached.Stats) uint64 { return s.Notices })
	counter("usher_cache_flushes_total", "Times when everything was forgotten.", func(s cached.Stats) uint64 { return s.Flushes })
	metrics.Gauge("usher_cache_entries", "Sessions in memory.", func() float64 { return float64(m.Stats().Entries) })
	metrics.Gauge("usher_revocation_complete", "1 while every change is known at once, 0 while revocation is ttl-bound.", func() float64 {
		if m.Revocation().Notified {
			return 1
		}
		return 0
	})
	if m.shared != nil {
		m.publishShared(metrics)
	}
}

// publishShared shows the shared cache in the metrics.
func (m *memory) publishShared(metrics *telemetry.Metrics) {
	counter := func(name, help string, value func(shared.Stats) uint64) {
		metrics.Counter(name, help, func() float64 { return float64(value(m.shared.Stats())) })
	}
	counter("usher_shared_cache_hits_total", "Sessions answered from the shared cache.", func(s shared.Stats) uint64 { return s.Hits })
	counter("usher_shared_cache_misses_total", "Sessions the shared cache had no answer for.", func(s shared.Stats) uint64 { return s.Misses })
	counter("usher_shared_cache_refused_total", "Answers of the shared cache that were too old, or not its own.", func(s shared.Stats) uint64 { return s.Stale + s.Unreadable })
	counter("usher_shared_cache_errors_total", "Questions the shared cache failed to answer.", func(s shared.Stats) uint64 { return s.Errors })
	counter("usher_shared_cache_bypassed_total", "Lookups that did not ask the shared cache, because it is lost or revocation is ttl-bound.", func(s shared.Stats) uint64 { return s.Bypassed })
	metrics.Gauge("usher_shared_cache_up", "1 while the shared cache answers.", func() float64 {
		if m.shared.Stats().Breaker.Open {
			return 0
		}
		return 1
	})
}
