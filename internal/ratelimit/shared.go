package ratelimit

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/store/redisconn"
)

// Shared counts in a Redis, for all who use the same one. While that does not answer, it counts in this process: a limit
// is never a reason to turn somebody away who is within it. It is safe for concurrent use.
type Shared struct {
	client  redis.UniversalClient
	prefix  string
	script  *redis.Script
	breaker *redisconn.Breaker
	local   *Local
}

// SharedConfig is what a Shared needs. Client is required, and stays the caller's to close.
type SharedConfig struct {
	Client  redis.UniversalClient
	Prefix  string           // before every key; the library's own is better-auth:
	Now     func() time.Time // of what is counted here meanwhile; nil: time.Now
	Changed func(error)      // told when Redis stops answering, and nil when it answers again; nil: nobody is told

	Timeout time.Duration // longest time that one count may take; 0: a redisconn.Breaker's
}

// NewShared makes a Shared, which counts in this process until Run finds that Redis answers.
func NewShared(c SharedConfig) *Shared {
	s := &Shared{client: c.Client, prefix: c.Prefix, script: redis.NewScript(counting), local: NewLocal(c.Now)}
	s.breaker = redisconn.NewBreaker(redisconn.BreakerConfig{
		// A counter of its own: a replica that may not be written to answers PING.
		Probe:   func(ctx context.Context) error { return s.count(ctx, "usher-probe", time.Second).Err() },
		Changed: c.Changed, Timeout: c.Timeout,
	})
	return s
}

// Run keeps finding out whether Redis answers, until ctx ends.
func (s *Shared) Run(ctx context.Context) { s.breaker.Run(ctx) }

// Sharing reports whether Redis is counting at the moment.
func (s *Shared) Sharing() bool { return !s.breaker.Open() }

// The library's script sets the end of the window in seconds; both leave alone what the other has begun.
const counting = `
local n = redis.call("INCR", KEYS[1])
if n == 1 or redis.call("PTTL", KEYS[1]) < 0 then
  redis.call("PEXPIRE", KEYS[1], ARGV[1])
end
return n
`

func (s *Shared) count(ctx context.Context, key string, window time.Duration) *redis.Cmd {
	return s.script.Run(ctx, s.client, []string{s.prefix + key}, window.Milliseconds())
}

// Take counts one more request under key and answers whether it is one of the first most within window of the first. As
// in the library, retry is the whole window.
func (s *Shared) Take(ctx context.Context, key string, window time.Duration, most int) (ok bool, retry time.Duration) {
	var n int64
	err := s.breaker.Do(ctx, func(ctx context.Context) (err error) {
		n, err = s.count(ctx, key, window).Int64()
		return err
	})
	switch {
	case err != nil:
		return s.local.Take(ctx, key, window, most)
	case n > int64(most):
		return false, window
	}
	return true, 0
}
