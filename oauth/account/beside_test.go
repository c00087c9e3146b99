package account

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/redisconn"
)

// TestBesideBetterAuth asks the real library and our router the same, on the same database and with the same identity
// provider, and compares what they answer and what is left in the database.
func TestBesideBetterAuth(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel() // each waits for its databases most of the time
		beside(t, "sqlite://"+t.TempDir()+"/auth.db", "", false, false)
	})
	t.Run("postgres, tokens encrypted", func(t *testing.T) {
		t.Parallel()
		beside(t, testenv.Postgres(t).NewDatabase(t), "", true, true)
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		beside(t, testenv.Postgres(t).NewDatabase(t), testenv.StartRedis(t).URL(), false, false)
	})
}

// beside compares on a database, with sessions in a Redis or, where that is empty, in the database.
func beside(t *testing.T, database, redis string, encrypted, all bool) {
	idp := newScriptedIdP(t)
	client := func(more map[string]any) map[string]any {
		more["clientId"], more["clientSecret"] = "app", "app-secret"
		return more
	}
	preset := map[string]any{"clientId": "app", "clientSecret": "app-secret"}
	stand := map[string]string{}
	for _, host := range hosts() {
		stand[host] = idp.url
	}
	theirs := testenv.BetterAuth(t, testenv.BetterAuthConfig{
		DatabaseURL: database, RedisURL: redis, BaseURL: base,
		Generic: []map[string]any{
			client(map[string]any{"providerId": "acme", "discoveryUrl": idp.discovery()}),
			client(map[string]any{"providerId": "plain", "authorizationUrl": idp.url + "/authorize", "tokenUrl": idp.url + "/token", "userInfoUrl": idp.url + "/userinfo"}),
			client(map[string]any{"providerId": "gone", "discoveryUrl": idp.url + "/nowhere"}),
		},
		Hosts:   stand,
		Options: map[string]any{"socialProviders": map[string]any{"google": preset, "github": preset, "vercel": preset}, "account": map[string]any{"encryptOAuthTokens": encrypted, "accountLinking": map[string]any{"allowUnlinkingAll": all}}},
	})
	ada, eve := theirs.SignUp(t, "Ada", "ada@example.com"), theirs.SignUp(t, "Eve", "eve@example.com")
	stores := accounts.Config{URL: database}
	if redis != "" {
		stores.Redis = &accounts.Redis{URL: redis, Prefix: "better-auth:"}
	}
	w := newWorldOn(t, stores, idp, func(c *Config) { c.EncryptTokens, c.AllowUnlinkingAll = encrypted, all })
	now := time.Now()
	r := &reset{
		world: w, ada: ada.UserID, eve: eve.UserID, sealed: w.keys.Encrypt("at-full"),
		id:  idp.idToken(t, now.Add(50*time.Minute), map[string]any{"email": "Ada@Example.com", "email_verified": "true", "name": "Ada", "picture": "https://img.example/a.png"}),
		old: idp.idToken(t, now.Add(-time.Minute), map[string]any{"email": "ada@example.com"}),
	}
	if redis != "" {
		client, err := redisconn.Open(redis, redisconn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		// Ending all sessions of somebody ends those that were begun before, too, and ours are put there old.
		r.flush = func() error { return client.FlushDB(t.Context()).Err() }
	}
	same := 0
	for _, c := range requests() {
		t.Run(c.name, func(t *testing.T) {
			request := roomtest.Raw(c.method, "/api/auth"+c.path, c.body, c.headers...)
			want := r.outcome(t, strings.TrimPrefix(theirs.URL, "http://"), request)
			got := r.outcome(t, w.address, request)
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

// reset puts the rows in place before each request.
type reset struct {
	*world
	ada, eve        string
	id, old, sealed string
	one             bool         // Ada has one account only
	flush           func() error // empties the secondary storage; nil: there is none
}

func (r *reset) outcome(t *testing.T, address, request string) string {
	t.Helper()
	w := r.world
	w.TB = t
	now := w.instant()
	if r.flush != nil {
		w.must(r.flush())
	}
	for _, id := range []string{r.ada, r.eve} {
		if r.flush == nil {
			w.must(w.store.DeleteSessionsOf(t.Context(), id, ""))
		}
		all, err := w.store.AccountsOf(t.Context(), id)
		w.must(err)
		for i := range all {
			w.must(w.store.DeleteAccount(t.Context(), all[i].ID))
		}
	}
	picture := ptr("https://x.test/before.png")
	before := now.Add(-time.Hour)
	_, err := w.store.UpdateUser(t.Context(), r.ada, accounts.UserChange{Name: ptr("Ada"), Image: &picture}, before)
	w.must(err)
	_, err = w.store.UpdateUser(t.Context(), r.eve, accounts.UserChange{Name: ptr("Eve")}, before) // or she counts as changed for a minute
	w.must(err)
	mine, foreign := rows(now, r.id, r.old, r.sealed)
	for i := range mine {
		if i == 0 || !r.one {
			w.link(r.ada, mine[i])
		}
	}
	w.link(r.eve, foreign)
	user, err := w.store.User(t.Context(), r.ada) // a session in Redis has its person beside it
	w.must(err)
	w.put(user, "young", time.Hour)
	w.put(user, "due", day+time.Hour)
	w.put(user, "over", 7*day+time.Second)
	asked := len(w.idp.asked())

	answer := testenv.RawHTTP(t, address, request)
	var b strings.Builder
	b.WriteString(roomtest.Head(t, answer))
	b.WriteString(instants.ReplaceAllString(sorted(answer.Body), "<instant>"))
	b.WriteString("\nthe provider was asked: " + strings.Join(w.idp.asked()[asked:], " then "))
	b.WriteString("\nrows:")
	for _, id := range []string{r.ada, r.eve} {
		r.describe(t, &b, id, now)
	}
	return b.String()
}

// sorted puts a list of accounts in one order: neither side asks PostgreSQL for any.
func sorted(body string) string {
	inner, ok := strings.CutPrefix(body, `[{"accountId"`)
	if !ok {
		return body
	}
	all := strings.Split(strings.TrimSuffix(inner, "}]"), `},{"accountId"`)
	slices.Sort(all)
	return "[" + strings.Join(all, ",\n") + "]"
}

// describe writes down what is left of somebody.
func (r *reset) describe(t *testing.T, b *strings.Builder, userID string, now time.Time) {
	t.Helper()
	w := r.world
	u, err := w.store.User(t.Context(), userID)
	w.must(err)
	b.WriteString("\n" + u.Name + " " + u.Email + " " + text(u.Image) + " " + text(u.Role) + " changed: " + strconv.FormatBool(u.UpdatedAt.After(now.Add(-time.Minute))))
	sessions, err := w.store.SessionsOf(t.Context(), userID)
	w.must(err)
	slices.SortFunc(sessions, func(a, b record.Session) int { return strings.Compare(a.Token, b.Token) })
	for i := range sessions {
		b.WriteString("\nsession " + sessions[i].Token + " for " + sessions[i].ExpiresAt.Sub(now).Round(time.Minute).String())
	}
	all, err := w.store.AccountsOf(t.Context(), userID)
	w.must(err)
	slices.SortFunc(all, func(a, b record.Account) int { return strings.Compare(a.ID, b.ID) })
	for i := range all {
		a := &all[i]
		changed := a.UpdatedAt.After(now.Add(-time.Minute))
		if !changed && !strings.HasPrefix(a.ID, "live") {
			b.WriteString("\n" + a.ID)
			continue
		}
		b.WriteString("\n" + a.ID + " " + strconv.FormatBool(changed) + " " + r.token(a.AccessToken) + " " + r.token(a.RefreshToken) + " " + text(a.IDToken) + " " + text(a.Scope) + " " +
			until(a.AccessTokenExpiresAt, now) + " " + until(a.RefreshTokenExpiresAt, now))
	}
}

// token is a token as it is stored: whether it is sealed, and what is in it.
func (r *reset) token(stored *string) string {
	if stored == nil {
		return "NULL"
	}
	if plain, err := r.keys.Decrypt(*stored); err == nil {
		return "sealed(" + plain + ")"
	}
	return strconv.Quote(*stored)
}

func text(s *string) string {
	if s == nil {
		return "NULL"
	}
	return strconv.Quote(*s)
}

func until(t *time.Time, now time.Time) string {
	if t == nil {
		return "NULL"
	}
	return t.Sub(now).Round(time.Minute).String()
}

var instants = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
