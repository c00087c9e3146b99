package config

import (
	"net/url"
	"strings"
	"time"
)

func checkStore(c *Config, f *findings) {
	const key = "store.url"
	if raw := c.Store.URL.Reveal(); raw != "" {
		checkStoreURL(raw, key, "DATABASE_URL", f)
	} else if c.Enabled && c.Store.URL.IsZero() && !f.noted(key) {
		f.missing(key, "set DATABASE_URL, or store.url, to Better Auth's database: postgres://user:password@host:5432/database")
	}
	if t := c.Store.Timeout; t <= 0 || t >= 2*time.Second {
		f.problem("store.timeout", "%s: must be more than 0 and less than 2s, because the gate answers within 2s", formatDuration(t))
	}
	checkSecondary(c, f)
	if raw := c.Redis.URL.Reveal(); raw != "" {
		checkRedisURL(raw, "redis.url", "REDIS_URL", f)
	}
}

// checkSecondary refuses what could not be meant: sessions have one place, or two in a way that Better Auth knows.
func checkSecondary(c *Config, f *findings) {
	const key = "store.secondary"
	s := &c.Store.Secondary
	raw := s.URL.Reveal()
	if raw != "" {
		checkRedisURL(raw, key+".url", "USHER_STORE_SECONDARY_URL", f)
	}
	kind := c.Store.Kind()
	for _, mode := range []struct {
		key string
		on  bool
	}{
		{key + ".store_session_in_database", s.StoreSessionInDatabase}, {key + ".preserve_session_in_database", s.PreserveSessionInDatabase},
	} {
		if mode.on && raw == "" && !f.noted(key+".url") {
			f.problem(mode.key, "says how sessions live in a database and a Redis; set store.secondary.url to the Redis, or remove this key")
		}
	}
	switch {
	case raw == "":
	case kind == "redis":
		f.problem(key+".url", "store.url is a Redis already; remove this one, or let store.url be Better Auth's database")
	case kind == "remote":
		f.problem(key+".url", "store.url asks Better Auth itself, which reads its own Redis; remove this one")
	case s.PreserveSessionInDatabase && !s.StoreSessionInDatabase:
		f.problem(key+".preserve_session_in_database", "needs store_session_in_database, in Better Auth too")
	}
	if strings.ContainsAny(s.Prefix, " \t\r\n") || strings.IndexByte(s.Prefix, 0) >= 0 {
		f.problem(key+".prefix", "holds white space; write Better Auth's keyPrefix as it is there")
	}
}

// checkStoreURL judges the URL of a storage of sessions, or of a database.
func checkStoreURL(raw, key, variable string, f *findings) {
	if strings.Contains(raw, redacted) {
		f.problem(key, "holds %s, which `usher config print` writes instead of a secret; put the URL here, or {env: %s}", redacted, variable)
		return
	}
	_, rest, found := strings.Cut(raw, ":")
	switch {
	case strings.TrimSpace(raw) != raw:
		f.problem(key, "begins or ends in white space; remove it")
	case !found:
		f.problem(key, "is no URL; write postgres://user:password@host:5432/database or sqlite:///path/to.db")
	case storeKind(raw) == "redis":
		checkRedisURL(raw, key, variable, f)
	case storeKind(raw) == "remote":
		if message := absoluteURL(raw); message != "" || strings.Contains(raw, "?") {
			f.problem(key, "write the URL of Better Auth's API, as https://app.example.com/api/auth, without user name, password or query")
		}
	case storeKind(raw) == "sqlite":
		if path, _, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?"); path == "" {
			f.problem(key, "has no path; write sqlite:///path/to.db")
		}
	case storeKind(raw) == "postgres":
		switch u, err := url.Parse(raw); { // the error would repeat the password
		case !strings.HasPrefix(rest, "//"):
			f.problem(key, "write it as postgres://user:password@host:5432/database")
		case err != nil, strings.Contains(raw, "#"), strings.Count(raw, "@") > 1, u.User == nil && strings.Contains(raw, "@"):
			f.problem(key, "is not a valid URL; percent-encode what is special in the password (@ is %%40, / is %%2F, ? is %%3F, # is %%23, %% is %%25)")
		}
	default:
		f.problem(key, "its scheme is not known; Usher reads postgres://user:password@host:5432/database, sqlite:///path/to.db and redis://host:6379; for any other database give Better Auth's own API, as https://app.example.com/api/auth")
	}
}

// checkRedisURL looks at the scheme and for what an operator pastes by mistake; whoever connects reads the rest.
func checkRedisURL(raw, key, variable string, f *findings) {
	switch {
	case strings.Contains(raw, redacted):
		f.problem(key, "holds %s, which `usher config print` writes instead of a secret; put the URL here, or {env: %s}", redacted, variable)
	case strings.TrimSpace(raw) != raw:
		f.problem(key, "begins or ends in white space; remove it")
	case storeKind(raw) != "redis" || !strings.Contains(raw, "://"):
		f.problem(key, "write it as redis://host:6379, rediss://… for TLS, redis+sentinel://host:26379/name or redis+cluster://host:7000,host:7001")
	}
}

// storeKind is what kind of storage a URL means: postgres, sqlite, redis, remote, or nothing known.
func storeKind(raw string) string {
	switch scheme, _, _ := strings.Cut(raw, ":"); scheme {
	case "postgres", "postgresql":
		return "postgres"
	case "sqlite", "file":
		return "sqlite"
	case "redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster":
		return "redis"
	case "http", "https":
		return "remote"
	default:
		return ""
	}
}
