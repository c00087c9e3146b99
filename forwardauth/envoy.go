package forwardauth

import (
	"slices"
	"strings"

	"github.com/usherauth/usher/gate"
)

// envoy is the HTTP service of Envoy's ext_authz filter. The check has the method, the Host and the target of the
// original request, behind a prefix that the configuration chose; only the scheme is in a header, which Envoy sets
// itself. Exactly 200 lets the request pass.
func envoy() dialect {
	return dialect{
		edge:   "envoy",
		family: "x-forwarded-proto",
		read: func(c *check) {
			c.q.Method, c.q.Host, c.q.Target = c.method, c.host, c.behind
			c.q.Scheme = c.word("X-Forwarded-Proto")
		},
		write: func(_ *Handler, c *check, _ gate.Decision, a *gate.Answer) reply {
			out := c.plain(a)
			if names := slices.Concat(a.Unset, a.Remove); a.Verdict == gate.Allow && len(names) > 0 {
				slices.Sort(names)
				out.add("X-Envoy-Auth-Headers-To-Remove", strings.Join(slices.Compact(names), ","))
			}
			if a.Verdict == gate.Allow && a.Cookie.Line() != "" {
				out.add("X-Usher-Cache-Control", gate.NoStore) // the printed configuration overwrites the backend's with it
			}
			return out
		},
	}
}
