package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/usherauth/usher"

// mayImport is the table of ARCHITECTURE.md: product code of the package on the left may import ours on the right.
// A trailing /... covers everything below. What is not listed may import nothing of ours.
var mayImport = map[string][]string{
	"gate":                   {},
	"gate/gatetest":          {"gate"},
	"betterauth":             {"gate"},
	"betterauth/record":      {},
	"betterauth/seal":        {},
	"store":                  {"gate"},
	"store/postgres":         {"gate", "store", "betterauth"},
	"store/sqlite":           {"gate", "store", "betterauth"},
	"store/cached":           {"gate", "store", "store/cached/..."},
	"store/redis":            {"gate", "store", "store/redisconn", "betterauth"},
	"store/redisconn":        {"store"},
	"store/shared":           {"gate", "store", "store/redisconn"},
	"store/remote":           {"gate", "store", "betterauth"},
	"store/accounts":         {"gate", "store", "betterauth", "betterauth/record", "store/redisconn", "store/postgres", "store/sqlite"},
	"store/provisioned":      {"gate", "store", "betterauth", "store/postgres", "store/sqlite"},
	"store/storetest":        {"gate", "store", "betterauth", "internal/testenv"},
	"extauthz":               {"gate"},
	"forwardauth":            {"gate"},
	"oauth/flow":             {"betterauth/record", "betterauth/seal"},
	"oauth":                  {"gate", "betterauth", "betterauth/...", "oauth/...", "store", "store/accounts", "internal/ratelimit"},
	"oauth/account":          {"gate", "betterauth", "betterauth/record", "betterauth/seal", "oauth/flow", "oauth/endpoint", "oauth/provider", "store/accounts"},
	"oauth/endpoint":         {"gate", "betterauth", "betterauth/record", "oauth/flow"},
	"oauth/organization":     {"gate", "betterauth", "betterauth/record", "oauth/flow", "oauth/endpoint"},
	"oauth/page":             {},
	"oauth/front":            {"oauth/page"},
	"oauth/roomtest":         {"gate", "betterauth", "oauth/endpoint", "oauth/flow", "store/accounts", "internal/testenv"},
	"oauth/session":          {"gate", "betterauth", "betterauth/record", "oauth/flow", "oauth/endpoint"},
	"oauth/provider":         {"oauth/flow", "oauth/provider/..."},
	"oauth/provider/wire":    {},
	"oauth/provider/idtoken": {"oauth/provider/wire"},
	"oauth/oauthtest":        {"oauth/provider"},
	"config":                 {"gate"},
	"deploy/proxy":           {"gate"},
	"internal/ratelimit":     {"store/redisconn"},
	"internal/server":        {"gate"},
	"internal/telemetry":     {"gate"},
	"internal/testenv":       {},
	"internal/archtest":      {},
	"internal/demo":          {"gate", "betterauth", "betterauth/record", "store", "store/sqlite", "oauth/flow"},
	"internal/boot":          {"gate", "betterauth", "betterauth/...", "store/...", "extauthz", "forwardauth", "oauth/...", "config", "internal/ratelimit", "internal/server", "internal/telemetry"},
	"cmd/usher":              {"gate", "betterauth", "config", "store", "deploy/proxy", "internal/boot", "internal/demo", "internal/telemetry"},
	"deploy/e2e":             {"internal/testenv"},
	"deploy/e2e/companion":   {"internal/testenv"},
	"deploy/e2e/systema":     {"internal/testenv"},
	"deploy/load":            {"internal/testenv"},
	"deploy/load/empty":      {},
	"deploy/e2e/parts/...":   {},
	"store/cached/arena":     {},
}

// lives says where third parties may be imported by product code; tests may use anything in go.mod.
var lives = map[string][]string{
	"github.com/envoyproxy/go-control-plane": {}, // what is linked is initialised: it would cost each start
	"google.golang.org/grpc":                 {"extauthz", "internal/server", "internal/boot"},
	"google.golang.org/protobuf":             {"extauthz"},
	"github.com/jackc/pgx":                   {"store/postgres", "internal/testenv"},
	"modernc.org/sqlite":                     {"store/sqlite"},
	"github.com/redis/go-redis":              {"store/redis", "store/redisconn", "store/shared", "store/accounts", "internal/boot", "internal/ratelimit"},
	"go.yaml.in/yaml":                        {"config"},
	"github.com/prometheus/client_golang":    {"internal/telemetry"},
	"golang.org/x/crypto":                    {"betterauth/seal"},
	"golang.org/x/oauth2":                    {"oauth/provider"},
	"golang.org/x/text":                      {"store/accounts"},
	"github.com/coreos/go-oidc":              {"oauth/provider/idtoken"},
	"github.com/go-jose/go-jose":             {"oauth/provider/idtoken", "oauth/oauthtest"},
	"golang.org/x/sync":                      {"internal/server", "internal/boot", "internal/demo", "cmd/usher"},
	"github.com/google/go-cmp":               {"store/storetest"},
}

// file is one parsed Go file of the repository.
type file struct {
	dir     string // below the root, slash-separated
	name    string
	test    bool
	imports []string
	doc     bool
}

func repository(t *testing.T) []file {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != root && (name[0] == '.' || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && p != root {
				return filepath.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		if err != nil {
			return err
		}
		f := file{dir: filepath.ToSlash(rel), name: d.Name(), test: strings.HasSuffix(p, "_test.go"), doc: parsed.Doc != nil}
		for _, spec := range parsed.Imports {
			f.imports = append(f.imports, strings.Trim(spec.Path.Value, `"`))
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found only %d Go files below %s", len(files), root)
	}
	return files
}

func covers(allowed []string, pkg string) bool {
	for _, a := range allowed {
		if rest, below := strings.CutSuffix(a, "/..."); a == pkg || below && (pkg == rest || strings.HasPrefix(pkg, rest+"/")) {
			return true
		}
	}
	return false
}

func TestWhoMayImportWhom(t *testing.T) {
	for _, f := range repository(t) {
		if f.test {
			continue
		}
		allowed, known := mayImport[f.dir]
		if !known {
			t.Errorf("%s: package is not in the table of internal/archtest; say what it may import, there and in ARCHITECTURE.md", f.dir)
			continue
		}
		for _, imported := range f.imports {
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok && !covers(allowed, ours) {
				t.Errorf("%s/%s imports %s; %s may import %v", f.dir, f.name, ours, f.dir, allowed)
			}
		}
	}
}

func TestThirdPartiesLiveWhereTheTableSays(t *testing.T) {
	for _, f := range repository(t) {
		if f.test {
			continue
		}
		for _, imported := range f.imports {
			first, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(first, ".") || strings.HasPrefix(imported, module) {
				continue
			}
			home := ""
			for library := range maps.Keys(lives) {
				if imported == library || strings.HasPrefix(imported, library+"/") {
					home = library
				}
			}
			if home == "" {
				t.Errorf("%s/%s imports %s, which has no home in the table", f.dir, f.name, imported)
			} else if !slices.Contains(lives[home], f.dir) {
				t.Errorf("%s/%s imports %s, which lives in %v only", f.dir, f.name, imported, lives[home])
			}
		}
	}
}

func TestTheCoreImportsTheStandardLibraryOnly(t *testing.T) {
	forbidden := []string{"net/http", "database/sql", "os", "net", "log", "math/rand", "math/rand/v2"}
	for _, f := range repository(t) {
		if f.dir != "gate" || f.test {
			continue
		}
		for _, imported := range f.imports {
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") || slices.Contains(forbidden, imported) {
				t.Errorf("gate/%s imports %s: the core has no protocol and no I/O", f.name, imported)
			}
		}
	}
}

func TestSecurityRandomnessComesFromCrypto(t *testing.T) {
	for _, f := range repository(t) {
		for _, imported := range f.imports {
			if !f.test && strings.HasPrefix(imported, "math/rand") {
				t.Errorf("%s/%s imports %s; use crypto/rand", f.dir, f.name, imported)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := make(map[string]bool)
	product := make(map[string]bool)
	for _, f := range repository(t) {
		documented[f.dir] = documented[f.dir] || f.doc && !f.test
		product[f.dir] = product[f.dir] || !f.test
	}
	for dir := range product {
		if product[dir] && !documented[dir] {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

func TestPackagesAreNamedForWhatTheyKnow(t *testing.T) {
	banned := []string{"util", "utils", "common", "helpers", "models", "types", "services", "misc", "base"}
	for _, f := range repository(t) {
		if slices.Contains(banned, path.Base(f.dir)) {
			t.Errorf("%s: a package name says what the package knows", f.dir)
		}
	}
}
