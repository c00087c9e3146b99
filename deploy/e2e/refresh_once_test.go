package e2e

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// counted makes the database write down each time a session's end is moved.
func (r rows) counted(t *testing.T) {
	t.Helper()
	r.exec(t, `create table moved ("token" text)`)
	if r.sqlite {
		r.exec(t, `create trigger moves after update of "expiresAt" on "session" begin insert into moved values (new."token"); end`)
		return
	}
	r.exec(t, `create function note_move() returns trigger language plpgsql as $$ begin insert into moved values (new."token"); return null; end $$`)
	r.exec(t, `create trigger moves after update of "expiresAt" on "session" for each row execute function note_move()`)
}

// moves is how often that was.
func (r rows) moves(t *testing.T) (n int) {
	t.Helper()
	r.one(t, `select count(*) from moved`, nil, &n)
	return n
}

// TestOneRefreshAcrossReplicas: a session that is due comes to three gates at the same moment, as a page does that
// loads its parts through a balancer. All let it pass, the row moves once, and one answer has the cookie.
func TestOneRefreshAcrossReplicas(t *testing.T) {
	for _, kind := range []string{"PostgreSQL", "SQLite"} {
		t.Run(kind, func(t *testing.T) {
			r := rows{url: "sqlite://" + filepath.Join(t.TempDir(), "app.db"), sqlite: kind == "SQLite"}
			if !r.sqlite {
				r.url = testenv.Postgres(t).NewDatabase(t)
			}
			auth := testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: r.url})
			zoe := auth.SignUp(t, "Zoë", "zoe@example.com")
			r.counted(t)
			backend := cookieBackend(t)
			var replicas []*proxied
			for range 3 {
				gate := startUsherWith(t, auth, r.url, []string{"session: { refresh: true }"})
				gate.proc.WaitLine(t, `"sessions are refreshed when they are due"`)
				replicas = append(replicas, startProxy(t, "envoy-grpc", gate, backend))
			}

			for round := range 5 {
				browser := auth.SignIn(t, zoe)
				r.due(t, browser.Token) // is one move itself
				before, began := r.moves(t), time.Now()
				start := make(chan struct{})
				var mu sync.Mutex
				handed := make([]int, len(replicas))
				var wg sync.WaitGroup
				for i := range 30 {
					wg.Go(func() {
						<-start
						at := i % len(replicas)
						a := replicas[at].ask(t, cookie(browser))
						mu.Lock()
						defer mu.Unlock()
						if a.Status != 200 || a.Body != zoe.UserID {
							t.Errorf("round %d: replica %d: status %d, body %.100s", round, at, a.Status, a.Body)
						}
						handed[at] += len(a.cookies) - len(backendCookies)
					})
				}
				close(start)
				wg.Wait()
				if n := r.moves(t) - before; n != 1 {
					t.Errorf("round %d: the row was moved %d times", round, n)
				}
				if n := handed[0] + handed[1] + handed[2]; n != 1 {
					t.Errorf("round %d: the cookie came with %d answers: %v by replica", round, n, handed)
				}
				r.moved(t, browser.Token, began)
			}
		})
	}
}
