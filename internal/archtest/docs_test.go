package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestEveryReasonIsDocumented(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "../../gate/reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	page, found := read(t, "docs/reasons.md"), 0
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if label, ok := spec.Values[0].(*ast.BasicLit); ok && label.Kind == token.STRING {
			found++
			if name := strings.Trim(label.Value, `"`); !strings.Contains(page, "| `"+name+"` |") {
				t.Errorf("docs/reasons.md has no row for %s", name)
			}
		}
		return true
	})
	if found < 20 {
		t.Errorf("found only %d reasons", found)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(read(t, "gate/reason.go"), `"`+row[1]+`"`) {
			t.Errorf("docs/reasons.md explains %s, which is no reason", row[1])
		}
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	page := read(t, "docs/operations.md")
	for _, source := range []string{"internal/telemetry/metrics.go", "internal/boot/boot.go", "internal/boot/business.go", "internal/boot/memory.go", "internal/boot/refresh.go", "internal/boot/companion_audit.go"} {
		for _, name := range regexp.MustCompile(`"(usher_[a-z_]+)"`).FindAllStringSubmatch(read(t, source), -1) {
			short := "`_" + name[1][strings.LastIndexByte(name[1], '_')+1:] + "`"
			if !strings.Contains(page, "`"+name[1]+"`") && !strings.Contains(page, short) {
				t.Errorf("docs/operations.md does not name %s", name[1])
			}
		}
	}
}

func TestTheMapIsShortAndNamesEveryRoom(t *testing.T) {
	page := read(t, "ARCHITECTURE.md")
	if lines := strings.Count(page, "\n"); lines > 150 {
		t.Errorf("ARCHITECTURE.md has %d lines; a map has 150 at most", lines)
	}
	for _, f := range repository(t) {
		if f.test || f.dir == "." {
			continue
		}
		room := filepath.Base(f.dir) + "/"
		if !strings.Contains(page, room) && !strings.Contains(page, f.dir) {
			t.Errorf("ARCHITECTURE.md does not name %s", f.dir)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

func TestLinksBetweenPagesLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	roots, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, roots...) {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(content), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s leads to %s, which is not there", filepath.Base(page), m[1])
			}
		}
	}
}
