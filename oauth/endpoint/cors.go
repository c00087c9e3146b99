package endpoint

import (
	"net/http"
	"strings"
)

// allowOrigin lets a page of another trusted origin read the answer, whatever it is. The library leaves this to the
// framework around it.
func (rt *router) allowOrigin(h http.Header, r *http.Request) (allowed bool) {
	origin := r.Header.Get("Origin")
	if !isOrigin(origin) || !rt.config.Trusts(origin, false) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	return true
}

// isOrigin reports whether a text has the shape browsers give an Origin. Trusts reads whole URLs, and so would admit one
// with a path, which no browser compares equal to anything.
func isOrigin(s string) bool {
	_, authority, ok := strings.Cut(s, "://")
	return ok && authority != "" && !strings.ContainsAny(authority, "/?#@\\ ")
}

// preflight answers a browser that asks whether it may ask.
func (rt *router) preflight(w http.ResponseWriter, r *http.Request, p *place) (done bool) {
	h := w.Header()
	if r.Method != http.MethodOptions || h.Get("Access-Control-Allow-Origin") == "" {
		return false
	}
	h.Add("Vary", "Access-Control-Request-Method")
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", p.allowed)
	h.Set("Access-Control-Allow-Headers", "Content-Type, Authorization")
	h.Set("Access-Control-Max-Age", "600") // seconds; Chromium remembers no longer than two hours
	w.WriteHeader(http.StatusNoContent)
	return true
}

// expose adds a header to those that pages of another origin may read.
func expose(h http.Header, name string) {
	const header = "Access-Control-Expose-Headers"
	have := h.Get(header)
	switch {
	case have == "":
		h.Set(header, name)
	case !strings.Contains(", "+have+",", ", "+name+","):
		h.Set(header, have+", "+name)
	}
}
