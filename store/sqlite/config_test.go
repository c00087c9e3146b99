package sqlite_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/sqlite"
)

func escape(path string) string { return (&url.URL{Path: path}).EscapedPath() }

func address(path string) string { return "sqlite://" + escape(path) }

func TestURLs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if _, err := sqlite.Apply(t.Context(), sqlite.Config{URL: "sqlite:a.db"}, betterauth.Plugins{}, false); err != nil {
		t.Fatal(err)
	}
	for _, u := range []string{"sqlite:a.db", "sqlite:./a.db", "file:a.db", "sqlite://" + dir + "/a.db", "sqlite:" + dir + "/a.db", "file://" + dir + "/a.db", "sqlite:%61.db"} {
		s, err := sqlite.Open(t.Context(), sqlite.Config{URL: u})
		if err != nil {
			t.Errorf("%s: %v", u, err)
			continue
		}
		t.Chdir("/") // the path does not depend on it
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", u, err)
		}
		s.Close()
		t.Chdir(dir)
	}
	if err := os.WriteFile("text.db", []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for u, want := range map[string]string{
		"":                         "sqlite:///absolute/path.db",
		"a.db":                     "sqlite:///absolute/path.db",
		"postgres://h/db":          "sqlite:///absolute/path.db",
		"sqlite:":                  "sqlite:///absolute/path.db",
		"sqlite://a.db":            "after // comes a host",
		"sqlite::memory:":          "in memory",
		"sqlite:a.db?mode=memory":  "mode=memory",
		"sqlite:%zz.db":            "invalid URL escape",
		"sqlite:a%00.db":           "sqlite:///absolute/path.db",
		"sqlite:b.db":              "there is no file " + filepath.Join(dir, "b.db"),
		"sqlite://" + dir:          "is not a file",
		"sqlite:text.db":           "must name Better Auth's SQLite file",
		"sqlite:/nowhere/at/all.d": "there is no file",
	} {
		s, err := sqlite.Open(t.Context(), sqlite.Config{URL: u})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", u, err)
		}
		if got := store.Permanent(err); got == strings.HasPrefix(want, "there is no file") {
			t.Errorf("%s: permanent: %v: %v", u, got, err)
		}
	}
	if _, err := os.Stat("b.db"); err == nil {
		t.Error("a file was made by looking for it")
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Config{URL: "sqlite:a.db", Tables: betterauth.Tables{Schema: "auth"}}); err == nil ||
		!strings.Contains(err.Error(), "PostgreSQL") {
		t.Errorf("a schema: %v", err)
	}
}
