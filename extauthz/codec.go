package extauthz

import (
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// question and reply are a CheckRequest and a CheckResponse as they are on the wire.
type (
	question string
	reply    []byte
)

// codec passes these two through, so that Check hears of every message, also of one that cannot be read: grpc-go itself
// would answer that with an RPC error. What else a server answers, such as health checks, goes the ordinary way.
type codec struct{ encoding.CodecV2 }

func withCodec() grpc.ServerOption {
	return grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(proto.Name)})
}

// Unmarshal implements encoding.CodecV2. The buffers go back to a pool, so this copies them, once for all texts of the
// question: they are strings, which nobody can change under whoever keeps one.
func (c codec) Unmarshal(data mem.BufferSlice, into any) error {
	x, ok := into.(*exchange)
	if !ok {
		return c.CodecV2.Unmarshal(data, into)
	}
	var text strings.Builder
	text.Grow(data.Len())
	for _, buffer := range data {
		text.Write(buffer.ReadOnlyData())
	}
	x.asked = question(text.String())
	return nil
}

// Marshal implements encoding.CodecV2. It is where an exchange ends: grpc-go calls it once with what a handler returned,
// and then looks at the bytes alone.
func (c codec) Marshal(message any) (mem.BufferSlice, error) {
	switch message := message.(type) {
	case *exchange:
		encoded := message.reply
		if encoded == nil { // an interceptor returned what was never judged
			return c.Marshal(encode(broken()))
		}
		pool := &message.server.replies
		message.server.end(message)
		return mem.BufferSlice{mem.NewBuffer(encoded, pool)}, nil
	case reply:
		return mem.BufferSlice{mem.SliceBuffer(message)}, nil
	}
	return c.CodecV2.Marshal(message)
}

// replies keeps the memory of encoded answers. It gets one back when the transport has written it.
type replies struct{ pool sync.Pool }

const (
	typicalLength = 2 << 10 // grpc-go reuses nothing below 1 KiB
	longestKept   = 16 << 10
)

// Get implements mem.BufferPool.
func (p *replies) Get(length int) *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok && cap(*b) >= length {
		return b
	}
	b := make([]byte, 0, max(length, typicalLength))
	return &b
}

// Put implements mem.BufferPool.
func (p *replies) Put(b *[]byte) {
	if cap(*b) > longestKept {
		return
	}
	*b = (*b)[:0]
	p.pool.Put(b)
}
