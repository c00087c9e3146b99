package forwardauth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/gate"
)

// Config is what a Handler needs.
type Config struct {
	Gate      *gate.Gate       // required
	Proxies   gate.Proxies     // who may ask; zero: nobody
	TicketKey []byte           // at least 32 bytes, the same on every replica, used for nothing else
	Now       func() time.Time // for tickets; nil: time.Now
	Log       *slog.Logger     // hears of our own faults; nil: nobody does. Decisions are the gate's to observe
}

// Handler answers every path below /gate/. It is safe for concurrent use. Its zero value refuses everything.
type Handler struct {
	gate    *gate.Gate
	proxies gate.Proxies
	tickets tickets
	log     *slog.Logger
	checks  sync.Pool
	dates   dates

	spelled bool // whether every identity header's name is written as net/http would write it
	echoes  bool // whether there were internal callers at the start: see authorized
}

// New makes a Handler.
func New(c Config) (*Handler, error) {
	if c.Gate == nil {
		return nil, errors.New("forwardauth: Gate is required")
	}
	if len(c.TicketKey) < 32 {
		return nil, errors.New("forwardauth: TicketKey needs at least 32 bytes")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	spelled := !slices.ContainsFunc(c.Gate.Headers().Names(), func(name string) bool { return http.CanonicalHeaderKey(name) != name })
	return &Handler{gate: c.Gate, proxies: c.Proxies, tickets: tickets{c.TicketKey, c.Now}, log: c.Log, spelled: spelled, echoes: c.Gate.HasCallers()}, nil
}

// dialect is how one proxy says what the original request was, and what it makes of an answer.
type dialect struct {
	edge   string                                                            // label for logs and metrics
	family string                                                            // prefix of the headers that are read, lower case
	read   func(c *check)                                                    // fills Method, Scheme, Host and Target
	decide func(h *Handler, c *check) gate.Decision                          // nil: ask the gate
	write  func(h *Handler, c *check, d gate.Decision, a *gate.Answer) reply // nil: the answer as it is
}

// check is one question of a proxy, and the memory this takes. It is used again for another one: of two people's checks,
// never one may show in the other. So it is put back in one place, empty, after the answer was written, and one that was
// not finished (a panic) is put back by nobody.
type check struct {
	question
	dialect dialect
	q       *gate.Request // the original request, once it is read: always the one below
	behind  string        // what follows the path of the check: the original target, on Envoy
	spelled bool          // Handler.spelled

	request gate.Request
	reply   gate.Answer
	said    []gate.Header // the lines of what is written
	found   [1]string     // room for the values of one header
}

// begin takes an empty check.
func (h *Handler) begin() *check {
	c, ok := h.checks.Get().(*check)
	if !ok {
		c = new(check)
	}
	c.q, c.spelled = &c.request, h.spelled
	return c
}

// end forgets the check and puts it back. The caller has no use for it any more.
func (h *Handler) end(c *check) {
	c.question.reset()
	c.request.Reset()
	c.reply.Reset()
	clear(c.said[:cap(c.said)])
	c.dialect, c.q, c.behind, c.said, c.found[0] = dialect{}, nil, "", c.said[:0], ""
	h.checks.Put(c)
}

// ServeHTTP answers a check, or 404. It expects no ServeMux in front.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := h.begin()
	c.ask(r)
	out, ok := h.answer(c)
	respond(w, r, out)
	if ok {
		h.end(c)
	}
}

// prefix is what every check's target begins with.
const prefix = "/gate/"

// parse finds which proxy asks, and the rule its configuration picked: /gate/NAME[@RULE], on Envoy with the original
// target behind it. The query of a check means nothing: Caddy appends the client's.
func (c *check) parse() bool {
	rest, ok := strings.CutPrefix(c.target, prefix)
	if !ok {
		return false
	}
	name, rest := until(rest, "@/?")
	rest = c.rule(rest)
	if name == "envoy" {
		c.dialect, c.behind = envoy(), rest
		return true
	}
	rest, _, _ = strings.Cut(rest, "?")
	switch name {
	case "traefik":
		c.dialect = traefik()
	case "caddy":
		c.dialect = caddy()
	case "haproxy":
		c.dialect = haproxy()
	case "nginx":
		c.dialect = nginx()
		if tail, ok := strings.CutPrefix(rest, "/answer"); ok {
			c.dialect, rest = nginxAnswer(), c.rule(tail)
		}
	default:
		return false
	}
	return rest == ""
}

// rule takes @RULE off the rest of a path.
func (c *check) rule(rest string) string {
	after, ok := strings.CutPrefix(rest, "@")
	if !ok {
		return rest
	}
	c.q.Rule, rest = until(after, "/?")
	if c.q.Rule == "" { // somebody meant a rule; the first match need not be it
		c.q.Refuse(gate.UnknownRule)
	}
	return rest
}

// until splits s in front of the first of these characters.
func until(s, characters string) (before, rest string) {
	if i := strings.IndexAny(s, characters); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// answer judges the original request. It has an answer to everything; ok is false when something panicked.
func (h *Handler) answer(c *check) (out reply, ok bool) {
	if !c.parse() {
		return notFound(), true
	}
	if h.gate == nil {
		_, a := broken()
		return plain(&a, nil), true
	}
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("forwardauth: panic", "edge", c.dialect.edge, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			d, a := broken()
			out, ok = h.write(c, d, &a), false
		}
	}()
	c.q.Edge = c.dialect.edge
	h.read(c)
	var d gate.Decision
	if c.dialect.decide != nil {
		d = c.dialect.decide(h, c)
	} else {
		d = h.gate.Check(c.ctx, c.q)
	}
	h.gate.AnswerTo(&c.reply, c.q, &d)
	return h.write(c, d, &c.reply), true
}

func (h *Handler) write(c *check, d gate.Decision, a *gate.Answer) reply {
	var out reply
	if c.dialect.write != nil {
		out = c.dialect.write(h, c, d, a)
	} else {
		out = c.plain(a)
	}
	if c.q.Method == http.MethodHead {
		out.body = ""
	}
	return out
}

// read believes what the proxy says of the original request, if it is one of ours.
func (h *Handler) read(c *check) {
	asker := c.asker.Unmap()
	c.q.Client = asker
	if !h.proxies.Trusts(asker) {
		c.q.Fault = gate.UntrustedProxy
		return
	}
	headers := h.gate.Headers()
	for i := range c.lines {
		line := &c.lines[i]
		if c.aliased(line.Name) {
			c.q.Refuse(gate.AmbiguousRequest)
		}
		headers.Collect(c.q, line.Name, line.Value)
	}
	c.dialect.read(c)
	c.q.Client = h.proxies.Client(c.values(c.found[:0], "X-Forwarded-For"), asker)
	if len(c.q.Aliases) > 0 {
		// Whatever else is wrong: a gate that is switched off passes everything but this, since nobody removes an alias.
		c.q.Fault = gate.AliasedHeader
	}
}

// aliased reports whether a header would be taken for one of the family by a server that folds names.
func (c *check) aliased(name string) bool {
	if len(name) < len(c.dialect.family) {
		return false
	}
	if name[0]|0x20 != c.dialect.family[0] { // nearly all of them
		return false
	}
	exact := true
	for i := range len(name) {
		b := name[i]
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		} else if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			b, exact = '-', false
		}
		if i < len(c.dialect.family) && b != c.dialect.family[i] {
			return false
		}
	}
	return !exact
}

// one is the value of a header that the proxy sets exactly once.
func (c *check) one(name string) string {
	values := c.values(c.found[:0], name)
	if len(values) != 1 || values[0] == "" {
		c.q.Refuse(gate.AmbiguousRequest)
		return ""
	}
	return values[0]
}

// word is one that no comma can be part of: a proxy on the way joins two lines with one.
func (c *check) word(name string) string {
	value := c.one(name)
	if strings.IndexByte(value, ',') >= 0 {
		c.q.Refuse(gate.AmbiguousRequest)
	}
	return value
}
