package boot

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestEachCauseIsToldOnceInAWhile(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	c := &complaints{log: slog.New(slog.NewTextHandler(&out, nil)), every: 10 * time.Second, now: func() time.Time { return now }}
	count := func(want int) {
		t.Helper()
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%d lines, want %d", got, want)
		}
	}
	for range 100 {
		c.hear("users", errors.New("column plan"))
	}
	count(1)
	c.hear("users", errors.New("column email"))
	count(2)
	now = now.Add(10 * time.Second)
	c.hear("users", errors.New("column plan"))
	count(3)
	for i := range 3 * mostCauses {
		c.hear("users", fmt.Errorf("cause %d", i))
	}
	if len(c.last) > mostCauses {
		t.Errorf("%d causes are remembered", len(c.last))
	}
}
