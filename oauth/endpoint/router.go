package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// Trusts reports whether a URL leads to one of ours: an absolute one by its origin, and a path on this site if
// relativeToo is set. It decides as Better Auth's trustedOrigins do, or more strictly.
type Trusts func(url string, relativeToo bool) bool

// Config is what all routes share. Required are Trusts, Reader, Cookies, Sessions and Log.
type Config struct {
	BasePath string // before every route, such as /api/auth; empty: none
	BaseURL  string // our own origin as browsers see it, such as https://app.example.com

	Trusts   Trusts
	Reader   *betterauth.Reader  // proves cookies and bearers
	Cookies  *betterauth.Cookies // writes them
	Sessions Sessions

	ExpiresIn time.Duration // of a session; 0: seven days
	UpdateAge time.Duration // a session is made to last ExpiresIn again when it is older than this; 0: one day; negative: with every use
	FreshAge  time.Duration // how old a session may be for what is delicate; 0: one day; negative: any age

	Proxies gate.Proxies     // whose X-Forwarded-For counts
	Limiter Limiter          // nil: nobody is limited
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger
}

// Limiter counts requests. Take counts one more under key, of which no more than most may come within window of each
// other, and answers whether it is admitted; if not, retry says in how long the next one is. It decides on its own when
// what it counts with is out of order.
type Limiter interface {
	Take(ctx context.Context, key string, window time.Duration, most int) (ok bool, retry time.Duration)
}

// Handler answers a request. An *Error that it returns is sent as it is; any other is a 500 without a body, and one line
// in the log.
type Handler func(c *Call) error

// Route is one thing that can be asked for.
type Route struct {
	Method string
	// Path is below the base path and begins with a slash. Its last segment may be a name in braces, /callback/{provider}:
	// it stands for any one segment that is not empty, which is Call.Param then.
	Path    string
	Handler Handler

	Media  []string // content types a body may have; nil: application/json
	NoBody bool     // a body is not looked at, whatever it is
	Bucket string   // the path in whose rate limit it counts; empty: its own
	// Known reports whether there is something of the name in braces, which has a rate limit of its own then; all other
	// names have one together. nil: nothing is known.
	Known func(param string) bool
}

// router is the table of routes. It is built once and never changed.
type router struct {
	config Config
	exact  map[string]*place // by path
	params map[string]*place // by what stands before the last segment, its slash included
}

// place is all that lives at one path.
type place struct {
	path    string
	methods map[string]*Route
	allowed string // the methods, for a preflight
}

// NewRouter makes a handler of routes. It fails where a required field is missing, a route answers nothing, or two are the
// same.
func NewRouter(c Config, routes ...Route) (http.Handler, error) {
	if c.Trusts == nil || c.Reader == nil || c.Cookies == nil || c.Sessions == nil || c.Log == nil {
		return nil, errors.New("endpoint: Trusts, Reader, Cookies, Sessions and Log are required")
	}
	c.ExpiresIn, c.UpdateAge, c.FreshAge = or(c.ExpiresIn, 7*24*time.Hour), or(c.UpdateAge, 24*time.Hour), or(c.FreshAge, 24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	rt := &router{config: c, exact: map[string]*place{}, params: map[string]*place{}}
	for i := range routes {
		if err := rt.add(&routes[i]); err != nil {
			return nil, err
		}
	}
	return rt, nil
}

func or(d, usual time.Duration) time.Duration {
	if d == 0 {
		return usual
	}
	return d
}

func (rt *router) add(r *Route) error {
	if r.Method == "" || !strings.HasPrefix(r.Path, "/") || r.Handler == nil {
		return fmt.Errorf("endpoint: route %q %q needs a method, a path that begins with a slash, and a handler", r.Method, r.Path)
	}
	table, key := rt.exact, r.Path
	if at := strings.LastIndexByte(r.Path, '/'); strings.HasSuffix(r.Path, "}") && r.Path[at+1] == '{' {
		table, key = rt.params, r.Path[:at+1]
	}
	p := table[key]
	if p == nil {
		p = &place{path: r.Path, methods: map[string]*Route{}}
		table[key] = p
	}
	if p.methods[r.Method] != nil {
		return fmt.Errorf("endpoint: two routes %s %s", r.Method, r.Path)
	}
	p.methods[r.Method] = r
	if p.allowed != "" {
		p.allowed += ", "
	}
	p.allowed += r.Method
	return nil
}

// find looks a path up exactly as it was sent: nothing is decoded, cleaned or completed.
func (rt *router) find(path string) (p *place, below, param string) {
	below, ok := strings.CutPrefix(path, rt.config.BasePath)
	if !ok {
		return nil, "", ""
	}
	if p = rt.exact[below]; p != nil {
		return p, below, ""
	}
	at := strings.LastIndexByte(below, '/')
	if at < 0 || at == len(below)-1 {
		return nil, "", ""
	}
	return rt.params[below[:at+1]], below, below[at+1:]
}

func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Origin")
	rt.allowOrigin(h, r)
	p, path, param := rt.find(r.URL.EscapedPath())
	switch {
	case p == nil:
		w.WriteHeader(http.StatusNotFound)
		return
	case rt.preflight(w, r, p):
		return
	}
	c := &Call{W: w, R: r, Now: rt.config.Now(), Log: rt.config.Log, Param: param, router: rt}
	route := p.methods[r.Method]
	if !c.limit(p, path, route) {
		return
	}
	if route == nil {
		w.WriteHeader(http.StatusNotFound) // never 405
		return
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err := c.run(route); err != nil {
		c.fail(route, err)
	}
}

func (c *Call) run(route *Route) error {
	if err := c.readBody(route); err != nil {
		return err
	}
	if err := c.checkOrigin(); err != nil {
		return err
	}
	return route.Handler(c)
}

func (c *Call) fail(route *Route, err error) {
	var known *Error
	if errors.As(err, &known) {
		c.W.Header().Set("Content-Type", "application/json")
		c.W.WriteHeader(known.Status)
		_, _ = c.W.Write(known.appendJSON(nil))
		return
	}
	if !errors.Is(c.R.Context().Err(), context.Canceled) { // else nobody waits any more
		c.Log.LogAttrs(c.R.Context(), slog.LevelError, "sign-in server: a request failed",
			slog.String("route", route.Method+" "+route.Path), slog.Any("error", err))
	}
	c.W.WriteHeader(http.StatusInternalServerError)
}

// peer is the address the connection comes from.
func peer(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr()
}
