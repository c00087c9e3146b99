//go:build linux

package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// ledger is where sessions are, and what Better Auth does there when somebody signs in and out.
type ledger interface {
	begin(ctx context.Context, user int, token string) error
	end(ctx context.Context, token string) error
}

// rows are sessions in PostgreSQL. Its triggers tell every change.
type rows struct{ conn *pgx.Conn }

func (r rows) begin(ctx context.Context, user int, token string) error {
	_, err := r.conn.Exec(ctx, `insert into session (id, token, "userId", "activeOrganizationId", "expiresAt", "createdAt", "updatedAt")
		values ($1, $2, $3, $4, now() + interval '7 days', now(), now())`, md5Of("id of "+token), token, userID(user), fmt.Sprintf("o%d", user/10))
	return err
}

func (r rows) end(ctx context.Context, token string) error {
	_, err := r.conn.Exec(ctx, `delete from session where token = $1`, token)
	return err
}

// values are sessions in Redis.
type values struct{ client *redis.Client }

func (v values) begin(ctx context.Context, user int, token string) error {
	return v.client.Set(ctx, keyPrefix+token, kept(user, token), lifetime).Err()
}

func (v values) end(ctx context.Context, token string) error {
	return v.client.Del(ctx, keyPrefix+token).Err()
}

// shows is how long a revocation may take to show.
const shows = time.Second

// churn is a crowd of people of whom some sign in anew all the time, whereupon their old session is revoked. Who visits
// often does so often. Every fiftieth question is about a session that was revoked more than a second ago, and must be
// refused.
type churn struct {
	people     *visitors
	ledger     ledger
	generation []atomic.Uint32   // of each one's session
	open       [][2]atomic.Int32 // questions under way about each one's session, of even generations and of odd ones
	revoked    atomic.Int64

	mu   sync.Mutex
	dead []string // the tokens that were revoked last, for a second or longer
}

func newChurn(people *visitors, l ledger) *churn {
	return &churn{people: people, ledger: l, generation: make([]atomic.Uint32, people.n+1), open: make([][2]atomic.Int32, people.n+1)}
}

// tokenOf is that of somebody's session of a generation; that of generation 0 is there from the start.
func tokenOf(i int, generation uint32) string {
	if generation == 0 {
		return token(i)
	}
	return md5Of(fmt.Sprintf("session %d, generation %d", i, generation))
}

// leaving is a session that is not asked for any more, and when what is next for it is due. It is not revoked before the
// last question about it is answered, which could otherwise be called neither right nor wrong.
type leaving struct {
	user       int
	generation uint32
	due        time.Time
}

func (l leaving) token() string { return tokenOf(l.user, l.generation) }

// run has so many sessions a second end, until ctx does.
func (c *churn) run(ctx context.Context, perSecond int) error {
	draw := rand.NewZipf(rand.New(rand.NewPCG(3, 4)), 1.1, 1, uint64(c.people.n-1)) //nolint:gosec // the same draw for everybody
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	var unused, ended []leaving
	busy := make(map[int]bool)
	finish := func() error { // what was begun is not left half done
		for _, l := range unused {
			if err := c.ledger.end(context.WithoutCancel(ctx), l.token()); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return finish()
		case <-ticker.C:
		}
		if i := 1 + int(draw.Uint64()); !busy[i] {
			g := c.generation[i].Load()
			if err := c.ledger.begin(context.WithoutCancel(ctx), i, tokenOf(i, g+1)); err != nil {
				return err
			}
			c.generation[i].Store(g + 1)
			busy[i] = true
			unused = append(unused, leaving{i, g, time.Now().Add(shows)})
		}
		for len(unused) > 0 && time.Now().After(unused[0].due) && c.open[unused[0].user][unused[0].generation%2].Load() == 0 {
			l := unused[0]
			unused = unused[1:]
			if err := c.ledger.end(context.WithoutCancel(ctx), l.token()); err != nil {
				return err
			}
			c.revoked.Add(1)
			delete(busy, l.user)
			ended = append(ended, leaving{l.user, l.generation, time.Now().Add(shows)})
		}
		for len(ended) > 0 && time.Now().After(ended[0].due) {
			c.bury(ended[0].token())
			ended = ended[1:]
		}
	}
}

const remembered = 256

func (c *churn) bury(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead = append(c.dead, token); len(c.dead) > remembered {
		c.dead = c.dead[1:]
	}
}

// ghost is one of the dead; empty: there are none.
func (c *churn) ghost(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.dead) == 0 {
		return ""
	}
	return c.dead[n%len(c.dead)]
}

// take counts a question as one about somebody's session as it is now, and returns its generation.
func (c *churn) take(i int, q *question) uint32 {
	for {
		g := c.generation[i].Load()
		q.open = &c.open[i][g%2]
		q.open.Add(1)
		if c.generation[i].Load() == g { // else it may have been found unused in between
			return g
		}
		q.open.Add(-1)
	}
}

// zipf asks for everybody's session as it is now. It belongs to the generator's goroutine.
func (c *churn) zipf() func(*question) {
	type encoded struct {
		generation uint32
		message    []byte
	}
	again := make(map[int]encoded)
	draw := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(c.people.n-1)) //nolint:gosec // the same draw for everybody
	n := 0
	return func(q *question) {
		n++
		if n%50 == 0 {
			if token := c.ghost(n / 50); token != "" {
				q.message, q.allowed = c.people.write(nil, otherCookies+cookieOf(token)), false
				return
			}
		}
		i := 1 + int(draw.Uint64())
		g := c.take(i, q)
		if g == 0 {
			c.people.fill(q, i)
			return
		}
		e, ok := again[i]
		if !ok || e.generation != g {
			e = encoded{g, c.people.write(nil, otherCookies+cookieOf(tokenOf(i, g)))}
			again[i] = e
		}
		q.message, q.allowed = e.message, true
	}
}

// undo gives everybody their first session back.
func (c *churn) undo(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range c.generation {
		if g := c.generation[i].Load(); g > 0 {
			must(t, c.ledger.begin(ctx, i, token(i)))
			must(t, c.ledger.end(ctx, tokenOf(i, g)))
		}
	}
}
