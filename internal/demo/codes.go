package demo

import (
	"sync"
	"time"

	"github.com/usherauth/usher/betterauth/record"
)

// grant is what a code stands for.
type grant struct {
	person                  *person
	nonce, challenge, scope string
	until                   time.Time
}

// codes are those that wait to be exchanged. Each is good once, and not for long.
type codes struct {
	mu   sync.Mutex
	open map[string]grant
}

const (
	codeLifetime = time.Minute // the exchange follows at once
	maxCodes     = 1000        // far more than a person can click in that time
)

// put makes a code; not where too many wait.
func (c *codes) put(g grant, now time.Time) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for code, old := range c.open {
		if !now.Before(old.until) {
			delete(c.open, code)
		}
	}
	if len(c.open) >= maxCodes {
		return "", false
	}
	code := record.Token()
	g.until = now.Add(codeLifetime)
	c.open[code] = g
	return code, true
}

// take uses a code up, whatever comes of it then.
func (c *codes) take(code string, now time.Time) (grant, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.open[code]
	delete(c.open, code)
	return g, ok && now.Before(g.until)
}
