package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// Gate is the decision. It is safe for concurrent use.
type Gate struct {
	config  Config
	memory  Recaller // the resolver, if it remembers
	policy  atomic.Pointer[Policy]
	callers atomic.Pointer[Callers]
	sliding *sliding // nil: the gate only reads
}

// Config is what a Gate needs.
type Config struct {
	Reader     Reader
	Resolver   Resolver
	Headers    *Headers
	Policy     *Policy       // nil: everything demands a session
	Callers    *Callers      // services that may speak for users; nil: none
	OrgSources []OrgSource   // in the order they are asked; empty: no organization is ever chosen
	Origins    Origins       // besides the request's own
	Paths      PathRules     // zero: every odd path is refused
	SignInURL  string        // where a browser is led; empty: 401 instead
	Timeout    time.Duration // for the store, all lookups of a request together; zero: 1.5 s
	Disabled   bool          // AUTH_ENABLED=false: everybody passes as nobody
	Sliding    *Sliding      // nil: sessions end when they end
	Business   Business      // the rows a backend relies on; zero: none

	// Observe hears every decision, after it is made; it must not block, nor keep the Request. Nil: nobody listens.
	Observe func(r *Request, d Decision, took time.Duration)
	Now     func() time.Time // nil: time.Now
}

// New makes a Gate. Without Reader, Resolver or Headers it could only refuse, so it says so instead.
func New(c Config) (*Gate, error) {
	if h := c.Headers; h != nil && (h.business.Users && !c.Business.Users || h.business.Organizations && !c.Business.Organizations) {
		return nil, errors.New("gate: Headers say the ids of business rows, and Business asks for none")
	}
	if c.Headers == nil || !c.Disabled && (c.Reader == nil || c.Resolver == nil) {
		return nil, errors.New("gate: Reader, Resolver and Headers are required")
	}
	if c.Timeout <= 0 {
		c.Timeout = 1500 * time.Millisecond
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	sliding, err := newSliding(c.Sliding)
	if err != nil {
		return nil, err
	}
	g := &Gate{config: c, sliding: sliding}
	g.memory, _ = c.Resolver.(Recaller)
	g.policy.Store(c.Policy)
	g.callers.Store(c.Callers)
	return g, nil
}

// Headers knows the identity headers' names; edges collect with it.
func (g *Gate) Headers() *Headers { return g.config.Headers }

// HasCallers reports whether there are internal callers, whose tokens proxies must keep from backends.
func (g *Gate) HasCallers() bool {
	callers := g.callers.Load()
	return callers != nil && len(callers.all) > 0
}

// SetCallers swaps the internal callers: a token whose hash is gone proves nothing any more.
func (g *Gate) SetCallers(c *Callers) { g.callers.Store(c) }

// SetPolicy swaps the rules; requests already being judged keep the old ones.
func (g *Gate) SetPolicy(p *Policy) { g.policy.Store(p) }

// Check decides. It never panics and never takes longer than Timeout plus what the processor needs.
func (g *Gate) Check(ctx context.Context, r *Request) (d Decision) {
	defer refusePanic(&d) // of Trace and Observe
	start := g.config.Now()
	d = g.judge(ctx, r, start)
	if r.Trace != nil {
		r.trace("decision", d.Verdict.String()+" "+string(d.Reason))
	}
	if g.config.Observe != nil {
		g.config.Observe(r, d, g.config.Now().Sub(start))
	}
	return d
}

// judge is decide, whatever happens in it.
func (g *Gate) judge(ctx context.Context, r *Request, now time.Time) (d Decision) {
	defer refusePanic(&d)
	return g.decide(ctx, r, now)
}

func refusePanic(d *Decision) {
	if v := recover(); v != nil {
		*d = Decision{Verdict: Unavailable, Reason: InternalError, Err: fmt.Errorf("gate: panic: %v", v)}
	}
}

func (g *Gate) decide(ctx context.Context, r *Request, now time.Time) Decision {
	if g.config.Disabled {
		if r.Fault == UntrustedProxy || r.Fault == AliasedHeader { // identity headers could not be removed
			return Decision{Reason: r.Fault}
		}
		return Decision{Verdict: Allow, Reason: Disabled}
	}
	hostName, path, why := g.judgeable(r)
	if why != "" {
		r.trace("request", "refused before any rule: ", string(why))
		return Decision{Reason: why}
	}
	if r.Trace != nil {
		r.trace("request", r.Method, " ", hostName, " ", strings.ReplaceAll(path, string(slashInSegment), "%2F"))
	}

	rule, why := g.rule(r, hostName, path)
	if why != "" {
		r.trace("rule", "no rule is named ", r.Rule)
		return Decision{Reason: why}
	}
	if r.Trace != nil {
		r.trace("rule", rule.label, " (", rule.pattern(), "): access ", rule.Access.String())
	}
	if r.preflight() {
		return g.preflight(r, rule)
	}
	if rule.Access == Open {
		return Decision{Verdict: Allow, Reason: Public, Rule: rule.label}
	}

	switch c, why := g.caller(r); {
	case c == nil && why != "":
		r.trace("credential", "a service token that is no caller's")
		return Decision{Verdict: SignIn, Reason: why, Rule: rule.label}
	case why != "":
		r.trace("caller", c.Name, ", and somebody else at the same time")
		return Decision{Reason: why, Method: ByInternal, Caller: c.Name, Rule: rule.label}
	case c != nil:
		return g.internal(ctx, r, c, rule, hostName, path, now)
	}
	credentials, err := g.config.Reader.Read(r)
	switch {
	case errors.Is(err, ErrNoCredential):
		r.trace("credential", "none")
		return anonymous(rule, NoCredential)
	case err != nil && credentials.Method == ByCookie:
		r.trace("credential", "the session cookie is not signed with our secret")
		return anonymous(rule, BadCookie)
	case err != nil || credentials.n == 0:
		r.trace("credential", "the bearer token is malformed or not signed with our secret")
		return Decision{Verdict: SignIn, Reason: BadBearer, Rule: rule.label}
	}
	if credentials.Method == ByBearer && strings.IndexByte(r.Authorization, '.') < 0 {
		r.trace("credential", "bearer: a plain token, only the store can say")
	} else {
		r.trace("credential", string(credentials.Method), ": genuine")
	}

	d, used := g.resolve(ctx, r, &credentials, rule, now)
	d.Rule = rule.label
	if d.Verdict == Unavailable {
		r.trace("session", "could not find out: ", d.Err.Error())
		return d
	}
	if d.Verdict != Allow {
		r.trace("session", string(d.Reason))
		return d
	}
	if d.Principal == nil {
		r.trace("session", "none; the rule lets anybody pass")
		return d
	}
	r.trace("session", "user ", d.Principal.User.ID, ", session ", d.Principal.Session.ID)
	if d.Method == ByCookie && (!safe(r.Method) || r.Upgrade) && !g.config.Origins.sameOrigin(r) {
		r.traceOrigin()
		return deny(d, InvalidOrigin)
	}
	membership, why := g.organization(r, hostName, path, d.Principal)
	if why != "" {
		return g.notChosen(r, d, why)
	}
	d.Membership = membership
	if why := rule.demand(d.Principal, membership, now); why != "" {
		r.traceDemand(why, rule, &d, now)
		return deny(d, why)
	}
	if !g.config.Business.served(r, &d) {
		return d
	}
	g.refresh(ctx, r, path, used, &d, now)
	return d
}

// judgeable finds the one host and the one path of the request, or says why there is none.
func (g *Gate) judgeable(r *Request) (hostName, path string, why Reason) {
	if r.Fault != "" {
		return "", "", r.Fault
	}
	if why := checkMethod(r.Method); why != "" {
		return "", "", why
	}
	if r.Scheme != "http" && r.Scheme != "https" {
		return "", "", AmbiguousRequest
	}
	cookieBytes := 0
	for _, line := range r.Cookies {
		cookieBytes += len(line)
	}
	if cookieBytes > maxCookieBytes {
		return "", "", RequestTooLarge
	}
	if r.Upgrade && !harmlessConnection(r.Connection) {
		return "", "", AmbiguousRequest
	}
	if hostName, why = host(r.Host); why != "" {
		return "", "", why
	}
	path, why = g.config.Paths.path(r.Target)
	return hostName, path, why
}

// checkMethod refuses what is no token (RFC 9110, section 5.6.2), and CONNECT and TRACE in any case.
func checkMethod(method string) Reason {
	if method == "" || len(method) > longestName {
		return AmbiguousRequest
	}
	for i := range len(method) {
		if !isTokenByte(method[i]) {
			return AmbiguousRequest
		}
	}
	if strings.EqualFold(method, "CONNECT") || strings.EqualFold(method, "TRACE") {
		return MethodRefused
	}
	return ""
}

// harmlessConnection reports whether an upgrade names only connection options on its Connection line. Envoy and HAProxy
// forward the line as it is, and a next hop that honours it would drop an identity header named there.
func harmlessConnection(connection string) bool {
	for option := range strings.SplitSeq(connection, ",") {
		switch strings.ToLower(strings.Trim(option, " \t")) {
		case "", "upgrade", "keep-alive", "close":
		default:
			return false
		}
	}
	return true
}

func (g *Gate) rule(r *Request, hostName, path string) (*Rule, Reason) {
	policy := g.policy.Load()
	if r.Rule != "" {
		if rule := policy.byName(r.Rule); rule != nil {
			return rule, ""
		}
		return nil, UnknownRule
	}
	method := r.Method
	if r.preflight() {
		method = r.Announced
	}
	// Methods are case-sensitive, but some backends (Werkzeug) are not: a rule for DELETE also judges "delete".
	rule := policy.match(hostName, path, strings.ToUpper(method))
	if r.Override != "" && policy.match(hostName, path, strings.ToUpper(r.Override)) != rule {
		return nil, AmbiguousRequest // judged as one method, perhaps acted upon as another
	}
	return rule, ""
}

// preflight lets the backend answer the question, never with identity: the request itself is judged when it comes.
func (g *Gate) preflight(r *Request, rule *Rule) Decision {
	if rule.Access != Required || g.config.Origins.admits(r) {
		return Decision{Verdict: Allow, Reason: Preflight, Rule: rule.label}
	}
	r.traceOrigin()
	return Decision{Reason: InvalidOrigin, Rule: rule.label}
}

// anonymous is the answer to nobody, and to a cookie that is worth nothing.
func anonymous(rule *Rule, why Reason) Decision {
	if rule.Access == Optional {
		return Decision{Verdict: Allow, Reason: Anonymous, Rule: rule.label}
	}
	return Decision{Verdict: SignIn, Reason: why, Rule: rule.label}
}

func deny(d Decision, why Reason) Decision {
	d.Verdict, d.Reason = Deny, why
	return d
}

func first(have, otherwise Reason) Reason {
	if have != "" {
		return have
	}
	return otherwise
}

// demand says what the rule asks for that the principal has not.
func (r *Rule) demand(p *Principal, m *Membership, now time.Time) Reason {
	switch {
	case len(r.UserRoles) > 0 && !p.User.Roles.hasAny(r.UserRoles):
		return UserRoleRequired
	case (r.Org || len(r.OrgRoles) > 0) && m == nil:
		return OrgRequired
	case len(r.OrgRoles) > 0 && !m.Roles.hasAny(r.OrgRoles):
		return OrgRoleRequired
	case r.Fresh > 0 && now.Sub(p.Session.CreatedAt) >= r.Fresh:
		return SessionNotFresh
	}
	return ""
}

// traceDemand tells what the rule asks for, and what there is instead.
func (r *Request) traceDemand(why Reason, rule *Rule, d *Decision, now time.Time) {
	if r.Trace == nil {
		return
	}
	switch why {
	case UserRoleRequired:
		r.trace("rule", "wants one of the user roles ", strings.Join(rule.UserRoles, ", "), "; the user has ", orNone(string(d.Principal.User.Roles)))
	case OrgRequired:
		r.trace("rule", "wants an organization")
	case OrgRoleRequired:
		r.trace("rule", "wants one of the organization roles ", strings.Join(rule.OrgRoles, ", "), "; the member has ", orNone(string(d.Membership.Roles)))
	case SessionNotFresh:
		r.trace("rule", "wants a sign-in younger than ", rule.Fresh.String(), "; this one was ", ago(d.Principal.Session.CreatedAt, now))
	}
}

// ago is an instant and how long it is past.
func ago(then, now time.Time) string {
	if then.IsZero() {
		return "at a time the store does not tell"
	}
	return then.UTC().Format(time.RFC3339) + ", " + now.Sub(then).Round(time.Second).String() + " ago"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// safe methods change nothing (RFC 9110, section 9.2.1); TRACE never comes here.
func safe(method string) bool {
	return method == "GET" || method == "HEAD" || method == "OPTIONS"
}
