package redisconn_test

import (
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/redisconn"
)

func TestOneServer(t *testing.T) {
	s := testenv.StartRedis(t)
	client, err := redisconn.Open(s.URL(), redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := client.Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("read back %q", got)
	}
	if list := client.ClientList(t.Context()).Val(); !strings.Contains(list, " name=usher ") {
		t.Errorf("the connection has not the name usher: %s", list)
	}
}
