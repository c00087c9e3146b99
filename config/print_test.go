package config_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/usherauth/usher/config"
)

func printed(t *testing.T, c *config.Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is printed means the same when it is read again: with the environment it came from, and without, as far as no
// secret is missing.
func TestPrintIsReadAgain(t *testing.T) {
	env := minimal()
	maps.Copy(env, map[string]string{
		"BETTER_AUTH_SECRETS": "2:" + goodSecret + "x,1:" + goodSecret, "USHER_BETTER_AUTH_TABLES": "snake_case",
		"USHER_RULES":                "[{name: a, host: x.example.com, path: /x/**, methods: [GET], org: required, fresh: 90s}]",
		"USHER_ORGANIZATION_SOURCES": `[first, {path: "/orgs/{org}/"}]`, "USHER_TRUSTED_PROXIES": "10.0.0.1",
	})
	c := mustLoad(t, "log: {decisions: {allowed: 1e-3}}\nlisten: {grpc: off}\n", env, nil)
	text := printed(t, c)
	again := mustLoad(t, text, env, nil)
	same(t, again, c)
	for _, want := range []string{
		"url: {env: DATABASE_URL} # postgres://usher:(redacted)@db.example.com/app\n",
		"url: \"https://app.example.com\" # from BETTER_AUTH_URL\n",
		"trusted_proxies: [\"10.0.0.1\"] # from USHER_TRUSTED_PROXIES\n", "# from USHER_RULES\nrules:\n",
		"expires_in: 168h\n", "secret: \"(redacted)\" # from BETTER_AUTH_SECRETS\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// Nobody runs with a placeholder for a secret.
func TestPlaceholdersAreRefused(t *testing.T) {
	c := mustLoad(t, "better_auth: {url: \"https://app.example.com\", secret: "+goodSecret+", secrets: [x]}\nstore: {url: \"postgres://usher:hunter2@db/app\"}\nredis: {url: \"redis://:hunter2@cache\"}\n", nil, nil)
	_, problems := load(printed(t, c), nil, nil)
	if got := lines(problems); strings.Count(got, "`usher config print` writes instead of a secret") != 4 || len(problems) != 4 {
		t.Errorf("got:\n%s", got)
	}
}
