// Package proxy renders configurations of reverse proxies that ask Usher before they pass a request on: complete files
// that the stock proxy starts with as they are printed, commented for the person who will own them.
//
// It owns what a proxy must be told so that no client-chosen identity header reaches a backend, and nothing else: it
// knows the gate by its paths (/gate/NAME, gRPC) and by gate.Headers, from which every list of names is computed. It
// opens no file and asks nobody; `usher proxy` prints or writes what Render returns.
//
// A proxy is one template beside the Go file of its family. deploy/NAME/ holds what the defaults render to, and
// `go test ./deploy/proxy -update` rewrites it. docs/proxies.md says what each configuration closes and what it cannot.
package proxy
