package config

import (
	"fmt"
	"maps"
	"strings"

	"github.com/usherauth/usher/gate"
)

// What follows is for internal/boot: values of the gate made from keys. On a Config that Load refused they are what
// refuses most: no policy demands a session everywhere, no proxies trust nobody.

// Policy is the rules, compiled.
func (c *Config) Policy() *gate.Policy {
	policy, err := gate.NewPolicy(c.gateRules())
	if err != nil {
		return nil
	}
	return policy
}

func (c *Config) gateRules() []gate.Rule {
	rules := make([]gate.Rule, len(c.Rules))
	for i, r := range c.Rules {
		access, _ := gate.ParseAccess(r.Access) // what is no word of ours is required
		rules[i] = gate.Rule{
			Name: r.Name, Host: r.Host, Path: r.Path, Methods: r.Methods, Access: access, Internal: r.Internal, Org: bool(r.Org),
			OrgRoles: r.OrgRoles, UserRoles: r.UserRoles, Fresh: r.Fresh,
		}
	}
	return rules
}

// HeaderNames is how identity is spelled: the preset, with names of the configuration's own over it.
func (c *Config) HeaderNames() gate.HeadersConfig {
	preset, _ := gate.Preset(c.Headers.Preset)
	names := maps.Clone(preset)
	if names == nil {
		names = make(map[gate.Field]string)
	}
	for name, header := range c.Headers.Names {
		if field, ok := gate.ParseField(name); ok {
			names[field] = header
		}
	}
	var remove []string
	for _, name := range c.Headers.Remove {
		remove = append(remove, strings.ToLower(name))
	}
	var business gate.Business
	if c.Headers.IDs == "business" {
		business = c.Provision.Business()
	}
	return gate.HeadersConfig{
		Names: names, Business: business, Organization: c.Organization.Header, Raw: c.Headers.Values == "raw", AlwaysRemove: remove,
	}
}

// OrgSources is where the organization comes from, in order.
func (c *Config) OrgSources() []gate.OrgSource {
	var sources []gate.OrgSource
	for _, s := range c.Organization.Sources {
		if source, err := s.gate(); err == nil {
			sources = append(sources, source)
		}
	}
	return sources
}

func (s OrgSource) gate() (gate.OrgSource, error) {
	switch s.Kind {
	case "header":
		return gate.OrgFromHeader, nil
	case "active":
		return gate.OrgFromActive, nil
	case "first":
		return gate.OrgFromFirst, nil
	case "host":
		return gate.OrgFromHost(s.Pattern)
	case "path":
		return gate.OrgFromPath(s.Pattern)
	default:
		return gate.OrgSource{}, fmt.Errorf("%q: no such source", s.Kind)
	}
}

// Origins are those of trusted_origins, and that of better_auth.url.
func (c *Config) Origins() gate.Origins {
	list := c.BetterAuth.TrustedOrigins
	if own := c.Origin(); own != "" {
		list = append([]string{own}, list...)
	}
	origins, err := gate.NewOrigins(list)
	if err != nil {
		return gate.Origins{}
	}
	return origins
}

// Origin is that of better_auth.url, or nothing: scheme://host, with a port unless it is the scheme's own.
func (c *Config) Origin() string { return originOf(c.BetterAuth.URL) }

// Proxies are the callers that may ask.
func (c *Config) Proxies() gate.Proxies {
	proxies, err := gate.NewProxies(c.TrustedProxies)
	if err != nil {
		return gate.Proxies{}
	}
	return proxies
}

// SignInPage is where a browser without session is led, as an absolute URL; nothing where that is not known.
func (c *Config) SignInPage() string {
	switch raw := c.SignInURL; {
	case raw == "" && c.Origin() == "", strings.HasPrefix(raw, "/") && c.Origin() == "":
		return ""
	case raw == "":
		return c.Origin() + "/sign-in"
	case strings.HasPrefix(raw, "/"):
		return c.Origin() + raw
	default:
		return raw
	}
}

// SecureCookies reports whether cookie names begin with __Secure-, as Better Auth decides it.
func (c *Config) SecureCookies() bool {
	return c.BetterAuth.SecureCookies.Or(strings.HasPrefix(c.BetterAuth.URL, "https://"))
}

// CurrentSecret is the one that signs.
func (c *Config) CurrentSecret() Secret { return c.BetterAuth.Secret }

// OlderSecrets are those whose signatures are accepted besides, newest first.
func (c *Config) OlderSecrets() []string {
	var older []string
	for _, s := range c.BetterAuth.Secrets {
		if value := s.Value.Reveal(); value != "" && value != c.BetterAuth.Secret.Reveal() {
			older = append(older, value)
		}
	}
	return older
}

// Tables is how the app renamed Better Auth's tables and columns.
func (c *Config) Tables() Tables { return c.BetterAuth.Tables }

// Kind is the kind of storage: postgres, sqlite, redis, remote (Better Auth itself), or nothing known.
func (s *Store) Kind() string { return storeKind(s.URL.Reveal()) }

// indexed is the path of a list's item.
func indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
