package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/usherauth/usher/config"
)

// full is a configuration with a secret everywhere one can be.
func full(t *testing.T) *config.Config {
	t.Helper()
	c, _ := load(`
better_auth: {url: "https://app.example.com", secret: hunter2, secrets: [hunter2, {version: 1, value: hunter2}, {env: OLD}, {file: /old}]}
store: {url: "postgres://usher:hunter2@db.example.com/app?password=hunter2", secondary: {url: "redis://:hunter2@cache/0"}}
redis: {url: "rediss://usher:hunter2@cache"}
oauth: {providers: {google: {client_id: x, client_secret: hunter2}, github: {client_secret: {env: OLD}}}}
provision: {store: {url: "postgres://usher:hunter2@db.example.com/app"}}
`, map[string]string{"OLD": "hunter2"}, files{"/old": "hunter2"})
	if c.OAuth.Providers["github"].ClientSecret.Reveal() != "hunter2" || c.BetterAuth.Secrets[3].Value.Reveal() != "hunter2" {
		t.Fatal("the configuration is not full")
	}
	return c
}

func TestSecretsArePrintedNowhere(t *testing.T) {
	c := full(t)
	type hidden struct{ s config.Secret } // fmt does not call methods of what it cannot export
	shapes := map[string]any{
		"config": c, "value": *c, "better_auth": c.BetterAuth, "store": &c.Store, "secret": c.BetterAuth.Secret,
		"url": c.Store.URL, "providers": c.OAuth.Providers, "secrets": c.BetterAuth.Secrets,
		"hidden": hidden{c.BetterAuth.Secret}, "any": []any{c.BetterAuth.Secret}, "map": map[string]config.Secret{"x": c.BetterAuth.Secret},
	}
	var outputs []string
	for name, shape := range shapes {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t"} {
			outputs = append(outputs, name+" "+verb+" "+fmt.Sprintf(verb, shape))
		}
		var logged bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
			slog.New(handler).Info("x", "shape", shape, slog.Group("g", "shape", shape))
		}
		outputs = append(outputs, "slog "+logged.String())
		if name == "hidden" {
			continue
		}
		asJSON, err := json.Marshal(shape)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		asYAML, err := yaml.Dump(shape)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		outputs = append(outputs, "JSON "+string(asJSON), "YAML "+string(asYAML))
	}
	text, err := c.Store.URL.MarshalText()
	if err != nil {
		t.Error(err)
	}
	var printed bytes.Buffer
	if err := c.Print(&printed); err != nil {
		t.Error(err)
	}
	outputs = append(outputs, string(text), printed.String(), fmt.Sprint(c.BetterAuth.Secret.GoString(), c.Store.URL.LogValue()))
	for _, output := range outputs {
		for _, form := range []string{"hunter2", "68756e74657232", "68756E74657232"} { // %x
			if strings.Contains(output, form) {
				t.Errorf("the secret is in %s", output)
			}
		}
	}
	if !strings.Contains(printed.String(), "(redacted)") {
		t.Error("Print shows nothing in the secret's place")
	}
}

func TestURLsShowEverythingElse(t *testing.T) {
	for raw, want := range map[string]string{
		"": "",
		"postgres://usher:hunter2@db.example.com:5432/app?sslmode=require": "postgres://usher:(redacted)@db.example.com:5432/app?sslmode=require",
		"postgres://usher@db/app":                               "postgres://usher@db/app",
		"postgres://a:1,b:2/app?host=/run":                      "postgres://a:1,b:2/app?host=/run",
		"postgresql://[::1]:5432/app":                           "postgresql://[::1]:5432/app",
		"postgres:///app?password=hunter2&user=u":               "postgres:///app?(redacted)&user=u",
		"redis://:hunter2@cache:6379/0":                         "redis://:(redacted)@cache:6379/0",
		"sqlite:///var/lib/app.db?_key=hunter2&mode=ro":         "sqlite:///var/lib/app.db?(redacted)&mode=ro",
		"sqlite:app.db":                                         "sqlite:app.db",
		"file:app.db?mode=ro":                                   "file:app.db?mode=ro",
		"postgres://usher:hun/ter2@db/app":                      "postgres://usher:(redacted)@db/app",
		"postgres://usher:hun@ter2@db/app":                      "postgres://usher:(redacted)@db/app",
		"postgres://usher:hun?ter2#@db/app":                     "postgres://usher:(redacted)@db/app",
		"postgres://hun ter2:x@db/app":                          "postgres://(redacted):(redacted)@db/app",
		"postgres://usher:hunter2":                              "postgres://(redacted)",
		"postgres://usher:hunter2/app":                          "postgres://(redacted)",
		"postgres:hunter2":                                      "postgres:(redacted)",
		"hunter2":                                               "(redacted)",
		"hunter2:x":                                             "(redacted)",
		"host=db user=usher password=hunter2":                   "(redacted)",
		"host=db options='-c x=postgres://y' password=hunter2:": "(redacted)",
	} {
		if got := config.NewURL(raw).String(); got != want {
			t.Errorf("%s is shown as %s, want %s", raw, got, want)
		}
	}
}

func TestSecretFilesLoseOneNewline(t *testing.T) {
	for content, want := range map[string]string{"s": "s", "s\n": "s", "s\r\n": "s", "s\n\n": "s\n", " s \n": " s ", "s\r": "s\r", "s\n\r\n": "s\n"} {
		env := minimal()
		delete(env, "BETTER_AUTH_SECRET")
		env["BETTER_AUTH_SECRET_FILE"] = "/s"
		c, _ := load("", env, files{"/s": content})
		if got := c.CurrentSecret().Reveal(); got != want {
			t.Errorf("%q gives %q, want %q", content, got, want)
		}
	}
}

func TestAVariableIsNotTrimmed(t *testing.T) {
	env := minimal()
	env["BETTER_AUTH_SECRET"] = " " + goodSecret
	c, problems := load("", env, nil)
	if c.CurrentSecret().Reveal() != " "+goodSecret {
		t.Error("trimmed")
	}
	if got, want := lines(problems), "warning: env BETTER_AUTH_SECRET: better_auth.secret: begins or ends in white space, which counts; is that so in Better Auth too?\n"; got != want {
		t.Errorf("got %s", got)
	}
}
