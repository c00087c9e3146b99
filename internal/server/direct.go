package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Direct answers requests of HTTP/1.1 that it reads itself. It appends the answer to the request that in begins with to room
// and says how many bytes of in were that request; none: it is not all there yet. What it does not know, net/http is to
// read, from the first byte of in. Closing: the answer has to say that the connection ends with it. It is called by many
// connections at once, and must be bounded: in how long it takes, and in how much it waits for.
type Direct func(ctx context.Context, asker netip.Addr, in, room []byte, closing bool) (answer []byte, taken int, known bool)

const (
	headLimit = 5 * time.Second  // from a request's first byte to the end of its header
	idleLimit = 3 * time.Minute  // longer than the proxies' own, so that they close first
	slack     = 10 * time.Second // how far a deadline may be off: setting one for each request takes time
	usualRoom = 4 << 10          // what a connection that waits holds, twice
)

// direct stands between a listener and net/http. Each connection is its own until something comes that Direct does not
// know; from there on it is net/http's, which gets it from Accept.
type direct struct {
	net.Listener
	answer     Direct
	told       func() // Config.Handed
	writeLimit time.Duration
	log        *slog.Logger

	ctx    context.Context //nolint:containedctx // of every question, until all is cut
	cut    context.CancelFunc
	handed chan net.Conn // to Accept
	failed chan error    // to Accept: the listener's end
	ended  chan struct{} // closed when nobody accepts any more

	draining atomic.Bool
	mu       sync.Mutex // of conns, and of going while draining
	conns    map[*conversation]struct{}
	going    sync.WaitGroup
	closing  sync.Once
}

func newDirect(l net.Listener, answer Direct, c Config) *direct {
	d := &direct{
		Listener: l, answer: answer, told: c.Handed, writeLimit: c.WriteLimit, log: c.Log, conns: make(map[*conversation]struct{}),
		handed: make(chan net.Conn), failed: make(chan error, 1), ended: make(chan struct{}),
	}
	d.ctx, d.cut = context.WithCancel(context.Background())
	return d
}

// run accepts until the listener is closed.
func (d *direct) run() {
	const shortest, longest = 5 * time.Millisecond, time.Second
	for pause := shortest; ; {
		conn, err := d.Listener.Accept()
		if err != nil {
			// No files are left, or the client is gone: as net/http does, which asks the same.
			if temporary, ok := err.(interface{ Temporary() bool }); ok && temporary.Temporary() && !d.draining.Load() {
				d.log.Error("cannot accept connections; trying again", "error", err)
				time.Sleep(pause)
				pause = min(2*pause, longest)
				continue
			}
			if !d.draining.Load() { // else it was closed on purpose, and net/http hears of it when it is its turn
				d.failed <- err
			}
			return
		}
		pause = shortest
		d.begin(conn)
	}
}

func (d *direct) begin(conn net.Conn) {
	c := &conversation{Conn: conn, of: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining.Load() {
		_ = conn.Close() // nothing was said on it yet
		return
	}
	d.conns[c] = struct{}{}
	d.going.Go(func() {
		handed := c.serve()
		d.mu.Lock()
		delete(d.conns, c)
		d.mu.Unlock()
		if !handed {
			_ = conn.Close() // whatever there was to say was said
		}
	})
}

// Accept is for net/http: connections that say something else.
func (d *direct) Accept() (net.Conn, error) {
	select {
	case conn := <-d.handed:
		return conn, nil
	case err := <-d.failed:
		return nil, err
	case <-d.ended:
		return nil, net.ErrClosed
	}
}

// Close is for net/http too. It calls it when it accepts nothing any more.
func (d *direct) Close() error {
	d.closing.Do(func() { close(d.ended) })
	return d.Listener.Close()
}

// drain ends all conversations: those that wait at once, the others with their answer, or when ctx ends. What is handed over
// meanwhile is still taken.
func (d *direct) drain(ctx context.Context) {
	d.mu.Lock()
	d.draining.Store(true)
	_ = d.Listener.Close() // Close closes it again, and says the same
	for c := range d.conns {
		if c.state.CompareAndSwap(waiting, over) {
			_ = c.Conn.Close() // it waits for the next request
		}
	}
	d.mu.Unlock()
	done := make(chan struct{})
	go func() { d.going.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		d.cut() // whoever waits for a decision has none
		d.mu.Lock()
		for c := range d.conns {
			_ = c.Conn.Close() // the limit is over: cut, not answered
		}
		d.mu.Unlock()
		<-done
	}
	d.cut()
}

// What a conversation does.
const (
	waiting int32 = iota // for the first byte of a request
	busy                 // with a request
	over                 // ended, by drain
)

// conversation is one connection with a proxy.
type conversation struct {
	net.Conn
	of    *direct
	state atomic.Int32

	readBy, writeBy time.Time // deadlines that are set
	timed           bool      // readBy is that of the rest of the request that has begun
}

// serve answers until the connection ends or is net/http's.
func (c *conversation) serve() (handed bool) {
	defer func() {
		if v := recover(); v != nil { // an answer that was begun is not ended: the proxy refuses
			c.of.log.Error("server: panic", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			handed = false
		}
	}()
	var asker netip.Addr
	if peer, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		asker = peer.Addr()
	}
	in, out := make([]byte, 0, usualRoom), make([]byte, 0, usualRoom)
	for {
		if len(in) == 0 {
			if cap(in)+cap(out) > 8*usualRoom { // somebody sent a lot, once
				in, out = make([]byte, 0, usualRoom), make([]byte, 0, usualRoom)
			}
			c.state.CompareAndSwap(busy, waiting)
			if c.of.draining.Load() {
				return false
			}
		}
		now := time.Now()
		if !c.readBefore(now, len(in) > 0) {
			return false
		}
		if len(in) == cap(in) {
			in = append(in, make([]byte, len(in))...)[:len(in)]
		}
		n, err := c.Conn.Read(in[len(in):cap(in)])
		if n > 0 && len(in) == 0 && !c.state.CompareAndSwap(waiting, busy) {
			return false
		}
		in = in[:len(in)+n]
		for len(in) > 0 {
			closing := c.of.draining.Load()
			answer, taken, known := c.of.answer(c.of.ctx, asker, in, out[:0], closing)
			if !known {
				return c.hand(in)
			}
			if taken == 0 {
				break
			}
			if out = answer; !c.write(out) || closing {
				return false
			}
			in, c.timed = in[:copy(in, in[taken:])], false
		}
		if err != nil {
			return false // gone, or late
		}
	}
}

// readBefore sets until when something has to come: the rest of a request, or the next one.
func (c *conversation) readBefore(now time.Time, begun bool) bool {
	switch {
	case begun && !c.timed: // from now on, and not longer with each byte
		c.timed, c.readBy = true, now.Add(headLimit)
		return c.SetReadDeadline(c.readBy) == nil
	case !begun && c.readBy.Sub(now) < idleLimit:
		c.readBy = now.Add(idleLimit + slack)
		return c.SetReadDeadline(c.readBy) == nil
	}
	return true
}

// write sends an answer, within the time that there is for one, or up to slack less.
func (c *conversation) write(answer []byte) bool {
	if now := time.Now(); c.writeBy.Sub(now) < c.of.writeLimit-min(slack, c.of.writeLimit/2) {
		c.writeBy = now.Add(c.of.writeLimit)
		if c.SetWriteDeadline(c.writeBy) != nil {
			return false
		}
	}
	_, err := c.Conn.Write(answer)
	return err == nil
}

// hand gives the connection to net/http, with what was read of it.
func (c *conversation) hand(in []byte) bool {
	if c.SetDeadline(time.Time{}) != nil {
		return false
	}
	select {
	case c.of.handed <- &resumed{Conn: c.Conn, rest: in}:
		if c.of.told != nil {
			c.of.told()
		}
		return true
	case <-c.of.ended:
		return false
	}
}

// resumed is a connection whose beginning was read by somebody else.
type resumed struct {
	net.Conn
	rest []byte
}

func (r *resumed) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.rest)
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.rest = nil
	}
	return n, nil
}

// CloseWrite is for net/http: see stranger.
func (r *resumed) CloseWrite() error { return closeWrite(r.Conn) }
