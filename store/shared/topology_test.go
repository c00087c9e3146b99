package shared

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/redisconn"
)

// pass checks that two replicas share entries, and that neither believes one that is older than a notice it heard.
func pass(t *testing.T, d *database, a, b *replica, name string) {
	t.Helper()
	for i := range 20 { // over all servers of a Cluster
		token := fmt.Sprint("token ", i)
		d.set(token, "old "+name)
		for _, r := range []*replica{a, b} {
			r.notices.Changed(time.Time{}, store.SessionTag(token))
		}
	}
	aged()
	writes, hits := a.Stats().Writes, b.Stats().Hits
	for i := range 20 {
		a.name(t, fmt.Sprint("token ", i))
	}
	a.written(t, writes+20)
	for i := range 20 {
		if got := b.name(t, fmt.Sprint("token ", i)); got != "old "+name {
			t.Errorf("it answers %q", got)
		}
	}
	if got := b.Stats().Hits - hits; got != 20 {
		t.Errorf("%s: %d of 20 came from Redis: %+v", name, got, b.Stats())
	}
	for i := range 20 {
		token := fmt.Sprint("token ", i)
		d.set(token, "new "+name)
		b.notices.Changed(time.Time{}, store.SessionTag(token))
		if got := b.name(t, token); got != "new "+name {
			t.Errorf("after the notice it answers %q", got)
		}
	}
}

func TestSentinel(t *testing.T) {
	s := testenv.StartRedisSentinels(t)
	d := &database{rows: make(map[string]*gate.Principal)}
	a, b := newReplica(t, s.URL(), d, nil), newReplica(t, s.URL(), d, nil)
	pass(t, d, a, b, "before")

	d.set("token", "old")
	writes := a.Stats().Writes
	a.name(t, "token")
	a.written(t, writes+1)
	await(t, "the replica has it", func() bool {
		return s.Servers[1].Call(t, "EXISTS", a.names.of(gate.Proven(gate.ByCookie, "token")).redis) == "1"
	})
	s.Servers[0].Kill()
	d.set("token", "new") // and nobody is told: what was looked up before the outage does not count anyway
	await(t, "the outage is noticed", func() bool { return a.breaker.Open() && b.breaker.Open() })
	s.AwaitMaster(t, s.Servers[1])
	await(t, "the new master is in use", func() bool { return !a.breaker.Open() && !b.breaker.Open() })
	if a.name(t, "token") != "new" || b.name(t, "token") != "new" {
		t.Error("what was looked up before the failover still counts")
	}
	pass(t, d, a, b, "after")
}

func TestCluster(t *testing.T) {
	c := testenv.StartRedisCluster(t)
	d := &database{rows: make(map[string]*gate.Principal)}
	a, b := newReplica(t, c.URL(), d, nil), newReplica(t, c.URL(), d, nil)
	pass(t, d, a, b, "before")

	c.Masters[0].Kill()
	await(t, "the outage is noticed", func() bool {
		for i := range 20 {
			a.name(t, fmt.Sprint("token ", i))
			b.name(t, fmt.Sprint("token ", i))
		}
		return a.breaker.Open() && b.breaker.Open()
	})
	c.AwaitFailover(t)
	began := time.Now()
	await(t, "the replica's slots are in use", func() bool {
		for i := range 20 {
			a.name(t, fmt.Sprint("token ", i))
			b.name(t, fmt.Sprint("token ", i))
		}
		return !a.breaker.Open() && !b.breaker.Open()
	})
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the Cluster was in use only %v after its failover", took)
	}
	pass(t, d, a, b, "after")
}

// These are all the rights that the user of the URL needs.
func TestRights(t *testing.T) {
	server, d := newWorld(t)
	server.Call(t, append([]string{"ACL", "SETUSER", "usher", "on", ">secret"}, strings.Fields(Rights)...)...)
	server.Call(t, "ACL", "SETUSER", "default", "off")
	url := strings.Replace(server.URL(), "redis://", "redis://usher:secret@", 1)
	a, b := newReplica(t, url, d, nil), newReplica(t, url, d, nil)
	aged()
	a.name(t, "token")
	a.written(t, 1)
	if b.name(t, "token"); b.Stats().Hits != 1 {
		t.Errorf("stats: %+v", b.Stats())
	}
	for _, client := range []*replica{a, b} {
		if err := client.client.Get(t.Context(), "other").Err(); err == nil || !strings.Contains(redisconn.Remedy(err), "ACL SETUSER") {
			t.Errorf("a key of somebody else's: %v", err)
		}
	}
}

// A Cluster's servers are asked for its map, too.
func TestRightsInACluster(t *testing.T) {
	c := testenv.StartRedisCluster(t)
	for _, server := range []*testenv.RedisServer{c.Masters[0], c.Masters[1], c.Masters[2], c.Replica} {
		server.Call(t, append([]string{"ACL", "SETUSER", "usher", "on", ">secret"}, strings.Fields(Rights+" "+RightsInCluster)...)...)
	}
	url := strings.Replace(c.URL(), "://", "://usher:secret@", 1)
	d := &database{rows: make(map[string]*gate.Principal)}
	pass(t, d, newReplica(t, url, d, nil), newReplica(t, url, d, nil), "with few rights")
	for _, server := range c.Masters {
		if denied := server.Call(t, "ACL", "LOG"); denied != "" {
			t.Errorf("denied: %s", denied)
		}
	}
}
