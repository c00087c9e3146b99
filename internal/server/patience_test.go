package server

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// counted counts how often a deadline is set.
type counted struct {
	net.Conn
	set  []time.Time
	fail error
}

func (c *counted) SetWriteDeadline(t time.Time) error { c.set = append(c.set, t); return c.fail }
func (c *counted) SetDeadline(time.Time) error        { return nil }

func TestWriteDeadlinesAreSetOnceASecond(t *testing.T) {
	under := &counted{}
	c := &lasting{Conn: under}
	at := time.Now().Add(time.Minute)
	set := func(want int, when time.Time) {
		t.Helper()
		if err := c.SetWriteDeadline(when); !errors.Is(err, under.fail) {
			t.Errorf("%v, want %v", err, under.fail)
		}
		if len(under.set) != want {
			t.Errorf("set %d times, want %d: %v", len(under.set), want, under.set)
		}
	}
	set(1, at)
	set(1, at.Add(patience/2))
	set(1, at)
	set(2, at.Add(patience))
	set(3, at) // earlier: never ignored
	set(4, time.Time{})
	set(5, time.Time{}) // none: never ignored
	set(6, at)
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	set(7, at)
	under.fail = errors.New("closed")
	set(8, at.Add(time.Hour))
	set(9, at.Add(time.Hour)) // what was not set does not count
}

func TestAWriteDeadlineHolds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := patient{l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(30 * time.Millisecond))
	_ = conn.SetWriteDeadline(time.Now().Add(60 * time.Millisecond)) // left at the one before
	for err == nil {
		_, err = conn.Write(make([]byte, 1<<20)) // until nothing more fits: nobody reads
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// half counts how often its sending end was closed.
type half struct {
	net.Conn
	closed int
}

func (h *half) CloseWrite() error { h.closed++; return nil }

func TestOneEndCanBeClosed(t *testing.T) {
	under := &half{}
	stranger := &stranger{Conn: under}
	for _, c := range []any{stranger, &lasting{Conn: stranger}, &lasting{Conn: under}} {
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
	}
	if under.closed != 3 {
		t.Errorf("closed %d times, want 3", under.closed)
	}
	if err := (&lasting{Conn: &counted{}}).CloseWrite(); err != nil {
		t.Errorf("where it cannot be: %v", err)
	}
}
