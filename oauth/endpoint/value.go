package endpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/usherauth/usher/betterauth/record"
)

// Kind is what JavaScript calls the type of a Value, in zod's words.
type Kind string

// The kinds of a Value. The zero Value is undefined.
const (
	Undefined Kind = ""
	Null      Kind = "null"
	Bool      Kind = "boolean"
	Number    Kind = "number"
	String    Kind = "string"
	Array     Kind = "array"
	Record    Kind = "object"
)

// Value is a value of JSON as JavaScript holds it: members keep their order, of two with one name the later counts, and
// it is written as JSON.stringify would. The library stores parts of what it was sent that way.
type Value struct {
	kind    Kind
	truth   bool
	number  float64
	text    string
	items   []Value
	members []member
}

type member struct {
	name  string
	value Value
}

// Kind is the value's kind.
func (v Value) Kind() Kind { return v.kind }

// Len is how many members or items there are.
func (v Value) Len() int { return len(v.members) + len(v.items) }

// received is the kind as zod names it in its messages.
func (v Value) received() string {
	switch {
	case v.kind == Undefined:
		return "undefined"
	case v.infinite():
		return "Infinity" // JSON has no other numbers that are none to zod
	}
	return string(v.kind)
}

func (v Value) infinite() bool { return v.kind == Number && v.number-v.number != 0 }

// truthy is what JavaScript's Boolean makes of it.
func (v Value) truthy() bool {
	switch v.kind {
	case Undefined, Null:
		return false
	case Bool:
		return v.truth
	case Number:
		return v.number != 0
	case String:
		return v.text != ""
	}
	return true
}

// member is the member of that name, undefined where there is none or where v is no object.
func (v Value) member(name string) Value {
	for i := range v.members {
		if v.members[i].name == name {
			return v.members[i].value
		}
	}
	return Value{}
}

// set adds a member, or replaces the one of that name where it stands.
func (v *Value) set(name string, value Value) {
	for i := range v.members {
		if v.members[i].name == name {
			v.members[i].value = value
			return
		}
	}
	v.members = append(v.members, member{name, value})
}

var errNotJSON = errors.New("not JSON")

// parseJSON reads what JSON.parse reads.
func parseJSON(text []byte) (Value, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // the decoder of a request's text drops it
	if !json.Valid(text) {
		return Value{}, errNotJSON
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return parseNext(d)
}

func parseNext(d *json.Decoder) (Value, error) {
	token, err := d.Token()
	if err != nil {
		return Value{}, err
	}
	switch token := token.(type) {
	case nil:
		return Value{kind: Null}, nil
	case bool:
		return Value{kind: Bool, truth: token}, nil
	case string:
		return Value{kind: String, text: token}, nil
	case json.Number:
		number, _ := strconv.ParseFloat(string(token), 64) // out of range: infinity, as in JavaScript
		return Value{kind: Number, number: number}, nil
	case json.Delim:
		if token == '[' {
			return parseArray(d)
		}
		return parseObject(d)
	}
	return Value{}, errNotJSON
}

func parseArray(d *json.Decoder) (Value, error) {
	v := Value{kind: Array}
	for d.More() {
		item, err := parseNext(d)
		if err != nil {
			return Value{}, err
		}
		v.items = append(v.items, item)
	}
	_, err := d.Token()
	return v, err
}

func parseObject(d *json.Decoder) (Value, error) {
	var members []member
	at := map[string]int{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return Value{}, err
		}
		value, err := parseNext(d)
		if err != nil {
			return Value{}, err
		}
		text, _ := name.(string)
		if i, again := at[text]; again {
			members[i].value = value
			continue
		}
		at[text] = len(members)
		members = append(members, member{text, value})
	}
	slices.SortStableFunc(members, func(a, b member) int {
		i, first := arrayIndex(a.name)
		j, second := arrayIndex(b.name)
		switch {
		case first && second:
			return int(i) - int(j)
		case first:
			return -1
		case second:
			return 1
		}
		return 0
	})
	_, err := d.Token()
	return Value{kind: Record, members: members}, err
}

// arrayIndex reports whether a name is one that JavaScript keeps in front of all others, in the order of numbers.
func arrayIndex(name string) (uint32, bool) {
	n, err := strconv.ParseUint(name, 10, 32)
	return uint32(n), err == nil && n != 1<<32-1 && strconv.FormatUint(n, 10) == name
}

// AppendJSON writes the value as JSON.stringify does. An undefined one is null.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(b, v.truth)
	case Number:
		return appendNumber(b, v.number)
	case String:
		return record.AppendString(b, v.text)
	case Array:
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.AppendJSON(b)
		}
		return append(b, ']')
	case Record:
		b = append(b, '{')
		for i, m := range v.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(record.AppendString(b, m.name), ':')
			b = m.value.AppendJSON(b)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// appendNumber is JavaScript's Number to text, which encoding/json follows but for zero and what is not finite.
func appendNumber(b []byte, n float64) []byte {
	switch {
	case n == 0:
		return append(b, '0')
	case n-n != 0:
		return append(b, "null"...)
	}
	text, _ := json.Marshal(n) // finite
	return append(b, text...)
}
