package cached_test

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
	"github.com/usherauth/usher/store/sqlite"
	"github.com/usherauth/usher/store/storetest"
)

// TestStore: a store is a store with a cache in front of it, too. Whatever is written is told, as a watcher would, so that
// it shows at once; what is asked twice is answered from memory.
func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		path := filepath.Join(t.TempDir(), "auth.db")
		execute(t, path, "pragma journal_mode = wal")
		var channels []store.Notices
		return storetest.Harness{
			Dialect: betterauth.SQLite,
			Exec: func(t testing.TB, statements string) {
				t.Helper()
				execute(t, path, statements)
				for _, n := range channels {
					n.ChangedAll()
				}
			},
			Open: func(t testing.TB, tables betterauth.Tables) (gate.Resolver, error) {
				s, err := sqlite.Open(t.Context(), sqlite.Config{URL: "sqlite://" + (&url.URL{Path: path}).EscapedPath(), Tables: tables})
				if err != nil {
					return nil, err
				}
				c := cached.New(s, cached.Config{Size: 1000, TTL: time.Minute, TTLUnnotified: time.Minute})
				t.Cleanup(func() { c.Close(); s.Close() })
				channels = append(channels, c.Channel("test"))
				return twice{c, s}, nil
			},
		}
	})
}

// twice asks a cache two times, and answers with what came from memory.
type twice struct {
	cache *cached.Cache
	store *sqlite.Store
}

func (s twice) Ping(ctx context.Context) error { return s.store.Ping(ctx) }

func (s twice) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	if p, err := s.cache.Resolve(ctx, c); err != nil {
		return p, err
	}
	p, err := s.cache.Resolve(ctx, c)
	if p != nil {
		p = new(*p)
		p.Plain = false // stores leave it to whoever keeps it
	}
	return p, err
}

func execute(t testing.TB, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatalf("%v\n%s", err, statements)
	}
}
