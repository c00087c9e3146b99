// Package e2e proves Usher on the real things: the npm better-auth makes people, organizations and sessions in a real
// database, the built usher binary judges, and requests go through real Envoy, Traefik, nginx, Caddy and HAProxy, each
// configured by what `usher proxy` prints, to a backend that keeps every byte it received. What is asserted is what
// that backend saw. The rows of the conformance matrix (S, U, R, D) are named in the cases.
package e2e
