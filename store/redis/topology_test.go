package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/redis"
)

// eventually resolves a token until it is found; until then there may be errors, but never "no session".
func eventually(t testing.TB, s *redis.Store, token string, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		_, err := ask(t, s, token)
		switch {
		case err == nil:
			return
		case errors.Is(err, gate.ErrNoSession):
			t.Fatalf("%s: a session that is there is none", token)
		case time.Now().After(deadline):
			t.Fatalf("%s: not within %v: %v", token, within, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	set := testenv.StartRedisSentinels(t)
	first, second := set.Servers[0], set.Servers[1]
	first.Replicated(t, "SET", prefix+"token", value("token"))
	s := open(t, redis.Config{URL: set.URL(), Prefix: prefix})
	n := listen(t, s)
	n.complete(t, 5*time.Second)
	same(t, resolve(t, s, "token"), principal("token"))
	told(t, first, n, prefix)

	since := time.Now()
	set.Failover(t) // both live on
	n.incomplete(t, since, 20*time.Second)
	set.AwaitMaster(t, second)
	n.complete(t, 5*time.Second)
	eventually(t, s, "token", 2*time.Second)
	told(t, second, n, prefix)

	// The old one has to follow before it can take over again.
	for !strings.Contains(first.Call(t, "INFO", "replication"), "master_link_status:up") {
		time.Sleep(20 * time.Millisecond)
	}
	second.Replicated(t, "SET", prefix+"later", value("later"))
	since = time.Now()
	second.Kill()
	n.incomplete(t, since, prompt)
	set.AwaitMaster(t, first)
	n.complete(t, 5*time.Second)
	eventually(t, s, "later", 2*time.Second)
	told(t, first, n, prefix)
}

// TestSentinelNamesAnother: the old master lives and nobody has told it anything.
func TestSentinelNamesAnother(t *testing.T) {
	t.Parallel()
	set := testenv.StartRedisSentinels(t)
	first, second := set.Servers[0], set.Servers[1]
	s := open(t, redis.Config{URL: set.URL(), Prefix: prefix})
	n := listen(t, s)
	n.complete(t, 5*time.Second)
	since := time.Now()
	set.Monitor(t, second)
	n.incomplete(t, since, 5*time.Second)
	n.complete(t, 5*time.Second)
	if !strings.HasPrefix(first.Call(t, "ROLE"), "master") {
		t.Error("the old one is no longer a master: the test proves nothing")
	}
	told(t, second, n, prefix)
	second.Call(t, "SET", prefix+"token", value("token"))
	same(t, resolve(t, s, "token"), principal("token"))
}

// TestSentinelLosesSight: a master that hangs is replaced, and wakes up as one that believes to be the master still.
func TestSentinelLosesSight(t *testing.T) {
	t.Parallel()
	set := testenv.StartRedisSentinels(t)
	first, second := set.Servers[0], set.Servers[1]
	s := open(t, redis.Config{URL: set.URL(), Prefix: prefix})
	n := listen(t, s)
	n.complete(t, 5*time.Second)

	since := time.Now()
	first.Pause()
	n.incomplete(t, since, prompt)
	set.AwaitMaster(t, second)
	n.complete(t, 5*time.Second)
	second.Call(t, "SET", prefix+"token", value("token"))
	eventually(t, s, "token", 2*time.Second)
	first.Resume()
	told(t, second, n, prefix)
}

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := testenv.StartRedisCluster(t)
	s := open(t, redis.Config{URL: cluster.URL(), Prefix: prefix})
	n := listen(t, s)
	n.complete(t, 5*time.Second)

	owners := make(map[*testenv.RedisServer]bool)
	check := func() {
		t.Helper()
		for i := range 12 {
			token := fmt.Sprint("token", i)
			key := prefix + token
			since := time.Now()
			cluster.Call(t, key, "SET", key, value(token))
			n.tag(t, token, since, store.SessionTag(token))
			same(t, resolve(t, s, token), principal(token))
			owners[cluster.Owner(t, key)] = true
		}
	}
	check()
	tombstone := prefix + "revoked-sessions-before-u1"
	since := time.Now()
	cluster.Call(t, tombstone, "SET", tombstone, fmt.Sprint(born.UnixMilli()+1))
	n.tag(t, "tombstone", since, store.UserTag("u1"))
	for i := range 12 {
		nobody(t, s, fmt.Sprint("token", i))
	}
	cluster.Call(t, tombstone, "DEL", tombstone)
	if len(owners) != 3 {
		t.Errorf("the tokens were on %d servers", len(owners))
	}
	since = time.Now()
	cluster.Masters[1].Call(t, "FLUSHALL")
	n.await(t, "FLUSHALL of one", since, prompt, func(said notice) bool { return said.all })

	// A slot goes to a server that nobody listens to.
	since = time.Now()
	added := cluster.AddMaster(t, 5)
	n.incomplete(t, since, 5*time.Second)
	n.complete(t, 5*time.Second)
	since = time.Now()
	added.Call(t, "FLUSHALL")
	n.await(t, "FLUSHALL of the new one", since, prompt, func(said notice) bool { return said.all })

	since = time.Now()
	cluster.Masters[0].Kill()
	n.incomplete(t, since, prompt)
	cluster.AwaitFailover(t)
	cluster.Masters[0] = cluster.Replica
	n.complete(t, 10*time.Second)
	check()
}

// TestClusterByOneWhoMayDoLittle: the rights that the package's documentation names are enough. A URL of the wrong kind is
// found at the start.
func TestClusterByOneWhoMayDoLittle(t *testing.T) {
	t.Parallel()
	cluster := testenv.StartRedisCluster(t)
	_, err := redis.Open(t.Context(), redis.Config{URL: cluster.Masters[0].URL(), Prefix: prefix})
	if err == nil || !strings.Contains(err.Error(), "redis+cluster://") {
		t.Errorf("got %v", err)
	}
	for _, server := range append(cluster.Masters[:], cluster.Replica) {
		server.Call(t, "ACL", "SETUSER", "usher", "on", ">p", "~"+prefix+"*", "resetchannels", "-@all", "+getrange", "+ping",
			"+client|setname", "+client|tracking", "+client|trackinginfo", "+cluster|slots", "+cluster|myid")
	}
	s := open(t, redis.Config{URL: strings.Replace(cluster.URL(), "://", "://usher:p@", 1), Prefix: prefix})
	n := listen(t, s)
	n.complete(t, 5*time.Second)
	for i := range 8 {
		token := fmt.Sprint("token", i)
		cluster.Call(t, prefix+token, "SET", prefix+token, value(token))
		same(t, resolve(t, s, token), principal(token))
	}
}
