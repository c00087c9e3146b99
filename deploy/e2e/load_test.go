package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// client is one kind of visitor, and what the gate may tell them.
type client struct {
	kind    string
	ask     func() question
	allowed func(answer) bool // whatever happens
	calm    func(answer) bool // while nothing is wrong
	session bool              // a session that is good all the time
}

// crowd are who knocks while something is broken: people with a session in every way they may come, and everybody who must
// never pass.
func crowd(t *testing.T, auth *testenv.BetterAuthServer, people []*testenv.Person, gone *testenv.Person) []client {
	t.Helper()
	always := func(kind string, q question, is func(answer) bool) client {
		return client{kind: kind, ask: func() question { return q }, allowed: is, calm: is}
	}
	never := func(kind string, ask func() question) client {
		return client{kind: kind, ask: ask, calm: answer.refused, allowed: func(a answer) bool { return a.refused() || a.unavailable() }}
	}
	var all []client
	for i, p := range people {
		q, kind := question{cookie: p.Cookie}, "cookie"
		switch i % 4 {
		case 1:
			q, kind = question{bearer: p.Token}, "bearer"
		case 2:
			q.browser, kind = true, "browser"
		case 3:
			q.target, kind = "/optional/x", "optional"
		}
		passes := func(a answer) bool { return a.passes(p.UserID) }
		all = append(all, client{
			kind: kind, ask: func() question { return q }, session: true,
			calm: passes, allowed: func(a answer) bool { return passes(a) || a.unavailable() },
		})
	}
	fresh := func() question { return question{cookie: signed(auth, rand.Text())} }
	forged := "better-auth.session_token=" + people[0].Token + ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D"
	return append(all,
		always("nobody", question{}, answer.refused),
		always("nobody's browser", question{browser: true}, func(a answer) bool { return a.status == http.StatusFound }),
		always("forged", question{cookie: forged}, answer.refused),
		always("public", question{target: "/public/x", cookie: people[0].Cookie}, func(a answer) bool {
			return a.status == http.StatusOK && a.header.Get("X-User-Id") == ""
		}),
		never("unknown", fresh),
		never("unknown bearer", func() question { return question{bearer: rand.Text()} }),
		never("signed out before", func() question { return question{cookie: signed(auth, gone.Token)} }),
	)
}

// signed is the cookie that Better Auth would have made for this token.
func signed(auth *testenv.BetterAuthServer, token string) string {
	mac := hmac.New(sha256.New, []byte(auth.Secret))
	mac.Write([]byte(token))
	return "better-auth.session_token=" + url.QueryEscape(token+"."+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// outcome is how one request went.
type outcome struct {
	client        *client
	edge          string
	began         time.Time
	took          time.Duration
	status        int
	reason        string
	allowed, calm bool
	err           error
}

// load asks at a steady pace, whether answers come or not.
type load struct {
	stop context.CancelFunc
	wg   sync.WaitGroup
	mu   sync.Mutex
	done []outcome
}

// every is the pace: two hundred requests a second.
const every = 5 * time.Millisecond

// startLoad lets everybody ask in turn, each time at another edge, until end.
func startLoad(t *testing.T, clients []client, edges []replica) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel}
	l.wg.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			i, turn := n%len(clients), n/len(clients)
			c, edge := &clients[i], edges[(i+turn)%len(edges)]
			l.wg.Go(func() { l.one(c, edge) })
		}
	})
	t.Cleanup(func() { cancel(); l.wg.Wait() })
	return l
}

func (l *load) one(c *client, edge replica) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	q := c.ask()
	began := time.Now()
	said := edge.ask(ctx, q)
	o := outcome{
		client: c, edge: edge.edge, began: began, took: time.Since(began),
		status: said.status, reason: said.header.Get("X-Usher-Reason"), allowed: c.allowed(said), calm: c.calm(said), err: said.err,
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, o)
}

// end stops it and returns everything, when the last answer is there.
func (l *load) end() []outcome {
	l.stop()
	l.wg.Wait()
	return l.done
}

// size is how much room a gate takes.
type size struct{ goroutines, memory float64 }

func (u *usher) size() (size, error) {
	m, err := u.metrics()
	return size{m["go_goroutines"], m["process_resident_memory_bytes"]}, err
}

// gauge looks at the size of a gate four times a second.
type gauge struct {
	stop context.CancelFunc
	wg   sync.WaitGroup
	most size
	errs []error
}

func startGauge(t *testing.T, u *usher) *gauge {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	g := &gauge{stop: cancel}
	g.wg.Go(func() {
		for ctx.Err() == nil {
			now, err := u.size()
			if err != nil {
				g.errs = append(g.errs, err)
			}
			g.most = size{max(g.most.goroutines, now.goroutines), max(g.most.memory, now.memory)}
			time.Sleep(250 * time.Millisecond)
		}
	})
	t.Cleanup(func() { cancel(); g.wg.Wait() })
	return g
}

// end returns the largest it saw. /metrics has to answer whatever is broken.
func (g *gauge) end(t *testing.T) size {
	t.Helper()
	g.stop()
	g.wg.Wait()
	for _, err := range g.errs {
		t.Errorf("/metrics during the fault: %v", err)
	}
	return g.most
}
