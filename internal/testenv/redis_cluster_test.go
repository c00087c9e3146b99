package testenv

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	c := StartRedisCluster(t)
	for _, key := range []string{"a", "b", "c", "d"} {
		c.Call(t, key, "SET", key, "of "+key)
		if got := c.Call(t, key, "GET", key); got != "of "+key {
			t.Errorf("%s: %q", key, got)
		}
	}
	const empty = 5 // slots before 5461 are the first one's
	added := c.AddMaster(t, empty)
	if got := added.Call(t, "CLUSTER", "SLOTS"); got == "" {
		t.Error("the new master knows no slots")
	}
	c.Masters[0].Kill()
	c.AwaitFailover(t)
}

// What Replicated has written is with the replica when it returns: not before that one goes on.
func TestReplicated(t *testing.T) {
	t.Parallel()
	master := StartRedis(t, "--repl-diskless-sync-delay", "0")
	replica := StartRedis(t, "--replicaof", strings.Replace(master.Address(), ":", " ", 1))
	awaitRedis(t, "the replica follows", func() (bool, error) {
		answer, err := callRedis(replica.address(), []string{"INFO", "replication"})
		return strings.Contains(answer, "master_link_status:up"), err
	})
	master.Replicated(t, "SET", "a", "1")
	var resumed atomic.Bool
	replica.Pause()
	time.AfterFunc(300*time.Millisecond, func() { resumed.Store(true); replica.Resume() })
	master.Replicated(t, "SET", "a", "2")
	if !resumed.Load() {
		t.Error("it did not wait")
	}
	if got := replica.Call(t, "GET", "a"); got != "2" {
		t.Errorf("the replica has %q", got)
	}
}

func TestRedisSentinels(t *testing.T) {
	t.Parallel()
	s := StartRedisSentinels(t)
	first, second := s.Servers[0], s.Servers[1]
	if s.Master(t) != first {
		t.Fatal("the first one is not the master")
	}
	first.Call(t, "SET", "a", "1")
	s.Failover(t)
	s.AwaitMaster(t, second)
	if got := second.Call(t, "GET", "a"); got != "1" {
		t.Errorf("got %q", got)
	}
	second.Call(t, "SET", "a", "2")
	awaitRedis(t, "the old master follows", func() (bool, error) {
		answer, err := callRedis(first.address(), []string{"GET", "a"})
		return answer == "2", err
	})
	second.Kill()
	s.AwaitMaster(t, first)
	if s.Master(t) != first {
		t.Error("the first one is not the master again")
	}
}
