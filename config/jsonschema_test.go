package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// valid judges by the few words of JSON Schema that ours uses.
func valid(root, schema object, value any, at string) error {
	if ref, ok := schema["$ref"].(string); ok {
		return valid(root, root["$defs"].(object)[strings.TrimPrefix(ref, "#/$defs/")].(object), value, at)
	}
	if choices, ok := schema["anyOf"].([]any); ok {
		var errs []string
		for _, choice := range choices {
			err := valid(root, choice.(object), value, at)
			if err == nil {
				return nil
			}
			errs = append(errs, err.Error())
		}
		return fmt.Errorf("none of: %s", strings.Join(errs, "; "))
	}
	if constant, ok := schema["const"]; ok && fmt.Sprint(constant) != fmt.Sprint(value) {
		return fmt.Errorf("%s: not %v", at, constant)
	}
	if words, ok := schema["enum"].([]any); ok && !slices.Contains(words, value) {
		return fmt.Errorf("%s: %v is not in %v", at, value, words)
	}
	types := []any{schema["type"]}
	if list, ok := schema["type"].([]any); ok {
		types = list
	}
	kind := "null"
	switch value.(type) {
	case map[string]any:
		kind = "object"
	case []any:
		kind = "array"
	case string:
		kind = "string"
	case bool:
		kind = "boolean"
	case int:
		kind = "integer"
	case float64:
		kind = "number"
	}
	if schema["type"] != nil && !slices.Contains(types, any(kind)) && !(kind == "integer" && slices.Contains(types, any("number"))) {
		return fmt.Errorf("%s: %s is not %v", at, kind, types)
	}
	if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(value.(string)) {
		return fmt.Errorf("%s: %v does not match", at, value)
	}
	if list, ok := value.([]any); ok {
		for i, item := range list {
			if err := valid(root, schema["items"].(object), item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	}
	section, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := section[name.(string)]; !ok {
			return fmt.Errorf("%s: no %s", at, name)
		}
	}
	properties, _ := schema["properties"].(object)
	for name, item := range maps.All(section) {
		inner, ok := properties[name].(object)
		if !ok {
			if inner, ok = schema["additionalProperties"].(object); !ok {
				return fmt.Errorf("%s: %s is not known", at, name)
			}
		}
		if err := valid(root, inner, item, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}
