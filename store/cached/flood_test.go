package cached_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/cached"
)

// TestFlood: a million tokens of nobody, each sent twice, reach the store once each and evict nobody.
func TestFlood(t *testing.T) {
	const real = 1000
	flood := 1_000_000
	if raceEnabled {
		flood /= 10
	}
	now := time.Now() // all within the same instant: a machine that others use may take seconds between two lines
	s := newSource(make(map[string]*gate.Principal))
	c := open(t, s, cached.Config{Size: real, TTL: time.Hour, TTLUnnotified: time.Hour, Now: func() time.Time { return now }})
	for i := range real {
		s.set(numbered(i), person("Ada"))
		want(t, c, numbered(i), "Ada")
	}
	misses := c.Stats().Misses
	for i := range flood {
		for range 2 {
			if _, err := c.Resolve(t.Context(), proven(numbered(real+i))); err != gate.ErrNoSession { //nolint:errorlint // it is fast
				t.Fatal(err)
			}
		}
	}
	// One may be forgotten within the second only for the sake of 65536 newer ones.
	if got := c.Stats(); got.Misses-misses != uint64(flood) || got.BriefHits != uint64(flood) || got.Brief > 1<<16 || got.Entries != real || got.Evictions != 0 {
		t.Errorf("%+v", got)
	}
	for i := range real {
		want(t, c, numbered(i), "Ada")
		wantAsked(t, s, numbered(i), 1)
	}
}

// TestLongNames: whoever calls himself by a name of a megabyte and signs in again and again does not fill the machine's
// memory, neither with sessions nor with those that ended.
func TestLongNames(t *testing.T) {
	const size, long, most = 1000, 1 << 20, 64 << 20
	rows := newSource(make(map[string]*gate.Principal))
	c := open(t, rows, cached.Config{Size: size, TTL: time.Hour, TTLUnnotified: time.Hour})
	for i := range size {
		p := person(strings.Repeat("a", long))
		if i%2 == 0 {
			p.Session.ExpiresAt = time.Now().Add(-time.Hour)
		}
		rows.set(numbered(i), p)
		if look(t, c, numbered(i)) != p.User.Name {
			t.Fatal("somebody else")
		}
		rows.set(numbered(i), nil)
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc > most {
		t.Errorf("%d MiB are in use after %d sessions of 1 MiB", memory.HeapAlloc>>20, size)
	}
	rows.set(token, person("Ada"))
	for range 2 {
		want(t, c, token, "Ada")
	}
	wantAsked(t, rows, token, 1)
}
