package config

import "time"

// Config is the whole configuration. Make one with Load, or with Default in tests; the zero value trusts nobody and
// demands a session everywhere, but has no store. The comments of its fields are the reference page.
//
// Tags: `enum` lists the words a string may be; `idle` marks a key that does nothing in this version and harms nobody, for
// the reference page.
type Config struct {
	// Whether anything is checked. `false` lets every request pass as nobody (identity headers are still removed), and
	// needs neither store nor secret.
	Enabled bool `yaml:"enabled"`

	Listen Listen `yaml:"listen"`

	// Who may ask the gate, over HTTP and gRPC, and say what the original request was: addresses and prefixes. Anyone
	// else gets 403 `UNTRUSTED_PROXY`. An empty list trusts nobody; `0.0.0.0/0` and `::/0` are refused.
	TrustedProxies []string `yaml:"trusted_proxies"`

	// Where a browser without session is led, with `callbackURL` added: an absolute URL, or a path on the origin of
	// `better_auth.url`. Empty: `/sign-in` there.
	SignInURL string `yaml:"sign_in_url"`

	Store        Store        `yaml:"store"`
	Redis        Redis        `yaml:"redis"`
	BetterAuth   BetterAuth   `yaml:"better_auth"`
	Organization Organization `yaml:"organization"`
	Headers      Headers      `yaml:"headers"`

	// Who may pass where. The first rule that matches host, path and method decides; where none matches, a session is
	// demanded.
	Rules []Rule `yaml:"rules"`

	Paths     Paths     `yaml:"paths"`
	OAuth     OAuth     `yaml:"oauth"`
	Provision Provision `yaml:"provision"`
	Internal  Internal  `yaml:"internal"`
	Log       Log       `yaml:"log"`
	Cache     Cache     `yaml:"cache"`

	places map[string]place // where each key was set, for Print
}

// Listen is where Usher can be asked: host:port, or `off` for nowhere.
type Listen struct {
	// For proxies that ask over HTTP (`/gate/…`): host:port, or `off`.
	HTTP string `yaml:"http"`
	// For Envoy's gRPC ext_authz: host:port, or `off`.
	GRPC string `yaml:"grpc"`
	// `/healthz`, `/readyz` and `/metrics`, nothing else; keep it private: host:port, or `off`.
	Ops string `yaml:"ops"`
}

// Store is Better Auth's own storage.
type Store struct {
	// Where Better Auth keeps its sessions: `postgres://user:password@host:5432/database` or `sqlite:///path/to.db`;
	// `redis://…` where it has no database at all; `https://app.example.com/api/auth`, Better Auth itself, where its
	// database is one that Usher does not speak. Required.
	URL URL `yaml:"url"`
	// Longest time one request waits for the store, all lookups together; more than 0 and less than 2s, because the
	// gate answers within 2s whatever happens.
	Timeout   time.Duration `yaml:"timeout"`
	Secondary Secondary     `yaml:"secondary"`
}

// Secondary is Better Auth's secondaryStorage on Redis: beside the database, or, where `store.url` is a Redis itself, how
// its keys begin.
type Secondary struct {
	// Redis that holds the sessions: `redis://…`, `rediss://…` (TLS), `redis+sentinel://host:26379,host:26379/name` or
	// `redis+cluster://host:7000,host:7001`. Empty: none.
	URL URL `yaml:"url"`
	// What its keys begin with; empty for most hand-written storages.
	Prefix string `yaml:"prefix"`
	// Better Auth's `session.storeSessionInDatabase`.
	StoreSessionInDatabase bool `yaml:"store_session_in_database"`
	// Better Auth's `session.preserveSessionInDatabase`.
	PreserveSessionInDatabase bool `yaml:"preserve_session_in_database"`
}

// Redis is Usher's own, for several replicas.
type Redis struct {
	// A cache that replicas share, before the store: written as `store.secondary.url`. What it holds is sealed with a key
	// made from Better Auth's secret. While it does not answer, the store does. Empty: each replica remembers alone.
	URL URL `yaml:"url"`
}

// Paths admits readings of a path that are refused otherwise. Set one only where the backend reads paths so.
type Paths struct {
	// Judge `//` as `/`.
	MergeSlashes bool `yaml:"merge_slashes"`
	// Let `%2F` stay inside its segment.
	EncodedSlashes bool `yaml:"encoded_slashes"`
}

// Log is what is written about the work.
type Log struct {
	// The least that is written. Audit lines are written at every level.
	Level string `yaml:"level" enum:"debug,info,warn,error"`
	// `auto` is text on a terminal and json elsewhere.
	Format    string    `yaml:"format" enum:"auto,json,text"`
	Decisions Decisions `yaml:"decisions"`
}

// Decisions are the shares of decisions that get a line, from 0 to 1. Metrics count all of them.
type Decisions struct {
	// Share of the requests that passed: 0.01 is one in a hundred.
	Allowed float64 `yaml:"allowed"`
	// Share of all others.
	Refused float64 `yaml:"refused"`
}

// Cache bounds what is remembered of the store. A session that is revoked, a user that is banned, a membership that
// changes is forgotten at once, where the store can tell: see docs/operations.md.
type Cache struct {
	// Sessions remembered; 0 remembers none.
	Size int `yaml:"size"`
	// Longest time a session is remembered while notices of revocation arrive; 0 remembers none.
	TTL time.Duration `yaml:"ttl"`
	// The same while none arrive: longest time a revoked session may still pass.
	TTLUnnotified time.Duration `yaml:"ttl_unnotified"`
}

// Default is the configuration of somebody who wrote nothing.
func Default() *Config {
	return &Config{
		Enabled: true,
		Listen:  Listen{HTTP: ":4480", GRPC: ":4481", Ops: "127.0.0.1:4482"},
		TrustedProxies: []string{
			"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
		},
		Store: Store{Timeout: 1500 * time.Millisecond, Secondary: Secondary{Prefix: "better-auth:"}},
		BetterAuth: BetterAuth{
			CookiePrefix: "better-auth",
			Cookies:      Cookies{SessionToken: SessionTokenCookie{Attributes: CookieAttributes{SameSite: "auto"}}},
			Session:      Session{ExpiresIn: 7 * 24 * time.Hour, UpdateAge: 24 * time.Hour, FreshAge: 24 * time.Hour, CookieCache: "off"},
			Tables:       Tables{TimeZone: "UTC"},

			DefaultCookieAttributes: CookieAttributes{SameSite: "auto"},

			Verification: Verification{StoreIdentifier: "plain"},
			Account: Account{
				StoreStateStrategy: "database", UpdateAccountOnSignIn: true,
				AccountLinking: AccountLinking{Enabled: true, RequireLocalEmailVerified: true},
			},
		},
		Organization: Organization{
			Header: "X-Org-Id", Sources: []OrgSource{{Kind: "header"}, {Kind: "active"}, {Kind: "first"}},
		},
		Headers: Headers{Preset: "usher", Values: "percent", IDs: "better-auth"},
		OAuth:   OAuth{Enabled: true},
		Log:     Log{Level: "info", Format: "auto", Decisions: Decisions{Allowed: 0.01, Refused: 1}},
		Cache:   Cache{Size: 100_000, TTL: time.Minute, TTLUnnotified: 2 * time.Second},
	}
}
