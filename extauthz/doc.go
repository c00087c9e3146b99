// Package extauthz is the gate's gRPC edge: envoy.service.auth.v3.Authorization, as Envoy, Istio, Envoy Gateway and the
// Gateway API ask it.
//
// It owns the translation of a CheckRequest into a gate.Request (read.go) and of a gate.Answer into a CheckResponse
// (write.go), and who may ask. It must not decide: no rule, no session, no reason of its own beyond "this message has no
// single meaning". Listeners and the server belong to internal/server, which takes ServerOptions and calls
// Server.Register.
//
// Two things about Envoy shape it. A message without status, even an empty one, lets the request pass; so there is one
// constructor, and its zero value denies. And an RPC error is not a denial: failure_mode_allow turns it into a pass with
// the identity headers the client chose; so every question gets an answer, also one that cannot be read and one that
// made us panic.
//
// Messages are read and written in their wire format (codec.go, wire.go), without the generated types: these cost more
// than the decision does, and what their parser cannot read becomes an RPC error. The tests compare both.
package extauthz
