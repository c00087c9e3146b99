package testenv

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// RedisCluster is three masters that share the slots, and a replica of the first. They need half a second to find one of
// them dead.
type RedisCluster struct {
	Masters [3]*RedisServer
	Replica *RedisServer

	ids   map[*RedisServer]string
	buses map[*RedisServer]int
}

// slots is how many every Cluster has.
const slots = 16384

// StartRedisCluster starts them all, and waits until each of them finds the Cluster whole.
func StartRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	c := &RedisCluster{ids: make(map[*RedisServer]string), buses: make(map[*RedisServer]int)}
	for i := range c.Masters {
		c.Masters[i] = c.start(t)
		first, last := i*slots/len(c.Masters), (i+1)*slots/len(c.Masters)-1
		c.Masters[i].Call(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		c.Masters[i].Call(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
	}
	for _, m := range c.Masters[1:] {
		c.meet(t, m)
	}
	c.Replica = c.start(t)
	c.meet(t, c.Replica)
	c.await(t, c.Masters[0], c.Masters[1], c.Masters[2], c.Replica)
	c.Replica.Call(t, "CLUSTER", "REPLICATE", c.ids[c.Masters[0]])
	awaitRedis(t, "the replica follows", func() (bool, error) {
		answer, err := callRedis(c.Replica.address(), []string{"INFO", "replication"})
		return strings.Contains(answer, "master_link_status:up"), err
	})
	return c
}

// start starts a server of its own.
func (c *RedisCluster) start(t testing.TB) *RedisServer {
	t.Helper()
	bus := FreePort(t) // its usual place, 10000 above, may be taken
	s := StartRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "500", "--cluster-port", strconv.Itoa(bus),
		"--repl-diskless-sync-delay", "0", "--cluster-allow-replica-migration", "no")
	c.buses[s] = bus
	c.ids[s] = s.Call(t, "CLUSTER", "MYID")
	return s
}

func (c *RedisCluster) meet(t testing.TB, s *RedisServer) {
	t.Helper()
	c.Masters[0].Call(t, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(s.port), strconv.Itoa(c.buses[s]))
}

// await waits until each of these servers finds the Cluster whole and knows the others.
func (c *RedisCluster) await(t testing.TB, all ...*RedisServer) {
	t.Helper()
	for _, s := range all {
		awaitRedis(t, "the Cluster is whole", func() (bool, error) {
			answer, err := callRedis(s.address(), []string{"CLUSTER", "INFO"})
			return strings.Contains(answer, "cluster_state:ok") &&
				strings.Contains(answer, fmt.Sprintf("cluster_known_nodes:%d\r", len(all))), err
		})
	}
}

// AddMaster adds a master and hands it one slot, which must be empty, of the first.
func (c *RedisCluster) AddMaster(t testing.TB, slot int) *RedisServer {
	t.Helper()
	s := c.start(t)
	c.meet(t, s)
	c.await(t, c.Masters[0], c.Masters[1], c.Masters[2], c.Replica, s)
	for _, knows := range []*RedisServer{s, c.Masters[0], c.Masters[1], c.Masters[2]} {
		knows.Call(t, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", c.ids[s])
	}
	return s
}

// URL returns the URL of the Cluster.
func (c *RedisCluster) URL() string {
	hosts := make([]string, len(c.Masters))
	for i, m := range c.Masters {
		hosts[i] = m.address()
	}
	return "redis+cluster://" + strings.Join(hosts, ",")
}

// Owner returns the master that has a key, of those at the start.
func (c *RedisCluster) Owner(t testing.TB, key string) *RedisServer {
	t.Helper()
	slot, err := strconv.Atoi(c.Masters[0].Call(t, "CLUSTER", "KEYSLOT", key))
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range c.Masters {
		if slot < (i+1)*slots/len(c.Masters) {
			return m
		}
	}
	return nil
}

// Call has the owner of the key do something.
func (c *RedisCluster) Call(t testing.TB, key string, words ...string) string {
	t.Helper()
	return c.Owner(t, key).Call(t, words...)
}

// AwaitFailover waits until the replica has taken the place of the first master, and all others know.
func (c *RedisCluster) AwaitFailover(t testing.TB) {
	t.Helper()
	for _, s := range []*RedisServer{c.Replica, c.Masters[1], c.Masters[2]} {
		awaitRedis(t, "the replica takes over", func() (bool, error) {
			answer, err := callRedis(s.address(), []string{"CLUSTER", "NODES"})
			for line := range strings.Lines(answer) {
				if strings.HasPrefix(line, c.ids[c.Replica]) && strings.Contains(line, "master") {
					return err == nil, err
				}
			}
			return false, err
		})
	}
}
