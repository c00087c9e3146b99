package config_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/config"
)

// The file is the lowest, Better Auth's own variables are above it, USHER_ variables above them.
func TestWhoWins(t *testing.T) {
	const file = `better_auth: {url: https://file.example.com, secret: file-file-file-file-file-file-file, trusted_origins: [https://file.example.com]}
store: {url: postgres://file/app}
trusted_proxies: [10.0.0.1]
`
	c := mustLoad(t, file, nil, nil)
	if got := c.CurrentSecret().Reveal(); got != "file-file-file-file-file-file-file" {
		t.Errorf("file: secret %q", got)
	}
	plain := map[string]string{
		"BETTER_AUTH_SECRET": "plain-plain-plain-plain-plain-plain", "BETTER_AUTH_URL": "https://plain.example.com",
		"DATABASE_URL": "postgres://plain/app", "BETTER_AUTH_TRUSTED_ORIGINS": "https://a.example.com, https://b.example.com",
		"REDIS_URL": "redis://plain", "AUTH_ENABLED": "TRUE",
	}
	c = mustLoad(t, file, plain, nil)
	if c.CurrentSecret().Reveal() != plain["BETTER_AUTH_SECRET"] || c.BetterAuth.URL != plain["BETTER_AUTH_URL"] ||
		c.Store.URL.Reveal() != plain["DATABASE_URL"] || c.Redis.URL.Reveal() != plain["REDIS_URL"] ||
		!slices.Equal(c.BetterAuth.TrustedOrigins, []string{"https://a.example.com", "https://b.example.com"}) ||
		!slices.Equal(c.TrustedProxies, []string{"10.0.0.1"}) || !c.Enabled {
		t.Errorf("plain: %+v", c)
	}
	own := maps.Clone(plain)
	own["USHER_BETTER_AUTH_SECRET_FILE"] = "/run/secret"
	own["USHER_BETTER_AUTH_URL"] = "https://own.example.com"
	own["USHER_STORE_URL"] = "sqlite:///own.db"
	own["USHER_BETTER_AUTH_TRUSTED_ORIGINS"] = "https://own.example.com"
	own["USHER_TRUSTED_PROXIES"] = "10.0.0.2"
	own["USHER_ENABLED"] = "true"
	own["AUTH_ENABLED"] = "nonsense that does not count"
	own["DATABASE_URL_FILE"] = "/nor this"
	delete(own, "DATABASE_URL")
	c = mustLoad(t, file, own, files{"/run/secret": "own-own-own-own-own-own-own-own-own\r\n"})
	if c.CurrentSecret().Reveal() != "own-own-own-own-own-own-own-own-own" || c.BetterAuth.URL != "https://own.example.com" ||
		c.Store.URL.Reveal() != "sqlite:///own.db" || !slices.Equal(c.BetterAuth.TrustedOrigins, []string{"https://own.example.com"}) ||
		!slices.Equal(c.TrustedProxies, []string{"10.0.0.2"}) {
		t.Errorf("own: %+v", c)
	}
}

// A secret the environment overrides need not be there: a file for production may be run elsewhere.
func TestAnOverriddenReferenceIsNotRead(t *testing.T) {
	mustLoad(t, `better_auth: {url: https://app.example.com, secret: {file: /gone}}
store: {url: {env: NOT_SET}}
`, minimal(), nil)
}

func TestBetterAuthSecrets(t *testing.T) {
	const a, b, c = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccccccccccccccccc"
	cases := []struct {
		name, yaml string
		env        map[string]string
		disk       files
		current    string
		older      []string
		versions   []int
	}{
		{"several", "", map[string]string{"BETTER_AUTH_SECRETS": " 2: " + a + " , 1:" + b}, nil, a, []string{b}, []int{2, 1}},
		{
			"beside the legacy one", "",
			map[string]string{"BETTER_AUTH_SECRETS": "2:" + a + ",1:" + b, "BETTER_AUTH_SECRET": c},
			nil, a,
			[]string{b, c},
			[]int{2, 1, 0},
		},
		{
			"in files", "",
			map[string]string{"BETTER_AUTH_SECRETS_FILE": "/s", "BETTER_AUTH_SECRET_FILE": "/c"},
			files{"/s": "2:" + a + ",1:" + b + "\n", "/c": c + "\n"},
			a,
			[]string{b, c},
			[]int{2, 1, 0},
		},
		{
			"over the file", "better_auth: {secret: " + c + ", secrets: [" + c + "]}\n",
			map[string]string{"BETTER_AUTH_SECRETS": "1:" + a},
			nil, a, nil,
			[]int{1},
		},
		{
			"below our own", "",
			map[string]string{"BETTER_AUTH_SECRETS": "2:" + a + ",1:" + b, "USHER_BETTER_AUTH_SECRET": c},
			nil, c,
			[]string{a, b},
			[]int{2, 1},
		},
		{
			"in the file", "better_auth: {secret: " + a + ", secrets: [{version: 2, value: " + a + "}, {version: 1, value: {env: OLD}}, {file: /c}]}\n",
			map[string]string{"OLD": b},
			files{"/c": c},
			a,
			[]string{b, c},
			[]int{2, 1, 0},
		},
		{
			"our own list", "",
			map[string]string{"BETTER_AUTH_SECRET": a, "USHER_BETTER_AUTH_SECRETS": b + "," + c},
			nil, a,
			[]string{b, c},
			[]int{0, 0},
		},
		{
			"our own list as JSON", "", map[string]string{
				"BETTER_AUTH_SECRET": a, "USHER_BETTER_AUTH_SECRETS": `["` + b + `", {"version": 3, "value": {"env": "OLD"}}]`, "OLD": c,
			}, nil, a, []string{b, c}, []int{0, 3},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			env := map[string]string{"BETTER_AUTH_URL": "https://app.example.com", "DATABASE_URL": "sqlite:///x.db"}
			maps.Copy(env, tc.env)
			got := mustLoad(t, tc.yaml, env, tc.disk)
			var versions []int
			for _, s := range got.BetterAuth.Secrets {
				versions = append(versions, s.Version)
			}
			if got.CurrentSecret().Reveal() != tc.current || !slices.Equal(got.OlderSecrets(), tc.older) || !slices.Equal(versions, tc.versions) {
				t.Errorf("current %q, older %q, versions %v", got.CurrentSecret().Reveal(), got.OlderSecrets(), versions)
			}
		})
	}
	for _, bad := range []string{"hunter2", "1:hunter2,2:", "x:hunter2", ",", "-1:hunter2"} {
		env := minimal()
		env["BETTER_AUTH_SECRETS"] = bad
		_, problems := load("", env, nil)
		if got := lines(problems); !strings.HasPrefix(got, "env BETTER_AUTH_SECRETS: better_auth.secrets: must be number:secret") || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %s", bad, got)
		}
	}
}

// Whoever shares their environment with Better Auth is told, not stopped.
func TestProviderVariablesOfBetterAuth(t *testing.T) {
	env := minimal()
	env["GOOGLE_CLIENT_ID"], env["GOOGLE_CLIENT_SECRET"], env["GITHUB_CLIENT_SECRET_FILE"] = "id", "hunter3", "/github"
	c, problems := load("", env, files{"/github": "hunter4\n"})
	want := `warning: env GITHUB_CLIENT_SECRET_FILE: oauth.providers.github.client_id: is missing; the provider shows it where you registered this app
`
	if got := lines(problems); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if google, github := c.OAuth.Providers["google"], c.OAuth.Providers["github"]; google.ClientID != "id" ||
		google.ClientSecret.Reveal() != "hunter3" || github.ClientSecret.Reveal() != "hunter4" {
		t.Error("not read")
	}
	if got := c.SignInProviders(); len(got) != 1 || got["google"].ClientID != "id" || !c.Companion() {
		t.Errorf("%d providers, companion %v", len(got), c.Companion())
	}
	_, problems = load("oauth: {providers: {github: {scopes: [email]}}}\n", env, files{"/github": "hunter4\n"})
	if !config.Refused(problems) {
		t.Error("a provider of the file is only a warning")
	}
	env["DATABASE_URL"] = "redis://127.0.0.1"
	c, problems = load("", env, files{"/github": "hunter4\n"})
	if config.Refused(problems) || c.Companion() || !strings.Contains(lines(problems), "Better Auth keeps signing people in") {
		t.Errorf("without a database: companion %v, %s", c.Companion(), lines(problems))
	}
}

// Better Auth's numbers begin wherever somebody begins to count: 0 is one, and not the lack of one.
func TestTheNumberZeroIsANumber(t *testing.T) {
	const a, b = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	base := map[string]string{"BETTER_AUTH_URL": "https://app.example.com", "DATABASE_URL": "sqlite:///x.db"}
	plain := maps.Clone(base)
	plain["BETTER_AUTH_SECRETS"], plain["BETTER_AUTH_SECRET"] = "0:"+a, b
	for name, got := range map[string]*config.Config{
		"written":  mustLoad(t, "better_auth: {secret: "+a+", secrets: [{version: 0, value: "+a+"}, "+b+"]}\n", base, nil),
		"variable": mustLoad(t, "", plain, nil),
	} {
		list := got.BetterAuth.Secrets
		if len(list) != 2 || !list[0].Numbered() || list[0].Version != 0 || list[1].Numbered() || got.CurrentSecret().Reveal() != a {
			t.Errorf("%s: %+v", name, list)
		}
		var printed strings.Builder
		if err := got.Print(&printed); err != nil || !strings.Contains(printed.String(), "version: 0") {
			t.Errorf("%s: %v\n%s", name, err, printed.String())
		}
	}
}
