// Package demo is `usher demo`: the whole thing in one process, with nothing installed, for somebody who wants to see
// within a minute what Usher does.
//
// What runs is the real thing wherever it matters. A browser talks to a small reverse proxy; the proxy asks the real gate
// over HTTP as Traefik's forwardAuth would (proxy.go), and what passes goes over HTTP to a backend that has no sign-in
// code and shows what it received (backend.go, page.go). The gate reads a SQLite file on Better Auth's own schema
// (database.go). Only the sign-in page is a stand-in: it asks for no password, where a real one would be Better Auth's
// (signin.go).
//
//	browser ──► proxy ──► backend
//	              │ ▲
//	              ▼ │ 200 + identity, or 302 / 401 / 403 / 503
//	             gate ──► SQLite ◄── sign-in page
//
// The package must not know how a gate is wired: Options.StartGate does that, so that the demo shows the same gate that
// `usher serve` runs. Everything listens on loopback only; everything on disk lies in one temporary folder that is gone
// when Run returns.
package demo
