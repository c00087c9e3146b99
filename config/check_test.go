package config_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/usherauth/usher/config"
)

// Single values, each in an otherwise good configuration. An empty want is a good value.
func TestValues(t *testing.T) {
	const (
		badURL   = "env USHER_STORE_URL: is not a valid URL; percent-encode what is special in the password (@ is %40, / is %2F, ? is %3F, # is %23, % is %25)"
		noScheme = "env USHER_STORE_URL: its scheme is not known; Usher reads postgres://user:password@host:5432/database, sqlite:///path/to.db and redis://host:6379; for any other database give Better Auth's own API, as https://app.example.com/api/auth"
		absolute = "write an absolute URL, as https://app.example.com"
		address  = "write host:port, :port for every address of this machine, or off"
	)
	for _, c := range []struct{ variable, value, want string }{
		{"USHER_STORE_URL", "postgres://u:p@a:5432,b:5432/app?sslmode=verify-full", ""},
		{"USHER_STORE_URL", "postgresql:///app?host=/run/postgresql", ""},
		{"USHER_STORE_URL", "file:app.db?mode=ro", ""},
		{"USHER_STORE_URL", "sqlite://", "env USHER_STORE_URL: has no path; write sqlite:///path/to.db"},
		{"USHER_STORE_URL", "postgres:app", "env USHER_STORE_URL: write it as postgres://user:password@host:5432/database"},
		{"USHER_STORE_URL", "postgres://u:hunter%zz@db/app", badURL},
		{"USHER_STORE_URL", "postgres://u:hunter#x@db/app", badURL},
		{"USHER_STORE_URL", "postgres://u:hunter@x@db/app", badURL},
		{"USHER_STORE_URL", "postgres://u:hunter/x@db/app", badURL},
		{"USHER_STORE_URL", "mongodb://db", noScheme},
		{"USHER_STORE_URL", "host=db password=hunter2", "env USHER_STORE_URL: is no URL; write postgres://user:password@host:5432/database or sqlite:///path/to.db"},
		{"USHER_STORE_URL", "https://app.example.com/api/auth", ""},
		{"USHER_STORE_URL", "https://u:hunter2@app.example.com/api/auth", "env USHER_STORE_URL: write the URL of Better Auth's API, as https://app.example.com/api/auth, without user name, password or query"},
		{"USHER_STORE_URL", "rediss+sentinel://:hunter2@a:26379,b:26379/main", ""},
		{"USHER_STORE_URL", "sqlite:x.db ", "env USHER_STORE_URL: begins or ends in white space; remove it"},
		{"USHER_STORE_TIMEOUT", "1999ms", ""},
		{"USHER_STORE_TIMEOUT", "0", "env USHER_STORE_TIMEOUT: 0s: must be more than 0 and less than 2s, because the gate answers within 2s"},
		{"USHER_STORE_TIMEOUT", "1", "env USHER_STORE_TIMEOUT: \"1\": must be a duration, as 90s, 1.5h or 7d"},
		{"USHER_BETTER_AUTH_SESSION_EXPIRES_IN", "1d12h", ""},
		{"USHER_BETTER_AUTH_SESSION_EXPIRES_IN", "7days", "env USHER_BETTER_AUTH_SESSION_EXPIRES_IN: \"7days\": must be a duration, as 90s, 1.5h or 7d"},
		{"USHER_BETTER_AUTH_SESSION_EXPIRES_IN", "-1h", "env USHER_BETTER_AUTH_SESSION_EXPIRES_IN: -1h: must be more than 0"},
		{"USHER_BETTER_AUTH_SESSION_EXPIRES_IN", "1e9d", "env USHER_BETTER_AUTH_SESSION_EXPIRES_IN: \"1e9d\": must be a duration, as 90s, 1.5h or 7d"},
		{"USHER_BETTER_AUTH_URL", "https://app.example.com:8443/api/auth", ""},
		{"USHER_BETTER_AUTH_URL", "http://[::1]:3000", ""},
		{"USHER_BETTER_AUTH_URL", "app.example.com", "env USHER_BETTER_AUTH_URL: " + absolute},
		{"USHER_BETTER_AUTH_URL", "https://", "env USHER_BETTER_AUTH_URL: " + absolute},
		{"USHER_BETTER_AUTH_URL", "https://*.example.com", "env USHER_BETTER_AUTH_URL: " + absolute},
		{"USHER_BETTER_AUTH_URL", "ftp://app.example.com", "env USHER_BETTER_AUTH_URL: " + absolute},
		{"USHER_BETTER_AUTH_URL", "https://app.example.com/#x", "env USHER_BETTER_AUTH_URL: cannot hold a fragment (#…); remove it"},
		{"USHER_SIGN_IN_URL", "/login?from=gate", ""},
		{"USHER_SIGN_IN_URL", "login", "env USHER_SIGN_IN_URL: " + absolute + ", or a path, as /sign-in"},
		{"USHER_SIGN_IN_URL", "/\\evil.example.com", "env USHER_SIGN_IN_URL: " + absolute + ", or a path, as /sign-in"},
		{"USHER_SIGN_IN_URL", "javascript:alert(1)", "env USHER_SIGN_IN_URL: " + absolute + ", or a path, as /sign-in"},
		{"USHER_LISTEN_HTTP", "[::1]:4480", ""},
		{"USHER_LISTEN_HTTP", "off", ""},
		{"USHER_LISTEN_HTTP", "localhost:0", ""},
		{"USHER_LISTEN_HTTP", "localhost", "env USHER_LISTEN_HTTP: \"localhost\": " + address},
		{"USHER_LISTEN_HTTP", ":65536", "env USHER_LISTEN_HTTP: \":65536\": " + address},
		{"USHER_LISTEN_HTTP", "::1:80", "env USHER_LISTEN_HTTP: \"::1:80\": " + address},
		{"USHER_LISTEN_HTTP", "[::1:80", "env USHER_LISTEN_HTTP: \"[::1:80\": " + address},
		{"USHER_LISTEN_HTTP", "http://localhost:80", "env USHER_LISTEN_HTTP: \"http://localhost:80\": " + address},
		{"USHER_LISTEN_HTTP", ":4482", "env USHER_LISTEN_HTTP: \":4482\" is taken by listen.ops; choose another port"},
		{"USHER_TRUSTED_PROXIES", "proxy.example.com", "env USHER_TRUSTED_PROXIES: trusted_proxies[0]: \"proxy.example.com\": write an address or a prefix such as 10.0.0.0/8"},
		{"USHER_TRUSTED_PROXIES", "usher:hunter2@proxy", "env USHER_TRUSTED_PROXIES: trusted_proxies[0]: write an address or a prefix, as 10.0.0.0/8"},
		{"USHER_ORGANIZATION_SOURCES", "active, first", ""},
		{"USHER_ORGANIZATION_SOURCES", "[{path: /orgs/}]", "env USHER_ORGANIZATION_SOURCES: organization.sources[0]: \"/orgs/\": write it as /orgs/{org}/"},
		{"USHER_BETTER_AUTH_TABLES", "snake_case", ""},
		{"USHER_BETTER_AUTH_TABLES", "{user: {model_name: users}}", ""},
		{"USHER_LOG_DECISIONS_ALLOWED", "NaN", "env USHER_LOG_DECISIONS_ALLOWED: NaN: must be a share from 0 to 1; 0.01 is one in a hundred"},
		{"USHER_CACHE_SIZE", "-1", "env USHER_CACHE_SIZE: -1: must not be negative"},
		{"USHER_RULES", "[{host: x.example.com, org_roles: [\"owner,admin\"]}]", "env USHER_RULES: rules[0].org_roles[0]: \"owner,admin\": write roles one each, without spaces around them"},
		{"USHER_RULES", "[{host: x.example.com, org: maybe}]", "env USHER_RULES: rules[0].org: must be required, or left out"},
		{"USHER_RULES", "{", "env USHER_RULES: not YAML: did not find expected node content"},
		{"REDIS_URL", "redis://:hunter2@cache", ""},
	} {
		_, problems := load(good, map[string]string{c.variable: c.value}, nil)
		got := strings.TrimSuffix(lines(problems), "\n")
		if got != c.want {
			t.Errorf("%s=%s\ngot  %s\nwant %s", c.variable, c.value, got, c.want)
		}
		if strings.Contains(got, "hunter") {
			t.Errorf("%s: a secret is shown", c.value)
		}
	}
}

func TestBothListenersOff(t *testing.T) {
	_, problems := load(good+"listen: { http: off, grpc: \"\" }\n", nil, nil)
	if got, want := lines(problems), "usher.yaml:3:1: listen: http and grpc are both off, so no proxy could ask; switch one on\n"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestOrganizationHeaderOff(t *testing.T) {
	_, problems := load(good+"organization: { header: \"\" }\n", nil, nil)
	if got, want := lines(problems), "usher.yaml:3:1: organization.sources[0]: organization.header is empty, so no header can be asked; set it, or remove this source\n"; got != want {
		t.Errorf("got %s", got)
	}
}

// The name of a file may be a secret that was put in the wrong place, so no message holds it.
func TestUnreadableFiles(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fs.ErrNotExist, "there is no such file"},
		{fs.ErrPermission, "the file may not be read by this user"},
		{errors.New("is a directory"), "the file cannot be read: is a directory"},
	} {
		read := func(name string) ([]byte, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: c.err} }
		_, problems := config.Load(config.Options{Path: "usher.yaml", ReadFile: read})
		if got, want := lines(problems), "usher.yaml: "+c.want+"\n"; got != want {
			t.Errorf("got %s", got)
		}
		env := minimal()
		delete(env, "BETTER_AUTH_SECRET")
		env["BETTER_AUTH_SECRET_FILE"] = "hunter2"
		env["USHER_BETTER_AUTH_SECRETS_FILE"] = "hunter2"
		_, problems = config.Load(config.Options{Environ: environ(env), ReadFile: read})
		want := "env BETTER_AUTH_SECRET_FILE: better_auth.secret: " + c.want + "\nenv USHER_BETTER_AUTH_SECRETS_FILE: better_auth.secrets: " + c.want + "\n"
		if got := lines(problems); got != want {
			t.Errorf("got %s", got)
		}
	}
}
