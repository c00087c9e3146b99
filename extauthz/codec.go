package extauthz

import (
	"strings"

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

// Unmarshal implements encoding.CodecV2. The buffers go back to a pool, so this copies them.
func (c codec) Unmarshal(data mem.BufferSlice, into any) error {
	q, ok := into.(*question)
	if !ok {
		return c.CodecV2.Unmarshal(data, into)
	}
	var text strings.Builder
	text.Grow(data.Len())
	for _, buffer := range data {
		text.Write(buffer.ReadOnlyData())
	}
	*q = question(text.String())
	return nil
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(message any) (mem.BufferSlice, error) {
	if encoded, ok := message.(reply); ok {
		return mem.BufferSlice{mem.SliceBuffer(encoded)}, nil
	}
	return c.CodecV2.Marshal(message)
}
