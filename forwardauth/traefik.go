package forwardauth

import "github.com/usherauth/usher/gate"

// traefik is Traefik's forwardAuth. It cleans the path before it asks and passes what it told us on to the backend, and
// it shows any answer but 2xx to the client as it is. It keeps aliases of identity headers unless told otherwise
// (aliasHeadersStrategy), and deletes only what authResponseHeaders names.
func traefik() dialect {
	return dialect{
		edge: "traefik", family: "x-forwarded-", read: forwarded,
		write: func(h *Handler, c *check, _ gate.Decision, a *gate.Answer) reply { return h.authorized(c, a) },
	}
}
