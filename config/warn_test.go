package config_test

import (
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	const open = `  - { path: /sign-in, access: public }
  - { path: /api/auth/**, access: public }
`
	const companion = "oauth: { providers: { google: { client_id: id, client_secret: secret } } }\n"
	for _, c := range []struct{ name, yaml, want string }{
		{"no rules: nothing is known of the host", "", ""},
		{"rules of another host only", "rules:\n  - { host: api.example.com, path: /public/**, access: public }\n", ""},
		{
			"sign-in behind the gate", "rules:\n  - { path: /public/**, access: public }\n",
			"usher.yaml:3:1: rules: if app.example.com is behind the gate, nobody without session could sign in there; begin with {path: \"/sign-in\", access: public} and {path: \"/api/auth/**\", access: public}\n",
		},
		{
			"sign-in behind a wildcard", "rules:\n  - { host: \"*.example.com\", path: /sign-in, access: public }\n",
			"usher.yaml:3:1: rules: if app.example.com is behind the gate, nobody without session could sign in there; begin with {path: \"/api/auth/**\", access: public}\n",
		},
		{"the companion's sign-in, of which the gate is not asked", companion + "rules:\n  - { path: /public/**, access: public }\n", ""},
		{
			"a page of one's own beside the companion", companion + "sign_in_url: /login\nrules:\n  - { path: /public/**, access: public }\n",
			"usher.yaml:5:1: rules: if app.example.com is behind the gate, nobody without session could sign in there; begin with {path: \"/login\", access: public}\n",
		},
		{"sign-in is open", "rules:\n" + open, ""},
		{"sign-in is elsewhere", "sign_in_url: https://id.example.com/\nrules:\n  - { path: /public/**, access: public }\n", ""},
		{"an optional sign-in page does", "rules:\n  - { access: optional }\n", ""},
		{
			"a demand on one path only", "rules:\n" + open + "  - { path: /admin, org_roles: [owner] }\n",
			"usher.yaml:6:13: rules[2].path: \"/admin\" does not cover what lies below it, where less is demanded; write \"/admin/**\" for both\n",
		},
		{
			"and a public rule below", "rules:\n" + open + "  - { path: /admin }\n  - { path: /**, access: public }\n",
			"usher.yaml:6:13: rules[2].path: \"/admin\" does not cover what lies below it, where less is demanded; write \"/admin/**\" for both\n",
		},
		{"below it the same is demanded", "rules:\n" + open + "  - { path: /admin }\n  - { path: /x, org: required }\n  - { org: true }\n", ""},
		{"the rest is covered", "rules:\n" + open + "  - { path: /admin, fresh: 1h }\n  - { path: /admin/*, fresh: 60m }\n", ""},
		{"a file is a file", "rules:\n" + open + "  - { path: /export.csv, org: required }\n", ""},
		{"everything below", "rules:\n" + open + "  - { name: admin, path: /admin/**, user_roles: [admin] }\n", ""},
		{
			"a door for callers, and none of them", "rules:\n" + open + "  - { path: /jobs/**, internal: true }\n",
			"usher.yaml:6:33: rules[2].internal: lets callers in, and internal.callers names none\n",
		},
		{
			"a door for callers that asks for a user's role", "internal: { callers: [ { name: a, token_sha256: [" + sixtyFour("a") + "] } ] }\nrules:\n" + open + "  - { path: /jobs/**, internal: true, org_roles: [owner], fresh: 1h }\n",
			"usher.yaml:7:33: rules[2].internal: lets no caller in as itself, for the rule has fresh, org_roles, which only a user can meet\n",
		},
		{
			"nobody may ask", "trusted_proxies: []\n",
			"usher.yaml:3:1: trusted_proxies: is empty, so nobody may ask and every request is refused; name your proxies\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := load(good+c.yaml, nil, nil)
			if got := strings.ReplaceAll(lines(problems), "warning: ", ""); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
			for _, p := range problems {
				if !p.Warning {
					t.Errorf("not a warning: %s", p)
				}
			}
		})
	}
}
