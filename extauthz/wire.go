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
	// Nearly all of them: a number below 16 and less than 128 bytes.
	if len(message) >= 2 && message[0]&0x87 == byte(protowire.BytesType) && message[0] > 0x07 && message[1] < 0x80 {
		end := 2 + int(message[1])
		if end > len(message) {
			return field{}, "", false
		}
		return field{protowire.Number(message[0] >> 3), message[2:end]}, message[end:], true
	}
	return cutAny(message)
}

func cutAny(message string) (first field, rest string, ok bool) {
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

// tag is the tag of a field numbered below 16, as all that are written here are: it takes one byte.
func tag(number protowire.Number, kind protowire.Type) byte { return byte(number)<<3 | byte(kind) }

// appendText appends a string field.
func appendText(b []byte, number protowire.Number, value string) []byte {
	b = append(b, tag(number, protowire.BytesType))
	if len(value) < 0x80 {
		b = append(b, byte(len(value)))
	} else {
		b = protowire.AppendVarint(b, uint64(len(value)))
	}
	return append(b, value...)
}

// appendNumber appends an integer or enum field.
func appendNumber(b []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(append(b, tag(number, protowire.VarintType)), value)
}

// open begins a nested message; what is appended until closeAt, given the same mark, is its content.
func open(b []byte, number protowire.Number) (_ []byte, mark int) {
	b = append(b, tag(number, protowire.BytesType), 0) // room for a length below 128
	return b, len(b)
}

// closeAt puts the length in front of the content.
func closeAt(b []byte, mark int) []byte {
	size := len(b) - mark
	if size < 0x80 {
		b[mark-1] = byte(size)
		return b
	}
	var varint [10]byte
	length := protowire.AppendVarint(varint[:0], uint64(size))
	b = append(b, length[1:]...)
	copy(b[mark-1+len(length):], b[mark:mark+size])
	copy(b[mark-1:], length)
	return b
}
