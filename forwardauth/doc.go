// Package forwardauth is the gate's HTTP edges: the sub-requests by which Traefik, Caddy, nginx, HAProxy and Envoy's HTTP
// service ask whether a request may pass.
//
// It owns, one file each, how a proxy says what the original request was and what it can hear; what they share is
// handler.go (who may ask, which path is which proxy), forwarded.go (X-Forwarded-*), respond.go (what may be written of an
// answer) and ticket.go. It must not decide: no rule, no session, no reason of its own beyond "this
// request has no single meaning".
//
// A question comes by net/http (ServeHTTP) or as bytes (Answer), which is twice as fast: question.go is what both make of it,
// and all behind that is the same. read.go knows the one form in which proxies write a check, and leaves everything else,
// right or wrong, to net/http. So net/http stays the definition: FuzzAnswer demands the same request and the same answer of
// both, for any bytes, and what the tests send (world.send) is asked in both ways.
//
// What every proxy lets its clients write differs, so there is one family of headers for each path and never a second
// one to fall back to. The path is read as it came: behind /gate/envoy follows the client's own, which nothing may clean
// or redirect (no http.ServeMux in front; see proxies.md, section 1). Bodies and trailers are never read.
package forwardauth
