package accounts_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/accounts"
)

const prefix = "better-auth:"

// mode is how Better Auth uses its secondary storage.
type mode struct{ stored, preserved, verifications bool }

func modes() map[string]mode {
	return map[string]mode{
		"storage only": {}, "stored": {stored: true}, "preserved": {stored: true, preserved: true}, "verifications stored": {verifications: true},
	}
}

func (m mode) use(server *testenv.RedisServer) func(*accounts.Config) {
	return func(c *accounts.Config) {
		c.Redis = &accounts.Redis{
			URL: server.URL(), Prefix: prefix, StoreSessionInDatabase: m.stored, PreserveSessionInDatabase: m.preserved,
			StoreVerificationInDatabase: m.verifications,
		}
	}
}

// prepare makes the tables that Better Auth has in that mode.
func (m mode) prepare(t *testing.T, d *database, schema string) {
	t.Helper()
	d.apply(t, schema)
	if !m.stored {
		d.exec(t, `drop table "session"`)
	}
	if !m.verifications {
		d.exec(t, `drop table "verification"`)
	}
}

func TestSecondaryStorage(t *testing.T) {
	for name, m := range modes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for schema, test := range map[string]func(*testing.T, *accounts.Store){"all-plugins": sessions, "core": verifications} {
				d := newSQLite(t, "wal")
				m.prepare(t, d, schema)
				test(t, d.open(t, m.use(testenv.StartRedis(t))))
			}
		})
	}
}

// TestValuesAsBetterAuthWritesThem compares with what the real 1.7.25 left in Redis (redis.json of the rig).
func TestValuesAsBetterAuthWritesThem(t *testing.T) {
	for name, m := range modes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testenv.StartRedis(t)
			d := newSQLite(t, "wal")
			m.prepare(t, d, "all-plugins")
			s := d.open(t, m.use(server))
			u := ada()
			u.Image = nil
			signUp(t, s, u, "google", "g-1")
			sess := sessionOf(u, "tokenA")
			if err := s.CreateSession(t.Context(), sess, u); err != nil {
				t.Fatal(err)
			}
			short := sessionOf(u, "tokenB")
			short.ExpiresAt = start().Add(1000*time.Second + 500*time.Millisecond)
			if err := s.CreateSession(t.Context(), short, u); err != nil {
				t.Fatal(err)
			}
			const at = "2026-11-21T20:42:23.514Z"
			user := `{"name":"Ada Lovelace ☃","email":"ada@example.com","emailVerified":true,"image":null,"createdAt":"` + at + `","updatedAt":"` + at +
				`","role":"user","banned":false,"banReason":null,"banExpires":null,"id":"` + u.ID + `"}`
			value := `{"session":{"id":"` + sess.ID + `","ipAddress":"","userAgent":"rig/1.0","expiresAt":"2026-11-28T20:42:23.514Z","userId":"` + u.ID +
				`","token":"tokenA","createdAt":"` + at + `","updatedAt":"` + at + `"%s},"user":` + user + `}`
			if m.stored {
				value = `{"session":{"expiresAt":"2026-11-28T20:42:23.514Z","token":"tokenA","createdAt":"` + at + `","updatedAt":"` + at +
					`","ipAddress":"","userAgent":"rig/1.0","userId":"` + u.ID + `","activeOrganizationId":null,"activeTeamId":null,"impersonatedBy":null,"id":"` +
					sess.ID + `"}%s,"user":` + user + `}`
			}
			is := func(key, want, ttl string) {
				t.Helper()
				if got := server.Call(t, "GET", prefix+key); got != want {
					t.Errorf("%s\n got %s\nwant %s", key, got, want)
				}
				if got := server.Call(t, "TTL", prefix+key); ttl != "" && got != ttl {
					t.Errorf("%s lives for %s s, want %s", key, got, ttl)
				}
			}
			is("tokenA", fmt.Sprintf(value, ""), "604800")
			is("active-sessions-"+u.ID, `[{"token":"tokenB","expiresAt":1795294744014},{"token":"tokenA","expiresAt":1795898543514}]`, "604800")

			if err := s.SetActiveOrganization(t.Context(), sess, ptr("o/1"), start().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			if m.stored {
				is("tokenA", strings.Replace(fmt.Sprintf(value, ""), `"activeOrganizationId":null`, `"activeOrganizationId":"o/1"`, 1), "604800")
			} else {
				is("tokenA", fmt.Sprintf(value, `,"activeOrganizationId":"o/1"`), "604800")
			}

			if err := s.PutVerification(t.Context(), "state", `{"a":"<&>"}`, start().Add(10*time.Minute), start()); err != nil {
				t.Fatal(err)
			}
			if m.verifications {
				id := d.ask(t, `select "id" from "verification"`)
				is("verification:state", `{"identifier":"state","value":"{\"a\":\"<&>\"}","expiresAt":"2026-11-21T20:52:23.514Z","createdAt":"`+at+`","updatedAt":"`+at+`","id":"`+id+`"}`, "600")
			} else {
				is("verification:state", `{"createdAt":"`+at+`","updatedAt":"`+at+`","value":"{\"a\":\"<&>\"}","identifier":"state","expiresAt":"2026-11-21T20:52:23.514Z"}`, "600")
			}

			if err := s.DeleteSession(t.Context(), "tokenB"); err != nil {
				t.Fatal(err)
			}
			is("active-sessions-"+u.ID, `[{"token":"tokenA","expiresAt":1795898543514}]`, "")
			if err := s.DeleteSessionsOf(t.Context(), u.ID, ""); err != nil {
				t.Fatal(err)
			}
			is("revoked-sessions-before-"+u.ID, "1795293743514", "604800")
			if got := server.Call(t, "EXISTS", prefix+"active-sessions-"+u.ID, prefix+"tokenA"); got != "0" {
				t.Errorf("%s keys are left", got)
			}
			want := map[mode]string{{stored: true}: "", {stored: true, preserved: true}: at + "|" + at}
			if m.stored {
				if got := strings.ReplaceAll(d.ask(t, `select "expiresAt" from "session"`), "\n", "|"); got != want[m] {
					t.Errorf("rows end: %s", got)
				}
			}
		})
	}
}

// TestUsersInTheirSessions: a change of a user shows in every session, and what an application keeps there stays.
func TestUsersInTheirSessions(t *testing.T) {
	server := testenv.StartRedis(t)
	d := newSQLite(t, "wal")
	mode{}.prepare(t, d, "all-plugins")
	s := d.open(t, mode{}.use(server))
	u := ada()
	signUp(t, s, u, "google", "g-1")
	for _, token := range []string{"t1", "t2"} {
		if err := s.CreateSession(t.Context(), sessionOf(u, token), u); err != nil {
			t.Fatal(err)
		}
	}
	value := server.Call(t, "GET", prefix+"t1")
	value = strings.Replace(strings.Replace(value, `"token":"t1"`, `"token":"t1","theme":"<dark>\u2028"`, 1), `"user":{`, `"user":{"plan":1e3,`, 1)
	server.Call(t, "SETEX", prefix+"t1", "1000", value)
	server.Call(t, "SETEX", prefix+"t2", "1000", "{broken")

	if _, err := s.UpdateUser(t.Context(), u.ID, accounts.UserChange{Name: ptr("Bo\"b"), Image: ptr(ptr("x"))}, start().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(`"name":"Ada Lovelace ☃"`, `"name":"Bo\"b"`, `"image":"https://x.test/a?b=1"`, `"image":"x"`,
		`"updatedAt":"2026-11-21T20:42:23.514Z","role"`, `"updatedAt":"2026-11-21T20:42:24.514Z","role"`).Replace(value)
	if got := server.Call(t, "GET", prefix+"t1"); got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
	if err := s.Identify(t.Context(), "google", "g-1", "", func(tx accounts.Tx) error {
		return tx.UpdateUser(t.Context(), u.ID, accounts.UserChange{EmailVerified: ptr(false)}, start())
	}); err != nil {
		t.Fatal(err)
	}
	if _, got, err := s.FindSession(t.Context(), "t1"); err != nil || got.EmailVerified || got.Name != `Bo"b` {
		t.Errorf("after a sign-in changed him: %+v, %v", got, err)
	}
}

// TestListUnderContention: of 100 sign-ins at once and as many sign-outs none is lost from the list.
func TestListUnderContention(t *testing.T) {
	server := testenv.StartRedis(t)
	d := newSQLite(t, "wal")
	mode{}.prepare(t, d, "core")
	replicas := []*accounts.Store{d.open(t, mode{}.use(server)), d.open(t, mode{}.use(server))}
	u := ada()
	signUp(t, replicas[0], u, "google", "g-1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	together(100, func(i int) {
		s := replicas[i%2]
		token := fmt.Sprint("token", i)
		if err := s.CreateSession(ctx, sessionOf(u, token), u); err != nil {
			t.Error(err)
		}
		if i%3 == 0 {
			if err := s.DeleteSession(ctx, token); err != nil {
				t.Error(err)
			}
		}
	})
	all, err := replicas[0].SessionsOf(ctx, u.ID)
	if err != nil || len(all) != 66 {
		t.Errorf("%d sessions, want 66: %v", len(all), err)
	}
}

// TestARevokedSessionStaysDead: a refresh that meets a revocation does not bring the session back.
func TestARevokedSessionStaysDead(t *testing.T) {
	server := testenv.StartRedis(t)
	d := newSQLite(t, "wal")
	mode{}.prepare(t, d, "core")
	s := d.open(t, mode{}.use(server))
	u := ada()
	signUp(t, s, u, "google", "g-1")
	for i := range 30 {
		sess := sessionOf(u, fmt.Sprint("t", i))
		if err := s.CreateSession(t.Context(), sess, u); err != nil {
			t.Fatal(err)
		}
		ctx := context.WithoutCancel(t.Context())
		together(3, func(n int) {
			if n == 0 {
				_ = s.DeleteSession(ctx, sess.Token)
				return
			}
			again := *sess
			_, _ = s.RefreshSession(ctx, &again, start().Add(time.Duration(n)*time.Hour), start())
			_, _ = s.UpdateUser(ctx, u.ID, accounts.UserChange{Name: ptr(fmt.Sprint(n))}, start())
		})
		if got, _, err := s.FindSession(t.Context(), sess.Token); got != nil || err != nil {
			t.Fatalf("round %d: %v, %v", i, got, err)
		}
	}
}

// TestHostileKeys: a signed cookie of another kind may name any key.
func TestHostileKeys(t *testing.T) {
	server := testenv.StartRedis(t)
	d := newSQLite(t, "wal")
	mode{}.prepare(t, d, "core")
	s := d.open(t, mode{}.use(server))
	u := ada()
	signUp(t, s, u, "google", "g-1")
	if err := s.CreateSession(t.Context(), sessionOf(u, "t1"), u); err != nil {
		t.Fatal(err)
	}
	server.Call(t, "SET", prefix+"copy", server.Call(t, "GET", prefix+"t1"))
	server.Call(t, "SET", prefix+"junk", `{"session":{"token":"junk"},"user":null}`)
	server.Call(t, "SET", prefix+"deep", strings.Repeat("[", 100_000))
	server.Call(t, "LPUSH", prefix+"list", "x")
	for _, token := range []string{"copy", "junk", "deep", "list", "active-sessions-" + u.ID, "verification:x"} {
		if got, _, err := s.FindSession(t.Context(), token); got != nil || err != nil {
			t.Errorf("%s: %v, %v", token, got, err)
		}
		if err := s.DeleteSession(t.Context(), token); err != nil {
			t.Errorf("%s: %v", token, err)
		}
		if renewed, err := s.RefreshSession(t.Context(), &record.Session{Token: token}, start(), start()); renewed || err != nil {
			t.Errorf("%s: %v, %v", token, renewed, err)
		}
	}
	if got := server.Call(t, "EXISTS", prefix+"copy", prefix+"junk", prefix+"list", prefix+"active-sessions-"+u.ID); got != "4" {
		t.Errorf("%s of 4 keys are left", got)
	}
	for _, list := range []string{"{broken", `{"a":1}`, `[1,null,{"token":5},{"token":"t1"}]`, strings.Repeat("[", 100_000)} {
		server.Call(t, "SET", prefix+"active-sessions-"+u.ID, list)
		if all, err := s.SessionsOf(t.Context(), u.ID); len(all) > 0 || err != nil {
			t.Errorf("list %.20s: %v, %v", list, all, err)
		}
		if err := s.CreateSession(t.Context(), sessionOf(u, "t2"), u); err != nil {
			t.Errorf("list %.20s: %v", list, err)
		}
		if got := server.Call(t, "GET", prefix+"active-sessions-"+u.ID); got != `[{"token":"t2","expiresAt":1795898543514}]` {
			t.Errorf("list %.20s became %s", list, got)
		}
	}
}

func TestRedisGrants(t *testing.T) {
	server := testenv.StartRedis(t)
	d := newSQLite(t, "wal")
	mode{}.prepare(t, d, "core")
	server.Call(t, "ACL", "SETUSER", "reader", "on", ">geheim", "~better-auth:*", "+@read", "+@connection")
	url := strings.Replace(server.URL(), "redis://", "redis://reader:geheim@", 1)
	_, err := accounts.Open(t.Context(), accounts.Config{URL: d.url, Redis: &accounts.Redis{URL: url, Prefix: prefix}})
	if err == nil || !strings.Contains(err.Error(), "+setex") || !strings.Contains(err.Error(), "~better-auth:*") || strings.Contains(err.Error(), "geheim") {
		t.Errorf("got %v", err)
	}
	server.Call(t, "ACL", "SETUSER", "reader", "+getrange", "+get", "+setex", "+del", "+eval", "+evalsha")
	s, err := accounts.Open(t.Context(), accounts.Config{URL: d.url, Redis: &accounts.Redis{URL: url, Prefix: prefix}, Now: start})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	verifications(t, s)
	sessions(t, s)
}

func TestRedisConfig(t *testing.T) {
	d := newSQLite(t, "wal")
	mode{}.prepare(t, d, "core")
	for name, c := range map[string]accounts.Redis{
		"prefix":   {URL: "redis://127.0.0.1:1", Prefix: "a\n"},
		"preserve": {URL: "redis://127.0.0.1:1", PreserveSessionInDatabase: true},
		"url":      {URL: "http://x"},
		"tables":   {URL: "redis://127.0.0.1:1", StoreSessionInDatabase: true}, // there is no session table
	} {
		if _, err := accounts.Open(t.Context(), accounts.Config{URL: d.url, Redis: &c}); !store.Permanent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCluster(t *testing.T) {
	cluster := testenv.StartRedisCluster(t)
	d := newSQLite(t, "wal")
	mode{}.prepare(t, d, "core")
	s := d.open(t, func(c *accounts.Config) { c.Redis = &accounts.Redis{URL: cluster.URL(), Prefix: prefix} })
	sessions(t, s)
	verifications(t, s)
}
