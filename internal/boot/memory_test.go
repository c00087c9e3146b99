package boot

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
	"github.com/usherauth/usher/internal/telemetry"
)

// TestTTLBoundIsSaidOnce of a store that never tells what changes, whoever asks for it later.
func TestTTLBoundIsSaidOnce(t *testing.T) {
	c := config.Default()
	c.BetterAuth.Secret = config.NewSecret("a secret that is long enough to be one")
	c.Store.URL = config.NewURL("https://app.example.com/api/auth")
	var log bytes.Buffer
	m, err := newMemory(c, gatetest.NewResolver(nil), slog.New(slog.NewTextHandler(&log, nil)), telemetry.NewMetrics("v", "c"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	if n := strings.Count(log.String(), "revocation: ttl-bound"); n != 1 {
		t.Errorf("said %d times at the start:\n%s", n, log.String())
	}
	_, _ = m.Resolve(t.Context(), gate.Proven(gate.ByCookie, "token"))
	if r := m.Revocation(); r.Notified {
		t.Error("changes are told")
	}
	if n := strings.Count(log.String(), "revocation: ttl-bound"); n != 1 {
		t.Errorf("said %d times in the end:\n%s", n, log.String())
	}
}

// TestSharedKey: replicas share what they remember only if they read the same storage in the same way. A staging copy of
// the database under the same secret, or the database that was left for another one, must not speak for it: what is
// revoked in the one stays in the other, and its notices are heard by nobody else.
func TestSharedKey(t *testing.T) {
	made := func(change func(*config.Config)) []byte {
		c := config.Default()
		c.BetterAuth.Secret = config.NewSecret("a secret that is long enough to be one")
		c.Store.URL = config.NewURL("postgres://usher@db/app")
		change(c)
		key, err := sharedKey(c)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	same := made(func(*config.Config) {})
	if again := made(func(c *config.Config) { c.Cache.Size++; c.Redis.URL = config.NewURL("redis://cache") }); !bytes.Equal(same, again) {
		t.Error("replicas of one storage do not share")
	}
	for name, change := range map[string]func(*config.Config){
		"another secret":    func(c *config.Config) { c.BetterAuth.Secret = config.NewSecret("another secret that is long enough") },
		"another database":  func(c *config.Config) { c.Store.URL = config.NewURL("postgres://usher@db2/app") },
		"another Redis":     func(c *config.Config) { c.Store.Secondary.URL = config.NewURL("redis://sessions") },
		"another prefix":    func(c *config.Config) { c.Store.Secondary.Prefix = "app:" },
		"another authority": func(c *config.Config) { c.Store.Secondary.StoreSessionInDatabase = true },
		"another schema":    func(c *config.Config) { c.BetterAuth.Tables.Schema = "auth" },
		"business rows":     func(c *config.Config) { c.Provision.Users.Table = "users" },
		"other tables":      func(c *config.Config) { c.BetterAuth.Tables.UsePlural = true },
	} {
		if bytes.Equal(same, made(change)) {
			t.Errorf("%s: the same key", name)
		}
	}
}
