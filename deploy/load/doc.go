// Package load measures what perf.md promises, against the real `usher serve` with a real PostgreSQL and Redis, each figure
// as a ratio within one run: `make load`. It has no code of its own besides its tests: TestFigures is the tool, run with
// -figures; without that it is a short run of the same that only looks whether everything still works. TestCapacity keeps
// docs/capacity.md, which computes from these figures, true.
//
// The generator is one thread with one epoll loop that speaks HTTP/2 and HTTP/1.1 itself, because an ordinary client costs
// as much as the servers it is to measure. Requests of an open loop are sent when they are due, and their latency counts
// from then, also when the server kept the generator from sending them.
package load
