package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
)

// ear is a store.Notices that remembers everything, in order.
type ear struct {
	mu       sync.Mutex
	tags     map[store.Tag]bool // since the last forget
	all      int                // how often nothing was known any more, by ChangedAll or by Complete after Incomplete
	lag      time.Duration      // the longest
	behind   time.Duration      // the least by which Complete spoke of the past; -1: it did not speak
	until    time.Time
	complete bool
	why      []string // every reason of Incomplete
	news     chan struct{}
}

func newEar() *ear {
	return &ear{tags: make(map[store.Tag]bool), behind: -1, news: make(chan struct{}, 1)}
}

func (e *ear) note(do func()) {
	e.mu.Lock()
	do()
	e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
}

func (e *ear) Changed(at time.Time, tags ...store.Tag) {
	e.note(func() {
		for _, tag := range tags {
			e.tags[tag] = true
		}
		e.lag = max(e.lag, time.Since(at))
	})
}

func (e *ear) ChangedAll() { e.note(func() { e.all++ }) }

func (e *ear) Complete(until time.Time) {
	e.note(func() {
		if !e.complete {
			e.all++
		}
		e.complete, e.until = true, until
		if behind := time.Since(until); e.behind < 0 || behind < e.behind {
			e.behind = behind
		}
	})
}

func (e *ear) Incomplete(why error) {
	e.note(func() { e.complete = false; e.why = append(e.why, why.Error()) })
}

// await waits until what it has heard satisfies done.
func (e *ear) await(t testing.TB, what string, within time.Duration, done func() bool) {
	t.Helper()
	deadline := time.After(within)
	for {
		e.mu.Lock()
		ok := done()
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.news:
		case <-deadline:
			e.mu.Lock()
			defer e.mu.Unlock()
			t.Fatalf("not within %v: %s; complete %v until %v ago, reasons %q", within, what, e.complete, time.Since(e.until), e.why)
		}
	}
}

// awaitComplete waits until everything that was changed before this call is told.
func (e *ear) awaitComplete(t testing.TB) {
	t.Helper()
	now := time.Now()
	e.await(t, "complete", slack, func() bool { return e.complete && e.until.After(now) })
}

func (e *ear) awaitIncomplete(t testing.TB, within time.Duration, reason string) {
	t.Helper()
	e.await(t, "incomplete: "+reason, within, func() bool {
		return !e.complete && len(e.why) > 0 && strings.Contains(e.why[len(e.why)-1], reason)
	})
}

// forget begins anew.
func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tags, e.all, e.lag, e.behind, e.why = make(map[store.Tag]bool), 0, 0, -1, nil
}

// heard is what was told since forget, up to now: notifications arrive in the order of commits, so one more is the last.
func (e *ear) heard(t testing.TB, conn *pgconn.PgConn) (tags map[store.Tag]bool, all int) {
	t.Helper()
	last := store.UserTag(rand.Text())
	if _, err := conn.Exec(t.Context(), fmt.Sprintf("select pg_notify('usher_revocation', '%v %d')", last, time.Now().UnixMilli())).ReadAll(); err != nil {
		t.Fatal(err)
	}
	e.await(t, "the last notice", slack, func() bool { return e.tags[last] })
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.tags, last)
	return e.tags, e.all
}

// watch opens a store with its triggers and listens until the test ends.
func watch(t testing.TB, c postgres.Config) (*postgres.Store, *ear) {
	t.Helper()
	if _, err := postgres.InstallRevocation(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	s, e := listen(t, c)
	e.awaitComplete(t)
	e.forget()
	return s, e
}

func listen(t testing.TB, c postgres.Config) (*postgres.Store, *ear) {
	t.Helper()
	s, err := postgres.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	e := newEar()
	attach(t, s, e)
	return s, e
}

// attach lets a store tell e until the test ends.
func attach(t testing.TB, s *postgres.Store, e *ear) {
	var watcher store.Watcher = s
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		watcher.Watch(ctx, e)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(slack):
			t.Error("Watch does not end")
		}
	})
}

// tag reads "session:token", as the tests write it.
func tag(t testing.TB, text string) store.Tag {
	t.Helper()
	kind, name, _ := strings.Cut(text, ":")
	switch kind {
	case "session":
		return store.SessionTag(name)
	case "user":
		return store.UserTag(name)
	case "organization":
		return store.OrganizationTag(name)
	}
	t.Fatal(errors.New("no such tag: " + text))
	return store.Tag{}
}

// demand wants exactly these tags to have been told; "*" is everything.
func (e *ear) demand(t testing.TB, conn *pgconn.PgConn, after string, want ...string) {
	t.Helper()
	tags, all := e.heard(t, conn)
	if everything := slices.Contains(want, "*"); everything != (all > 0) {
		t.Errorf("%s: everything told: %d times, want %v", after, all, everything)
	}
	n := 0
	for _, text := range want {
		if text == "*" {
			continue
		}
		n++
		if !tags[tag(t, text)] {
			t.Errorf("%s: %s is not told", after, text)
		}
	}
	if len(tags) != n {
		t.Errorf("%s: %d tags are told, want %d: %v", after, len(tags), n, want)
	}
	e.forget()
}

func allPlugins() betterauth.Plugins {
	return betterauth.Plugins{Organization: true, Teams: true, Admin: true}
}
