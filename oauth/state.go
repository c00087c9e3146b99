package oauth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/flow"
)

// keep remembers a state: in a row, with a signed cookie that ties it to this browser, or in a sealed cookie alone.
func (s *Server) keep(c *endpoint.Call, st *flow.State) error {
	text, err := st.Encode()
	if err != nil {
		return err
	}
	if s.config.State.InCookie {
		c.SetCookie(s.config.Cookies.Set(betterauth.OAuthState, s.stateKeys.Encrypt(text), flow.StateAge))
		return nil
	}
	identifier := flow.Identifier(st.ID, s.config.State.Hashed)
	if err := s.config.Store.PutVerification(c.R.Context(), identifier, text, st.ExpiresAt, c.Now); err != nil {
		return err
	}
	c.SetCookie(s.config.Cookies.SetSigned(betterauth.State, st.ID, flow.StateCookieAge))
	return nil
}

// refusal is an error that is told in a redirect.
type refusal struct {
	code, description string
	target            string // empty: where errors are told that belong to no flow
}

// take finds a state and uses it up: of all who ask, exactly one gets it. The order of the checks is the library's, but
// the row goes in one step after the check of the cookie.
func (s *Server) take(c *endpoint.Call, id string) (*flow.State, *refusal) {
	st, no := s.takeRow, (*refusal)(nil)
	if s.config.State.InCookie {
		st = s.takeCookie
	}
	state, no := st(c, id)
	if no != nil {
		return nil, no
	}
	if state.ExpiresAt.Before(c.Now) {
		return nil, &refusal{code: stateMismatch, target: state.ErrorURL}
	}
	return state, nil
}

func (s *Server) takeRow(c *endpoint.Call, id string) (*flow.State, *refusal) {
	identifier, text, err := s.findRow(c.R.Context(), id)
	switch {
	case err != nil:
		c.Log.ErrorContext(c.R.Context(), "sign-in server: a state could not be looked up", "error", err)
		return nil, &refusal{code: internalError}
	case identifier == "":
		return nil, &refusal{code: stateMismatch}
	}
	state, err := flow.DecodeState(text)
	if err != nil {
		return nil, &refusal{code: internalError}
	}
	if state.ID != "" && state.ID != id || !s.config.State.SkipCookieCheck && !only(s.config.Cookies.ReadSigned(c.R.Header["Cookie"], betterauth.State), id) {
		return nil, &refusal{code: stateMismatch, target: state.ErrorURL}
	}
	taken, found, err := s.config.Store.TakeVerification(c.R.Context(), identifier)
	switch {
	case err != nil:
		c.Log.ErrorContext(c.R.Context(), "sign-in server: a state could not be used up", "error", err)
		return nil, &refusal{code: internalError}
	case !found || taken != text:
		return nil, &refusal{code: stateMismatch} // somebody else was faster
	}
	c.SetCookie(s.config.Cookies.Clear(betterauth.State))
	return state, nil
}

// findRow looks under the names a state may have; the library falls back to the plain one, too.
func (s *Server) findRow(ctx context.Context, id string) (identifier, text string, err error) {
	names := []string{flow.Identifier(id, s.config.State.Hashed)}
	if s.config.State.Hashed {
		names = append(names, flow.Identifier(id, false))
	}
	for _, name := range names {
		text, found, err := s.config.Store.FindVerification(ctx, name)
		if err != nil || found {
			return name, text, err
		}
	}
	return "", "", nil
}

// only is whether the browser brought this value and no other genuine one. Of two the library takes the first, and the
// order of cookies is an attacker's choice who can set some for a sibling domain.
func only(values []string, want string) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return v != want })
}

func (s *Server) takeCookie(c *endpoint.Call, id string) (*flow.State, *refusal) {
	values := s.config.Cookies.Read(c.R.Header["Cookie"], betterauth.OAuthState)
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	if len(values) == 0 {
		return nil, &refusal{code: stateMismatch}
	}
	var state *flow.State
	for _, value := range values {
		text, err := s.stateKeys.Decrypt(value)
		if err != nil {
			continue
		}
		other, err := flow.DecodeState(text)
		if err != nil {
			continue
		}
		if state != nil && state.ID != other.ID {
			return nil, &refusal{code: stateMismatch}
		}
		state = other
	}
	if state == nil {
		return nil, &refusal{code: "state_invalid"}
	}
	if state.ID == "" || state.ID != id || !s.spent.spend(id, state.ExpiresAt, c.Now) {
		return nil, &refusal{code: stateMismatch, target: state.ErrorURL}
	}
	c.SetCookie(s.config.Cookies.Clear(betterauth.OAuthState))
	return state, nil
}

// spent are states in cookies that this process has used. The library keeps none, so one callback could be replayed as
// long as its cookie lasts.
type spent struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// mostSpent bounds the memory: a hundred bytes each.
const mostSpent = 1 << 16

// spend reports whether a state was not used before. It is remembered as long as it would count.
func (p *spent) spend(id string, until, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, used := p.until[id]; used {
		return false
	}
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	if len(p.until) >= mostSpent {
		for old, end := range p.until {
			if end.Before(now) {
				delete(p.until, old)
			}
		}
		for old := range p.until { // all of them within ten minutes: any has to go
			if len(p.until) < mostSpent {
				break
			}
			delete(p.until, old)
		}
	}
	p.until[id] = until
	return true
}

// sweep deletes verifications that expired, once a minute at most, as the library does when it looks one up.
func (s *Server) sweep(c *endpoint.Call) {
	const every = time.Minute
	last, now := s.swept.Load(), c.Now.UnixNano()
	if s.config.State.InCookie || now-last < int64(every) || !s.swept.CompareAndSwap(last, now) {
		return
	}
	if err := s.config.Store.SweepVerifications(c.R.Context(), c.Now); err != nil && !errors.Is(err, context.Canceled) {
		c.Log.WarnContext(c.R.Context(), "sign-in server: expired verifications could not be deleted", "error", err)
	}
}
