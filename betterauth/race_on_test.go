//go:build race

package betterauth

// raceEnabled: the race detector makes sync.Pool drop things on purpose, so allocations say nothing.
const raceEnabled = true
