package config_test

import (
	"strings"
	"testing"
)

// Commands that need neither store nor secret tell what is missing from what is wrong.
func TestWhatIsMissing(t *testing.T) {
	_, problems := load("store: {}\nlisten: {http: x}\n", nil, nil)
	want := `usher.yaml:1:1: store.url: is missing
usher.yaml:2:16: listen.http: "x"
usher.yaml: better_auth.secret: is missing
usher.yaml: better_auth.url: is missing
`
	var got strings.Builder
	for _, p := range problems {
		text, _, _ := strings.Cut(p.String(), ";")
		text = strings.TrimSuffix(text, ": write host:port, :port for every address of this machine, or off")
		got.WriteString(text + "\n")
		if p.Missing != strings.Contains(text, "is missing") {
			t.Errorf("missing is %v: %s", p.Missing, p)
		}
	}
	if got.String() != want {
		t.Errorf("got:\n%s", got.String())
	}
}

// Every case is a whole file, or an environment, and everything that is said about it, in order.
func TestProblems(t *testing.T) {
	const rest = good
	cases := []struct {
		name, yaml string
		env        map[string]string
		disk       files
		want       string
	}{
		{name: "nothing at all", want: `
better_auth.secret: is missing; set BETTER_AUTH_SECRET, BETTER_AUTH_SECRET_FILE or better_auth.secret to Better Auth's own
better_auth.url: is missing; set BETTER_AUTH_URL, or better_auth.url, to the URL people use, as https://app.example.com
store.url: is missing; set DATABASE_URL, or store.url, to Better Auth's database: postgres://user:password@host:5432/database
`},
		{name: "many at once, in the order of the file", yaml: `store:
  url: "mysql://usher:hunter2@db.example.com/app"
  timeout: soon
  retries: 3
lisen: { http: ":1" }
better_auth:
  frobnicate: true
  cookiePrefix: acme
  url: app.example.com
  secret: hunter2
  session: { expires_in: 7 }
trusted_proxies:
  - 10.0.0.0/8
  - 0.0.0.0/0
rules:
  - { path: "no-slash", access: public }
  - { path: "/x", access: publik }
  - access: public
    org: true
cookie_prefix: acme
`, want: `
usher.yaml:2:8: store.url: its scheme is not known; Usher reads postgres://user:password@host:5432/database, sqlite:///path/to.db and redis://host:6379; for any other database give Better Auth's own API, as https://app.example.com/api/auth
usher.yaml:3:12: store.timeout: "soon": must be a duration, as 90s, 1.5h or 7d
usher.yaml:4:3: store.retries: unknown key; docs/configuration.md lists them
usher.yaml:5:1: lisen: unknown key; did you mean listen?
usher.yaml:7:3: better_auth.frobnicate: unknown key; docs/configuration.md lists them
usher.yaml:8:3: better_auth.cookiePrefix: unknown key; did you mean cookie_prefix?
usher.yaml:9:8: better_auth.url: write an absolute URL, as https://app.example.com
warning: usher.yaml:10:11: better_auth.secret: is shorter than 32 characters; make a new one in Better Auth and here: openssl rand -base64 32
usher.yaml:11:26: better_auth.session.expires_in: "7": must be a duration, as 90s, 1.5h or 7d
usher.yaml:14:5: trusted_proxies[1]: "0.0.0.0/0" trusts everybody, so anybody could choose who they are; name your proxies
usher.yaml:16:13: rules[0].path: "no-slash": must begin with /
usher.yaml:17:27: rules[1].access: "publik": must be required, optional or public; did you mean public?
usher.yaml:18:13: rules[2].access: a public rule asks nobody, so it cannot demand an organization, roles or freshness; use required
usher.yaml:20:1: cookie_prefix: unknown key; did you mean better_auth.cookie_prefix?
`},
		{name: "wrong kinds", yaml: rest + `listen: ":4480"
trusted_proxies: 10.0.0.0/8
redis: [a]
rules: {path: /x}
log: { level: [info], decisions: { allowed: many, refused: 2 } }
cache: { size: lots, ttl: -1s }
paths: { merge_slashes: perhaps }
headers: { names: [a], remove: "x y" }
organization: { sources: [header, second, {host: example.com}, {path: [x]}, {a: b, c: d}] }
`, want: `
usher.yaml:3:9: listen: must be a section of keys and values, not a single value
usher.yaml:4:18: trusted_proxies: must be a list, as [a, b], not a single value
usher.yaml:5:8: redis: must be a section of keys and values, not a list
usher.yaml:6:8: rules: must be a list, as [a, b], not a section
usher.yaml:7:15: log.level: must be a string, not a list
usher.yaml:7:45: log.decisions.allowed: "many": must be a number
usher.yaml:7:60: log.decisions.refused: 2: must be a share from 0 to 1; 0.01 is one in a hundred
usher.yaml:8:16: cache.size: "lots": must be a whole number
usher.yaml:8:27: cache.ttl: -1s: must not be negative
usher.yaml:9:25: paths.merge_slashes: "perhaps": must be true or false
usher.yaml:10:19: headers.names: must be a section of keys and values, not a list
usher.yaml:10:32: headers.remove: must be a list, as [a, b], not a single value
usher.yaml:11:35: organization.sources[1]: must be header, active, first, {host: "{org}.example.com"} or {path: "/orgs/{org}/"}
usher.yaml:11:50: organization.sources[2]: "example.com": write it as {org}.example.com, without port
usher.yaml:11:71: organization.sources[3]: must be a pattern, not a list
usher.yaml:11:77: organization.sources[4]: must be header, active, first, {host: "{org}.example.com"} or {path: "/orgs/{org}/"}
`},
		{name: "twice, empty, merged, tagged, and a key that is none", yaml: rest + `log:
  level: info
  format:
  level: warn
cache: { size: !!binary aGk= }
listen: { <<: {http: ":1"}, ? [a] : b }
trusted_proxies: [10.0.0.0/8, ]
rules: [ ~ ]
sign_in_url:
organization:
`, want: `
usher.yaml:5:3: log.format: has no value; give it one, or leave the key out for the default
usher.yaml:6:3: log.level: is there twice; the first is in line 4
usher.yaml:7:16: cache.size: YAML tags (!) are not read; put the value in quotes
usher.yaml:8:11: listen: merge keys (<<) are not read; write the keys out
usher.yaml:8:31: listen: a key must be a word
usher.yaml:10:10: rules[0]: is empty; give it a value, or remove it
usher.yaml:11:1: sign_in_url: has no value; give it one, or leave the key out for the default
`},
		{name: "an alias is a value like any other", yaml: rest + `rules:
  - { host: x.example.com, path: /a, access: &who required }
  - { path: /b/*, host: x.example.com, access: *who }
`, want: ``},
		{name: "no YAML", yaml: "store: {url: x\n", want: `
usher.yaml:2:1: not YAML: did not find expected ',' or '}'
`},
		{name: "an unquoted star does not show the secret", yaml: "better_auth:\n  secret: *hunter2\n", want: `
usher.yaml:2:11: not YAML: an alias (*…) without its anchor; put values that begin with * in quotes
`},
		{name: "a colon without its space does not show the secret", yaml: "better_auth: {secret:hunter2}\nstore: {postgres://usher:hunter2@db/app}\nheaders: {names: {a=hunter2: X}}\n", env: minimal(), want: `
usher.yaml:1:15: better_auth.secret…: put a space behind the colon
usher.yaml:2:9: store.postgres…: unknown key; docs/configuration.md lists them
usher.yaml:3:19: headers.names.a…: no such field
`},
		{name: "two documents", yaml: rest + "---\nlog: {level: info}\n", want: `
usher.yaml:3:1: a second YAML document begins here; put everything into one
`},
		{name: "not a mapping", yaml: "BETTER_AUTH_SECRET=hunter2\n", want: `
usher.yaml:1:1: must be a section of keys and values, not a single value
`},
		{name: "an empty file", yaml: "# nothing yet\n", env: minimal(), want: ``},
		{name: "store", yaml: `better_auth: {url: "https://app.example.com", secret: ` + goodSecret + `}
store:
  url: redis://cache.example.com
  timeout: 2s
  secondary: { url: "redis://cache.example.com", prefix: "x:", store_session_in_database: true }
redis: { url: "cache.example.com:6379" }
`, want: `
usher.yaml:4:12: store.timeout: 2s: must be more than 0 and less than 2s, because the gate answers within 2s
usher.yaml:5:21: store.secondary.url: store.url is a Redis already; remove this one, or let store.url be Better Auth's database
usher.yaml:6:15: redis.url: write it as redis://host:6379, rediss://… for TLS, redis+sentinel://host:26379/name or redis+cluster://host:7000,host:7001
`},
		{name: "where sessions live", yaml: `better_auth: {url: "https://app.example.com", secret: ` + goodSecret + `}
store:
  url: postgres://db/app
  secondary: { prefix: "a b", store_session_in_database: true, preserve_session_in_database: true }
cache: { ttl: 2h, ttl_unnotified: 2m }
`, want: `
usher.yaml:4:24: store.secondary.prefix: holds white space; write Better Auth's keyPrefix as it is there
usher.yaml:4:58: store.secondary.store_session_in_database: says how sessions live in a database and a Redis; set store.secondary.url to the Redis, or remove this key
usher.yaml:4:94: store.secondary.preserve_session_in_database: says how sessions live in a database and a Redis; set store.secondary.url to the Redis, or remove this key
usher.yaml:5:15: cache.ttl: 2h: write 1h at most; a longer memory saves nothing
usher.yaml:5:35: cache.ttl_unnotified: 2m: a revoked session may pass as long as that; write 1m at most
`},
		{name: "business rows", yaml: rest + `provision:
  store: { url: "redis://cache" }
  users: { table: "a.", id: id, columns: { id: email, "": name, image: "" }, values: { plan: free, id: x } }
  organizations: { table: organizations, id: id, auth_id: auth_org_id, update: true, owner: id }
  members: { table: app.members, user: user_id, organization: user_id }
`, want: `
usher.yaml:4:17: provision.store.url: business rows are made in PostgreSQL or SQLite; write postgres://user:password@host:5432/database or sqlite:///path/to.db
usher.yaml:5:3: provision.users.auth_id: is missing; name the column
usher.yaml:5:19: provision.users.table: "a.": write the name of a table, or schema.table
usher.yaml:5:44: provision.users.columns.id: column "id" is provision.users.id already
usher.yaml:5:55: provision.users.columns: a key must be a word
usher.yaml:5:65: provision.users.columns.image: "": name a field of Better Auth's, as in email
usher.yaml:5:100: provision.users.values.id: column "id" is provision.users.id already
usher.yaml:6:80: provision.organizations.update: there is nothing to follow; name columns, or remove this key
usher.yaml:6:93: provision.organizations.owner: column "id" is provision.organizations.id already
usher.yaml:7:40: provision.members.user: column "user_id" is provision.members.organization already
`},
		{name: "no business users", yaml: rest + `headers: { ids: business }
provision:
  store: { url: "sqlite:///business.db" }
  users: { id: id, columns: { email: email } }
  organizations: { table: organizations, id: id, auth_id: auth_id, owner: owner_id }
  members: { table: members, user: u, organization: o }
`, want: `
usher.yaml:3:17: headers.ids: business: nobody has a business id; name the table in provision.users
usher.yaml:5:17: provision.store.url: no row is made in it; name a table in provision.users, or remove this key
usher.yaml:6:3: provision.users.table: is missing; without it no row is made
usher.yaml:7:3: provision.organizations: organizations are made for users; name the table of users in provision.users
usher.yaml:8:3: provision.members: a membership is of a business user in a business organization; name their tables in provision.users and provision.organizations
`},
		{name: "business rows without tables", yaml: strings.Replace(rest, "postgres://", "redis://", 1) + `provision:
  users: { table: users, id: id, auth_id: auth_id, columns: { email: email, picture: image } }
  organizations: { table: organizations, id: id, auth_id: auth_id, owner: owner_id }
`, want: `
usher.yaml:3:1: provision.store.url: is missing: the storage of sessions, of the kind redis, has no tables
usher.yaml:4:77: provision.users.columns.picture: a storage of the kind redis has no tables, so only these fields are known: id, name, email, emailVerified, role
usher.yaml:5:75: provision.organizations.owner: a storage of the kind redis has no table of members, so nobody could say who that is
`},
		{name: "internal callers", yaml: strings.Replace(rest, "postgres://", "redis://", 1) + `listen: { grpc: off }
headers: { names: { user_id: "" } }
rules:
  - { name: jobs, path: /jobs/**, internal: true }
  - { path: /pages/**, access: public, internal: true }
  - { path: /more/**, internal: maybe }
internal:
  callers:
    - { name: agent }
    - { name: "a b", token_sha256: [` + sixtyFour("a") + `, ` + sixtyFour("A") + `, abc] }
    - { name: agent, token_sha256: [` + sixtyFour("b") + `], rules: [jbos, ""], users: [""], organizations: [" o1"] }
    - { name: leaked, token_sha256: [ushi_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA] }
    - { name: mesh, spiffe: ["spiffe://*/x", prod/x, "spiffe://prod/x"], tokens: [] }
`, want: `
usher.yaml:7:50: rules[1].internal: a public rule asks nobody, so it cannot tell callers from others; use optional or required
usher.yaml:8:33: rules[2].internal: "maybe": must be true or false
usher.yaml:10:3: internal.callers: no header carries user_id, so a caller could name nobody; give it a name in headers.names
usher.yaml:10:3: internal.callers: a storage of the kind redis finds people by their sessions only; a caller can name users where store.url is a database
usher.yaml:11:7: internal.callers[0]: "agent" has neither token_sha256 nor spiffe, so nobody could prove to be it
usher.yaml:12:15: internal.callers[1].name: "a b": use letters, digits, -, _ and .
usher.yaml:12:22: internal.callers[1].token_sha256: 3 hashes; write two at most, the old one and the new one
usher.yaml:12:22: internal.callers[1].token_sha256: AAAAAAAA… is there twice; each token is one caller's
usher.yaml:12:22: internal.callers[1].token_sha256: write the 64 hexadecimal digits that ` + "`" + `usher internal add` + "`" + ` printed
usher.yaml:13:15: internal.callers[2].name: "agent" names two callers
usher.yaml:13:112: internal.callers[2].rules[0]: "jbos": no rule has this name; did you mean jobs?
usher.yaml:13:118: internal.callers[2].rules[1]: "": no rule has this name
usher.yaml:13:131: internal.callers[2].users[0]: "": write an id, without spaces around it
usher.yaml:13:152: internal.callers[2].organizations[0]: " o1": write an id, without spaces around it
usher.yaml:14:23: internal.callers[3].token_sha256: this is a token itself; write its SHA-256, and make a new one with ` + "`" + `usher internal add` + "`" + `, for this one was shown
usher.yaml:15:21: internal.callers[4].spiffe: "spiffe://*/x": a trust domain has lower-case letters, digits, -, . and _, and no *
usher.yaml:15:21: internal.callers[4].spiffe: "prod/x": write it as spiffe://trust-domain/path
usher.yaml:15:21: internal.callers[4].spiffe: only Envoy's gRPC ext_authz reports certificates, and listen.grpc is off
usher.yaml:15:74: internal.callers[4].tokens: unknown key; docs/configuration.md lists them
`},
		{name: "providers", yaml: rest + `oauth: { providers: {
  googel: { client_id: x, client_secret: y },
  acme: { discovery_url: "http://id.example.com/x", authentication: digest },
  "a/b": { client_id: x, discovery_url: "https://id.example.com" },
  here: { client_id: x, client_secret: y, discovery_url: "http://127.0.0.1:9000/x" },
  salesforce: { client_id: x, client_secret: y, discovery_url: "https://id.example.com", login_url: "https://acme.my.salesforce.com", access_token_expires_in: -1s },
  github: { client_id: x, client_secret: y, allow_idp_initiated: true },
  google: { client_id: x, client_secret: { file: /gone }, pkce: false } } }
`, want: `
usher.yaml:4:3: oauth.providers.googel: is not built in; did you mean google?; for any OpenID Connect provider set discovery_url
usher.yaml:5:3: oauth.providers.acme.client_id: is missing; the provider shows it where you registered this app
warning: usher.yaml:5:3: oauth.providers.acme.client_secret: is missing; most providers refuse to exchange a code without it
usher.yaml:5:26: oauth.providers.acme.discovery_url: must be https, for secrets and identities travel there; plain http is for this machine's own addresses only
usher.yaml:5:69: oauth.providers.acme.authentication: "digest": must be post or basic
usher.yaml:6:3: oauth.providers.a…: a provider's name has letters, digits, - and _
usher.yaml:8:101: oauth.providers.salesforce.login_url: "https://acme.my.salesforce.com": write a host, as acme.my.salesforce.com
usher.yaml:8:160: oauth.providers.salesforce.access_token_expires_in: must not be negative
usher.yaml:9:66: oauth.providers.github.allow_idp_initiated: github begins no sign-ins of its own; remove it
usher.yaml:10:27: oauth.providers.google.client_secret: there is no such file
warning: usher.yaml:10:65: oauth.providers.google.pkce: without PKCE, a code that leaks on the way can be used by whoever finds it
`},
		{name: "an API in the place of the gate", yaml: `better_auth: { url: "https://app.example.com/gate", secret: 0123456789abcdef0123456789abcdef }
store: { url: "postgres://db/app" }
oauth: { providers: { google: { client_id: x, client_secret: y } } }
`, want: `
usher.yaml:1:21: better_auth.url: the API below /gate would take the place of Usher's own /gate; choose another path
`},
		{name: "secrets", yaml: `better_auth:
  url: https://app.example.com
  secret: better-auth-secret-12345678901234567890
  secrets: [ {file: /gone}, {env: NOT_THERE}, {path: hunter2}, [hunter2], (redacted), {file: /empty}, {version: -1, value: hunter2} ]
store: { url: { file: /run/url } }
`, disk: files{"/empty": "\n", "/run/url": "postgres://usher:hun#ter2@db.example.com/app\n"}, want: `
usher.yaml:3:11: better_auth.secret: is Better Auth's built-in default, which everybody knows; make a new one: openssl rand -base64 32
usher.yaml:4:14: better_auth.secrets[0]: there is no such file
usher.yaml:4:29: better_auth.secrets[1]: env: this variable is not set
usher.yaml:4:47: better_auth.secrets[2]: must be a string, {file: /path} or {env: NAME}
usher.yaml:4:64: better_auth.secrets[3]: must be a string, {file: /path} or {env: NAME}
usher.yaml:4:75: better_auth.secrets[4]: is (redacted), which ` + "`usher config print`" + ` writes instead of a secret; put the secret here, or {file: …} or {env: …}
usher.yaml:4:87: better_auth.secrets[5]: the file is empty
usher.yaml:4:103: better_auth.secrets[6].version: must not be negative
usher.yaml:5:10: store.url: is not a valid URL; percent-encode what is special in the password (@ is %40, / is %2F, ? is %3F, # is %23, % is %25)
`},
		{name: "names", yaml: rest + `headers:
  preset: oauth2_proxy
  names: { user_id: X_User_Id, user_mail: X-Mail, user_name: X-User-Email, org_name: X-Envoy-Org }
  remove: [X-User-Id, "a b", x_user_id, host]
organization: { header: Authorization }
listen: { http: "4480", grpc: "127.0.0.1:4482" }
`, want: `
usher.yaml:4:11: headers.preset: "oauth2_proxy": must be usher, oauth2-proxy, authelia, authentik or grafana; did you mean oauth2-proxy?
usher.yaml:5:12: headers.names.user_id: "X_User_Id": use letters, digits and - only; backends confuse the rest with -
usher.yaml:5:32: headers.names.user_mail: no such field; did you mean user_email?
usher.yaml:5:51: headers.names.user_name: header X-User-Email already carries user_email
usher.yaml:5:76: headers.names.org_name: "X-Envoy-Org" means something else already; choose another name
usher.yaml:6:23: headers.remove[1]: "a b": no header that can be removed has this name
usher.yaml:6:41: headers.remove[3]: "host": no header that can be removed has this name
usher.yaml:7:25: organization.header: "Authorization" means something else already; choose another name
usher.yaml:8:17: listen.http: "4480": write host:port, :port for every address of this machine, or off
usher.yaml:8:31: listen.grpc: "127.0.0.1:4482" is taken by listen.ops; choose another port
`},
		{name: "tables, cookies, origins", yaml: `store: {url: postgres://db.example.com/app}
sign_in_url: //evil.example.com
better_auth:
  url: https://*.example.com
  secret: ` + goodSecret + `
  tables:
    time_zone: "Europe/Berlin'; --"
    preset: camelCase
    user: { fields: { emailVerifed: email_verified, name: "", email: mail, image: mail } }
    users: { model_name: users }
  cookie_prefix: "a b"
  secure_cookies: sometimes
  cookies: { session_token: { name: __Secure-sid } }
  advanced: { cookiePrefix: x }
  trusted_origins: [ "https://app.example.com/path", "https://usher:hunter2@app.example.com", "https://*", app.example.com, "myapp://", "https://App.example.com:443/" ]
`, want: `
usher.yaml:2:14: sign_in_url: write an absolute URL, as https://app.example.com, or a path, as /sign-in
usher.yaml:4:8: better_auth.url: write an absolute URL, as https://app.example.com
usher.yaml:7:16: better_auth.tables.time_zone: "Europe/Berlin'; --": write a zone's name, as UTC or Europe/Berlin
usher.yaml:8:13: better_auth.tables.preset: "camelCase": must be snake_case
usher.yaml:9:23: better_auth.tables.user.fields.emailVerifed: Usher knows no such field of user; did you mean emailVerified?; leave out what your own plugins add
usher.yaml:9:53: better_auth.tables.user.fields.name: has no column; write its name, or leave the field out
usher.yaml:9:76: better_auth.tables.user.fields.image: column "mail" already holds email
usher.yaml:10:5: better_auth.tables.users: unknown key; did you mean user?
usher.yaml:11:18: better_auth.cookie_prefix: "a b": a cookie's name has letters, digits, -, _ and .
usher.yaml:12:19: better_auth.secure_cookies: "sometimes": must be auto, true or false
warning: usher.yaml:13:37: better_auth.cookies.session_token.name: write it without __Secure-, which browsers show because of https; secure_cookies adds it
usher.yaml:14:3: better_auth.advanced: unknown key; members of Better Auth's ` + "`advanced`" + ` stand directly below better_auth
warning: usher.yaml:15:22: better_auth.trusted_origins[0]: "https://app.example.com/path" matches nothing, as in Better Auth: an origin has no path; remove it
usher.yaml:15:54: better_auth.trusted_origins[1]: an origin is scheme://host[:port], without user name or password
warning: usher.yaml:15:95: better_auth.trusted_origins[2]: "https://*" trusts every site there is; name your own
warning: usher.yaml:15:108: better_auth.trusted_origins[3]: "app.example.com" matches nothing, as in Better Auth; write https://app.example.com
warning: usher.yaml:15:137: better_auth.trusted_origins[5]: "https://App.example.com:443/" matches nothing when people sign in, as in Better Auth, though the gate reads it; write https://app.example.com
`},
		{name: "sliding expiry of sessions elsewhere", yaml: `better_auth: {url: "https://app.example.com", secret: ` + goodSecret + `, session: {refresh: true}}
store: {url: "postgres://db/app", secondary: {url: "redis://cache"}}
`, want: `
usher.yaml:1:108: better_auth.session.refresh: does not reach sessions that live in store.secondary; let Better Auth refresh them
`},
		{name: "sliding expiry", yaml: `store: {url: redis://cache.example.com}
better_auth:
  secret: ` + goodSecret + `
  secure_cookies: true
  session: { refresh: true, expires_in: 401d, update_age: -1s }
  cross_sub_domain_cookies: { enabled: true }
  default_cookie_attributes: { same_site: Lax, path: "/;x", http_only: sometimes, max_age: 5 }
  cookies: { session_token: { attributes: { domain: "a b" } }, dont_remember: { name: __Secure-x } }
sign_in_url: https://app.example.com/sign-in
`, want: `
usher.yaml:5:23: better_auth.session.refresh: needs store.url to be Better Auth's database, PostgreSQL or SQLite, or Better Auth itself
usher.yaml:5:41: better_auth.session.expires_in: 9624h: with session.refresh it is that of a cookie, 1s to 400d
usher.yaml:5:59: better_auth.session.update_age: -1s: must not be negative
usher.yaml:6:3: better_auth.cross_sub_domain_cookies.domain: is empty, and so is better_auth.url, whose host it would be
usher.yaml:7:43: better_auth.default_cookie_attributes.same_site: "Lax": must be auto, lax, strict or none; did you mean lax?
usher.yaml:7:54: better_auth.default_cookie_attributes.path: "/;x": cannot be part of a cookie
usher.yaml:7:72: better_auth.default_cookie_attributes.http_only: "sometimes": must be auto, true or false
usher.yaml:7:83: better_auth.default_cookie_attributes.max_age: unknown key; docs/configuration.md lists them
usher.yaml:8:53: better_auth.cookies.session_token.attributes.domain: "a b": cannot be part of a cookie
warning: usher.yaml:8:87: better_auth.cookies.dont_remember.name: write it without __Secure-, which browsers show because of https; secure_cookies adds it
`},
		{name: "variables", env: map[string]string{
			"BETTER_AUTH_SECRET": goodSecret, "BETTER_AUTH_SECRET_FILE": "hunter2", "BETTER_AUTH_URL": "https://usher:hunter2@app.example.com",
			"DATABASE_URL_FILE": "/gone", "USHER_STORE_TIMEOUT": "soon", "USHER_STOER_URL": "x", "USHER_LISTEN_HTTP_FILE": "x",
			"USHER_RULES": "[{path: x}, {path: /a, acess: public}]", "USHER_TRUSTED_PROXIES": "10.0.0.0/8, ::/0",
			"USHER_HEADERS_NAMES": "{user_id: X-Id", "USHER_CONFIG": "", "USHER_LOG_LEVEL": "",
			"USHER_SERVICE_HOST": "10.0.0.1", "USHER_SERVICE_PORT_HTTP": "4480", "USHER_PORT": "tcp://10.0.0.1:4480",
			"USHER_GATE_PORT_4480_TCP_PORT": "4480", "USHER_PORT_4480_TCP": "tcp://10.0.0.1:4480", "USHER_LISTEN_PORT": "4480",
		}, want: `
env BETTER_AUTH_SECRET: better_auth.secret: BETTER_AUTH_SECRET_FILE is set too; keep one of them
env BETTER_AUTH_URL: better_auth.url: cannot hold a user name or password; remove them
env DATABASE_URL_FILE: store.url: there is no such file
env USHER_HEADERS_NAMES: not YAML: did not find expected ',' or '}'
env USHER_LISTEN_HTTP_FILE: only secrets are read from files; set USHER_LISTEN_HTTP
env USHER_LISTEN_PORT: unknown variable; did you mean USHER_LISTEN_OPS?
env USHER_RULES: rules[0].path: "x": must begin with /
env USHER_RULES: rules[1].acess: unknown key; did you mean access?
env USHER_STOER_URL: unknown variable; did you mean USHER_STORE_URL?
env USHER_STORE_TIMEOUT: "soon": must be a duration, as 90s, 1.5h or 7d
env USHER_TRUSTED_PROXIES: trusted_proxies[1]: "::/0" trusts everybody, so anybody could choose who they are; name your proxies
`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, problems := load(c.yaml, c.env, c.disk)
			got := lines(problems)
			if want := strings.TrimPrefix(c.want, "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if strings.Contains(got, "hunter2") || strings.Contains(got, "hun#ter2") {
				t.Error("a secret is shown")
			}
		})
	}
}

// sixtyFour is as long as a hash in hex.
func sixtyFour(digit string) string { return strings.Repeat(digit, 64) }
