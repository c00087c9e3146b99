package shared

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
)

// found is what was read at a name, and Redis' clock then.
type found struct {
	sealed string // empty: nothing
	clock  clock
}

// script reads an entry and the clock of the server that has it. It is one for Cluster's sake, where a command without
// a key, as TIME is one, may be answered by another server than the one that has the entry. What is there and no text is
// somebody else's: it cannot be read, and the next write replaces it.
const script = `
local time, value = redis.call('TIME'), redis.pcall('GET', KEYS[1])
if type(value) == 'table' then
	if not string.find(value.err, 'WRONGTYPE', 1, true) then return value end
	value = '?'
end
return {value, time[1], time[2]}`

var errReply = errors.New("shared: an unexpected reply")

// suspect is the name that was not answered last: in a Cluster, the one whose server has to answer again.
type suspect struct{ atomic.Pointer[string] }

// read reads an entry through the breaker.
func (c *Cache) read(ctx context.Context, n name) (found, error) {
	var f found
	err := c.breaker.Do(ctx, func(limited context.Context) (err error) {
		f, err = c.readNow(limited, n.redis)
		if err != nil && ctx.Err() == nil {
			c.failed.Store(&n.redis)
		}
		return err
	})
	return f, err
}

// probe reads as a request would.
func (c *Cache) probe(ctx context.Context) error {
	at := prefix
	if failed := c.failed.Load(); failed != nil {
		at = *failed
	}
	_, err := c.readNow(ctx, at)
	return err
}

func (c *Cache) readNow(ctx context.Context, at string) (found, error) {
	reply, err := c.script.Run(ctx, c.config.Client, []string{at}).Slice()
	if err != nil {
		return found{}, err
	}
	if len(reply) != 3 {
		return found{}, errReply
	}
	sealed, _ := reply[0].(string) // nil: nothing
	seconds, ok := reply[1].(string)
	microseconds, ok2 := reply[2].(string)
	s, err := strconv.ParseInt(seconds, 10, 64)
	us, err2 := strconv.ParseInt(microseconds, 10, 64)
	if !ok || !ok2 || err != nil || err2 != nil {
		return found{}, errReply
	}
	return found{sealed, clock(s*1e6 + us)}, nil
}
