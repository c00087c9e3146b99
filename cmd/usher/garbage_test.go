package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{
		0: 400, 4 * mib: 400, 8 * mib: 400, 16 * mib: 200, 32 * mib: 100, 64 * mib: 50, 128 * mib: 25, 400 * mib: 25, 1 << 40: 25,
	} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d MiB in use: %d%%, want %d%%", live/mib, got, want)
		}
	}
}
