package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

type object = map[string]any

// schemaText makes the JSON Schema of usher.yaml from the structs, their comments and the defaults.
func schemaText(t *testing.T) []byte {
	t.Helper()
	s := schemaWriter{comments(t)}
	root := s.section(reflect.ValueOf(*Default()))
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "usher.yaml"
	root["$defs"] = object{
		"secret": object{
			"description": "A secret: written out, kept in a file, or kept in a variable.",
			"anyOf":       []any{object{"type": "string"}, s.one("file", "Path of the file; one newline at its end is dropped."), s.one("env", "Name of the variable.")},
		},
		"duration": object{
			"description": "As 90s, 1.5h or 7d.",
			"anyOf":       []any{object{"type": "string", "pattern": `^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))*$`}, object{"const": 0}, object{"const": "0"}},
		},
		"organization_source": object{"anyOf": []any{
			object{"enum": []any{"header", "active", "first"}}, s.one("host", "As {org}.example.com."), s.one("path", "As /orgs/{org}/."),
		}},
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(root); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

type schemaWriter struct{ comments map[string]string }

// one is a section of one key.
func (schemaWriter) one(name, description string) object {
	return object{
		"type": "object", "required": []any{name}, "additionalProperties": false,
		"properties": object{name: object{"type": "string", "minLength": 1, "description": description}},
	}
}

func (s schemaWriter) section(v reflect.Value) object {
	properties := object{}
	for field, name := range fieldsOf(v.Type(), "") {
		value := v.FieldByIndex(field.Index)
		property := s.value(value, field.Tag)
		property["description"] = strings.ReplaceAll(meaning(s.comments, v.Type(), field), "`", "")
		if more := note(field); more != "" {
			property["description"] = fmt.Sprint(property["description"], " ", more)
		}
		if initial, ok := defaultOf(value); ok {
			property["default"] = initial
		}
		properties[name] = property
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

func (s schemaWriter) value(v reflect.Value, tag reflect.StructTag) object {
	if words := tag.Get("enum"); words != "" {
		var list []any
		for word := range strings.SplitSeq(words, ",") {
			list = append(list, word)
		}
		return object{"enum": list}
	}
	switch v.Interface().(type) {
	case Secret, URL:
		return object{"$ref": "#/$defs/secret"}
	case VersionedSecret:
		return object{"anyOf": []any{object{"$ref": "#/$defs/secret"}, object{
			"type": "object", "required": []any{"version", "value"}, "additionalProperties": false,
			"properties": object{"version": object{"type": "integer", "minimum": 0}, "value": object{"$ref": "#/$defs/secret"}},
		}}}
	case Toggle:
		return object{"enum": []any{"auto", true, false}}
	case Demand:
		return object{"enum": []any{"required", true, false}}
	case OrgSource:
		return object{"$ref": "#/$defs/organization_source"}
	case time.Duration:
		return object{"$ref": "#/$defs/duration"}
	case Tables:
		return object{"anyOf": []any{object{"enum": []any{"snake_case"}}, nullable(s.section(v))}}
	}
	element := func() reflect.Value { return reflect.New(v.Type().Elem()).Elem() }
	switch v.Kind() {
	case reflect.Struct:
		return nullable(s.section(v))
	case reflect.Slice:
		if isSection(v.Type().Elem()) {
			return object{"type": "array", "items": s.section(element())}
		}
		return object{"type": "array", "items": s.value(element(), "")}
	case reflect.Map:
		return nullable(object{"type": "object", "additionalProperties": s.value(element(), "")})
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	default:
		return object{"type": "string"}
	}
}

// nullable admits a section whose keys are all commented out.
func nullable(section object) object {
	section["type"] = []any{section["type"], "null"}
	return section
}

// defaultOf is a default as YAML holds it, if there is one worth showing.
func defaultOf(v reflect.Value) (any, bool) {
	switch value := v.Interface().(type) {
	case time.Duration:
		return formatDuration(value), value != 0
	case Toggle:
		return value.String(), true
	case bool:
		return value, true
	case string, int, float64:
		return value, !v.IsZero()
	case []string:
		return value, len(value) > 0
	case []OrgSource:
		var kinds []any
		for _, source := range value {
			kinds = append(kinds, source.Kind)
		}
		return kinds, len(kinds) > 0
	default:
		return nil, false
	}
}

func TestSchema(t *testing.T) {
	golden(t, "schema.json", schemaText(t))
}

func golden(t *testing.T, name string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the structs say; run: go test ./config -update", name)
	}
}

func TestSchemaIsEmbedded(t *testing.T) {
	if *update {
		return // what is embedded is of before
	}
	var parsed object
	if err := json.Unmarshal(Schema(), &parsed); err != nil {
		t.Fatal(err)
	}
	for _, k := range keysOf(Default()) {
		at := parsed
		for name := range strings.SplitSeq(k.path, ".") {
			if anyOf, ok := at["anyOf"].([]any); ok {
				at = anyOf[len(anyOf)-1].(object)
			}
			at, _ = at["properties"].(object)[name].(object)
		}
		if at == nil || at["description"] == "" {
			t.Errorf("%s is not in the schema", k.path)
		}
	}
}

// What loads is valid, and what is a slip is not.
func TestSchemaJudgesAsLoadDoes(t *testing.T) {
	example, err := os.ReadFile("testdata/usher.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if err := Default().Print(&printed); err != nil {
		t.Fatal(err)
	}
	good := []string{
		string(example), printed.String(), "better_auth: {tables: snake_case}", "better_auth: {tables: {user: {fields: {name: n}}}}",
		"store:", "better_auth: {secrets: [a, {file: /x}, {version: 1, value: {env: X}}], secure_cookies: true}",
		"rules: [{access: public}, {org: required}, {org: true, fresh: 1d12h}]", "cache: {ttl: 0}",
	}
	bad := []string{
		"lisen: {}", "listen: {htp: x}", "rules: [{acess: public}]", "rules: [{access: publik}]", "rules: {access: public}",
		"better_auth: {secret: [x]}", "better_auth: {secret: {fil: x}}", "better_auth: {tables: camelCase}", "cache: {ttl: 1x}",
		"organization: {sources: [second]}", "better_auth: {tables: {users: {}}}", "enabled: perhaps", "cache: {size: a}",
	}
	var schema object
	if err := json.Unmarshal(schemaText(t), &schema); err != nil {
		t.Fatal(err)
	}
	for i, text := range slices.Concat(good, bad) {
		var value any
		if err := yaml.Load([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if err := valid(schema, schema, value, "$"); (err == nil) != (i < len(good)) {
			t.Errorf("%s: %v", text, err)
		}
		if _, problems := Load(Options{Path: "f", ReadFile: func(string) ([]byte, error) { return []byte(text), nil }, Environ: []string{"DATABASE_URL=sqlite:x"}}); i >= len(good) && !Refused(problems) {
			t.Errorf("%s: loads", text)
		}
	}
}
