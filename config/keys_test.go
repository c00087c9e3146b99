package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample is a value for a key, as its variable and as YAML hold it, that differs from every default.
func sample(t *testing.T, k key) (variable, yaml string) {
	t.Helper()
	if words := k.field.Tag.Get("enum"); words != "" {
		list := strings.Split(words, ",")
		word := list[len(list)-1]
		if word == k.value.String() {
			word = list[len(list)-2]
		}
		return word, word
	}
	switch value := k.value.Interface().(type) {
	case bool:
		return fmt.Sprint(!value), fmt.Sprint(!value)
	case int:
		return "7", "7"
	case float64:
		return "0.5", "0.5"
	case string:
		return "x=1 # y", `"x=1 # y"`
	case time.Duration:
		return "2d", "48h"
	case Toggle:
		return "off", "false"
	case Secret, URL:
		return "s://x, y", `"s://x, y"`
	case Tables:
		return "snake_case", "{preset: snake_case}"
	case []string:
		return "a, b ,c", "[a, b, c]"
	case []VersionedSecret:
		return "a,b", "[a, {version: 0, value: b}]"
	case []OrgSource:
		return `[first, {host: "{org}.x"}]`, `[first, {host: "{org}.x"}]`
	case []Rule:
		return `[{path: /x, org: true}]`, `[{path: /x, org: required}]`
	case []Caller:
		return `[{"name": "x"}]`, `[{name: x}]`
	case map[string]string:
		return `{"a": "b"}`, `{a: b}`
	case map[string]Provider:
		return `{acme: {client_secret: x}}`, `{acme: {client_secret: x}}`
	default:
		t.Fatalf("%s: no sample for %T", k.path, value)
		return "", ""
	}
}

// nested writes a key with its sections.
func nested(path, value string) string {
	parts := strings.Split(path, ".")
	return strings.Join(parts, ": {") + ": " + value + strings.Repeat("}", len(parts)-1) + "\n"
}

func valueAt(c *Config, path string) any {
	for _, k := range keysOf(c) {
		if k.path == path {
			return k.value.Interface()
		}
	}
	return nil
}

func reveal(v any) any {
	switch value := v.(type) {
	case Secret:
		return value.Reveal()
	case URL:
		return value.Reveal()
	case []VersionedSecret:
		var list []string
		for _, s := range value {
			list = append(list, fmt.Sprint(s.Version, s.Value.Reveal()))
		}
		return list
	case map[string]Provider:
		return value["acme"].ClientSecret.Reveal()
	default:
		return v
	}
}

func TestEveryKeyHasItsVariable(t *testing.T) {
	seen := make(map[string]string)
	for _, k := range keysOf(Default()) {
		if other, twice := seen[k.variable()]; twice {
			t.Errorf("%s is the variable of %s and of %s", k.variable(), other, k.path)
		}
		seen[k.variable()] = k.path
		t.Run(k.path, func(t *testing.T) {
			variable, yaml := sample(t, k)
			initial := reveal(k.value.Interface())

			disk := func(string) ([]byte, error) { return []byte(nested(k.path, yaml)), nil }
			fromFile, problems := Load(Options{Path: "f", ReadFile: disk})
			refuseDecoding(t, k.path, problems)
			if fromFile.places[k.path].line != 1 {
				t.Errorf("place is %v", fromFile.places[k.path])
			}
			fromVariable, problems := Load(Options{Environ: []string{k.variable() + "=" + variable}})
			refuseDecoding(t, k.path, problems)
			if got := fromVariable.places[k.path].variable; got != k.variable() {
				t.Errorf("place is variable %q", got)
			}

			want, got := reveal(valueAt(fromFile, k.path)), reveal(valueAt(fromVariable, k.path))
			if !reflect.DeepEqual(got, want) {
				t.Errorf("variable gives %#v, file gives %#v", got, want)
			}
			if reflect.DeepEqual(got, initial) {
				t.Errorf("still the default, %#v", got)
			}
			if !k.secret() {
				return
			}
			read := func(name string) ([]byte, error) { return []byte(variable + "\n"), nil }
			fromSecretFile, problems := Load(Options{Environ: []string{k.variable() + "_FILE=/run/x"}, ReadFile: read})
			refuseDecoding(t, k.path, problems)
			if got := reveal(valueAt(fromSecretFile, k.path)); !reflect.DeepEqual(got, want) {
				t.Errorf("file of variable gives %#v, want %#v", got, want)
			}
		})
	}
	if len(seen) < 80 {
		t.Errorf("only %d keys", len(seen))
	}
}

// refuseDecoding fails on problems of reading the key; what the value means is judged elsewhere.
func refuseDecoding(t *testing.T, path string, problems []Problem) {
	t.Helper()
	for _, p := range problems {
		if p.Variable != "" && p.Key == "" || strings.HasPrefix(p.Key, path) && strings.Contains(p.Message, "must be a ") {
			t.Errorf("problem: %s", p)
		}
	}
}

func TestFieldsAreSectionsOrKeys(t *testing.T) {
	for _, k := range keysOf(Default()) {
		if k.field.Type.Kind() == reflect.Pointer || k.field.Type.Kind() == reflect.Interface {
			t.Errorf("%s: %s", k.path, k.field.Type)
		}
		if k.path != strings.ToLower(k.path) {
			t.Errorf("%s is not snake_case", k.path)
		}
	}
}
