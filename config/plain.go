package config

import (
	"slices"
	"strconv"
	"strings"
)

// plainVariable is one of Better Auth's own variables, which work as they are.
type plainVariable struct {
	name, key string
	meaning   string // for the reference page, where it says more than the key does
}

// plainVariables lists them. USHER_ variables win over them, and they over the file.
func plainVariables() []plainVariable {
	return []plainVariable{
		{"AUTH_ENABLED", "enabled", "true, yes, on, 1 or false, no, off, 0; anything else is a problem, never “false”"},
		{"BETTER_AUTH_URL", "better_auth.url", ""},
		{"BETTER_AUTH_SECRET", "better_auth.secret", ""},
		{"BETTER_AUTH_SECRETS", "better_auth.secrets", "`2:new,1:old`: the first is current, the others are still accepted; beside it, `BETTER_AUTH_SECRET` is an older one without number"},
		{"BETTER_AUTH_TRUSTED_ORIGINS", "better_auth.trusted_origins", ""},
		{"DATABASE_URL", "store.url", ""},
		{"REDIS_URL", "redis.url", ""},
		{"GOOGLE_CLIENT_ID", "oauth.providers.google.client_id", ""},
		{"GOOGLE_CLIENT_SECRET", "oauth.providers.google.client_secret", ""},
		{"GITHUB_CLIENT_ID", "oauth.providers.github.client_id", ""},
		{"GITHUB_CLIENT_SECRET", "oauth.providers.github.client_secret", ""},
	}
}

// betterAuth applies Better Auth's own variables to keys that no USHER_ variable sets.
func (o *overlaying) betterAuth(c *Config, keys []key, own map[string]given) {
	_, secretSet := own["better_auth.secret"]
	_, secretsSet := own["better_auth.secrets"]
	several := o.env.look(o.findings, "BETTER_AUTH_SECRETS", "better_auth.secrets", true)
	for _, plain := range plainVariables() {
		if plain.name == "BETTER_AUTH_SECRETS" {
			if several.variable != "" {
				o.secrets(c, several, !secretSet, !secretsSet)
			}
			continue
		}
		if name, ok := strings.CutPrefix(plain.key, "oauth.providers."); ok {
			if _, set := own["oauth.providers"]; !set {
				o.provider(c, plain, name)
			}
			continue
		}
		at := slices.IndexFunc(keys, func(k key) bool { return k.path == plain.key })
		if _, set := own[plain.key]; set {
			continue
		}
		if found := o.env.look(o.findings, plain.name, plain.key, keys[at].secret()); found.variable != "" {
			o.set(keys[at], found, true)
		}
	}
}

// secrets takes 2:new,1:old apart, as Better Auth does: entries and values are trimmed. What Better Auth calls the
// legacy secret, BETTER_AUTH_SECRET beside it, was applied before and becomes an older one.
func (o *overlaying) secrets(c *Config, from given, current, older bool) {
	const path = "better_auth.secrets"
	text, ok := o.content(from, path)
	if !ok {
		return
	}
	at := place{variable: from.variable, shared: true}
	var list []VersionedSecret
	for entry := range strings.SplitSeq(text, ",") {
		number, value, found := strings.Cut(strings.TrimSpace(entry), ":")
		version, err := strconv.Atoi(strings.TrimSpace(number))
		if value = strings.TrimSpace(value); !found || err != nil || version < 0 || value == "" {
			o.at(at, path, "must be number:secret, separated by commas, as 2:new,1:old; the first is the current one")
			return
		}
		list = append(list, VersionedSecret{version, version == 0, NewSecret(value)})
	}
	if older {
		legacy := o.places["better_auth.secret"]
		o.forget(path)
		o.places[path] = at
		c.BetterAuth.Secrets = list
		if legacy.variable != "" && current {
			c.BetterAuth.Secrets = append(list, VersionedSecret{Value: c.BetterAuth.Secret})
		}
	}
	if current {
		o.forget("better_auth.secret")
		o.places["better_auth.secret"] = at
		c.BetterAuth.Secret = list[0].Value
	}
}

// provider applies GOOGLE_CLIENT_ID and the like.
func (o *overlaying) provider(c *Config, plain plainVariable, path string) {
	name, field, _ := strings.Cut(path, ".")
	found := o.env.look(o.findings, plain.name, plain.key, field == "client_secret")
	if found.variable == "" {
		return
	}
	if c.OAuth.Providers == nil {
		c.OAuth.Providers = make(map[string]Provider)
	}
	at := place{variable: found.variable, shared: true}
	if _, written := o.places["oauth.providers."+name]; !written {
		o.places["oauth.providers."+name] = at
	}
	o.places[plain.key] = at
	provider := c.OAuth.Providers[name]
	switch {
	case field == "client_id":
		provider.ClientID = found.text
	case found.file:
		provider.ClientSecret = Secret{from: reference{"file", found.text}}
	default:
		provider.ClientSecret = Secret{from: reference{"env", found.variable}}
	}
	c.OAuth.Providers[name] = provider
}
