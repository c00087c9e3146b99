package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{
		0: 400, 4 * mib: 400, 8 * mib: 400, 16 * mib: 200, 32 * mib: 100, 64 * mib: 50, 128 * mib: 25, 256 * mib: 12, 400 * mib: 10, 1 << 40: 10,
	} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d MiB in use: %d%%, want %d%%", live/mib, got, want)
		}
	}
}
