package redis_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate/gatetest"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/redis"
)

// TestOpenFails: every error says what to do, quotes no password, and tells whether waiting may help.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	server.Call(t, "ACL", "SETUSER", "usher", "on", ">right", "~*", "&*", "+@all")
	server.Call(t, "ACL", "SETUSER", "few", "on", ">right", "~*", "&*", "+get")
	server.Call(t, "ACL", "SETUSER", "elsewhere", "on", ">right", "~other:*", "&*", "+@all")
	locked := testenv.StartRedis(t, "--requirepass", "right")
	_, secureURL, ca := testenv.StartRedisTLS(t)
	as := func(user string) string { return strings.Replace(server.URL(), "://", "://"+user+"@", 1) }
	dead := testenv.StartRedis(t)
	dead.Kill()
	for name, c := range map[string]struct {
		config    redis.Config
		says      string
		permanent bool
	}{
		"no URL":          {redis.Config{}, "redis://", true},
		"another URL":     {redis.Config{URL: "postgres://u:wrong@h/d"}, "redis://", true},
		"a bad prefix":    {redis.Config{URL: server.URL(), Prefix: "a\nb"}, "keyPrefix", true},
		"no database":     {redis.Config{URL: server.URL(), StoreSessionInDatabase: true}, "storeSessionInDatabase", true},
		"half preserved":  {redis.Config{URL: server.URL(), PreserveSessionInDatabase: true}, "storeSessionInDatabase", true},
		"nothing listens": {redis.Config{URL: dead.URL()}, "is Redis running", false},
		"wrong password":  {redis.Config{URL: as("usher:wrong")}, "the user or the password", false},
		"no password":     {redis.Config{URL: locked.URL()}, "redis://:password@host", false},
		"few commands":    {redis.Config{URL: as("few:right")}, "ACL SETUSER", false},
		"other keys":      {redis.Config{URL: as("elsewhere:right"), Prefix: prefix}, "ACL SETUSER", false},
		"no such number":  {redis.Config{URL: strings.TrimSuffix(server.URL(), "/0") + "/99"}, "does not exist", false},
		"no TLS":          {redis.Config{URL: strings.Replace(server.URL(), "redis://", "rediss://", 1)}, "check host and port", false},
		"TLS":             {redis.Config{URL: strings.Replace(secureURL, "rediss://", "redis://", 1)}, "rediss:// instead of redis://", false},
		"a stranger":      {redis.Config{URL: secureURL}, "?ca=FILE", false},
		"no such file":    {redis.Config{URL: secureURL + "?ca=" + url.QueryEscape(ca+"x")}, "cannot be read", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var err error
			for range 5 { // a busy machine may need longer for TLS than anybody waits
				var s *redis.Store
				if s, err = redis.Open(t.Context(), c.config); err == nil {
					s.Close()
					t.Fatal("opened")
				}
				if strings.Contains(err.Error(), c.says) {
					break
				}
			}
			if text := err.Error(); !strings.HasPrefix(text, "redis: ") || !strings.Contains(text, c.says) || strings.Contains(text, "wrong@") {
				t.Errorf("%q does not say %q", text, c.says)
			}
			if got := store.Permanent(err); got != c.permanent {
				t.Errorf("permanent: %v: %v", got, err)
			}
		})
	}
}

// TestWaysIn: names, passwords, TLS, another database number; with few rights.
func TestWaysIn(t *testing.T) {
	t.Parallel()
	_, secureURL, ca := testenv.StartRedisTLS(t, "--requirepass", "p@ss/w:rd")
	password := url.QueryEscape("p@ss/w:rd")
	few := testenv.StartRedis(t)
	few.Call(t, "ACL", "SETUSER", "usher", "on", ">p", "~"+prefix+"*", "resetchannels", "-@all", "+getrange", "+client|setname", "+client|tracking", "+client|trackinginfo", "+ping")
	few.Call(t, "ACL", "SETUSER", "default", "off")
	for name, u := range map[string]string{
		"password over TLS":  strings.Replace(secureURL, "://", "://:"+password+"@", 1) + "?ca=" + url.QueryEscape(ca),
		"user of few rights": strings.Replace(few.URL(), "://", "://usher:p@", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, redis.Config{URL: u, Prefix: prefix})
			n := listen(t, s)
			n.complete(t, 5*time.Second)
			nobody(t, s, "token")
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			if stats := s.Stats(); stats.Max != 16 || stats.Open < 1 || stats.InUse != 0 {
				t.Errorf("stats: %+v", stats)
			}
		})
	}
	s, err := redis.Open(t.Context(), redis.Config{
		URL: strings.Replace(few.URL(), "://", "://usher:p@", 1), Prefix: prefix, Conns: 3,
		StoreSessionInDatabase: true, Fallback: gatetest.NewResolver(nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if stats := s.Stats(); stats.Max != 3 {
		t.Errorf("stats: %+v", stats)
	}
}
