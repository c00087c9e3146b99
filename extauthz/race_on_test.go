//go:build race

package extauthz

// raceEnabled: the race detector makes sync.Pool drop things on purpose, so allocations say nothing.
const raceEnabled = true
