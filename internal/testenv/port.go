package testenv

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// FreePort returns a TCP port nothing listens on, and never the same one twice: not in this process, nor in another one of
// this user's while this one lives. Packages are tested side by side, and between this call and the server's start a port
// belongs to nobody else.
//
// It stays out of the range from which the kernel picks ports for outgoing connections: a port from there can be taken
// meanwhile. Prefer listening on port 0 where the server can say what it got.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

const (
	lowestPort = 20_000
	blockSize  = 50 // ports
	blocks     = 240
)

// ports are those of the block that this process has taken last.
var ports struct {
	sync.Mutex
	next, end int
	held      []*os.File // blocks, until the process ends
}

func freePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for {
		if ports.next == ports.end {
			block, file, err := takeBlock()
			if err != nil {
				return 0, err
			}
			ports.held = append(ports.held, file)
			ports.next = lowestPort + block*blockSize
			ports.end = ports.next + blockSize
		}
		port := ports.next
		ports.next++
		if listener, err := net.Listen("tcp4", fmt.Sprintf(":%d", port)); err == nil {
			return port, listener.Close()
		}
	}
}

// takeBlock takes ports that no process has which is alive: whoever has a block holds the lock of its file.
func takeBlock() (int, *os.File, error) {
	dir := filepath.Join(os.TempDir(), "usher-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, nil, fmt.Errorf("testenv: %w", err)
	}
	first, err := rand.Int(rand.Reader, big.NewInt(blocks))
	if err != nil {
		return 0, nil, fmt.Errorf("testenv: %w", err)
	}
	for i := range blocks {
		block := (int(first.Int64()) + i) % blocks
		file, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(block)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return 0, nil, fmt.Errorf("testenv: %w", err)
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor is an int
		if err == nil {
			return block, file, nil
		}
		_ = file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return 0, nil, fmt.Errorf("testenv: %w", err)
		}
	}
	return 0, nil, errors.New("testenv: other processes have all ports")
}
