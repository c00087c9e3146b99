//go:build linux

package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// grpcLane speaks as much HTTP/2 as unary calls of one method take (RFC 9113): what Envoy would send, header compression
// with the dynamic table included.
type grpcLane struct {
	stream   uint32 // the next one's id
	slots    map[uint32]uint32
	passed   map[uint32]bool
	sent     bool  // the headers are in the peer's table
	window   int   // bytes that may be sent
	streams  int   // that may be open at once
	consumed int64 // bytes received since the window was last opened
}

func newGRPC() protocol {
	return &grpcLane{stream: 1, slots: make(map[uint32]uint32), passed: make(map[uint32]bool), window: 65_535, streams: 1 << 30}
}

const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway, frameWindow = 0, 1, 3, 4, 6, 7, 8

	flagEnd, flagAck, flagEndHeaders = 1, 1, 4

	hugeWindow = 1 << 30
)

func appendFrame(b []byte, size int, kind, flags byte, stream uint32) []byte {
	b = append(b, byte(size>>16), byte(size>>8), byte(size), kind, flags)
	return binary.BigEndian.AppendUint32(b, stream)
}

func (g *grpcLane) hello() []byte {
	b := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	b = appendFrame(b, 6, frameSettings, 0, 0)
	b = append(b, 0, 4) // SETTINGS_INITIAL_WINDOW_SIZE
	b = binary.BigEndian.AppendUint32(b, 1<<20)
	return appendWindow(b, hugeWindow)
}

func appendWindow(b []byte, size uint32) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(b, 4, frameWindow, 0, 0), size)
}

func (g *grpcLane) room(size int) int { return min(g.window/(size+5), g.streams-len(g.slots)) }

// once are the headers that the first request puts into the table; the others name their places, the last one first.
var once = [][2]string{
	{":path", "/envoy.service.auth.v3.Authorization/Check"},
	{":authority", "usher"},
	{"content-type", "application/grpc"},
	{"te", "trailers"},
	{"user-agent", "load"},
}

func (g *grpcLane) ask(out []byte, q *question, slot uint32) []byte {
	g.slots[g.stream] = slot
	block := []byte{0x83, 0x86, 0, 0, 0, 0, 0} // POST, http
	if g.sent {
		for i := range once {
			block[2+i] = 0x80 | byte(61+len(once)-i)
		}
	} else {
		block, g.sent = block[:2], true
		for _, line := range once {
			block = append(append(append(block, 0x40, byte(len(line[0]))), line[0]...), byte(len(line[1])))
			block = append(block, line[1]...)
		}
	}
	out = append(appendFrame(out, len(block), frameHeaders, flagEndHeaders, g.stream), block...)
	size := 5 + len(q.message)
	out = append(appendFrame(out, size, frameData, flagEnd, g.stream), 0)
	out = append(binary.BigEndian.AppendUint32(out, uint32(len(q.message))), q.message...)
	g.window -= size
	g.stream += 2
	return out
}

// read trusts that an answer comes in one DATA frame, and that its trailers are those of a success: a CheckResponse that
// passes begins with an empty status and continues with ok_response, on the bare server too.
func (g *grpcLane) read(in, out []byte, answered func(uint32, bool)) ([]byte, []byte, error) {
	for len(in) >= 9 {
		size := int(in[0])<<16 | int(in[1])<<8 | int(in[2])
		if len(in) < 9+size {
			break
		}
		kind, flags, stream, payload := in[3], in[4], binary.BigEndian.Uint32(in[5:])&0x7fffffff, in[9:9+size]
		in = in[9+size:]
		switch kind {
		case frameData:
			g.consumed += int64(size)
			if size >= 8 {
				g.passed[stream] = string(payload[5:8]) == "\x0a\x00\x1a"
			}
		case frameHeaders:
			if flags&flagEnd != 0 {
				passed, whole := g.passed[stream]
				if !whole {
					return in, out, errors.New("an RPC error: trailers without a message")
				}
				answered(g.slots[stream], passed)
				delete(g.slots, stream)
				delete(g.passed, stream)
			}
		case frameSettings:
			if flags&flagAck == 0 {
				out = appendFrame(out, 0, frameSettings, flagAck, 0)
				for ; len(payload) >= 6; payload = payload[6:] {
					if binary.BigEndian.Uint16(payload) == 3 { // SETTINGS_MAX_CONCURRENT_STREAMS
						g.streams = int(binary.BigEndian.Uint32(payload[2:]))
					}
				}
			}
		case framePing:
			if flags&flagAck == 0 {
				out = append(appendFrame(out, size, framePing, flagAck, 0), payload...)
			}
		case frameWindow:
			if stream == 0 {
				g.window += int(binary.BigEndian.Uint32(payload) & 0x7fffffff)
			}
		case frameReset, frameGoAway:
			return in, out, fmt.Errorf("the server ends a stream or the connection: frame %d, %x", kind, payload)
		}
	}
	if g.consumed > hugeWindow/4 {
		out = appendWindow(out, uint32(g.consumed))
		g.consumed = 0
	}
	return in, out, nil
}
