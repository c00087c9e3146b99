package sqlite

import (
	"math"
	"testing"
	"time"
)

func TestInstant(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, time.November, 21, 20, 42, 28, 618e6, time.UTC)
	for _, c := range []struct {
		value any
		off   time.Duration
	}{
		{"2026-11-21T20:42:28.618Z", 0},
		{" 2026-11-21T20:42:28.618Z ", 0},
		{[]byte("2026-11-21T15:42:28.618-05:00"), 0},
		{"2026-11-21T20:42:28.618", 0},
		{"2026-11-21 20:42:28.618", 0},
		{"2026-11-21 20:42:28.618+00:00", 0},
		{"2026-11-21 20:42:28", 618 * time.Millisecond},
		{"2026-11-21T20:42:28Z", 618 * time.Millisecond},
		{want.UnixMilli(), 0},
		{want.Unix(), 618 * time.Millisecond},
		{float64(want.UnixMilli()), 0},
		{float64(want.UnixMilli()) / 1e3, 0},
		{"1795293748618", 0},
		{"1795293748618.0", 0},
		{"1795293748.618", 0},
	} {
		got, err := instant(c.value)
		if err != nil || !got.Round(time.Millisecond).Equal(want.Add(-c.off)) {
			t.Errorf("%v: %v, %v", c.value, got, err)
		}
	}
	for _, none := range []any{nil, "", "  ", []byte{}} {
		if got, err := instant(none); err != nil || !got.IsZero() {
			t.Errorf("%q: %v, %v", none, got, err)
		}
	}
	for _, bad := range []any{"tomorrow", "2026-13-01T00:00:00Z", true, math.NaN(), math.Inf(1), 1e300, "Infinity", "NaN"} {
		if got, err := instant(bad); err == nil {
			t.Errorf("%v: %v", bad, got)
		}
	}
}

func TestFlag(t *testing.T) {
	t.Parallel()
	for value, want := range map[any]bool{
		nil: false, int64(0): false, int64(1): true, int64(2): true, 0.0: false, 1.0: true, "1": true, "true": true, "TRUE": true,
		"0": false, "false": false, "": false, true: true, false: false,
	} {
		if got, err := flag(value); err != nil || got != want {
			t.Errorf("%v: %v, %v", value, got, err)
		}
	}
	for _, bad := range []any{"maybe", struct{}{}, []byte("ja")} {
		if got, err := flag(bad); err == nil {
			t.Errorf("%v: %v", bad, got)
		}
	}
}
