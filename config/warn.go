package config

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/gate"
)

// nobody is a reader and a store for asking what happens to somebody who is not signed in.
type nobody struct{}

func (nobody) Read(*gate.Request) (gate.Credentials, error) {
	return gate.Credentials{}, gate.ErrNoCredential
}

func (nobody) Resolve(context.Context, gate.Credential) (*gate.Principal, error) {
	return nil, gate.ErrNoSession
}

// ask is what the rules say to a request of nobody's.
func ask(c *Config, policy *gate.Policy, method, scheme, host, target string) gate.Decision {
	headers, err := gate.NewHeaders(gate.HeadersConfig{})
	if err != nil {
		return gate.Decision{}
	}
	g, err := gate.New(gate.Config{
		Reader: nobody{}, Resolver: nobody{}, Headers: headers, Policy: policy, Paths: gate.PathRules(c.Paths),
	})
	if err != nil {
		return gate.Decision{}
	}
	return g.Check(context.Background(), &gate.Request{Method: method, Scheme: scheme, Host: host, Target: target})
}

// demands is what a rule asks of somebody who is signed in.
type demands struct {
	org                 bool
	orgRoles, userRoles string
	fresh               time.Duration
}

func (r *Rule) demands() demands {
	return demands{bool(r.Org) || len(r.OrgRoles) > 0, strings.Join(r.OrgRoles, ","), strings.Join(r.UserRoles, ","), r.Fresh}
}

// warnRules points at rules that demand something of one path only, while what lies below it asks for less: who writes
// /admin mostly means /admin/**.
func warnRules(c *Config, policy *gate.Policy, f *findings) {
	labelled := make(map[string]*Rule)
	for i := range c.Rules {
		labelled[cmp.Or(c.Rules[i].Name, indexed("rules", i))] = &c.Rules[i]
	}
	for i := range c.Rules {
		rule := &c.Rules[i]
		last := rule.Path[strings.LastIndexByte(rule.Path, '/')+1:]
		if last == "" || strings.ContainsAny(last, "*.") || rule.Access == "optional" || rule.Access == "public" {
			continue
		}
		method := "GET"
		if len(rule.Methods) > 0 {
			method = rule.Methods[0]
		}
		sample := strings.ReplaceAll(strings.ReplaceAll(rule.Path, "**", "*"), "*", "x") + "/x"
		host := cmp.Or(strings.Replace(rule.Host, "*", "x", 1), "x.invalid")
		d := ask(c, policy, method, "https", host, (&url.URL{Path: sample}).EscapedPath())
		var asked demands
		if other := labelled[d.Rule]; other != nil {
			asked = other.demands()
		}
		if d.Verdict == gate.Allow || d.Verdict == gate.SignIn && rule.demands() != (demands{}) && rule.demands() != asked {
			f.warn(indexed("rules", i)+".path", "%s does not cover what lies below it, where less is demanded; write %s for both",
				quoted(rule.Path), quoted(rule.Path+"/**"))
		}
	}
}

// warnSignIn points at a sign-in page that only somebody signed in may see. Whether its host is behind the gate at all
// is not known here, so it speaks only where some rule could mean that host. Of the companion's own page and API the gate
// is not asked: the printed configurations of proxies lead them past it.
func warnSignIn(c *Config, policy *gate.Policy, f *findings) {
	origin := originOf(c.BetterAuth.URL)
	page, err := url.Parse(c.SignInPage())
	if err != nil || origin == "" || originOf(c.SignInPage()) != origin || !slices.ContainsFunc(c.Rules, func(r Rule) bool {
		host := strings.ToLower(r.Host)
		below, wild := strings.CutPrefix(host, "*")
		return host == "" || host == page.Hostname() || wild && strings.HasSuffix(page.Hostname(), below)
	}) {
		return
	}
	companion := c.Companion()
	var closed []string
	for _, one := range []struct {
		method, path, pattern string
		unasked               bool
	}{
		{"GET", page.EscapedPath(), page.Path, companion && page.Path == "/sign-in"},
		{"POST", c.AuthPath() + "/sign-in/social", c.AuthPath() + "/**", companion},
	} {
		if !one.unasked && ask(c, policy, one.method, page.Scheme, page.Host, cmp.Or(one.path, "/")).Verdict == gate.SignIn {
			closed = append(closed, fmt.Sprintf("{path: %q, access: public}", cmp.Or(one.pattern, "/")))
		}
	}
	if len(closed) > 0 {
		f.warn("rules", "if %s is behind the gate, nobody without session could sign in there; begin with %s", page.Host, strings.Join(closed, " and "))
	}
}

// ClosedPages lists the rules that are missing where a proxy asks the gate about the companion's own pages and API too: in
// the words of the configuration, for the host of better_auth.url alone.
func (c *Config) ClosedPages() []string {
	own, err := url.Parse(c.Origin())
	if err != nil || !c.Companion() {
		return nil
	}
	var closed []string
	for _, one := range []struct{ method, path, pattern string }{
		{"GET", "/sign-in", "/sign-in"}, {"POST", "/account", "/account"}, {"POST", c.AuthPath() + "/sign-in/social", c.AuthPath() + "/**"},
	} {
		if ask(c, c.Policy(), one.method, own.Scheme, own.Host, one.path).Verdict != gate.Allow {
			closed = append(closed, fmt.Sprintf("{host: %s, path: %q, access: public}", own.Hostname(), one.pattern))
		}
	}
	return closed
}
