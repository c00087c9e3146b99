package boot

import (
	"log/slog"
	"sync"
	"time"
)

const (
	complaintEvery = 10 * time.Second // for one cause
	mostCauses     = 100              // beyond, all are forgotten
)

// complaints logs why business rows cannot be made, each cause once in a while. A request that is refused for it has a line
// of its own, but somebody who acts in another organization meanwhile is not refused.
type complaints struct {
	log   *slog.Logger
	every time.Duration
	now   func() time.Time

	mu   sync.Mutex
	last map[string]time.Time // by cause
}

func (c *complaints) hear(table string, err error) {
	if c.isNew(err.Error()) {
		c.log.Error("a business row cannot be made; what needs it is answered 503", "table", table, "error", err)
	}
}

// isNew reports whether a cause was not heard for a while.
func (c *complaints) isNew(cause string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if last, heard := c.last[cause]; heard && now.Sub(last) < c.every {
		return false
	}
	if c.last == nil || len(c.last) >= mostCauses {
		c.last = make(map[string]time.Time)
	}
	c.last[cause] = now
	return true
}
