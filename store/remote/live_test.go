package remote_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/remote"
	"github.com/usherauth/usher/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLive: what Better Auth does, and what it says about it over HTTP.
func TestLive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]testenv.BetterAuthConfig{
		"1.7": {}, "1.7 uuid": {GenerateID: "uuid"}, "1.7 serial": {GenerateID: "serial"}, "1.4": {Version: "1.4"},
		"without bearer": {Without: []string{"bearer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Port = testenv.FreePort(t)
			c.DatabaseURL = "sqlite://" + filepath.Join(t.TempDir(), "live.db")
			if c.GenerateID == "uuid" {
				c.DatabaseURL = testenv.Postgres(t).NewDatabase(t)
			}
			storetest.Live(t, c, func(t testing.TB, _ betterauth.Tables) (gate.Resolver, error) {
				return open(t, config(fmt.Sprintf("http://127.0.0.1:%d", c.Port)))
			})
		})
	}
}

// config is that of a Better Auth with the options of testenv.
func config(origin string) remote.Config {
	return remote.Config{
		URL: origin + "/api/auth", Secret: testenv.TestSecret, CookieName: betterauth.CookieName("", "", false),
	}
}

// open opens a store until the test ends.
func open(t testing.TB, c remote.Config) (*remote.Store, error) {
	t.Helper()
	s, err := remote.Open(t.Context(), c)
	if err == nil {
		t.Cleanup(s.Close)
	}
	return s, err
}
