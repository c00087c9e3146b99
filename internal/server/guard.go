package server

import (
	"net"
	"net/netip"
	"sync"
)

// mostStrangers is how many connections callers that may not ask can hold at the same time, on one listener. They are
// answered, so that a proxy whose address was forgotten hears why it is refused, but cannot use up memory or files.
const mostStrangers = 8

// Guard limits the connections of callers that are not trusted; those beyond are closed at once.
func Guard(l net.Listener, trusts func(netip.Addr) bool) net.Listener {
	return &guarded{l, trusts, make(chan struct{}, mostStrangers)}
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

func (s *stranger) Close() error {
	s.leave()
	return s.Conn.Close()
}
