package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherauth/usher/gate"
)

// Internal is services that may speak for users.
type Internal struct {
	// Who they are, how they prove it, and what they are limited to. A proxy that was configured before there were any has
	// to be printed anew: docs/internal-callers.md.
	Callers []Caller `yaml:"callers"`
}

// Caller is one service.
type Caller struct {
	// As `X-Internal-Caller` and the audit log name it; unique. Letters, digits, `-`, `_` and `.`.
	Name string `yaml:"name"`
	// SHA-256 of its tokens, in hex, as `usher internal add` prints them: two at most, the old one and the new one.
	TokenSHA256 []string `yaml:"token_sha256"`
	// SPIFFE ids of the certificates it shows to Envoy, over gRPC only: `spiffe://prod/ns/agents/*`; `*` is within one
	// segment, `**` any number of them. Name no gateway here: everybody who comes through it would be this caller.
	SPIFFE []string `yaml:"spiffe"`
	// Better Auth's ids of the users it may speak for. Empty: any.
	Users []string `yaml:"users"`
	// Better Auth's ids of the organizations it may act in; then never in none, nor as itself. Empty: any.
	Organizations []string `yaml:"organizations"`
	// Names of the rules it may meet, for users and as itself; public ones ask nobody. Empty: any.
	Rules []string `yaml:"rules"`
}

// Callers are the internal callers, compiled; nobody where they are not good.
func (c *Config) Callers() *gate.Callers {
	callers, err := gate.NewCallers(c.gateCallers())
	if err != nil {
		return nil
	}
	return callers
}

func (c *Config) gateCallers() []gate.Caller {
	callers := make([]gate.Caller, len(c.Internal.Callers))
	for i, one := range c.Internal.Callers {
		callers[i] = gate.Caller{
			Name: one.Name, TokenSHA256: one.TokenSHA256, SPIFFE: one.SPIFFE,
			Users: one.Users, Organizations: one.Organizations, Rules: one.Rules,
		}
	}
	return callers
}

func checkInternal(c *Config, f *findings) {
	all := c.Internal.Callers
	if len(all) == 0 {
		warnInternalRules(c, f)
		return
	}
	_, err := gate.NewCallers(c.gateCallers())
	for _, err := range each(err) {
		if problem, ok := errors.AsType[*gate.CallerError](err); ok {
			key := indexed("internal.callers", problem.Index)
			if problem.Field != "" {
				key += "." + problem.Field
			}
			f.problem(key, "%s", problem.Message)
		}
	}
	for i := range all {
		checkCaller(c, indexed("internal.callers", i), &all[i], f)
	}
	if c.HeaderNames().Names[gate.UserID] == "" {
		f.problem("internal.callers", "no header carries user_id, so a caller could name nobody; give it a name in headers.names")
	}
	if kind := c.Store.Kind(); kind == "redis" || kind == "remote" {
		f.problem("internal.callers", "a storage of the kind %s finds people by their sessions only; a caller can name users where store.url is a database", kind)
	}
}

func checkCaller(c *Config, key string, one *Caller, f *findings) {
	for i, rule := range one.Rules {
		if !slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.Name == rule && rule != "" }) {
			f.problem(indexed(key+".rules", i), "%s: no rule has this name%s", quoted(rule), didYouMean(rule, ruleNames(c)))
		}
	}
	for field, ids := range map[string][]string{"users": one.Users, "organizations": one.Organizations} {
		for i, id := range ids {
			if id == "" || strings.TrimSpace(id) != id {
				f.problem(indexed(key+"."+field, i), "%s: write an id, without spaces around it", quoted(id))
			}
		}
	}
	if len(one.SPIFFE) > 0 && c.Listen.GRPC == "" {
		f.problem(key+".spiffe", "only Envoy's gRPC ext_authz reports certificates, and listen.grpc is off")
	}
}

func ruleNames(c *Config) []string {
	var names []string
	for _, r := range c.Rules {
		if r.Name != "" {
			names = append(names, r.Name)
		}
	}
	return names
}

// warnInternalRules tells of rules that let in callers whom nobody has named.
func warnInternalRules(c *Config, f *findings) {
	for i, r := range c.Rules {
		if r.Internal {
			f.warn(indexed("rules", i)+".internal", "lets callers in, and internal.callers names none")
		}
	}
}

// warnCallers tells of rules that ask for what a caller itself never has.
func warnCallers(c *Config, f *findings) {
	for i, r := range c.Rules {
		var asks []string
		for what, set := range map[string]bool{"org": bool(r.Org), "org_roles": len(r.OrgRoles) > 0, "user_roles": len(r.UserRoles) > 0, "fresh": r.Fresh > 0} {
			if set {
				asks = append(asks, what)
			}
		}
		if r.Internal && len(asks) > 0 {
			slices.Sort(asks)
			f.warn(fmt.Sprintf("rules[%d].internal", i), "lets no caller in as itself, for the rule has %s, which only a user can meet", strings.Join(asks, ", "))
		}
	}
}
