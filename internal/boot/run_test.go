package boot_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "boot-secret-0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// TestWhatIsAskedWhileTheServiceEndsIsAnswered: whoever is asked between SIGTERM and the end of the last listener looks
// sessions up like any other time, and everything that was started ends.
func TestWhatIsAskedWhileTheServiceEndsIsAnswered(t *testing.T) {
	c := config.Default()
	c.Listen = config.Listen{HTTP: "127.0.0.1:0"}
	c.BetterAuth.URL = "http://app.test"
	c.BetterAuth.Secret = config.NewSecret(secret)
	path := filepath.Join(t.TempDir(), "app.db")
	c.Store.URL = config.NewURL("sqlite://" + path)
	if _, err := boot.ApplySchema(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	signIn(t, path, "ada", "grace")

	app, err := boot.Open(t.Context(), c, boot.Options{Log: slog.New(slog.DiscardHandler), DrainDelay: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	if got := ask(t, app.HTTP, "ada"); got != http.StatusOK {
		t.Fatalf("before: %d", got)
	}
	stop()
	time.Sleep(100 * time.Millisecond) // longer than anything takes that would end too soon
	if got := ask(t, app.HTTP, "grace"); got != http.StatusOK {
		t.Errorf("a session that has to be looked up: %d", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func signIn(t *testing.T, path string, tokens ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("2006-01-02T15:04:05.000Z") }
	for _, token := range tokens {
		for _, insert := range []string{
			`insert into "user" ("id", "name", "email", "emailVerified", "createdAt", "updatedAt") values (?1, ?1, ?1 || '@example.com', 1, ?2, ?2)`,
			`insert into "session" ("id", "token", "userId", "createdAt", "updatedAt", "expiresAt") values (?1, ?1, ?1, ?2, ?2, ?3)`,
		} {
			if _, err := db.ExecContext(t.Context(), insert, token, at(-time.Hour), at(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func ask(t *testing.T, address, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/gate/traefik", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "app.test", "X-Forwarded-Uri": "/",
		"Cookie": "better-auth.session_token=" + betterauth.Sign(secret, token),
	} {
		r.Header.Set(name, value)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
