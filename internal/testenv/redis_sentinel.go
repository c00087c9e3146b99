package testenv

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// RedisSentinels is a master with one replica, watched by three Sentinels that need half a second to find it dead.
type RedisSentinels struct {
	Servers [2]*RedisServer // the first one is the master at the start

	ports [3]int
}

// sentinelMaster is what the Sentinels call their master.
const sentinelMaster = "main"

// StartRedisSentinels starts them all, and waits until the Sentinels know each other and the replica.
func StartRedisSentinels(t testing.TB) *RedisSentinels {
	t.Helper()
	s := new(RedisSentinels)
	s.Servers[0] = StartRedis(t, "--repl-diskless-sync-delay", "0")
	s.Servers[1] = StartRedis(t, "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1 "+strconv.Itoa(s.Servers[0].port))
	awaitRedis(t, "the replica follows", func() (bool, error) {
		answer, err := callRedis(s.Servers[1].address(), []string{"INFO", "replication"})
		return strings.Contains(answer, "master_link_status:up"), err
	})
	for i := range s.ports {
		s.ports[i] = FreePort(t)
		s.sentinel(t, s.ports[i])
	}
	for _, port := range s.ports {
		awaitRedis(t, "the Sentinels know each other", func() (bool, error) {
			answer, err := callRedis(sentinelAddress(port), []string{"SENTINEL", "MASTER", sentinelMaster})
			return strings.Contains(answer, "num-other-sentinels\n2\n") && strings.Contains(answer, "num-slaves\n1\n"), err
		})
	}
	return s
}

// sentinel starts one. It keeps what it finds out in its configuration file.
func (s *RedisSentinels) sentinel(t testing.TB, port int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	content := fmt.Sprintf(`port %d
bind 127.0.0.1
dir %q
sentinel monitor %[3]s 127.0.0.1 %[4]d 2
sentinel down-after-milliseconds %[3]s 500
sentinel failover-timeout %[3]s 2000
`, port, filepath.Dir(file), sentinelMaster, s.Servers[0].port)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	p := Start(t, Command{Path: Part(t, "redis-server"), Args: []string{file, "--sentinel"}})
	p.WaitListening(t, sentinelAddress(port))
}

func sentinelAddress(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// URL returns the URL of the master, whoever that is.
func (s *RedisSentinels) URL() string {
	hosts := make([]string, len(s.ports))
	for i, port := range s.ports {
		hosts[i] = sentinelAddress(port)
	}
	return "redis+sentinel://" + strings.Join(hosts, ",") + "/" + sentinelMaster
}

// Master asks the Sentinels who the master is.
func (s *RedisSentinels) Master(t testing.TB) *RedisServer {
	t.Helper()
	answer, err := callRedis(sentinelAddress(s.ports[0]), []string{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinelMaster})
	if err != nil {
		t.Fatalf("testenv: redis: %v", err)
	}
	for _, server := range s.Servers {
		if strings.HasSuffix(answer, "\n"+strconv.Itoa(server.port)) {
			return server
		}
	}
	t.Fatalf("testenv: redis: the Sentinels name %q", answer)
	return nil
}

// Paired reports whether the server that is not the master follows it, and every Sentinel sees that and so could make it
// the master: until then nobody takes a dead master's place. A master that died and came back is made to follow after
// about ten seconds.
func (s *RedisSentinels) Paired() bool {
	for _, port := range s.ports {
		answer, err := callRedis(sentinelAddress(port), []string{"SENTINEL", "REPLICAS", sentinelMaster})
		if err != nil || !strings.Contains(answer, "\nflags\nslave\n") || !strings.Contains(answer, "\nmaster-link-status\nok\n") {
			return false
		}
	}
	return true
}

// Failover makes the replica the master, as an operator would, while both live.
func (s *RedisSentinels) Failover(t testing.TB) {
	t.Helper()
	if _, err := callRedis(sentinelAddress(s.ports[0]), []string{"SENTINEL", "FAILOVER", sentinelMaster}); err != nil {
		t.Fatalf("testenv: redis: %v", err)
	}
}

// Monitor makes the Sentinels name another server, without a word to the one they named: as if they had lost sight of it.
func (s *RedisSentinels) Monitor(t testing.TB, server *RedisServer) {
	t.Helper()
	server.Call(t, "REPLICAOF", "NO", "ONE")
	for _, port := range s.ports {
		for _, words := range [][]string{
			{"SENTINEL", "REMOVE", sentinelMaster},
			{"SENTINEL", "MONITOR", sentinelMaster, "127.0.0.1", strconv.Itoa(server.port), "2"},
		} {
			if _, err := callRedis(sentinelAddress(port), words); err != nil {
				t.Fatalf("testenv: redis: %v", err)
			}
		}
	}
}

// AwaitMaster waits until all Sentinels name this server, and it takes writes.
func (s *RedisSentinels) AwaitMaster(t testing.TB, server *RedisServer) {
	t.Helper()
	for _, port := range s.ports {
		awaitRedis(t, "the Sentinels name the new master", func() (bool, error) {
			answer, err := callRedis(sentinelAddress(port), []string{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinelMaster})
			return strings.HasSuffix(answer, "\n"+strconv.Itoa(server.port)), err
		})
	}
	awaitRedis(t, "the new master takes writes", func() (bool, error) {
		answer, err := callRedis(server.address(), []string{"ROLE"})
		return strings.HasPrefix(answer, "master\n"), err
	})
}
