//go:build linux

package load

import (
	"bytes"
	"fmt"
	"strconv"
)

// httpLane speaks HTTP/1.1, one request at a time.
type httpLane struct {
	busy bool
	slot uint32
}

func newHTTP() protocol { return new(httpLane) }

func (h *httpLane) hello() []byte { return nil }

func (h *httpLane) room(int) int {
	if h.busy {
		return 0
	}
	return 1
}

func (h *httpLane) ask(out []byte, q *question, slot uint32) []byte {
	h.busy, h.slot = true, slot
	return append(out, q.message...)
}

func (h *httpLane) read(in, out []byte, answered func(uint32, bool)) ([]byte, []byte, error) {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < 0 || !h.busy {
		return in, out, nil
	}
	head, rest := in[:end+2], in[end+4:]
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) || len(head) < 12 {
		return in, out, fmt.Errorf("no answer of HTTP/1.1: %.40q", in)
	}
	if length := header(head, "content-length"); length != "" {
		n, err := strconv.Atoi(length)
		if err != nil {
			return in, out, err
		}
		if len(rest) < n {
			return in, out, nil
		}
		rest = rest[n:]
	} else if header(head, "transfer-encoding") != "" {
		last := bytes.Index(rest, []byte("0\r\n\r\n"))
		if last < 0 {
			return in, out, nil
		}
		rest = rest[last+5:]
	}
	h.busy = false
	answered(h.slot, string(head[9:12]) == "200")
	return rest, out, nil
}

// header finds a header's value.
func header(head []byte, name string) string {
	for line := range bytes.Lines(head) {
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return string(bytes.TrimSpace(line[len(name)+1:]))
		}
	}
	return ""
}
