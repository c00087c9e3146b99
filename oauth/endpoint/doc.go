// Package endpoint is what better-call, Better Auth's HTTP layer, is in JavaScript: which request is whose, what a body
// may be and what is said of one that is not, who may ask from which origin and how often, and whose session it is. The
// rooms beside it (oauth/session and so on) are handlers on top of it.
//
// A request goes through in the library's own order, which decides what a request with two faults is told: path, rate
// limit, method, body (415, 400), origin and return URLs (403), then the handler, which asks for the validated body (400)
// before it asks for the session (401).
//
// It must not know any route, and no provider.
package endpoint
