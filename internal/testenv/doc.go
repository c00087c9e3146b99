// Package testenv gives tests their real parts: PostgreSQL, Redis, proxies, a browser, Better Auth itself, and two small
// instruments to look at bytes with, a backend that records what reached it (EchoBackend) and a client that sends
// exactly what it is told (RawHTTP).
//
// A part that is missing fails the test and names itself; nothing is ever skipped, because a test that quietly does not
// run reads like one that passed. `make parts` installs everything.
//
// Whatever is started here ends with its test, and with the test process if that is killed.
package testenv
