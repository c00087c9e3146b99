package postgres_test

import (
	"testing"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/storetest"
)

// TestLive: Better Auth writes from another process while the store reads.
func TestLive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]testenv.BetterAuthConfig{"1.7 uuid": {GenerateID: "uuid"}, "1.7 serial": {GenerateID: "serial"}, "1.4": {Version: "1.4"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.DatabaseURL = testenv.Postgres(t).NewDatabase(t)
			storetest.Live(t, c, harness(t, c.DatabaseURL).Open)
		})
	}
}
