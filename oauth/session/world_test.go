package session

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
)

const (
	day  = 24 * time.Hour
	base = roomtest.Base
)

// world is our routes on a real database, in the base path of the library.
type world struct {
	store   *accounts.Store
	address string // host:port
	config  Config

	mu        sync.Mutex
	now       time.Time // zero: the real one
	forgotten []string
	events    []Event
	log       roomtest.Log
}

func newWorld(t testing.TB, database accounts.Config, change func(*Config), also ...func(*endpoint.Config)) *world {
	t.Helper()
	w := &world{}
	var err error
	if w.store, err = accounts.Open(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	w.config = Config{
		Store: w.store, Shape: w.store.Shape(),
		Forget: func(token string) { w.mu.Lock(); w.forgotten = append(w.forgotten, token); w.mu.Unlock() },
		Audit:  func(_ context.Context, e Event) { w.mu.Lock(); w.events = append(w.events, e); w.mu.Unlock() },
	}
	if change != nil {
		change(&w.config)
	}
	w.address = roomtest.Serve(t, roomtest.Config{
		Store: w.store, Log: &w.log, Trusted: []string{"https://app.example.com"},
		Now: func() time.Time {
			if w.now.IsZero() {
				return time.Now()
			}
			return w.now
		},
		Change: func(router *endpoint.Config) {
			for _, change := range also {
				change(router)
			}
		},
	}, New(w.config).Routes()...)
	return w
}

// put makes a session of that age, valid for the usual week since.
func (w *world) put(t testing.TB, u *record.User, token string, age time.Duration) *record.Session {
	t.Helper()
	now := time.Now()
	if !w.now.IsZero() {
		now = w.now
	}
	agent, address := "browser of "+token, "203.0.113.9"
	s := &record.Session{
		ID: "id-of-" + token, Token: token, UserID: u.ID, UserAgent: &agent, IPAddress: &address,
		CreatedAt: now.Add(-age).UTC().Truncate(time.Millisecond), ExpiresAt: now.Add(7*day - age).UTC().Truncate(time.Millisecond),
	}
	s.UpdatedAt = s.CreatedAt
	if err := w.store.CreateSession(t.Context(), s, u); err != nil {
		t.Fatal(err)
	}
	return s
}

// left are the tokens of somebody's sessions that are still there, in order.
func (w *world) left(t testing.TB, userID string) []string {
	t.Helper()
	all, err := w.store.SessionsOf(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	tokens := make([]string, len(all))
	for i := range all {
		tokens[i] = all[i].Token
	}
	slices.Sort(tokens)
	return tokens
}
