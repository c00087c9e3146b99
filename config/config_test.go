package config_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usherauth/usher/config"
)

const (
	goodSecret = "0123456789abcdef0123456789abcdef"
	good       = "better_auth: {url: https://app.example.com, secret: " + goodSecret + "}\nstore: {url: postgres://db.example.com/app}\n"
)

// minimal is what must be enough to run.
func minimal() map[string]string {
	return map[string]string{
		"BETTER_AUTH_SECRET": goodSecret, "BETTER_AUTH_URL": "https://app.example.com",
		"DATABASE_URL": "postgres://usher:hunter2@db.example.com/app",
	}
}

func environ(variables map[string]string) []string {
	var list []string
	for name, value := range variables {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// files is a disk of a few files.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	if content, ok := f[name]; ok {
		return []byte(content), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// load reads a YAML text as usher.yaml; empty: no file.
func load(yaml string, variables map[string]string, disk files) (*config.Config, []config.Problem) {
	disk = maps.Clone(disk)
	options := config.Options{Environ: environ(variables), Providers: []string{"github", "google"}}
	if yaml != "" {
		if disk == nil {
			disk = files{}
		}
		options.Path, disk["usher.yaml"] = "usher.yaml", yaml
	}
	options.ReadFile = disk.read
	return config.Load(options)
}

func mustLoad(t *testing.T, yaml string, variables map[string]string, disk files) *config.Config {
	t.Helper()
	c, problems := load(yaml, variables, disk)
	for _, p := range problems {
		t.Errorf("problem (warning %v): %s", p.Warning, p)
	}
	return c
}

func lines(problems []config.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		if p.Warning {
			b.WriteString("warning: ")
		}
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

// same compares configurations, but not where their keys were set.
func same(t *testing.T, got, want *config.Config) {
	t.Helper()
	options := cmp.Options{
		cmpopts.IgnoreUnexported(config.Config{}),
		cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() }),
		cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(want, got, options); diff != "" {
		t.Errorf("unexpected configuration (-want +got):\n%s", diff)
	}
}

func TestThreeVariablesAreEnough(t *testing.T) {
	c := mustLoad(t, "", minimal(), nil)
	want := config.Default()
	want.BetterAuth.URL, want.BetterAuth.Secret = "https://app.example.com", config.NewSecret(goodSecret)
	want.Store.URL = config.NewURL("postgres://usher:hunter2@db.example.com/app")
	same(t, c, want)
}

func TestTheExampleLoads(t *testing.T) {
	example, err := os.ReadFile("testdata/usher.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, string(example), map[string]string{"DATABASE_URL": "sqlite:///var/lib/app.db"},
		files{"/run/secrets/better-auth": goodSecret + "\n"})
	want := config.Default()
	want.BetterAuth.URL, want.BetterAuth.Secret = "https://app.example.com", config.NewSecret(goodSecret)
	want.Store.URL = config.NewURL("sqlite:///var/lib/app.db")
	want.Organization.Sources = append(want.Organization.Sources, config.OrgSource{Kind: "host", Pattern: "{org}.example.com"},
		config.OrgSource{Kind: "path", Pattern: "/orgs/{org}/"})
	want.Rules = []config.Rule{
		{Path: "/sign-in", Access: "public"},
		{Path: "/api/auth/**", Access: "public"},
		{Path: "/public/**", Access: "public"},
		{Path: "/feed", Methods: []string{"GET"}, Access: "optional"},
		{
			Name: "admin", Host: "admin.example.com", Access: "required", Org: true, OrgRoles: []string{"owner", "admin"},
			Fresh: 15 * time.Minute,
		},
	}
	same(t, c, want)
}

func TestDisabledNeedsNothing(t *testing.T) {
	for _, variables := range []map[string]string{{"AUTH_ENABLED": "false"}, {"USHER_ENABLED": "0", "AUTH_ENABLED": "maybe"}} {
		if c := mustLoad(t, "", variables, nil); c.Enabled {
			t.Errorf("%v: enabled", variables)
		}
	}
	if c := mustLoad(t, "enabled: false\n", nil, nil); c.Enabled {
		t.Error("enabled: false: enabled")
	}
}

// A word that is neither yes nor no never switches the gate off.
func TestAnUnreadableSwitchStaysOn(t *testing.T) {
	for _, word := range []string{"flase", "disabled", "none", "2", "fals"} {
		variables := minimal()
		variables["AUTH_ENABLED"] = word
		c, problems := load("", variables, nil)
		if got, want := lines(problems), "env AUTH_ENABLED: enabled: \""+word+"\": must be true or false\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if !c.Enabled {
			t.Errorf("AUTH_ENABLED=%s switches the gate off", word)
		}
	}
}

func TestTheFileThatUSHER_CONFIGNames(t *testing.T) {
	disk := files{"/etc/usher.yaml": good + "log: {level: debug}\n"}
	c, problems := config.Load(config.Options{Environ: []string{"USHER_CONFIG=/etc/usher.yaml"}, ReadFile: disk.read})
	if len(problems) > 0 || c.Log.Level != "debug" {
		t.Errorf("level %s, problems %v", c.Log.Level, problems)
	}
	if c, _ := config.Load(config.Options{ReadFile: files{"usher.yaml": good, "./usher.yaml": good}.read}); c.BetterAuth.URL != "" {
		t.Error("a file nobody named was read")
	}
}
