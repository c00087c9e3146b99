package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep a provider's JSON may nest. Real ones stay below ten.
const maxDepth = 64

// ErrJSON says that something is not one JSON object that can be read in one way only.
var ErrJSON = errors.New("not one plain JSON object")

// Object is a JSON object whose keys keep their order. Values are string, bool, nil, json.Number, *Object and []any.
// The zero value is {}.
type Object struct {
	keys   []string
	fields map[string]any
}

// ParseObject reads exactly one object. Two members of one name are refused at every depth: whoever checks one of them
// and uses the other has been fooled, and encoding/json takes even members that differ in case for one.
func ParseObject(b []byte) (*Object, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrJSON)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*Object)
	if !ok || trailing(d) {
		return nil, ErrJSON
	}
	return o, nil
}

// ParseArray reads exactly one array, as strictly as ParseObject.
func ParseArray(b []byte) ([]any, error) {
	wrapped, err := ParseObject(append(append([]byte(`{"a":`), b...), '}'))
	if err != nil {
		return nil, err
	}
	list, ok := wrapped.Get("a").([]any)
	if !ok || len(wrapped.keys) != 1 {
		return nil, ErrJSON
	}
	return list, nil
}

func trailing(d *json.Decoder) bool {
	_, err := d.Token()
	return !errors.Is(err, io.EOF)
}

func value(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested too deeply", ErrJSON)
	}
	token, err := d.Token()
	if err != nil {
		return nil, ErrJSON // the decoder's own words quote the input
	}
	switch token {
	case json.Delim('{'):
		o := new(Object)
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, ErrJSON
			}
			key := name.(string)
			if o.Has(key) {
				return nil, fmt.Errorf("%w: a member twice", ErrJSON)
			}
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			o.Set(key, v)
		}
		if _, err := d.Token(); err != nil {
			return nil, ErrJSON
		}
		return o, nil
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		if _, err := d.Token(); err != nil {
			return nil, ErrJSON
		}
		return list, nil
	}
	return token, nil
}

// Has is whether there is a member of that name, be it null.
func (o *Object) Has(key string) bool { _, ok := o.fields[key]; return ok }

// Get follows path through objects; what is not there is nil, as null is.
func (o *Object) Get(path ...string) any {
	var v any = o
	for _, key := range path {
		inner, ok := v.(*Object)
		if !ok || inner == nil {
			return nil
		}
		v = inner.fields[key]
	}
	return v
}

// Text is Get for a string; anything else is "".
func (o *Object) Text(path ...string) string { s, _ := o.Get(path...).(string); return s }

// Inner is Get for an object; anything else is nil, on which every method that reads works.
func (o *Object) Inner(path ...string) *Object {
	inner, _ := o.Get(path...).(*Object)
	if inner == nil {
		return new(Object)
	}
	return inner
}

// Set gives a member a value, where it stands already or else at the end.
func (o *Object) Set(key string, v any) {
	if o.fields == nil {
		o.fields = make(map[string]any)
	}
	if !o.Has(key) {
		o.keys = append(o.keys, key)
	}
	o.fields[key] = v
}

// Keys are the names of the members, in their order.
func (o *Object) Keys() []string { return o.keys }

// Truthy is what JavaScript takes for true.
func Truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case json.Number:
		f, err := v.Float64()
		return err != nil || f != 0
	}
	return true
}

// Append writes v as JSON.stringify(JSON.parse(…)) does.
func Append(b []byte, v any) []byte {
	switch v := v.(type) {
	case *Object:
		b = append(b, '{')
		for i, key := range v.keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, key), ':')
			b = Append(b, v.fields[key])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = Append(b, item)
		}
		return append(b, ']')
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case json.Number:
		return append(b, NumberText(v)...)
	}
	return append(b, "null"...)
}

// NumberText is String(n) of JavaScript; what is too large for a float is null, as JSON.stringify has it.
func NumberText(n json.Number) string {
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "null"
	}
	if f == 0 {
		return "0"
	}
	if size := math.Abs(f); size >= 1e-6 && size < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	text := strconv.FormatFloat(f, 'e', -1, 64) // 1e-07, where JavaScript writes 1e-7
	mantissa, exponent, _ := strings.Cut(text, "e")
	return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}

func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
