package organization

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
)

const (
	day  = 24 * time.Hour
	base = roomtest.Base
)

// world is our routes on a database of the real library's, in its base path.
type world struct {
	testing.TB
	store   *accounts.Store
	address string // host:port
	log     roomtest.Log

	mu        sync.Mutex
	forgotten []string
}

func newWorld(t testing.TB, database accounts.Config) *world {
	t.Helper()
	w := &world{TB: t}
	var err error
	if w.store, err = accounts.Open(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	room := New(Config{
		Store: w.store, Shape: w.store.Shape(),
		Forget: func(token string) { w.mu.Lock(); w.forgotten = append(w.forgotten, token); w.mu.Unlock() },
	})
	w.address = roomtest.Serve(t, roomtest.Config{Store: w.store, Now: w.now, Log: &w.log}, room.Routes()...)
	return w
}

func (w *world) now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// put makes a session of that age in which an organization is active; empty: none.
func (w *world) put(userID, token, active string, age time.Duration) {
	w.Helper()
	s := &record.Session{
		ID: "id-of-" + token, Token: token, UserID: userID, UserAgent: new(string), IPAddress: new(string),
		CreatedAt: w.now().Add(-age), ExpiresAt: w.now().Add(7*day - age),
	}
	if s.UpdatedAt = s.CreatedAt; active != "" {
		s.ActiveOrganizationID = &active
	}
	u, err := w.store.User(w.Context(), userID) // a session in Redis has its person beside it
	w.must(err)
	w.must(w.store.CreateSession(w.Context(), s, u))
}

// left describes somebody's sessions.
func (w *world) left(userID string) string {
	w.Helper()
	all, err := w.store.SessionsOf(w.Context(), userID)
	w.must(err)
	var lines []string
	for i := range all {
		s, active := &all[i], "none"
		if s.ActiveOrganizationID != nil {
			active = strconv.Quote(*s.ActiveOrganizationID)
		}
		changed := time.Since(s.UpdatedAt) < time.Minute
		lines = append(lines, s.Token+" in "+active+" for "+time.Until(s.ExpiresAt).Round(time.Minute).String()+" changed "+strconv.FormatBool(changed))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}
