package config

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write config/schema.json and docs/configuration.md anew")

// docs/configuration.md is testdata/reference.md with its marks replaced by what the structs say.
func TestReference(t *testing.T) {
	frame, err := os.ReadFile("testdata/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("testdata/usher.yaml")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.NewReplacer("<!-- keys -->\n", keyTables(t), "<!-- variables -->\n", variableTable(), "<!-- example -->\n", "```yaml\n"+string(example)+"```\n").
		Replace(string(frame))
	golden(t, "../docs/configuration.md", []byte(page))
}

func keyTables(t *testing.T) string {
	w := &referenceWriter{known: comments(t)}
	w.line("### At the top")
	w.head()
	defaults := reflect.ValueOf(*Default())
	for field, at := range fieldsOf(defaults.Type(), "") {
		if !isSection(field.Type) {
			w.row(defaults.Type(), field, defaults.FieldByIndex(field.Index), at, "")
		}
	}
	for field, at := range fieldsOf(defaults.Type(), "") {
		if isSection(field.Type) {
			w.line("\n### `" + at + "`\n\n" + meaning(w.known, defaults.Type(), field))
			w.head()
			w.section(defaults.FieldByIndex(field.Index), at, note(field))
			w.inner()
		} else {
			w.items(field, at)
		}
	}
	return w.text.String()
}

type referenceWriter struct {
	known map[string]string
	text  strings.Builder
	later []func() // tables of items, after the one that has their key
}

func (w *referenceWriter) line(text string) { fmt.Fprintln(&w.text, text) }

func (w *referenceWriter) head() {
	w.line("\n| key | variable | default | meaning |\n|---|---|---|---|")
}

// section writes the rows of a section; about is what is to be said of all of them.
func (w *referenceWriter) section(v reflect.Value, path, about string) {
	tables := 0
	for field, at := range fieldsOf(v.Type(), path) {
		value := v.FieldByIndex(field.Index)
		switch {
		case field.Type == reflect.TypeFor[Table](): // one stands for all
			if tables++; tables == 1 {
				w.section(value, at, about)
			}
		case isSection(field.Type):
			w.section(value, at, cmp.Or(note(field), about))
		default:
			w.row(v.Type(), field, value, at, about)
		}
	}
	if tables > 1 {
		var names []string
		for _, model := range (&Tables{}).Models()[1:] {
			names = append(names, "`"+model.key+"`")
		}
		w.line("| `" + path + ".…` | | | The same for " + strings.Join(names, ", ") + ". |")
	}
}

func (w *referenceWriter) row(owner reflect.Type, field reflect.StructField, value reflect.Value, at, about string) {
	text := meaning(w.known, owner, field)
	if words := field.Tag.Get("enum"); words != "" {
		text += " One of `" + strings.ReplaceAll(strings.TrimPrefix(words, ","), ",", "`, `") + "`."
	}
	if more := cmp.Or(note(field), about); more != "" {
		text += " *" + more + "*"
	}
	variable := "`" + variableOf(at) + "`"
	if (key{at, value, field}).secret() {
		variable += ", `…_FILE`"
	}
	initial := ""
	if d, ok := defaultOf(value); ok {
		initial = "`" + strings.Trim(fmt.Sprint(d), "[]") + "`"
		if list := reflect.ValueOf(d); list.Kind() == reflect.Slice {
			initial = strings.ReplaceAll(initial, " ", "` `")
		}
	}
	w.line(fmt.Sprintf("| `%s` | %s | %s | %s |", at, variable, initial, strings.ReplaceAll(text, "|", "\\|")))
	if field.Type.Kind() == reflect.Slice || field.Type.Kind() == reflect.Map {
		if isSection(field.Type.Elem()) && at != "rules" {
			w.later = append(w.later, func() { w.items(field, at) })
		}
	}
}

// items explains the keys of each item of a list or map.
func (w *referenceWriter) items(field reflect.StructField, at string) {
	if kind := field.Type.Kind(); kind != reflect.Slice && kind != reflect.Map || !isSection(field.Type.Elem()) {
		return
	}
	w.line("\n### Each of `" + at + "`\n\n| key | meaning |\n|---|---|")
	for inner, name := range fieldsOf(field.Type.Elem(), "") {
		text := meaning(w.known, field.Type.Elem(), inner)
		if words := inner.Tag.Get("enum"); words != "" {
			text += " One of `" + strings.ReplaceAll(words, ",", "`, `") + "`."
		}
		w.line("| `" + name + "` | " + strings.ReplaceAll(text, "|", "\\|") + " |")
	}
}

func (w *referenceWriter) inner() {
	for _, write := range w.later {
		write()
	}
	w.later = nil
}

func variableTable() string {
	known := make(map[string]key)
	for _, k := range keysOf(Default()) {
		known[k.path] = k
	}
	var b strings.Builder
	fmt.Fprintln(&b, "| variable | key | |\n|---|---|---|")
	for _, plain := range plainVariables() {
		name := "`" + plain.name + "`"
		if k, ok := known[plain.key]; ok && k.secret() || strings.HasSuffix(plain.key, "secret") {
			name += ", `" + plain.name + "_FILE`"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", name, plain.key, plain.meaning)
	}
	return b.String()
}
