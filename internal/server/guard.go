package server

import (
	"net"
	"net/netip"
	"sync"
)

// How many connections callers that are not trusted can hold at the same time, on one listener, so that they cannot use
// up memory or files.
const (
	// Strangers is for where they may not ask at all. They are answered, so that a proxy whose address was forgotten hears
	// why it is refused.
	Strangers = 8
	// Visitors is for where people sign in, perhaps without a proxy. A browser holds up to six for a few minutes.
	Visitors = 2048
)

// Guard limits the connections of callers that are not trusted to most; those beyond are closed at once.
func Guard(l net.Listener, trusts func(netip.Addr) bool, most int) net.Listener {
	return &guarded{l, trusts, make(chan struct{}, most)}
}

type guarded struct {
	net.Listener
	trusts    func(netip.Addr) bool
	strangers chan struct{}
}

func (g *guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if peer, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil && g.trusts(peer.Addr()) {
			return conn, nil
		}
		select {
		case g.strangers <- struct{}{}:
			return &stranger{Conn: conn, leave: sync.OnceFunc(func() { <-g.strangers })}, nil
		default:
			_ = conn.Close() // nothing was said on it yet
		}
	}
}

type stranger struct {
	net.Conn
	leave func()
}

// CloseWrite is for net/http, which ends an answer to a body that it did not read with it, and only half a second later in
// earnest: the client must not wait for that.
func (s *stranger) CloseWrite() error { return closeWrite(s.Conn) }

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (s *stranger) Close() error {
	s.leave()
	return s.Conn.Close()
}
