package config

import (
	"net/url"
	"strings"

	"github.com/usherauth/usher/gate"
)

func checkBetterAuth(c *Config, f *findings) {
	b := &c.BetterAuth
	if b.URL != "" {
		if message := absoluteURL(b.URL); message != "" {
			f.problem("better_auth.url", "%s", message)
		}
	} else if c.Enabled && b.SecureCookies == Auto && !f.noted("better_auth.url") {
		f.missing("better_auth.url", "set BETTER_AUTH_URL, or better_auth.url, to the URL people use, as https://app.example.com")
	}
	checkSecrets(c, f)
	for _, name := range []struct{ key, value string }{
		{"better_auth.cookie_prefix", b.CookiePrefix},
		{"better_auth.cookies.session_token.name", b.Cookies.SessionToken.Name},
		{"better_auth.cookies.dont_remember.name", b.Cookies.DontRemember.Name},
	} {
		switch {
		case name.value != "" && !cookieName(name.value):
			f.problem(name.key, "%s: a cookie's name has letters, digits, -, _ and .", quoted(name.value))
		case strings.HasPrefix(name.value, "__Secure-"):
			f.warn(name.key, "write it without __Secure-, which browsers show because of https; secure_cookies adds it")
		}
	}
	checkCookies(c, f)
	for i, entry := range b.TrustedOrigins {
		checkOrigin(entry, indexed("better_auth.trusted_origins", i), f)
	}
}

// checkOrigin warns of what never matches only where a web page seems to be meant: the list also holds deep links of apps.
func checkOrigin(entry, key string, f *findings) {
	scheme, host, whole := strings.Cut(entry, "://")
	if !whole {
		host = scheme
	}
	host = strings.TrimSuffix(host, "/")
	_, err := gate.NewOrigins([]string{entry})
	switch {
	case strings.Contains(entry, "@"):
		f.problem(key, "an origin is scheme://host[:port], without user name or password")
	case err != nil:
		f.problem(key, "%s", err)
	case host != "" && strings.Trim(host, "*?.:") == "":
		f.warn(key, "%s trusts every site there is; name your own", quoted(entry))
	case !whole && !strings.ContainsAny(host, "*?"):
		f.warn(key, "%s matches nothing, as in Better Auth; write https://%s", quoted(entry), host)
	case strings.HasPrefix(scheme, "http") && strings.Contains(host, "/"):
		f.warn(key, "%s matches nothing, as in Better Auth: an origin has no path; remove it", quoted(entry))
	case strings.HasPrefix(strings.ToLower(scheme), "http") && !strings.ContainsAny(entry, "*?") && originOf(entry) != "" && originOf(entry) != entry:
		f.warn(key, "%s matches nothing when people sign in, as in Better Auth, though the gate reads it; write %s", quoted(entry), originOf(entry))
	}
}

// Better Auth's own default, which everybody knows.
const builtInSecret = "better-auth-secret-12345678901234567890"

func checkSecrets(c *Config, f *findings) {
	if c.Enabled && c.BetterAuth.Secret.IsZero() && !f.noted("better_auth.secret") {
		f.missing("better_auth.secret", "set BETTER_AUTH_SECRET, BETTER_AUTH_SECRET_FILE or better_auth.secret to Better Auth's own")
	}
	checkSecret(c.BetterAuth.Secret.Reveal(), "better_auth.secret", f)
	for i, older := range c.BetterAuth.Secrets {
		checkSecret(older.Value.Reveal(), indexed("better_auth.secrets", i), f)
	}
	switch value := c.BetterAuth.Secret.Reveal(); {
	case value == "":
	case strings.TrimSpace(value) != value:
		f.warn("better_auth.secret", "begins or ends in white space, which counts; is that so in Better Auth too?")
	case len(value) < 32 && value != redacted:
		f.warn("better_auth.secret", "is shorter than 32 characters; make a new one in Better Auth and here: openssl rand -base64 32")
	}
}

func checkSecret(value, key string, f *findings) {
	switch {
	case value == builtInSecret:
		f.problem(key, "is Better Auth's built-in default, which everybody knows; make a new one: openssl rand -base64 32")
	case value == redacted:
		f.problem(key, "is %s, which `usher config print` writes instead of a secret; put the secret here, or {file: …} or {env: …}", redacted)
	}
}

var hostName = pattern(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// absoluteURL says what is wrong with the URL of a page; nothing if it is good. It never repeats it: people put
// passwords into URLs.
func absoluteURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", !hostName(u.Host):
		return "write an absolute URL, as https://app.example.com"
	case u.User != nil:
		return "cannot hold a user name or password; remove them"
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return "cannot hold a fragment (#…); remove it"
	}
	return ""
}

// originOf is scheme://host[:port] of a good URL, in lower case and without the scheme's own port; else nothing.
func originOf(raw string) string {
	if raw == "" || absoluteURL(raw) != "" {
		return ""
	}
	u, _ := url.Parse(raw)
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

func checkSignInURL(c *Config, f *findings) {
	const key = "sign_in_url"
	raw := c.SignInURL
	switch {
	case raw == "":
		if c.Enabled && c.BetterAuth.URL == "" && c.BetterAuth.SecureCookies != Auto {
			f.warn(key, "is empty and so is better_auth.url, so browsers get 401 instead of a sign-in page")
		}
	case strings.HasPrefix(raw, "/") && !strings.HasPrefix(raw, "//") && !strings.ContainsAny(raw, "\\#"):
		if c.BetterAuth.URL == "" {
			f.problem(key, "%s: a path needs better_auth.url; write an absolute URL, or set that", quoted(raw))
		}
	default:
		if message := absoluteURL(raw); message != "" {
			f.problem(key, "%s, or a path, as /sign-in", message)
		}
	}
}
