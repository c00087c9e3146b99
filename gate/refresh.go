package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Sliding is Better Auth's sliding expiry, done by a gate in Better Auth's place: who meets only backends behind the
// gate never asks Better Auth, and would be signed out in the middle of the work. Without it the gate only reads.
//
// Sessions that an administrator opened for somebody, and those of people who did not want to be remembered, are never
// moved. Nothing of this ever changes a decision.
type Sliding struct {
	Refresher Refresher     // required
	ExpiresIn time.Duration // session.expiresIn: how long a session lasts from now on; required
	UpdateAge time.Duration // session.updateAge: how long a session is left alone; see leastUpdateAge

	// Cookie makes the cookie that tells a browser of the new end. Nil: none is handed out, and browsers forget the
	// session when its first cookie ends.
	Cookie func(token string) SetCookie

	// DontRemember reports whether the request carries the genuine cookie of somebody who did not want to be remembered.
	// It is asked only when a session is due. Nil: nobody has one.
	DontRemember func(r *Request) bool

	// Except is the path below which Better Auth itself answers, and sets cookies which ours must not replace:
	// /api/auth. Empty: nowhere.
	Except string

	// Forget hears of tokens of which memory is out of date now: the end was moved, here or by somebody else. Nil: there
	// is no memory.
	Forget func(token string)

	// Observe hears what came of every attempt: renewed, overtaken by somebody else, or failed. It must not block. Nil:
	// nobody listens.
	Observe func(renewed bool, err error, took time.Duration)
}

// Refresher moves the end of the session c from s.ExpiresAt to until, and notes that it was updated now; both are whole
// milliseconds. It reports false where the session no longer ends at s.ExpiresAt, to the millisecond, so that of all who
// try one succeeds. It must honour ctx and be safe for concurrent use.
type Refresher interface {
	Refresh(ctx context.Context, c Credential, s *Session, now, until time.Time) (renewed bool, err error)
}

// SetCookie is the value of a Set-Cookie header. It holds a session's token, so it prints as a placeholder everywhere.
// The zero SetCookie is none.
type SetCookie struct{ line string }

// NewSetCookie takes the whole value: name=value; Path=/; …
func NewSetCookie(line string) SetCookie { return SetCookie{line} }

// Line is the value itself, for the client and nobody else; empty: none.
func (c SetCookie) Line() string { return c.line }

func (c SetCookie) String() string { return "set-cookie(redacted)" }

// Format keeps every verb of fmt from printing the token.
func (c SetCookie) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue keeps slog from printing the token.
func (c SetCookie) LogValue() slog.Value { return slog.StringValue(c.String()) }

const (
	// leastUpdateAge stands for a shorter UpdateAge: Better Auth's 0 is a write for every read, of which a gate has many.
	// Of a session that lasts less than two minutes it is half the life.
	leastUpdateAge = time.Minute

	// refreshTimeout is the longest that a request is kept waiting for a refresh, and answerWithin what it all must fit
	// into: the gate answers within 2 s.
	refreshTimeout = 300 * time.Millisecond
	answerWithin   = 1900 * time.Millisecond

	// forgottenAfter is how long Better Auth lets a session live whose owner did not want to be remembered.
	forgottenAfter = 24 * time.Hour
)

// sliding is a Sliding at work.
type sliding struct {
	Sliding
	every  time.Duration // UpdateAge, but not too short
	claims claims
}

func newSliding(s *Sliding) (*sliding, error) {
	if s == nil {
		return nil, nil
	}
	if s.Refresher == nil || s.ExpiresIn <= 0 {
		return nil, errors.New("gate: Sliding needs Refresher and ExpiresIn")
	}
	every := max(s.UpdateAge, min(leastUpdateAge, s.ExpiresIn/2))
	return &sliding{Sliding: *s, every: every, claims: claims{rest: min(20*time.Second, every/3)}}, nil
}

// refresh moves the end of the session that was just let through with this credential, if that is due. Whatever goes
// wrong, the decision stays as it is.
func (g *Gate) refresh(ctx context.Context, r *Request, path string, used Credential, d *Decision, start time.Time) {
	s := g.sliding
	if s == nil || !s.due(&d.Principal.Session, start) || s.excepts(path) {
		return
	}
	defer func() { _ = recover() }() // of Observe
	began := g.config.Now()
	patience := min(refreshTimeout, answerWithin-began.Sub(start))
	if patience <= 0 || s.DontRemember != nil && s.DontRemember(r) || !s.claims.take(d.Principal.Session.ID, began) {
		return
	}
	// Not ctx: a client that hangs up would break the connection to the store, and the row may have been moved already.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	cookie, renewed, err := s.move(ctx, used, &d.Principal.Session, began)
	d.Cookie = cookie
	ended := g.config.Now()
	s.claims.leave(err != nil, ended)
	if r.Trace != nil {
		r.trace("refresh", fmt.Sprintf("due; renewed %v, error %v", renewed, err))
	}
	if s.Observe != nil {
		s.Observe(renewed, err, ended.Sub(began))
	}
}

// due is Better Auth's own condition, and what a row alone says against it.
func (s *sliding) due(session *Session, now time.Time) bool {
	return session.ImpersonatedBy == "" && !session.ExpiresAt.Add(s.every-s.ExpiresIn).After(now) && !s.forgettable(session)
}

// forgettable reports whether the row is one of somebody who did not want to be remembered: it was made for a day and
// never moved. A browser shows that by a cookie, a bearer client cannot. Where everybody's sessions last a day, only the
// cookie tells.
func (s *sliding) forgettable(session *Session) bool {
	life := session.ExpiresAt.Sub(session.CreatedAt)
	switch {
	case s.ExpiresIn > forgottenAfter+time.Minute:
		return life <= forgottenAfter+time.Minute
	case s.ExpiresIn < forgottenAfter-time.Minute:
		return (life - forgottenAfter).Abs() <= time.Second // a second, for one that was moved may come to a day by chance
	default:
		return false
	}
}

func (s *sliding) excepts(path string) bool {
	rest, below := strings.CutPrefix(path, s.Except)
	return s.Except != "" && below && (rest == "" || rest[0] == '/')
}

// move asks the store, and makes the cookie for the one whose request moved the session.
func (s *sliding) move(ctx context.Context, used Credential, session *Session, now time.Time) (cookie SetCookie, renewed bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			cookie, err = SetCookie{}, fmt.Errorf("gate: refresh: panic: %v", v)
		}
	}()
	now = now.Truncate(time.Millisecond)
	if renewed, err = s.Refresher.Refresh(ctx, used, session, now, now.Add(s.ExpiresIn)); err != nil {
		return SetCookie{}, false, err // memory stays: without a store it is all there is
	}
	if s.Forget != nil {
		s.Forget(used.Token())
	}
	if renewed && used.Method() == ByCookie && s.Cookie != nil {
		cookie = s.Cookie(used.Token())
	}
	return cookie, renewed, nil
}

const (
	mostRefreshing = 8    // at the same time: others pass as they are, and are due at their next request
	mostClaims     = 8192 // sessions in each of the two generations
)

// claims lets each session be tried by one request at a time, and then rest: whoever succeeded, or lost to another
// replica, may still be remembered somewhere as due. It is safe for concurrent use.
type claims struct {
	rest time.Duration // how long at least; at most three times that

	mu          sync.Mutex
	busy        int
	now, before map[string]struct{} // session ids, by when they were claimed
	turned      time.Time           // when now was begun
	quiet       time.Time           // until then nothing is tried: the store has just failed
}

// take claims a session, unless it is claimed already or too much is going on.
func (c *claims) take(id string, at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy >= mostRefreshing || at.Before(c.quiet) {
		return false
	}
	if age := at.Sub(c.turned); c.now == nil || age >= c.rest || len(c.now) >= mostClaims {
		c.before = c.now
		if age >= 2*c.rest {
			c.before = nil
		}
		c.now, c.turned = make(map[string]struct{}), at
	}
	_, claimed := c.now[id]
	_, rests := c.before[id]
	if claimed || rests {
		return false
	}
	c.now[strings.Clone(id)] = struct{}{} // it may be a part of a whole principal from memory
	c.busy++
	return true
}

// leave ends an attempt. After one that failed, there is none for a second, so that a store in trouble is not asked more
// than before, and hardly anybody waits for it.
func (c *claims) leave(failed bool, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	if failed {
		c.quiet = at.Add(time.Second)
	}
}
