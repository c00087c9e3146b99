package record

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// Time is how the library's JSON has an instant: in UTC, always with three digits of a second.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// AppendString appends s as JSON.stringify writes it: nothing but quotes, backslashes and control characters is escaped.
// Bytes that are no UTF-8 become U+FFFD, as they do wherever JavaScript reads text.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for len(s) > 0 {
		c := s[0]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s)
			b, s = utf8.AppendRune(b, r), s[size:]
			continue
		}
		s = s[1:]
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			if c < 0x20 {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				b = append(b, c)
			}
		}
	}
	return append(b, '"')
}

// object writes one JSON object; the last key closes it.
type object struct{ b []byte }

func open(b []byte) *object { return &object{append(b, '{')} }

func (o *object) close() []byte { return append(o.b, '}') }

func (o *object) key(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

func (o *object) text(name, value string) {
	o.key(name)
	o.b = AppendString(o.b, value)
}

func (o *object) textOrNull(name string, value *string) {
	o.key(name)
	if value == nil {
		o.b = append(o.b, "null"...)
		return
	}
	o.b = AppendString(o.b, *value)
}

func (o *object) flag(name string, value bool) {
	o.key(name)
	if value {
		o.b = append(o.b, "true"...)
	} else {
		o.b = append(o.b, "false"...)
	}
}

func (o *object) flagOrNull(name string, value *bool) {
	if value == nil {
		o.key(name)
		o.b = append(o.b, "null"...)
		return
	}
	o.flag(name, *value)
}

func (o *object) number(name string, value int64) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, value, 10)
}

func (o *object) time(name string, value time.Time) { o.text(name, Time(value)) }

func (o *object) timeOrNull(name string, value *time.Time) {
	if value == nil {
		o.key(name)
		o.b = append(o.b, "null"...)
		return
	}
	o.time(name, *value)
}
