// Package demo is `usher demo`: the whole thing in one process, with nothing installed, for somebody who wants to see
// within a minute what Usher does.
//
// What runs is the real thing wherever it matters. A browser talks to a small reverse proxy; the proxy asks the real gate
// over HTTP as Traefik's forwardAuth would (proxy.go), and what passes goes over HTTP to a backend that has no sign-in
// code and shows what it received (backend.go, page.go). People sign in at the real companion, to which the proxy leads
// some paths (front.go). Both work on a SQLite file of Better Auth's own schema (database.go). Only the identity provider
// that the companion asks is made for the demo: it lets one pick who to be, where Google would want a password
// (provider.go, authorize.go, token.go, codes.go).
//
//	browser ──► front ──► proxy ──► backend
//	              │        │ ▲
//	              │        ▼ │ 200 + identity, or 302 / 401 / 403 / 503
//	              │       gate ──► SQLite
//	              │                  ▲
//	              ├──► companion ────┘   /sign-in, /account, /api/auth
//	              ▼        │ code, PKCE
//	           provider ◄──┘             /demo-provider
//
// The package must not know how Usher is wired: Options.StartUsher does that, so that the demo shows the same gate and the
// same companion that `usher serve` runs. The provider is nowhere but here. Everything listens on loopback only;
// everything on disk lies in one temporary folder that is gone when Run returns.
package demo
