package demo

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// exchange is what the proxy knows of one request and no backend ever would: what the browser sent, and what the gate
// said. The page shows it beside what the backend received.
type exchange struct {
	Method string
	Target string
	Sent   http.Header // as the browser sent it
	Reason string      // the gate's X-Usher-Reason
	Took   time.Duration

	address string // of the connection to the backend, once there is one
}

// ledger hands exchanges from the proxy to the page. The key is the proxy's end of its connection to the backend: only
// one request is on it at a time, both sides know it, and, unlike a header made for the purpose, it leaves the request
// as it is.
type ledger struct {
	mu   sync.Mutex
	open map[string]*exchange
}

func newLedger() *ledger { return &ledger{open: make(map[string]*exchange)} }

// enter makes ctx note x for whatever connection a request with it gets. Call the returned function when the request
// is over.
func (l *ledger) enter(ctx context.Context, x *exchange) (context.Context, func()) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		l.mu.Lock()
		defer l.mu.Unlock()
		x.address = info.Conn.LocalAddr().String()
		l.open[x.address] = x
	}})
	return ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.open[x.address] == x { // else the connection serves another request already
			delete(l.open, x.address)
		}
	}
}

// find is the exchange of the request that came from this address; nil for one that did not come through the proxy.
func (l *ledger) find(remote string) *exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[remote]
}
