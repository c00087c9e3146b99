package forwardauth

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/usherauth/usher/gate"
)

// question is a proxy's own request: what it says of the original one stands in its headers. There are two readers, ask for
// net/http and read for the bytes themselves, and everything behind them is the same.
type question struct {
	ctx    context.Context //nolint:containedctx // of this question alone, as in http.Request
	method string
	target string        // as it stands in the request line, query and all
	host   string        // the Host header
	asker  netip.Addr    // who asks; the zero Addr is nobody that could be trusted
	lines  []gate.Header // all headers but Host, one for each line; names in any case
}

// ask takes a question from net/http.
func (q *question) ask(r *http.Request) {
	q.ctx, q.method, q.target, q.host = r.Context(), r.Method, r.RequestURI, r.Host
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		q.asker = peer.Addr()
	}
	for name, values := range r.Header {
		for _, value := range values {
			q.lines = append(q.lines, gate.Header{Name: name, Value: value})
		}
	}
}

// reset forgets the question and keeps the room.
func (q *question) reset() {
	clear(q.lines[:cap(q.lines)])
	*q = question{lines: q.lines[:0]}
}

// values are those of all lines with this name, appended to room.
func (q *question) values(room []string, name string) []string {
	for i := range q.lines {
		if line := &q.lines[i]; len(line.Name) == len(name) && strings.EqualFold(line.Name, name) {
			room = append(room, line.Value)
		}
	}
	return room
}
