package session

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/redisconn"
)

// TestBesideBetterAuth asks the real library and our router the same, on the same database, and compares what they
// answer and what is left in the database.
func TestBesideBetterAuth(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { beside(t, "sqlite://"+t.TempDir()+"/auth.db", "") })
	t.Run("postgres", func(t *testing.T) { beside(t, testenv.Postgres(t).NewDatabase(t), "") })
	t.Run("redis", func(t *testing.T) { beside(t, "sqlite://"+t.TempDir()+"/auth.db", testenv.StartRedis(t).URL()) })
}

func beside(t *testing.T, database, redis string) {
	theirs := testenv.BetterAuth(t, testenv.BetterAuthConfig{
		DatabaseURL: database, RedisURL: redis, BaseURL: base, TrustedOrigins: []string{"https://app.example.com"},
	})
	ada, eve := theirs.SignUp(t, "Ada", "ada@example.com"), theirs.SignUp(t, "Eve", "eve@example.com")
	c := accounts.Config{URL: database}
	reset := func(ctx context.Context, w *world) error {
		for _, id := range []string{ada.UserID, eve.UserID} {
			if err := w.store.DeleteSessionsOf(ctx, id, ""); err != nil {
				return err
			}
		}
		return nil
	}
	if redis != "" {
		c.Redis = &accounts.Redis{URL: redis, Prefix: "better-auth:"}
		client, err := redisconn.Open(redis, redisconn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		// Ending all sessions of somebody ends those that were begun before, too, and ours are put there old.
		reset = func(ctx context.Context, _ *world) error { return client.FlushDB(ctx).Err() }
	}
	w := newWorld(t, c, nil)
	same := 0
	for _, c := range requests() {
		t.Run(c.name, func(t *testing.T) {
			request := roomtest.Raw(c.method, "/api/auth"+c.path, c.body, c.headers...)
			outcome := func(address string) string {
				if err := reset(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				outcome := w.outcome(t, ada.UserID, eve.UserID, address, request)
				if redis != "" {
					outcome = inOneOrder(t, outcome)
				}
				return outcome
			}
			want, got := outcome(strings.TrimPrefix(theirs.URL, "http://")), outcome(w.address)
			switch {
			case got == want:
				same++
				if c.differs {
					t.Errorf("no difference any more, in spite of docs/companion.md:\n%s", got)
				}
			case !c.differs:
				t.Errorf("we say\n%s\n\nBetter Auth says\n%s", got, want)
			}
		})
	}
	t.Logf("%d requests, %d answered alike in every byte that counts", len(requests()), same)
}

// outcome is what a request with the usual sessions is answered, and what is left of them.
func (w *world) outcome(t *testing.T, ada, eve, address, request string) string {
	t.Helper()
	user, err := w.store.User(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, user, "young", time.Hour)
	w.put(t, user, "due", day+time.Hour)
	w.put(t, user, "over", 7*day+time.Second)
	w.put(t, user, "other", 2*time.Hour)
	w.put(t, &record.User{ID: eve, Email: "eve@example.com"}, "foreign", time.Hour)
	answer := testenv.RawHTTP(t, address, request)
	var b strings.Builder
	b.WriteString(roomtest.Head(t, answer))
	b.WriteString(answer.Body)
	b.WriteString("\nrows:")
	for _, id := range []string{ada, eve} {
		for _, token := range w.left(t, id) {
			s, _, err := w.store.FindSession(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(" " + token + " for " + time.Until(s.ExpiresAt).Round(time.Minute).String())
		}
	}
	return instants.ReplaceAllString(b.String(), "<instant>")
}

// inOneOrder writes the JSON of an outcome with its members in order. In Redis the library keeps those of a session in the
// order in which they came, and has none for what was never set; docs/companion.md has it.
func inOneOrder(t *testing.T, outcome string) string {
	t.Helper()
	lines := strings.Split(outcome, "\n")
	for i, line := range lines {
		if line == "" || line[0] != '{' && line[0] != '[' {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		list, isList := v.([]any)
		if !isList {
			if m, ok := v.(map[string]any); ok {
				list = []any{m["session"]}
			}
		}
		for _, s := range list {
			if m, ok := s.(map[string]any); ok {
				maps.DeleteFunc(m, func(name string, value any) bool {
					return value == nil && slices.Contains([]string{"activeOrganizationId", "activeTeamId", "impersonatedBy"}, name)
				})
			}
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = string(text)
	}
	return strings.Join(lines, "\n")
}

var instants = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
