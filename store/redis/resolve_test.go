package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/redis"
)

func TestPrincipals(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	for _, p := range []string{prefix, "", "app:auth:", "a*b?[c]\\", "ключ "} {
		t.Run("prefix "+p, func(t *testing.T) {
			s := open(t, redis.Config{URL: server.URL(), Prefix: p})
			nobody(t, s, "token")
			server.Call(t, "SET", p+"token", value("token"))
			same(t, resolve(t, s, "token"), principal("token"))
			server.Call(t, "DEL", p+"token")
			nobody(t, s, "token")
		})
	}
}

// TestTombstones: Better Auth 1.7.25 itself was asked for the answers.
func TestTombstones(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	s := open(t, redis.Config{URL: server.URL(), Prefix: prefix})
	server.Call(t, "SET", prefix+"token", value("token"))
	ms := born.UnixMilli()
	for tombstone, dead := range map[string]bool{
		fmt.Sprint(ms - 1): false,
		fmt.Sprint(ms):     false, // made in the same millisecond
		fmt.Sprint(ms + 1): true,
		"0":                false, "": false, "garbage": false, "NaN": false, "-1": false,
		fmt.Sprintf(" %d\n", ms+1): true, fmt.Sprintf("%d.5", ms): true, fmt.Sprintf("%de3", ms): true,
		"1e400": true, strings.Repeat("9", 30): true, fmt.Sprintf("%dx", ms+1): false,
	} {
		server.Call(t, "SET", prefix+"revoked-sessions-before-u1", tombstone)
		p, err := ask(t, s, "token")
		if got := errors.Is(err, gate.ErrNoSession); got != dead || (err != nil) != dead {
			t.Errorf("tombstone %q: %+v, %v; want dead: %v", tombstone, p, err, dead)
		}
	}
	server.Call(t, "SET", prefix+"revoked-sessions-before-u2", fmt.Sprint(ms+1))
	server.Call(t, "DEL", prefix+"revoked-sessions-before-u1")
	resolve(t, s, "token")
}

// TestForeignKeys: any signed cookie of Better Auth verifies as a session's, so any of these may be asked for.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	row := &gate.Principal{Session: gate.Session{ID: "row"}, User: gate.User{ID: "u"}}
	rows := make(map[string]*gate.Principal)
	s := open(t, redis.Config{URL: server.URL(), Prefix: prefix, StoreSessionInDatabase: true, Fallback: gatetest.NewResolver(rows)})
	server.Call(t, "RPUSH", prefix+"list", "a")
	server.Call(t, "HSET", prefix+"hash", "a", "b")
	server.Call(t, "SET", prefix+"active-sessions-u1", `[{"token":"token","expiresAt":1}]`)
	server.Call(t, "SET", prefix+"revoked-sessions-before-u1", "1")
	server.Call(t, "SET", prefix+"verification:x", value("verification:x"))
	server.Call(t, "SET", prefix+"number", "12")
	server.Call(t, "SET", prefix+"other", value("token"))
	server.Call(t, "SET", prefix+"long", value("long")[:1]+strings.Repeat(" ", 2<<20)+value("long")[1:])
	for _, token := range []string{
		"list", "hash", "active-sessions-u1", "revoked-sessions-before-u1", "verification:x", "number", "other", "long",
		"", "a\x00b", "a\nb", "a\r\nSET x y", "\x7f", "\xff", strings.Repeat("x", 600), "1.2.3.4|/sign-in",
	} {
		rows[token] = row // a key that is there and holds no session is never looked for in the database
		nobody(t, s, token)
	}
	if !strings.Contains(server.Call(t, "KEYS", "*"), prefix+"list") {
		t.Error("the keys are gone")
	}
	rows["elsewhere"] = row
	same(t, resolve(t, s, "elsewhere"), row)
	server.Call(t, "SET", prefix+"elsewhere", "")
	same(t, resolve(t, s, "elsewhere"), row) // to Better Auth an empty value is none
}

func TestModes(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	row := &gate.Principal{Session: gate.Session{ID: "row"}, User: gate.User{ID: "u"}}
	rows := gatetest.NewResolver(map[string]*gate.Principal{"row": row, "both": row, "dead": row})
	server.Call(t, "SET", prefix+"both", value("both"))
	server.Call(t, "SET", prefix+"dead", "{")
	for _, c := range []struct {
		stored, preserved, falls bool
	}{{false, false, false}, {true, false, true}, {true, true, false}} {
		s := open(t, redis.Config{
			URL: server.URL(), Prefix: prefix, Fallback: rows,
			StoreSessionInDatabase: c.stored, PreserveSessionInDatabase: c.preserved,
		})
		before := rows.Calls()
		nobody(t, s, "dead")
		same(t, resolve(t, s, "both"), principal("both"))
		if c.falls {
			same(t, resolve(t, s, "row"), row)
		} else {
			nobody(t, s, "row")
			if rows.Calls() != before {
				t.Errorf("%+v: the database was asked", c)
			}
		}
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	server.Call(t, "SET", prefix+"token", value("token"))
	fresh := gate.User{ID: "u1", Name: "Ada Byron", Email: "new@example.com", Banned: true}
	p := people{
		known:       map[string]*gate.User{"u1": &fresh},
		memberships: []gate.Membership{{OrganizationID: "o1", Slug: "acme", Roles: "owner"}},
	}
	s := open(t, redis.Config{URL: server.URL(), Prefix: prefix, People: p})
	want := principal("token")
	want.User, want.Memberships = fresh, p.memberships
	same(t, resolve(t, s, "token"), want)

	server.Call(t, "SET", prefix+"revoked-sessions-before-u1", fmt.Sprint(born.UnixMilli()+1))
	nobody(t, s, "token")
	server.Call(t, "DEL", prefix+"revoked-sessions-before-u1")

	delete(p.known, "u1")
	gone := resolve(t, s, "token")
	if gone.User.ID != "" || gone.Memberships != nil || gone.Session.ID == "" {
		t.Errorf("a user that is gone: %+v", gone)
	}

	broken := errors.New("the database is gone")
	s = open(t, redis.Config{URL: server.URL(), Prefix: prefix, People: people{err: broken}})
	if _, err := ask(t, s, "token"); !errors.Is(err, broken) || errors.Is(err, gate.ErrNoSession) {
		t.Errorf("got %v", err)
	}
	nobody(t, s, "unknown")
}
