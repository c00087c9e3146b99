package config

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

// Print writes the configuration in effect as YAML that can be read again. Secrets that were written out are
// "(redacted)", which Load refuses; those kept in a file or a variable are shown as that. A comment tells what came from
// a variable.
func (c *Config) Print(w io.Writer) error {
	p := &printer{c.places}
	text, err := yaml.Dump(p.section(reflect.ValueOf(*c), "", false), yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return fmt.Errorf("config: print: %w", err)
	}
	_, err = w.Write(text)
	return err
}

type printer struct{ places map[string]place }

// section prints all keys, or for items of lists and maps, and for business rows, those that are set.
func (p *printer) section(v reflect.Value, path string, sparse bool) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for field, at := range fieldsOf(v.Type(), path) {
		value := v.FieldByIndex(field.Index)
		if empty(value) && (sparse || value.Kind() == reflect.Struct && field.Type == reflect.TypeFor[Provision]() || value.Kind() == reflect.Struct && field.Type == reflect.TypeFor[Table]()) {
			continue
		}
		child := p.value(value, at)
		if child.Kind == yaml.MappingNode && len(child.Content) == 0 && value.Kind() == reflect.Struct {
			continue
		}
		name := plain(lastKey(at))
		if set := p.places[at]; set.variable != "" && set != p.places[path] && set.variable != keptIn(value) {
			p.comment(name, child, "from "+set.variable)
		}
		n.Content = append(n.Content, name, child)
	}
	return n
}

func (p *printer) value(v reflect.Value, path string) *yaml.Node {
	switch value := v.Interface().(type) {
	case Secret:
		return p.secret(value)
	case URL:
		return p.secret(value.Secret)
	case VersionedSecret:
		if !value.Numbered() {
			return p.secret(value.Value)
		}
		return flow(yaml.MappingNode, plain("version"), plain(strconv.Itoa(value.Version)), plain("value"), p.secret(value.Value))
	case OrgSource:
		if value.Pattern == "" {
			return text(value.Kind)
		}
		return flow(yaml.MappingNode, plain(value.Kind), text(value.Pattern))
	case Toggle:
		return plain(value.String())
	case time.Duration:
		return plain(formatDuration(value))
	}
	switch v.Kind() {
	case reflect.Struct:
		return p.section(v, path, false)
	case reflect.Slice:
		n := flow(yaml.SequenceNode)
		for i := range v.Len() {
			if isSection(v.Index(i).Type()) {
				n.Style = 0
				n.Content = append(n.Content, p.section(v.Index(i), indexed(path, i), true))
			} else {
				n.Content = append(n.Content, p.value(v.Index(i), indexed(path, i)))
			}
		}
		return n
	case reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode}
		values := v.MapRange()
		found := make(map[string]*yaml.Node)
		for values.Next() {
			name, element := values.Key().String(), values.Value()
			if found[name] = p.value(element, below(path, name)); isSection(element.Type()) {
				found[name] = p.section(element, below(path, name), true)
			}
		}
		for _, name := range sortedKeys(found) {
			n.Content = append(n.Content, text(name), found[name])
		}
		if len(found) == 0 {
			n.Style = yaml.FlowStyle
		}
		return n
	case reflect.String:
		return text(v.String())
	default:
		return plain(fmt.Sprint(v.Interface()))
	}
}

func (p *printer) secret(s Secret) *yaml.Node {
	if s.from.kind == "" {
		return text(s.String())
	}
	n := flow(yaml.MappingNode, plain(s.from.kind), text(s.from.name))
	if s.url && s.value != nil {
		n.LineComment = "# " + s.String()
	}
	return n
}

// keptIn is the variable that {env: …} shows already.
func keptIn(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case Secret:
		return value.from.name
	case URL:
		return value.from.name
	default:
		return ""
	}
}

// comment says something of a value: behind it, or above its key where it has lines of its own.
func (p *printer) comment(name, value *yaml.Node, comment string) {
	switch {
	case value.LineComment != "": // {env: …} with its URL says it already
	case value.Kind == yaml.ScalarNode || value.Style == yaml.FlowStyle:
		value.LineComment = "# " + comment
	default:
		name.HeadComment = "# " + comment
	}
}

func flow(kind yaml.Kind, content ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: kind, Style: yaml.FlowStyle, Content: content}
}

// bare is text that YAML reads as itself without quotes.
var bare = pattern(`^[A-Za-z][A-Za-z0-9_./-]*$`)

func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if _, boolean := parseBool(s); boolean || !bare(s) || s == "null" || s == "Null" || s == "NULL" {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }
