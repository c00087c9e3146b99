package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/usherauth/usher/gate"
)

func checkHeaders(c *Config, f *findings) {
	for _, name := range sortedKeys(c.Headers.Names) {
		if _, ok := gate.ParseField(name); !ok {
			f.problem("headers.names."+name, "no such field%s", didYouMean(name, gate.FieldNames()))
		}
	}
	headers, err := gate.NewHeaders(c.HeaderNames())
	for _, err := range each(err) {
		field, message, _ := strings.Cut(err.Error(), ": ")
		if _, ok := gate.ParseField(field); ok {
			f.problem("headers.names."+field, "%s", message)
		} else {
			f.problem("organization.header", "%s", message)
		}
	}
	for i, name := range c.Headers.Remove {
		key := indexed("headers.remove", i)
		switch {
		case !cookieName(name) || strings.EqualFold(name, "host"):
			f.problem(key, "%s: no header that can be removed has this name", quoted(name))
		case headers != nil && slices.ContainsFunc(headers.Names(), func(own string) bool { return strings.EqualFold(own, name) }):
			f.problem(key, "%s carries identity; to stop sending it, give its field an empty name in headers.names", quoted(name))
		}
	}
}

func checkOrganization(c *Config, f *findings) {
	for i, source := range c.Organization.Sources {
		key := indexed("organization.sources", i)
		if source.Kind == "header" && c.Organization.Header == "" {
			f.problem(key, "organization.header is empty, so no header can be asked; set it, or remove this source")
		}
		if _, err := source.gate(); err != nil && source.Kind != "" {
			f.problem(key, "%s", err)
		}
	}
}

// checkRules compiles the rules; nil if they are not good.
func checkRules(c *Config, f *findings) *gate.Policy {
	policy, err := gate.NewPolicy(c.gateRules())
	for _, err := range each(err) {
		var problem *gate.RuleError
		if errors.As(err, &problem) {
			f.problem(indexed("rules", problem.Index)+"."+problem.Field, "%s", problem.Message)
		}
	}
	good := err == nil
	for i, rule := range c.Rules {
		for field, roles := range map[string][]string{"org_roles": rule.OrgRoles, "user_roles": rule.UserRoles} {
			for j, role := range roles {
				if strings.Contains(role, ",") || strings.TrimSpace(role) != role || role == "" {
					f.problem(indexed(indexed("rules", i)+"."+field, j), "%s: write roles one each, without spaces around them", quoted(role))
					good = false
				}
			}
		}
	}
	if !good {
		return nil
	}
	return policy
}

// each takes joined errors apart.
func each(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return nil
}
