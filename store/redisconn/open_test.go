package redisconn_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/redisconn"
)

func open(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// use writes and reads.
func use(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatalf("%v: %s", err, redisconn.Remedy(err))
	}
	if got := client.Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("read back %q", got)
	}
}

func TestOneServer(t *testing.T) {
	s := testenv.StartRedis(t)
	client := open(t, s.URL())
	use(t, client)
	list := client.ClientList(t.Context()).Val()
	if !strings.Contains(list, " name=usher ") || !strings.Contains(list, " resp=3") {
		t.Errorf("the connection is not named usher, or is of another protocol: %s", list)
	}
	use(t, open(t, strings.TrimSuffix(s.URL(), "0")+"7"))
	if got := s.Call(t, "INFO", "keyspace"); !strings.Contains(got, "db7:keys=1") {
		t.Errorf("the database of the URL is not used: %s", got)
	}
}

func TestPassword(t *testing.T) {
	const password = "p@ss/w:rd%"
	s := testenv.StartRedis(t, "--requirepass", password)
	url := func(user, password string) string {
		return strings.Replace(s.URL(), "redis://", "redis://"+user+":"+password+"@", 1)
	}
	use(t, open(t, url("", "p%40ss%2Fw%3Ard%25")))
	for url, want := range map[string]string{
		s.URL():                      "asks for a password",
		url("", "wrong"):             "password in the URL is wrong",
		url("nobody", "p%40ss"):      "password in the URL is wrong",
		url("", "p%40ss%2Fw%3Ard%2"): "",
	} {
		client, err := redisconn.Open(url, redisconn.Options{})
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = client.Close() })
		err = client.Ping(t.Context()).Err()
		if got := redisconn.Remedy(err); want == "" || !strings.Contains(got, want) {
			t.Errorf("%v: the remedy is %q, not %q", err, got, want)
		}
	}
}

func TestTLS(t *testing.T) {
	plain, url, ca := testenv.StartRedisTLS(t)
	use(t, open(t, url+"?ca="+ca))
	use(t, open(t, url+"?server_name=127.0.0.1&ca="+ca))
	for url, want := range map[string]string{
		url: "?ca=FILE",
		strings.Replace(url, "127.0.0.1", "localhost", 1) + "?ca=" + ca:   "another name",
		url + "?server_name=r.example.com&ca=" + ca:                       "another name",
		strings.Replace(url, "rediss://", "redis://", 1):                  "rediss://",
		strings.Replace(plain.URL(), "redis://", "rediss://", 1):          "TLS",
		strings.Replace(url, "rediss://", "rediss+cluster://", 1):         "?ca=FILE",
		strings.Replace(url, "rediss://", "rediss+sentinel://", 1) + "/m": "?ca=FILE",
	} {
		err := open(t, url).Ping(t.Context()).Err()
		if got := redisconn.Remedy(err); err == nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v: the remedy is %q, not %q", url, err, got, want)
		}
	}
	t.Run("SSL_CERT_FILE", func(t *testing.T) {
		if os.Getenv("SSL_CERT_FILE") == ca {
			use(t, open(t, url))
			return
		}
		// The system's certificates are read once in a process.
		again := testenv.Start(t, testenv.Command{
			Path: os.Args[0], Args: []string{"-test.run=^TestSystemCertificates$", "-test.v"},
			Env: append(os.Environ(), "SSL_CERT_FILE="+ca, "USHER_TEST_REDIS="+url),
		})
		if code := again.ExitCode(t); code != 0 || !strings.Contains(again.Output(), "--- PASS: TestSystemCertificates") {
			t.Errorf("exit code %d: %s", code, again.Output())
		}
	})
}

// TestSystemCertificates is run by TestTLS.
func TestSystemCertificates(t *testing.T) {
	if url := os.Getenv("USHER_TEST_REDIS"); url != "" {
		use(t, open(t, url))
	}
}

func TestClientCertificate(t *testing.T) {
	_, url, ca := testenv.StartRedisTLS(t, "--tls-auth-clients", "yes")
	key := filepath.Join(filepath.Dir(ca), "key.pem")
	err := open(t, url+"?ca="+ca).Ping(t.Context()).Err()
	if got := redisconn.Remedy(err); err == nil || !strings.Contains(got, "?cert=FILE&key=FILE") {
		t.Errorf("without: %v: the remedy is %q", err, got)
	}
	use(t, open(t, url+"?ca="+ca+"&cert="+ca+"&key="+key))
}

// What a file lacks may come, unless it is there and something else.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "hunter2")
	if err := os.WriteFile(other, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := other + ".missing"
	for url, permanent := range map[string]bool{
		"rediss://r?ca=" + missing:                       false,
		"rediss://r?ca=" + other:                         true,
		"rediss://r?cert=" + missing + "&key=" + missing: false,
		"rediss://r?cert=" + other + "&key=" + other:     true,
	} {
		if err := redisconn.Check(url); err != nil {
			t.Errorf("Check reads files: %v", err)
		}
		_, err := redisconn.Open(url, redisconn.Options{})
		if err == nil || store.Permanent(err) != permanent || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v (permanent %v)", url, err, store.Permanent(err))
		}
	}
}

func TestSentinel(t *testing.T) {
	s := testenv.StartRedisSentinels(t)
	client := open(t, s.URL()+"/3")
	use(t, client)
	sentinel := "redis://" + strings.Split(strings.TrimPrefix(s.URL(), "redis+sentinel://"), ",")[0]
	for url, want := range map[string]string{
		strings.TrimSuffix(s.URL(), "/main") + "/other":                         "no Sentinel of the URL knows the master",
		strings.Replace(s.Servers[0].URL(), "redis://", "redis+sentinel://", 1): "no Sentinel of the URL knows the master",
		s.Servers[1].URL(): "is a replica",
		sentinel:           "may be a Sentinel's",
	} {
		url = strings.TrimSuffix(url, "/0")
		if strings.HasPrefix(url, "redis+sentinel://") && strings.Count(url, "/") == 2 {
			url += "/main"
		}
		err := open(t, url).Set(t.Context(), "k", "v", 0).Err()
		if got := redisconn.Remedy(err); err == nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v: the remedy is %q, not %q", url, err, got, want)
		}
	}

	s.Servers[0].Kill()
	s.AwaitMaster(t, s.Servers[1])
	deadline := time.Now().Add(5 * time.Second)
	for client.Set(t.Context(), "k", "v", 0).Err() != nil {
		if time.Now().After(deadline) {
			t.Fatal("the new master is not found")
		}
	}
	use(t, client)
}

func TestCluster(t *testing.T) {
	c := testenv.StartRedisCluster(t)
	client := open(t, c.URL())
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		if err := client.Set(t.Context(), key, key, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got := client.Get(t.Context(), key).Val(); got != key {
			t.Errorf("read back %q", got)
		}
	}
	other := c.Masters[0]
	if other == c.Owner(t, "k") {
		other = c.Masters[1]
	}
	for url, want := range map[string]string{
		strings.TrimSuffix(other.URL(), "0"):                 "redis+cluster://",
		strings.TrimSuffix(other.URL(), "0") + "1":           "redis+cluster://",
		"redis+cluster://" + testenv.StartRedis(t).Address(): "not part of a Cluster",
	} {
		err := open(t, url).Set(t.Context(), "k", "v", 0).Err()
		if got := redisconn.Remedy(err); err == nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v: the remedy is %q, not %q", url, err, got, want)
		}
	}
}

// Whatever happens, a gate has its answer in time: the second attempt included.
func TestTimeLimits(t *testing.T) {
	s := testenv.StartRedis(t)
	stopped := testenv.StartRedis(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, by the kernel, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	paused := open(t, stopped.URL())
	use(t, paused)
	stopped.Pause()
	defer stopped.Resume()
	dead := testenv.StartRedis(t)
	dead.Kill()
	for what, one := range map[string]struct {
		client redis.UniversalClient
		remedy string
	}{
		"stopped":      {paused, "did not answer in time"},
		"silent":       {open(t, "redis://"+silent.Addr().String()), "did not answer in time"},
		"refused":      {open(t, dead.URL()), "nothing listens there"},
		"unknown host": {open(t, "redis://no-such-host.invalid"), "not known here"},
	} {
		t.Run(what, func(t *testing.T) {
			began := time.Now()
			err := one.client.Get(t.Context(), "k").Err()
			if got := redisconn.Remedy(err); err == nil || !strings.Contains(got, one.remedy) {
				t.Errorf("%v: the remedy is %q, not %q", err, got, one.remedy)
			}
			if took := time.Since(began); took > 1400*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			// A context that ends earlier counts.
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			began = time.Now()
			_ = one.client.Get(ctx, "k").Err()
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("with 50ms it took %v", took)
			}
		})
	}
	use(t, open(t, s.URL()))
}

// The library says nothing on standard error.
func TestSilence(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = write
	client := open(t, "redis://127.0.0.1:1")
	_ = client.Get(t.Context(), "k").Err()
	os.Stderr = stderr
	_ = write.Close()
	if text, _ := io.ReadAll(read); len(text) > 0 {
		t.Errorf("it says %q", text)
	}
}
