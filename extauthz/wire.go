package extauthz

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of an encoded message. Only length-delimited ones have a value here; nothing this package reads is
// of any other type.
type field struct {
	number protowire.Number // 0 for a field of another type
	value  string
}

// cut takes the first field off an encoded message. It works on a string so that what is read can be kept without
// copying it.
func cut(message string) (first field, rest string, ok bool) {
	tag, rest, ok := cutVarint(message)
	number, kind := protowire.DecodeTag(tag)
	if !ok || !number.IsValid() {
		return field{}, "", false
	}
	skip := uint64(0)
	switch kind {
	case protowire.BytesType:
		var size uint64
		if size, rest, ok = cutVarint(rest); !ok || size > uint64(len(rest)) {
			return field{}, "", false
		}
		return field{number, rest[:size]}, rest[size:], true
	case protowire.VarintType:
		_, rest, ok = cutVarint(rest)
		return field{}, rest, ok
	case protowire.Fixed32Type:
		skip = 4
	case protowire.Fixed64Type:
		skip = 8
	default: // groups: no message here ever had one
		return field{}, "", false
	}
	if skip > uint64(len(rest)) {
		return field{}, "", false
	}
	return field{}, rest[skip:], true
}

func cutVarint(s string) (v uint64, rest string, ok bool) {
	for i := range min(len(s), 10) {
		c := s[i]
		if i == 9 && c > 1 {
			break // more than 64 bits
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, s[i+1:], true
		}
	}
	return 0, "", false
}

// each calls visit with every field that has a value, and reports whether the message could be read to its end.
func each(message string, visit func(field) bool) bool {
	for message != "" {
		f, rest, ok := cut(message)
		if !ok || f.number != 0 && !visit(f) {
			return false
		}
		message = rest
	}
	return true
}

// appendText appends a string field.
func appendText(b []byte, number protowire.Number, value string) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return protowire.AppendString(b, value)
}

// appendNumber appends an integer or enum field.
func appendNumber(b []byte, number protowire.Number, value uint64) []byte {
	b = protowire.AppendTag(b, number, protowire.VarintType)
	return protowire.AppendVarint(b, value)
}

// open begins a nested message; what is appended until close, given the same mark, is its content.
func open(b []byte, number protowire.Number) (_ []byte, mark int) {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return b, len(b)
}

// close puts the length in front of the content.
func closeAt(b []byte, mark int) []byte {
	var length [10]byte
	size := len(b) - mark
	prefix := protowire.AppendVarint(length[:0], uint64(size))
	b = append(b, prefix...)
	copy(b[mark+len(prefix):], b[mark:mark+size])
	copy(b[mark:], prefix)
	return b
}
