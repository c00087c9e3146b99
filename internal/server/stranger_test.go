package server

import (
	"net"
	"testing"
)

// half counts how often its sending end was closed.
type half struct {
	net.Conn
	closed int
}

func (h *half) CloseWrite() error { h.closed++; return nil }

// net/http looks for this method, and waits half a second where there is none.
func TestOneEndOfAStrangersConnectionCanBeClosed(t *testing.T) {
	under := &half{}
	var conn net.Conn = &stranger{Conn: under}
	ends, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		t.Fatal("net/http does not see it")
	}
	if err := ends.CloseWrite(); err != nil || under.closed != 1 {
		t.Errorf("closed %d times, %v", under.closed, err)
	}
	if err := (&stranger{}).CloseWrite(); err != nil {
		t.Errorf("where it cannot be: %v", err)
	}
}
