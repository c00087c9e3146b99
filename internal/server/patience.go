package server

import (
	"net"
	"time"
)

// patience is how much earlier than asked for an answer may be given up.
const patience = time.Second

// patient makes connections that do not set a clock anew for every answer: net/http moves the write deadline with each
// request, a fiftieth of what a check takes, although nobody minds whether an answer of a minute is given up a second early.
type patient struct{ net.Listener }

func (p patient) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lasting{Conn: conn}, nil
}

// lasting is such a connection. Only its server sets deadlines, from one goroutine at a time.
type lasting struct {
	net.Conn
	writeUntil time.Time // as it was last set; zero: never
}

// SetWriteDeadline implements net.Conn. A deadline that is at most patience later than the one that is set is left at that.
func (c *lasting) SetWriteDeadline(t time.Time) error {
	if later := t.Sub(c.writeUntil); !c.writeUntil.IsZero() && !t.IsZero() && later >= 0 && later < patience {
		return nil
	}
	err := c.Conn.SetWriteDeadline(t)
	c.writeUntil = time.Time{}
	if err == nil {
		c.writeUntil = t
	}
	return err
}

// SetDeadline implements net.Conn.
func (c *lasting) SetDeadline(t time.Time) error {
	c.writeUntil = time.Time{}
	return c.Conn.SetDeadline(t)
}

// CloseWrite is for net/http, as that of a stranger.
func (c *lasting) CloseWrite() error { return closeWrite(c.Conn) }
