package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{
		0: 400, 8 * mib: 400, 16 * mib: 400, 32 * mib: 200, 64 * mib: 100, 128 * mib: 50, 256 * mib: 25, 400 * mib: 16, 800 * mib: 10, 1 << 40: 10,
	} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d MiB in use: %d%%, want %d%%", live/mib, got, want)
		}
	}
}
