package config

import (
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// key is one leaf of the configuration: what a variable can set.
type key struct {
	path  string // better_auth.session.expires_in
	value reflect.Value
	field reflect.StructField
}

// variable is the key's environment variable.
func (k key) variable() string { return variableOf(k.path) }

// secret reports whether the value may come from a file that a variable names.
func (k key) secret() bool {
	switch k.value.Interface().(type) {
	case Secret, URL, []VersionedSecret:
		return true
	default:
		return false
	}
}

// keysOf lists all keys in the order of the structs. A section with a short form of its own (tables) is a key too.
func keysOf(c *Config) []key {
	var keys []key
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for field, at := range fieldsOf(v.Type(), path) {
			value := v.FieldByIndex(field.Index)
			_, reads := value.Addr().Interface().(nodeReader)
			if reads || !isSection(field.Type) {
				keys = append(keys, key{at, value, field})
			}
			if isSection(field.Type) {
				walk(value, at)
			}
		}
	}
	walk(valueOf(c), "")
	return keys
}

// fieldsOf walks the keys of a section: the field and its path.
func fieldsOf(t reflect.Type, path string) iter.Seq2[reflect.StructField, string] {
	return func(yield func(reflect.StructField, string) bool) {
		for i := range t.NumField() {
			field := t.Field(i)
			if name := field.Tag.Get("yaml"); name != "" && !yield(field, below(path, name)) {
				return
			}
		}
	}
}

// isSection reports whether a type is a struct of keys.
func isSection(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for range fieldsOf(t, "") {
		return true
	}
	return false
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// variableOf is the environment variable of a key.
func variableOf(path string) string {
	return "USHER_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// empty reports whether nothing is set in a value, however deep.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	case reflect.Struct:
		if !isSection(v.Type()) {
			return v.IsZero()
		}
		for field := range fieldsOf(v.Type(), "") {
			if !empty(v.FieldByIndex(field.Index)) {
				return false
			}
		}
		return true
	default:
		return v.IsZero()
	}
}
