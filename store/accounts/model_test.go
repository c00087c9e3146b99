package accounts_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/accounts"
)

// world is what sessions ought to be, whatever keeps them.
type world struct {
	now  time.Time
	live map[string]*record.Session // by token
}

func (w *world) of(userID string) []string {
	var tokens []string
	for token, s := range w.live {
		if s.UserID == userID && s.ExpiresAt.After(w.now) {
			tokens = append(tokens, token)
		}
	}
	slices.Sort(tokens)
	return tokens
}

// TestModel: any order of creating, refreshing, switching and ending sessions leaves those that ought to be left, in rows
// and in every mode of the secondary storage.
func TestModel(t *testing.T) {
	all := modes()
	all["rows"] = mode{stored: true}
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newSQLite(t, "wal")
			if name == "rows" {
				d.apply(t, "all-plugins")
			} else {
				m.prepare(t, d, "all-plugins")
			}
			w := &world{now: start()}
			s := d.open(t, func(c *accounts.Config) {
				if name != "rows" {
					m.use(testenv.StartRedis(t))(c)
				}
				c.Now = func() time.Time { return w.now }
			})
			rapid.Check(t, func(rt *rapid.T) { w.run(t, rt, s) })
		})
	}
}

// lasts reports whether a session is there and lives for a while. Nobody refreshes one that has ended; and Redis forgets
// by a real clock, so what has seconds left there could be forgotten before this world's clock says so.
func (w *world) lasts(s *record.Session) bool {
	return s != nil && s.ExpiresAt.Sub(w.now) >= 30*time.Second
}

func (w *world) run(t *testing.T, rt *rapid.T, s *accounts.Store) {
	ctx := t.Context()
	w.live = make(map[string]*record.Session)
	w.now = w.now.Add(24 * time.Hour)
	users := make([]*record.User, 2)
	for i := range users {
		unique := record.ID()
		users[i] = &record.User{Name: "U", Email: unique + "@example.com", CreatedAt: w.now, UpdatedAt: w.now}
		signUp(t, s, users[i], "google", unique)
	}
	made := 0
	var tokens []string
	pick := func() string {
		if len(tokens) == 0 {
			return "none"
		}
		return rapid.SampledFrom(tokens).Draw(rt, "token")
	}
	must := func(err error) {
		if err != nil {
			rt.Fatal(err)
		}
	}
	rt.Repeat(map[string]func(*rapid.T){
		"create": func(rt *rapid.T) {
			u := rapid.SampledFrom(users).Draw(rt, "user")
			made++
			sess := sessionOf(u, fmt.Sprint(u.ID, "-", made))
			sess.CreatedAt, sess.UpdatedAt = w.now, w.now
			sess.ExpiresAt = w.now.Add(time.Duration(rapid.IntRange(2, 40).Draw(rt, "minutes")) * time.Minute)
			must(s.CreateSession(ctx, sess, u))
			tokens = append(tokens, sess.Token)
			w.live[sess.Token] = sess
		},
		"refresh": func(rt *rapid.T) {
			token := pick()
			sess, _, err := s.FindSession(ctx, token)
			must(err)
			if !w.lasts(sess) {
				return
			}
			end := w.now.Add(time.Duration(rapid.IntRange(2, 80).Draw(rt, "minutes")) * time.Minute)
			renewed, err := s.RefreshSession(ctx, sess, end, w.now)
			must(err)
			if mine, ok := w.live[token]; ok && mine.ExpiresAt.After(w.now) {
				if !renewed {
					rt.Errorf("%s was not refreshed", token)
				}
				mine.ExpiresAt = end
			}
		},
		"switch": func(rt *rapid.T) {
			token := pick()
			sess, _, err := s.FindSession(ctx, token)
			must(err)
			if !w.lasts(sess) {
				return
			}
			var to *string
			if rapid.Bool().Draw(rt, "some") {
				to = ptr("org")
			}
			must(s.SetActiveOrganization(ctx, sess, to, w.now))
			if mine, ok := w.live[token]; ok {
				mine.ActiveOrganizationID = to
			}
		},
		"end one": func(*rapid.T) {
			token := pick()
			must(s.DeleteSession(ctx, token))
			delete(w.live, token)
		},
		"end all": func(rt *rapid.T) {
			u := rapid.SampledFrom(users).Draw(rt, "user")
			must(s.DeleteSessionsOf(ctx, u.ID, ""))
			maps.DeleteFunc(w.live, func(_ string, s *record.Session) bool { return s.UserID == u.ID })
		},
		"end others": func(rt *rapid.T) {
			u, except := rapid.SampledFrom(users).Draw(rt, "user"), pick()
			must(s.DeleteSessionsOf(ctx, u.ID, except))
			maps.DeleteFunc(w.live, func(token string, s *record.Session) bool { return s.UserID == u.ID && token != except })
		},
		"wait": func(rt *rapid.T) {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 300_000).Draw(rt, "ms")) * time.Millisecond)
		},
		"": func(rt *rapid.T) {
			w.now = w.now.Add(time.Millisecond) // a session made in the millisecond of a revocation outlives it
			for _, u := range users {
				all, err := s.SessionsOf(ctx, u.ID)
				must(err)
				var got []string
				for _, sess := range all {
					got = append(got, sess.Token)
				}
				slices.Sort(got)
				if want := w.of(u.ID); !slices.Equal(got, want) {
					rt.Fatalf("user %s has %q, want %q", u.ID, got, want)
				}
			}
			for _, token := range tokens {
				sess, u, err := s.FindSession(ctx, token)
				must(err)
				mine := w.live[token]
				switch {
				case mine == nil && sess != nil && sess.ExpiresAt.After(w.now):
					rt.Fatalf("%s lives", token)
				case mine == nil || !mine.ExpiresAt.After(w.now):
				case sess == nil:
					rt.Fatalf("%s is gone", token)
				case !sess.ExpiresAt.Equal(mine.ExpiresAt) || u.ID != mine.UserID || (sess.ActiveOrganizationID == nil) != (mine.ActiveOrganizationID == nil):
					rt.Fatalf("%s is %+v, want %+v", token, sess, mine)
				}
			}
		},
	})
}
