package config

import (
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// BetterAuth repeats the options of your Better Auth app that change bytes, at their own path in snake_case; members of
// `advanced` stand one level up.
type BetterAuth struct {
	// Better Auth's `baseURL`: the absolute URL people use. Required, unless `secure_cookies` is explicit.
	URL string `yaml:"url"`
	// Better Auth's secret, as it is: nothing is trimmed or decoded. Required.
	Secret Secret `yaml:"secret"`
	// Older secrets whose signatures are still accepted, which is more lenient than Better Auth. An entry is a secret,
	// or `{version: 1, value: …}` where Better Auth knows it by a number; one equal to `secret` only tells its number.
	Secrets []VersionedSecret `yaml:"secrets"`
	// Better Auth's `advanced.cookiePrefix`.
	CookiePrefix string `yaml:"cookie_prefix"`
	// Whether cookie names begin with `__Secure-` (`advanced.useSecureCookies`). `auto`: when `url` is https.
	SecureCookies         Toggle                `yaml:"secure_cookies"`
	Cookies               Cookies               `yaml:"cookies"`
	CrossSubDomainCookies CrossSubDomainCookies `yaml:"cross_sub_domain_cookies"`
	// Better Auth's `advanced.defaultCookieAttributes`. Needed for `session.refresh` only, as all attributes are.
	DefaultCookieAttributes CookieAttributes `yaml:"default_cookie_attributes"`
	// Origins besides the request's own whose pages may use our cookies (`trustedOrigins`): `https://app.example.com`,
	// with `*` and `?` as wildcards. The origin of `url` is always one.
	TrustedOrigins []string     `yaml:"trusted_origins"`
	Session        Session      `yaml:"session"`
	Bearer         Bearer       `yaml:"bearer"`
	Tables         Tables       `yaml:"tables"`
	RateLimit      RateLimit    `yaml:"rate_limit"`
	Account        Account      `yaml:"account"`
	Verification   Verification `yaml:"verification"`
}

// Cookies are names and attributes that differ from the usual ones (`advanced.cookies`).
type Cookies struct {
	SessionToken SessionTokenCookie `yaml:"session_token"`
	DontRemember DontRememberCookie `yaml:"dont_remember"`
}

// SessionTokenCookie is the cookie of a session.
type SessionTokenCookie struct {
	// The whole name, without `__Secure-`. Empty: the prefix and `.session_token`.
	Name string `yaml:"name"`
	// What this cookie has of its own, over `default_cookie_attributes`.
	Attributes CookieAttributes `yaml:"attributes"`
}

// DontRememberCookie is the cookie of those who signed in with `rememberMe: false`.
type DontRememberCookie struct {
	// The whole name, without `__Secure-`. Empty: the prefix and `.dont_remember`.
	Name string `yaml:"name"`
}

// CrossSubDomainCookies are Better Auth's `advanced.crossSubDomainCookies`.
type CrossSubDomainCookies struct {
	// Whether cookies have a domain.
	Enabled bool `yaml:"enabled"`
	// Which, as it is written there. Empty: the host of `url`.
	Domain string `yaml:"domain"`
}

// CookieAttributes are what is said of cookies in one place. `auto`, and nothing, is not said there.
type CookieAttributes struct {
	// `lax`, which is Better Auth's default, `strict` or `none`.
	SameSite string `yaml:"same_site" enum:"auto,lax,strict,none"`
	// By default what `secure_cookies` is.
	Secure Toggle `yaml:"secure"`
	// By default true.
	HTTPOnly Toggle `yaml:"http_only"`
	// By default false.
	Partitioned Toggle `yaml:"partitioned"`
	// By default `/`.
	Path string `yaml:"path"`
	// By default that of `cross_sub_domain_cookies`, or none.
	Domain string `yaml:"domain"`
}

// Session is Better Auth's `session`.
type Session struct {
	// How long a new or refreshed session lasts.
	ExpiresIn time.Duration `yaml:"expires_in"`
	// Age at which a session that is used is refreshed; 0: at every use, of which the gate takes one a minute.
	UpdateAge time.Duration `yaml:"update_age"`
	// Age of a session up to which it may list sessions and unlink accounts (`freshAge`); 0: any.
	FreshAge time.Duration `yaml:"fresh_age"`
	// Whether the gate refreshes sessions as Better Auth would: for people who meet only backends behind it. The role of
	// `store.url` needs `UPDATE` of two columns. Print the proxy's configuration anew: it hands on the cookie.
	Refresh bool `yaml:"refresh"`
	// Kind of Better Auth's cookie cache. Usher asks the store whatever it is, which is stricter.
	CookieCache string `yaml:"cookie_cache" enum:"off,compact,jwt,jwe"`
}

// Bearer is Better Auth's bearer plugin.
type Bearer struct {
	// Accept signed session tokens only (`requireSignature`).
	RequireSignature bool `yaml:"require_signature"`
}

// RateLimit is Better Auth's `rateLimit`.
type RateLimit struct {
	// Whether the routes of signing in through Usher are limited; `auto`: where `url` is https, which is Better Auth's
	// "in production". Shared between replicas through `redis.url`.
	Enabled Toggle `yaml:"enabled"`
}

// Verification is Better Auth's `verification`: where the state of a sign-in through Usher is kept.
type Verification struct {
	// How its identifier is stored (`storeIdentifier`).
	StoreIdentifier string `yaml:"store_identifier" enum:"plain,hashed"`
	// Where sessions live in Redis: whether the state is kept in the database as well (`storeInDatabase`).
	StoreInDatabase bool `yaml:"store_in_database"`
}

// Account is Better Auth's `account`, for signing in through Usher.
type Account struct {
	// Where the state of a sign-in is kept.
	StoreStateStrategy string `yaml:"store_state_strategy" enum:"database,cookie"`
	// Better Auth's `skipStateCookieCheck`.
	SkipStateCookieCheck bool `yaml:"skip_state_cookie_check"`
	// Whether provider tokens are stored encrypted (`encryptOAuthTokens`).
	EncryptOAuthTokens bool `yaml:"encrypt_oauth_tokens"`
	// Whether provider tokens are renewed at every sign-in.
	UpdateAccountOnSignIn bool `yaml:"update_account_on_sign_in"`
	// Whether the account is also kept in a cookie.
	StoreAccountCookie bool           `yaml:"store_account_cookie"`
	AccountLinking     AccountLinking `yaml:"account_linking"`
}

// AccountLinking is when a provider's account joins a user that is already there.
type AccountLinking struct {
	// Whether accounts are linked at all.
	Enabled bool `yaml:"enabled"`
	// Link on request only, never by e-mail address.
	DisableImplicitLinking bool `yaml:"disable_implicit_linking"`
	// Whether the local e-mail address must be verified before an account is linked to it.
	RequireLocalEmailVerified bool `yaml:"require_local_email_verified"`
	// Providers whose e-mail addresses count as verified.
	TrustedProviders []string `yaml:"trusted_providers"`
	// Whether an account with another e-mail address may be linked on request.
	AllowDifferentEmails bool `yaml:"allow_different_emails"`
	// Whether the last account may be unlinked.
	AllowUnlinkingAll bool `yaml:"allow_unlinking_all"`
	// Whether name and image are taken over when an account is linked.
	UpdateUserInfoOnLink bool `yaml:"update_user_info_on_link"`
}

// AuthPath is where the app's own Better Auth answers: the path of better_auth.url, or /api/auth.
func (c *Config) AuthPath() string {
	if u, err := url.Parse(c.BetterAuth.URL); err == nil && strings.Trim(u.Path, "/") != "" {
		return "/" + strings.Trim(u.Path, "/")
	}
	return "/api/auth"
}

// CookieDomain is the Domain that crossSubDomainCookies give to cookies, or nothing.
func (c *Config) CookieDomain() string {
	cross := c.BetterAuth.CrossSubDomainCookies
	u, err := url.Parse(c.BetterAuth.URL)
	switch {
	case !cross.Enabled:
		return ""
	case cross.Domain != "" || err != nil:
		return cross.Domain
	default:
		return strings.ToLower(u.Hostname())
	}
}

// checkCookies refuses what no cookie can be made of, and what a refresh needs and cannot have.
func checkCookies(c *Config, f *findings) {
	b := &c.BetterAuth
	for key, value := range map[string]string{
		"better_auth.cross_sub_domain_cookies.domain":         b.CrossSubDomainCookies.Domain,
		"better_auth.default_cookie_attributes.domain":        b.DefaultCookieAttributes.Domain,
		"better_auth.default_cookie_attributes.path":          b.DefaultCookieAttributes.Path,
		"better_auth.cookies.session_token.attributes.domain": b.Cookies.SessionToken.Attributes.Domain,
		"better_auth.cookies.session_token.attributes.path":   b.Cookies.SessionToken.Attributes.Path,
	} {
		if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || r == ';' || r == ',' }) {
			f.problem(key, "%s: cannot be part of a cookie", quoted(value))
		}
	}
	if b.CrossSubDomainCookies.Enabled && c.CookieDomain() == "" {
		f.problem("better_auth.cross_sub_domain_cookies.domain", "is empty, and so is better_auth.url, whose host it would be")
	}
	if !b.Session.Refresh {
		return
	}
	const longest = 400 * 24 * time.Hour
	if b.Session.ExpiresIn > longest || b.Session.ExpiresIn > 0 && b.Session.ExpiresIn < time.Second {
		f.problem("better_auth.session.expires_in", "%s: with session.refresh it is that of a cookie, 1s to 400d", formatDuration(b.Session.ExpiresIn))
	}
	const key = "better_auth.session.refresh"
	switch kind := c.Store.Kind(); {
	case !c.Enabled || c.Store.URL.IsZero():
	case kind != "postgres" && kind != "sqlite" && kind != "remote":
		f.problem(key, "needs store.url to be Better Auth's database, PostgreSQL or SQLite, or Better Auth itself")
	case !c.Store.Secondary.URL.IsZero():
		f.problem(key, "does not reach sessions that live in store.secondary; let Better Auth refresh them")
	}
}

// VersionedSecret is a secret and the number Better Auth knows it by in stored ciphertext.
type VersionedSecret struct {
	Version int
	Zero    bool // 0 is its number; without, a Version of 0 says that it has none
	Value   Secret
}

// Numbered reports whether the secret has a number.
func (s *VersionedSecret) Numbered() bool { return s.Version != 0 || s.Zero }

// read takes a secret in any of its forms, or {version: 1, value: …}.
func (s *VersionedSecret) read(d *decoder, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode || !hasKey(n, "version") {
		s.Value.read(d, n, path)
		return
	}
	var both struct {
		Version int    `yaml:"version"`
		Value   Secret `yaml:"value"`
	}
	d.value(n, valueOf(&both), path, "")
	if both.Version < 0 {
		d.at(d.place(n), path+".version", "must not be negative")
	}
	s.Version, s.Zero, s.Value = both.Version, both.Version == 0, both.Value
}

func hasKey(n *yaml.Node, name string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}
