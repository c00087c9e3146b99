package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// comments reads the doc comments of this package's structs: "Store" and "Store.Timeout". Fields without one are noted
// as empty.
func comments(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	text := func(group *ast.CommentGroup) string { return strings.Join(strings.Fields(group.Text()), " ") }
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok || general.Tok != token.TYPE {
				continue
			}
			for _, spec := range general.Specs {
				typeSpec := spec.(*ast.TypeSpec)
				found[typeSpec.Name.Name] = text(general.Doc)
				if structure, ok := typeSpec.Type.(*ast.StructType); ok {
					for _, field := range structure.Fields.List {
						for _, name := range field.Names {
							found[typeSpec.Name.Name+"."+name.Name] = text(field.Doc)
						}
					}
				}
			}
		}
	}
	return found
}

// meaning is the comment of a field, or that of the section it holds without the type's name in front.
func meaning(known map[string]string, owner reflect.Type, field reflect.StructField) string {
	text := known[owner.Name()+"."+field.Name]
	if rest, ok := strings.CutPrefix(known[field.Type.Name()], field.Type.Name()+" "); ok && text == "" {
		rest = strings.TrimPrefix(rest, "is ")
		text = strings.ToUpper(rest[:1]) + rest[1:]
	}
	return text
}

// note is what this version does not do about a key.
func note(field reflect.StructField) string {
	if field.Tag.Get("idle") != "" {
		return "No effect in this version."
	}
	return ""
}

func TestEveryKeyIsExplained(t *testing.T) {
	known := comments(t)
	var walk func(reflect.Type)
	walk = func(section reflect.Type) {
		for field := range fieldsOf(section, "") {
			text := meaning(known, section, field)
			if text == "" || !strings.HasSuffix(text, ".") {
				t.Errorf("%s.%s: a comment in sentences, please: %q", section.Name(), field.Name, text)
			}
			inner := field.Type
			if inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
				inner = inner.Elem()
			}
			if isSection(inner) {
				walk(inner)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}
