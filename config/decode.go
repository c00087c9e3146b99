package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// decoder turns YAML nodes into values. It is our own so that it goes on after a problem, speaks of keys instead of Go
// types, never shows a secret, and remembers where everything stood.
type decoder struct {
	*findings
	variable place // the environment variable being read; zero: the file
}

// nodeReader is a type with a form of its own in YAML.
type nodeReader interface {
	read(d *decoder, n *yaml.Node, path string)
}

var durationType = reflect.TypeFor[time.Duration]()

func valueOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }

// place is where a node stands.
func (d *decoder) place(n *yaml.Node) place {
	if d.variable.variable != "" {
		return d.variable
	}
	return place{line: n.Line, column: n.Column}
}

// value reads a node into an addressable value. Tag is that of the field it belongs to, if any.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if reader, ok := v.Addr().Interface().(nodeReader); ok {
		reader.read(d, n, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.section(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	default:
		d.scalar(n, v, path, tag)
	}
}

// section reads a mapping into a struct. What it does not mention keeps its value.
func (d *decoder) section(n *yaml.Node, v reflect.Value, path string) {
	fields := make(map[string]reflect.StructField)
	var names []string
	for field, at := range fieldsOf(v.Type(), path) {
		name := lastKey(at)
		fields[name], names = field, append(names, name)
	}
	d.pairs(n, path, func(key, child *yaml.Node, at string) {
		field, known := fields[key.Value]
		if !known {
			d.at(d.place(key), at, "%s", unknownKey(at, names))
			return
		}
		target := v.FieldByIndex(field.Index)
		if isNull(child) {
			if !isSection(field.Type) && target.Kind() != reflect.Map {
				d.at(d.place(key), at, "has no value; give it one, or leave the key out for the default")
			}
			return
		}
		d.places[at] = d.place(child)
		if child.Kind != yaml.ScalarNode {
			d.places[at] = d.place(key)
		}
		d.value(child, target, at, field.Tag)
	})
}

// mapping reads a mapping with names of the user's own.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	read := reflect.MakeMap(v.Type())
	d.pairs(n, path, func(key, child *yaml.Node, at string) {
		d.places[at] = d.place(key)
		element := reflect.New(v.Type().Elem()).Elem()
		if !isNull(child) {
			d.value(child, element, at, "")
		}
		read.SetMapIndex(reflect.ValueOf(key.Value), element)
	})
	if v.SetZero(); read.Len() > 0 {
		v.Set(read)
	}
}

// pairs walks a mapping and refuses what cannot be a key of ours.
func (d *decoder) pairs(n *yaml.Node, path string, each func(key, child *yaml.Node, at string)) {
	if n.Kind != yaml.MappingNode {
		d.at(d.place(n), path, "must be a section of keys and values, not %s", kindOf(n))
		return
	}
	first := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, child := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Value == "" {
			d.at(d.place(key), path, "a key must be a word")
			continue
		}
		at := below(path, key.Value)
		if key.Tag == "!!merge" {
			d.at(d.place(key), path, "merge keys (<<) are not read; write the keys out")
			continue
		}
		if line, twice := first[key.Value]; twice {
			d.at(d.place(key), at, "is there twice; the first is in line %d", line)
			continue
		}
		first[key.Value] = key.Line
		each(key, child, at)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.at(d.place(n), path, "must be a list, as [a, b], not %s", kindOf(n))
		return
	}
	read := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, child := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.places[at] = d.place(child)
		if isNull(child) {
			d.at(d.place(child), at, "is empty; give it a value, or remove it")
			continue
		}
		d.value(child, read.Index(i), at, "")
	}
	if v.SetZero(); read.Len() > 0 {
		v.Set(read)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	wants := map[reflect.Kind]string{
		reflect.Bool: "true or false", reflect.Int: "a whole number", reflect.Float64: "a number", reflect.String: "a string",
	}
	want := wants[v.Kind()]
	if v.Type() == durationType {
		want = "a duration, as 90s, 1.5h or 7d"
	}
	text, ok := d.text(n, path, want)
	if !ok {
		return
	}
	var err error
	switch {
	case v.Type() == durationType:
		var duration time.Duration
		if duration, ok = parseDuration(text); ok {
			v.SetInt(int64(duration))
		}
	case v.Kind() == reflect.Bool:
		var b bool
		if b, ok = parseBool(text); ok {
			v.SetBool(b)
		}
	case v.Kind() == reflect.Int:
		var i int
		if i, err = strconv.Atoi(strings.ReplaceAll(text, "_", "")); err == nil {
			v.SetInt(int64(i))
		}
	case v.Kind() == reflect.Float64:
		var x float64
		if x, err = strconv.ParseFloat(text, 64); err == nil {
			v.SetFloat(x)
		}
	default:
		if words := tag.Get("enum"); words == "" || d.word(n, path, text, words) {
			v.SetString(text)
		}
	}
	if !ok || err != nil { // the default stays, so that nothing else is said of this value
		d.at(d.place(n), path, "%s: must be %s", quoted(text), want)
	}
}

// text is a scalar as it is written, whatever YAML takes it for: off, 0123 and 1.10 are text where text is wanted.
func (d *decoder) text(n *yaml.Node, path, want string) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		d.at(d.place(n), path, "must be %s, not %s", want, kindOf(n))
		return "", false
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str" {
		d.at(d.place(n), path, "YAML tags (!) are not read; put the value in quotes")
		return "", false
	}
	return n.Value, true
}

// word reports whether a text is one of the words of an enum tag, and says so if not.
func (d *decoder) word(n *yaml.Node, path, text, words string) bool {
	list := strings.Split(words, ",")
	if slices.Contains(list, text) {
		return true
	}
	list = slices.DeleteFunc(list, func(word string) bool { return word == "" })
	choice := list[0]
	if more := len(list) - 1; more > 0 {
		choice = strings.Join(list[:more], ", ") + " or " + list[more]
	}
	d.at(d.place(n), path, "%s: must be %s%s", quoted(text), choice, didYouMean(text, list))
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}
