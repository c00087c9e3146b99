package testenv

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net"
	"sync"
	"testing"
)

// FreePort returns a TCP port nothing listens on, and never the same one twice in a process.
//
// It stays out of the range from which the kernel picks ports for outgoing connections: a port from there can be taken
// between this call and the server's start. Prefer listening on port 0 where the server can say what it got.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// handedOut belongs to the process because ports do.
var handedOut sync.Map

func freePort() (int, error) {
	const lowest, count = 20_000, 12_000
	for range 200 {
		n, err := rand.Int(rand.Reader, big.NewInt(count))
		if err != nil {
			return 0, err
		}
		port := lowest + int(n.Int64())
		if _, taken := handedOut.LoadOrStore(port, true); taken {
			continue
		}
		listener, err := net.Listen("tcp4", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		return port, listener.Close()
	}
	return 0, fmt.Errorf("testenv: no free port between %d and %d", lowest, lowest+count)
}
