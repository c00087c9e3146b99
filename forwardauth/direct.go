package forwardauth

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Answer is ServeHTTP for whoever reads connections without net/http, which takes three times as long as the gate itself.
// It appends the answer to the request that in begins with to room, and says how many bytes of in were that request: none
// is yet to be answered when it is not all there. When it does not know what in begins with, which is said early where the target
// or the end of a line shows it, net/http is to read the connection from there on; nothing was answered then.
//
// Closing is for a connection that is closed after this answer; the answer says so.
func (h *Handler) Answer(ctx context.Context, asker netip.Addr, in, room []byte, closing bool) (answer []byte, taken int, known bool) {
	end := bytes.Index(in, endOfHead)
	if end < 0 {
		return room, 0, len(in) < longestHead && begins(in) && plainLines(in)
	}
	c := h.begin()
	c.ctx, c.asker = ctx, asker
	if end > longestHead || !c.read(string(in[:end])) {
		h.end(c)
		return room, 0, false
	}
	out, ok := h.answer(c)
	answer = h.dates.appendReply(room, out, c.method == http.MethodHead, closing)
	if ok {
		h.end(c)
	}
	return answer, end + len(endOfHead), true
}

var endOfHead = []byte("\r\n\r\n")

// begins reports whether this may become a check. Its target is looked at as soon as it is there.
func begins(in []byte) bool {
	method, target, whole := bytes.Cut(in, []byte(" "))
	n := min(len(target), len(prefix))
	return (plainMethod(string(method)) || !whole && len(method) == 0) && string(target[:n]) == prefix[:n]
}

// plainLines reports whether all that have ended ended in CR LF: net/http sees a head's end in less.
func plainLines(in []byte) bool {
	for {
		line, rest, ended := bytes.Cut(in, []byte("\n"))
		if !ended {
			return true
		}
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return false
		}
		in = rest
	}
}

// appendReply writes a reply as net/http would, but for the order of the lines. That to a HEAD is its head, which says
// nothing of a length.
func (d *dates) appendReply(b []byte, out reply, head, closing bool) []byte {
	out = out.settled()
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(out.status), 10)
	b = append(append(b, ' '), http.StatusText(out.status)...)
	for i, line := range out.lines {
		name := line.Name
		if i >= out.known {
			name = http.CanonicalHeaderKey(name)
		}
		b = append(append(append(append(b, "\r\n"...), name...), ": "...), trimmed(line.Value)...)
	}
	b = append(append(b, "\r\nDate: "...), d.now()...)
	if closing {
		b = append(b, "\r\nConnection: close"...)
	}
	if head {
		return append(b, "\r\n\r\n"...)
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(out.body)), 10)
	return append(append(b, "\r\n\r\n"...), out.body...)
}

// trimmed is a value without space around it, which the other end would not read.
func trimmed(value string) string { return strings.Trim(value, " \t") }

// dates are what the Date header says, written once a second. Safe for concurrent use.
type dates struct{ last atomic.Pointer[date] }

type date struct {
	second int64
	text   string
}

func (d *dates) now() string {
	now := time.Now()
	if last := d.last.Load(); last != nil && last.second == now.Unix() {
		return last.text
	}
	text := now.UTC().Format(http.TimeFormat)
	d.last.Store(&date{now.Unix(), text})
	return text
}
