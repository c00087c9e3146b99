package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Access says whom a rule lets pass.
type Access uint8

// The zero Access is the strictest.
const (
	Required Access = iota // somebody signed in
	Optional               // anybody; identity is added when somebody is signed in
	Open                   // anybody; identity is never looked up ("public")
)

func (a Access) String() string {
	switch a {
	case Optional:
		return "optional"
	case Open:
		return "public"
	default:
		return "required"
	}
}

// ParseAccess reads the configuration's word; empty is required.
func ParseAccess(word string) (Access, bool) {
	switch word {
	case "", "required":
		return Required, true
	case "optional":
		return Optional, true
	case "public":
		return Open, true
	default:
		return Required, false
	}
}

// Rule is one line of the policy. Its zero value matches everything and demands a session.
type Rule struct {
	Name    string   // a proxy's configuration may pick it; unique
	Host    string   // exact, or "*.example.com" for every name below it; empty: any
	Path    string   // pattern: * is within one segment, ** any number of whole segments; empty: any
	Methods []string // upper case; GET includes HEAD; empty: any

	Access    Access
	Internal  bool          // an internal caller that names no user passes as itself
	Org       bool          // an organization is demanded
	OrgRoles  []string      // one of them in that organization; implies Org
	UserRoles []string      // one of the user's own roles (admin plugin)
	Fresh     time.Duration // age of the sign-in at most; 0: any

	host  string
	path  []string
	lead  string // what every path that matches begins with: a rule for elsewhere costs one comparison
	label string
}

// Label names the rule in logs: its name, or its place in the list.
func (r *Rule) Label() string { return r.label }

// pattern is what the rule matches, for explanations.
func (r *Rule) pattern() string {
	if r == &fallback {
		return "no rule matches"
	}
	var parts []string
	if r.Host != "" {
		parts = append(parts, "host "+r.Host)
	}
	if r.Path != "" {
		parts = append(parts, "path "+r.Path)
	}
	if len(r.Methods) > 0 {
		parts = append(parts, "methods "+strings.Join(r.Methods, " "))
	}
	if len(parts) == 0 {
		return "matches everything"
	}
	return strings.Join(parts, ", ")
}

// Policy is the ordered list of rules: the first match decides, and where nothing matches, a session is demanded.
// It is immutable; a reload swaps the whole value.
type Policy struct {
	rules []Rule
	named map[string]*Rule
}

// fallback is what holds where no rule matches.
var fallback = Rule{label: "default"}

// NewPolicy compiles the rules and reports every problem, each with the index of its rule.
func NewPolicy(rules []Rule) (*Policy, error) {
	p := &Policy{rules: slices.Clone(rules), named: make(map[string]*Rule)}
	var problems []error
	for i := range p.rules {
		rule := &p.rules[i]
		for _, err := range rule.compile(i) {
			problems = append(problems, &RuleError{i, err.field, err.message})
		}
		if rule.Name == "" {
			continue
		}
		if _, twice := p.named[rule.Name]; twice {
			problems = append(problems, &RuleError{i, "name", fmt.Sprintf("%q names two rules", rule.Name)})
		}
		p.named[rule.Name] = rule
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return p, nil
}

// RuleError is one problem of one rule.
type RuleError struct {
	Index   int    // of the rule, from 0
	Field   string // name, host, path, methods, access, internal, org, org_roles, user_roles, fresh
	Message string
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("rules[%d].%s: %s", e.Index, e.Field, e.Message)
}

type fieldProblem struct{ field, message string }

func (r *Rule) compile(index int) (problems []fieldProblem) {
	bad := func(field, format string, args ...any) {
		problems = append(problems, fieldProblem{field, fmt.Sprintf(format, args...)})
	}
	r.label = r.Name
	if r.Name == "" {
		r.label = fmt.Sprintf("rules[%d]", index)
	}
	for i := range len(r.Name) {
		if c := r.Name[i]; !isAlnum(c) && c != '-' && c != '_' && c != '.' {
			bad("name", "%q: use letters, digits, -, _ and .", r.Name)
			break
		}
	}
	if r.Host != "" {
		name, why := host(strings.TrimPrefix(r.Host, "*."))
		if _, port, _ := splitAuthority(strings.TrimPrefix(r.Host, "*.")); why != "" || port != "" {
			bad("host", "%q: write a host name without port, or *.example.com", r.Host)
		}
		if r.host = name; strings.HasPrefix(r.Host, "*.") {
			r.host = "." + name
		}
	}
	if r.Path != "" {
		if message := checkPattern(r.Path); message != "" {
			bad("path", "%q: %s", r.Path, message)
		} else {
			r.path, r.lead = strings.Split(r.Path[1:], "/"), r.Path
			if star := strings.IndexByte(r.Path, '*'); star >= 0 {
				r.lead = r.Path[:star]
				if strings.HasPrefix(r.Path[star:], "**") {
					r.lead = strings.TrimSuffix(r.lead, "/") // ** may be no segment at all
				}
			}
		}
	}
	for _, method := range r.Methods {
		if method == "" || method != strings.ToUpper(method) || strings.ContainsAny(method, " ,/") {
			bad("methods", "%q: write methods in upper case, one each", method)
		}
	}
	if r.Fresh < 0 {
		bad("fresh", "cannot be negative")
	}
	if r.Access == Open && (r.Org || len(r.OrgRoles) > 0 || len(r.UserRoles) > 0 || r.Fresh > 0) {
		bad("access", "a public rule asks nobody, so it cannot demand an organization, roles or freshness; use required")
	}
	if r.Access == Optional && (r.Org || len(r.OrgRoles) > 0 || len(r.UserRoles) > 0 || r.Fresh > 0) {
		bad("access", "an optional rule lets anybody pass, so it cannot demand an organization, roles or freshness; use required")
	}
	if r.Access == Open && r.Internal {
		bad("internal", "a public rule asks nobody, so it cannot tell callers from others; use optional or required")
	}
	return problems
}

// checkPattern refuses patterns that no judged path can match, so that a rule never silently does nothing.
func checkPattern(pattern string) string {
	if pattern[0] != '/' {
		return "must begin with /"
	}
	if strings.ContainsAny(pattern, "?#;\\\t") || hasControl(pattern) || !validUTF8(pattern) {
		return "cannot hold ?, #, ;, \\ or control bytes; the query never takes part"
	}
	if holdsEscape([]byte(pattern)) {
		return "write it decoded, as in /a b or /café; paths are decoded before they are compared"
	}
	for i, segment := range strings.Split(pattern[1:], "/") {
		switch {
		case segment == "." || segment == "..":
			return "cannot hold dot segments; such requests are refused"
		case segment == "" && i < strings.Count(pattern, "/")-1:
			return "cannot hold //; such requests are refused"
		case segment != "**" && strings.Contains(segment, "**"):
			return "** must be a whole segment, as in /public/**"
		}
	}
	return ""
}

// named finds the rule that a proxy's configuration picked.
func (p *Policy) byName(name string) *Rule {
	if p == nil {
		return nil
	}
	return p.named[name]
}

// match finds the first rule for a canonical host, a judged path and a method.
func (p *Policy) match(host, path, method string) *Rule {
	if p == nil {
		return &fallback
	}
	for i := range p.rules {
		if rule := &p.rules[i]; rule.matches(host, path, method) {
			return rule
		}
	}
	return &fallback
}

func (r *Rule) matches(host, path, method string) bool {
	if r.host != "" && r.host != host {
		if r.host[0] != '.' || !strings.HasSuffix(host, r.host) || len(host) == len(r.host) {
			return false
		}
	}
	if len(r.Methods) > 0 && !slices.Contains(r.Methods, method) && (method != "HEAD" || !slices.Contains(r.Methods, "GET")) {
		return false
	}
	return r.path == nil || strings.HasPrefix(path, r.lead) && matchSegments(r.path, path[1:])
}

// matchSegments compares pattern segments with the rest of a path (without its leading slash). Only the last ** is
// ever tried again, which is enough, so the time is bounded by pattern times path.
func matchSegments(pattern []string, rest string) bool {
	star, retry := -1, ""
	i := 0
	for {
		if i < len(pattern) && pattern[i] == "**" {
			if i == len(pattern)-1 {
				return true
			}
			star, retry = i, rest
			i++
			continue
		}
		if i < len(pattern) {
			segment, next, more := strings.Cut(rest, "/")
			if matchSegment(pattern[i], segment) {
				if i++; more {
					rest = next
					continue
				}
				if onlyStars(pattern[i:]) {
					return true
				}
			}
		}
		if star < 0 {
			return false
		}
		_, next, more := strings.Cut(retry, "/") // let ** take one segment more
		if !more {
			return onlyStars(pattern[star+1:])
		}
		i, rest, retry = star+1, next, next
	}
}

func onlyStars(pattern []string) bool {
	for _, segment := range pattern {
		if segment != "**" {
			return false
		}
	}
	return true
}

// matchSegment compares one segment; * stands for any run of bytes in it.
func matchSegment(pattern, segment string) bool {
	if strings.IndexByte(pattern, '*') < 0 {
		return pattern == segment
	}
	return globSegment(pattern, segment)
}

// globSegment is wildcard without "?", which no pattern holds but a decoded segment may.
func globSegment(pattern, s string) bool {
	head, rest, _ := strings.Cut(pattern, "*")
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s, rest = s[at+len(part):], next
	}
}
