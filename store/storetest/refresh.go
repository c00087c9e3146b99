package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// OpenRefresher opens a refresher on a harness' database. It is closed with the test.
type OpenRefresher func(t testing.TB, tables betterauth.Tables) (gate.Refresher, error)

// RunRefresher tests what moves the ends of sessions. Each call of empty makes a database of its own.
func RunRefresher(t *testing.T, empty func(t *testing.T) (Harness, OpenRefresher)) {
	for name, test := range map[string]func(*testing.T, refreshing){
		"one session moves":   oneMoves,
		"one of many moves":   oneOfManyMoves,
		"ids":                 refreshIDs,
		"renamed":             refreshRenamed,
		"migration":           refreshMigrated,
		"nothing to write to": refreshMissing,
		"cancelled":           refreshCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, open := empty(t)
			test(t, refreshing{h, open})
		})
	}
	for _, f := range timeForms() {
		t.Run("times "+f.name, func(t *testing.T) {
			t.Parallel()
			h, open := empty(t)
			if h.Dialect == f.dialect {
				f.refresh(t, refreshing{h, open})
			}
		})
	}
}

type refreshing struct {
	Harness
	openRefresher OpenRefresher
}

// later is to when, and until to where, the sessions of these tests are moved.
func later() time.Time { return end().Add(-6 * 24 * time.Hour) }
func until() time.Time { return later().Add(7 * 24 * time.Hour) }

// refresher opens one that must work.
func (h refreshing) refresher(t testing.TB, tables betterauth.Tables) gate.Refresher {
	t.Helper()
	r, err := h.openRefresher(t, tables)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// move refreshes what a store has found, and demands an outcome.
func move(t testing.TB, r gate.Refresher, p *gate.Principal, token string, want bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	renewed, err := r.Refresh(ctx, gate.Proven(gate.ByCookie, token), &p.Session, later(), until())
	if err != nil || renewed != want {
		t.Errorf("renewed %v, %v; want %v", renewed, err, want)
	}
}

// ends demands where a session ends.
func ends(t testing.TB, s gate.Resolver, token string, want time.Time) {
	t.Helper()
	if got := resolve(t, s, token).Session.ExpiresAt; !got.Equal(want) {
		t.Errorf("session %s ends at %v, want %v", token, got, want)
	}
}

func oneMoves(t *testing.T, h refreshing) {
	h.Exec(t, h.Schema(t, "all-plugins"))
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("s1", "u1"), session("s2", "u1"), session("S1", "u1"))
	s, r := h.open(t, betterauth.Tables{}), h.refresher(t, betterauth.Tables{})
	before := resolve(t, s, "s1")

	move(t, r, before, "s1", true)
	want := principal("s1", "u1")
	want.Session.ExpiresAt = until()
	same(t, resolve(t, s, "s1"), want)
	ends(t, s, "s2", end())
	ends(t, s, "S1", end())
	h.Exec(t, `delete from "session" where "token" = 's1' and "updatedAt" = `+h.literal(later()))
	nobody(t, s, "s1")

	move(t, r, before, "s1", false)                // it is gone
	move(t, r, resolve(t, s, "S1"), "s2", false)   // another session has the token
	move(t, r, before, "' or true --", false)      // nobody has
	move(t, r, &gate.Principal{}, "s2", false)     // ends at no time
	move(t, r, resolve(t, s, "s2"), "s2", true)    // at last
	move(t, r, principal("s2", "u1"), "s2", false) // it has moved since
	ends(t, s, "s2", until())
	ends(t, s, "S1", end())
}

// oneOfManyMoves: however many requests at however many replicas, one of them has moved the session.
func oneOfManyMoves(t *testing.T, h refreshing) {
	h.Exec(t, h.Schema(t, "core"))
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("s1", "u1"))
	s := h.open(t, betterauth.Tables{})
	before := resolve(t, s, "s1")
	replicas := []gate.Refresher{h.refresher(t, betterauth.Tables{}), h.refresher(t, betterauth.Tables{}), h.refresher(t, betterauth.Tables{})}
	var moved atomic.Int32
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			at := later().Add(time.Duration(i) * time.Millisecond)
			renewed, err := replicas[i%len(replicas)].Refresh(ctx, gate.Proven(gate.ByCookie, "s1"), &before.Session, at, at.Add(7*24*time.Hour))
			if err != nil {
				t.Error(err)
			}
			if renewed {
				moved.Add(1)
			}
		})
	}
	wg.Wait()
	if n := moved.Load(); n != 1 {
		t.Errorf("%d have moved it", n)
	}
}

// refresh: the end is found and written in every form that a store reads, and the form stays.
func (f timeForm) refresh(t *testing.T, h refreshing) {
	schema := h.Schema(t, "core")
	for _, was := range []string{"timestamptz", "date"} {
		for _, column := range []string{"createdAt", "expiresAt", "updatedAt"} {
			schema = strings.ReplaceAll(schema, `"`+column+`" `+was, `"`+column+`" `+f.column)
		}
	}
	h.Exec(t, schema)
	h.insert(t, "user", user("u1").with(row{"createdAt": f.literal(start()), "updatedAt": f.literal(start())}))
	h.insert(t, "session", session("s1", "u1").with(row{"createdAt": f.literal(start()), "updatedAt": f.literal(start()), "expiresAt": f.literal(end())}))
	s := h.open(t, f.tables)
	before := resolve(t, s, "s1")
	before.Session.ExpiresAt = before.Session.ExpiresAt.Round(time.Millisecond) // what a cache may keep of it
	r := h.refresher(t, f.tables)
	move(t, r, before, "s1", true)
	move(t, r, before, "s1", false)
	ends(t, roundingResolver{s}, "s1", until().Truncate(f.exact))
	if f.name == "ISO text with an offset" {
		return // becomes UTC
	}
	h.Exec(t, `delete from "session" where "expiresAt" = `+string(f.literal(until()))+` and "updatedAt" = `+string(f.literal(later())))
	nobody(t, s, "s1")
}

// roundingResolver: a real is not exact.
type roundingResolver struct{ gate.Resolver }

func (r roundingResolver) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	p, err := r.Resolver.Resolve(ctx, c)
	if p != nil {
		p.Session.ExpiresAt = p.Session.ExpiresAt.Round(time.Millisecond)
	}
	return p, err
}

// refreshIDs: of whatever type ids are, the gate knows them as text.
func refreshIDs(t *testing.T, h refreshing) {
	h.Exec(t, h.Schema(t, "serial-ids"))
	h.insert(t, "user", user("7").with(row{"id": 7}))
	h.insert(t, "session", session("s1", "7").with(row{"id": 5, "userId": 7}))
	s := h.open(t, betterauth.Tables{})
	move(t, h.refresher(t, betterauth.Tables{}), resolve(t, s, "s1"), "s1", true)
	ends(t, s, "s1", until())
}

func refreshRenamed(t *testing.T, h refreshing) {
	h.Exec(t, h.Schema(t, "snake-case-renamed"))
	h.insert(t, "users", snakeKeys(user("u1")))
	h.insert(t, "user_sessions", snakeKeys(session("s1", "u1")))
	tables := betterauth.Tables{Models: map[string]betterauth.Rename{
		"user":         {ModelName: "users"},
		"session":      {ModelName: "user_sessions"},
		"organization": {ModelName: "organizations"},
		"member":       {ModelName: "organization_members"},
	}}
	s := h.open(t, tables)
	move(t, h.refresher(t, tables), resolve(t, s, "s1"), "s1", true)
	ends(t, s, "s1", until())
}

// refreshMigrated: a column is renamed while the refresher is open.
func refreshMigrated(t *testing.T, h refreshing) {
	h.Exec(t, h.Schema(t, "core"))
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("s1", "u1"))
	s, r := h.open(t, betterauth.Tables{}), h.refresher(t, betterauth.Tables{})
	h.Exec(t, `alter table "session" rename column "expiresAt" to "expires_at"`)
	move(t, r, resolve(t, s, "s1"), "s1", true)
	ends(t, s, "s1", until())
}

func refreshMissing(t *testing.T, h refreshing) {
	if _, err := h.openRefresher(t, betterauth.Tables{}); err == nil || !strings.Contains(err.Error(), "session") {
		t.Errorf("without tables: %v", err)
	}
}

func refreshCancelled(t *testing.T, h refreshing) {
	h.Exec(t, h.Schema(t, "core"))
	h.insert(t, "user", user("u1"))
	h.insert(t, "session", session("s1", "u1"))
	s, r := h.open(t, betterauth.Tables{}), h.refresher(t, betterauth.Tables{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := resolve(t, s, "s1")
	for range 20 {
		if renewed, err := r.Refresh(ctx, gate.Proven(gate.ByCookie, "s1"), &before.Session, later(), until()); !errors.Is(err, context.Canceled) || renewed {
			t.Fatalf("%v, %v", renewed, err)
		}
	}
	move(t, r, before, "s1", true)
}
