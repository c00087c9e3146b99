package boot

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/server"
	"github.com/usherauth/usher/internal/telemetry"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
)

// memory is what answers most requests: a cache in front of the store, and those who tell it what changed.
type memory struct {
	*cached.Cache
	channels map[string]store.Notices
}

// newMemory makes the cache in front of next, with a channel for each who will tell.
func newMemory(c *config.Config, next gate.Resolver, log *slog.Logger, metrics *telemetry.Metrics) *memory {
	cache := cached.New(next, cached.Config{
		Size: c.Cache.Size, TTL: time.Duration(c.Cache.TTL), TTLUnnotified: time.Duration(c.Cache.TTLUnnotified),
		LookupTimeout: time.Duration(c.Store.Timeout),
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
	m := &memory{Cache: cache, channels: make(map[string]store.Notices)}
	for _, name := range tellers(c) {
		m.channels[name] = cache.Channel(name)
	}
	if len(m.channels) == 0 && c.Enabled {
		log.Warn("revocation: ttl-bound; this kind of store cannot tell what changes in it, so answers are remembered for cache.ttl_unnotified only",
			"ttl_unnotified", c.Cache.TTLUnnotified.String())
	}
	m.publish(metrics)
	return m
}

// run hears what changes until ctx ends.
func (m *memory) run(ctx context.Context, sessions *eventual) error {
	defer m.Close()
	opened := sessions.wait(ctx)
	if opened == nil {
		return nil
	}
	var group errgroup.Group
	for name, channel := range m.channels {
		if w := watcher(opened, name); w != nil {
			group.Go(func() error { w.Watch(ctx, channel); return nil })
		}
	}
	return group.Wait()
}

// note is what /readyz says of revocation.
func (m *memory) note() server.Note {
	return server.Note{Name: "revocation", Say: func() string {
		if r := m.Revocation(); !r.Notified {
			return r.String()
		}
		return "complete"
	}}
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
}
