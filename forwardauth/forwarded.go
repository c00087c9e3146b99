package forwardauth

import "github.com/usherauth/usher/gate"

// forwarded reads the original request from X-Forwarded-*, which Traefik, Caddy and our Lua for HAProxy set themselves.
// Clients may send X-Original-*, X-Rewrite-URL and Forwarded past all three; nobody looks at those here.
func forwarded(c *check) {
	c.q.Method = c.word("X-Forwarded-Method")
	c.q.Host = c.word("X-Forwarded-Host")
	c.q.Target = c.one("X-Forwarded-Uri") // a comma is an ordinary character of a path
	c.q.Scheme = scheme(c.word("X-Forwarded-Proto"))
	if len(c.values(c.found[:0], "X-Forwarded-For")) > 1 {
		c.q.Refuse(gate.AmbiguousRequest)
	}
}

// scheme maps a WebSocket's scheme onto its handshake's: Traefik reports the former. The gate refuses what is neither
// http nor https.
func scheme(proto string) string {
	switch proto {
	case "ws":
		return "http"
	case "wss":
		return "https"
	}
	return proto
}
