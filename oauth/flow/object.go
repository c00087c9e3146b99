package flow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
)

var errNotAnObject = errors.New("flow: not a JSON object")

// object is a JSON object that keeps its keys in JavaScript's order: those that are array indices first, ascending, then
// the others as they came. Values are as JSON.stringify writes them; a nil one is undefined, and not written.
type object struct{ pairs []pair }

type pair struct {
	key   string
	value []byte
}

func (o *object) at(key string) int {
	return slices.IndexFunc(o.pairs, func(p pair) bool { return p.key == key })
}

// set gives a key its value. One that exists keeps its place.
func (o *object) set(key string, value []byte) {
	if i := o.at(key); i >= 0 {
		o.pairs[i].value = value
		return
	}
	o.pairs = append(o.pairs, pair{key, value})
}

func (o *object) get(key string) []byte {
	if i := o.at(key); i >= 0 {
		return o.pairs[i].value
	}
	return nil
}

func (o *object) write(b []byte) []byte {
	pairs := slices.Clone(o.pairs)
	slices.SortStableFunc(pairs, func(a, b pair) int {
		i, isA := index(a.key)
		j, isB := index(b.key)
		switch {
		case isA && isB:
			return cmp.Compare(i, j)
		case isA:
			return -1
		case isB:
			return 1
		}
		return 0
	})
	b = append(b, '{')
	first := true
	for _, p := range pairs {
		if p.value == nil {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(record.AppendString(b, p.key), ':')
		b = append(b, p.value...)
	}
	return append(b, '}')
}

// index reports whether JavaScript counts a key among the array indices.
func index(key string) (uint64, bool) {
	n, err := strconv.ParseUint(key, 10, 32)
	return n, err == nil && n < math.MaxUint32 && strconv.FormatUint(n, 10) == key
}

// readObject parses a JSON object and writes its values anew, as JSON.parse and JSON.stringify would.
func readObject(text []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if !json.Valid(text) {
		return object{}, errNotAnObject
	}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return object{}, errNotAnObject
	}
	o, err := readPairs(d)
	if err != nil {
		return object{}, errNotAnObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return object{}, errNotAnObject
	}
	return o, nil
}

func readPairs(d *json.Decoder) (object, error) {
	var o object
	seen := map[string]int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return o, err
		}
		key, ok := t.(string)
		if !ok {
			return o, errNotAnObject
		}
		value, err := readValue(d)
		if err != nil {
			return o, err
		}
		if key == "__proto__" {
			continue // zod's records leave it out
		}
		if i, ok := seen[key]; ok {
			o.pairs[i].value = value
			continue
		}
		seen[key] = len(o.pairs)
		o.pairs = append(o.pairs, pair{key, value})
	}
	_, err := d.Token()
	return o, err
}

func readValue(d *json.Decoder) ([]byte, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := t.(type) {
	case string:
		return record.AppendString(nil, v), nil
	case bool:
		return strconv.AppendBool(nil, v), nil
	case json.Number:
		return number(v), nil
	case json.Delim:
		if v == '{' {
			o, err := readPairs(d)
			return o.write(nil), err
		}
		b := []byte{'['}
		for d.More() {
			if len(b) > 1 {
				b = append(b, ',')
			}
			item, err := readValue(d)
			if err != nil {
				return nil, err
			}
			b = append(b, item...)
		}
		_, err := d.Token()
		return append(b, ']'), err
	}
	return []byte("null"), nil
}

// number is Number.prototype.toString of what was read; what is too large for a number is null in JSON.
func number(n json.Number) []byte {
	f, err := strconv.ParseFloat(n.String(), 64)
	switch abs := math.Abs(f); {
	case err != nil:
		return []byte("null")
	case f == 0:
		return []byte("0")
	case abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(nil, f, 'f', -1, 64)
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "e")
	return []byte(mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0"))
}
