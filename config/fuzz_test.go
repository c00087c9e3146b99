package config_test

import (
	"os"
	"strings"
	"testing"
)

// Whatever stands in a file or a variable, Load says what is wrong instead of ending the program.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("testdata/usher.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(example), good, "a: &a [*a]", "a: &a {<<: *a}", "rules: &r [*r]", "oauth: {providers: &p {x: *p}}", "? {a: b}\n: c",
		"store: !!map {url: !!str x}", "better_auth: {secret: {file: {env: x}}}", "---\n---\n", "rules: [{methods: [[GET]]}]",
		"organization: {sources: [{host: &h \"{org}\"}, {path: *h}]}", "better_auth: {tables: [snake_case], secrets: [{version: x}]}",
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, file, variable string) {
		c, problems := load(file, map[string]string{
			"USHER_RULES": variable, "USHER_STORE_URL": variable, "BETTER_AUTH_SECRETS": variable, "USHER_ORGANIZATION_SOURCES": variable,
			"USHER_BETTER_AUTH_TABLES": variable, "USHER_CACHE_TTL": variable, "USHER_LISTEN_HTTP": variable,
		}, nil)
		if c == nil {
			t.Fatal("no configuration")
		}
		for _, p := range problems {
			if p.String() == "" || strings.HasPrefix(p.String(), ": ") || strings.Contains(p.String(), "%!") && !strings.Contains(file+variable, "%") {
				t.Errorf("problem %+v", p)
			}
		}
		if err := c.Print(discard{}); err != nil {
			t.Errorf("print: %v", err)
		}
	})
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
