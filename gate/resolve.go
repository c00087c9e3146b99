package gate

import (
	"context"
	"errors"
	"time"
)

// resolve asks the store for each credential in turn until one is a session that counts now, and tells which.
func (g *Gate) resolve(ctx context.Context, r *Request, credentials *Credentials, rule *Rule, now time.Time) (_ Decision, used Credential) {
	store := search{gate: g, ctx: ctx}
	defer store.end()
	var refused Reason
	named := credentials.Method == ByInternal
	for i := range credentials.n {
		principal, err := store.find(credentials.list[i])
		switch {
		case errors.Is(err, ErrNoSession):
			refused = first(refused, SessionUnknown)
			continue
		case err != nil:
			why := StoreUnavailable
			if errors.Is(err, ErrNotProvisioned) {
				why = ProvisionFailed
			}
			if errors.Is(err, context.DeadlineExceeded) || store.over() {
				why = StoreTimeout
			}
			return Decision{Verdict: Unavailable, Reason: why, Method: credentials.Method, Err: err}, used
		case principal == nil:
			return Decision{Verdict: Unavailable, Reason: InternalError, Err: errors.New("gate: resolver answered nothing")}, used
		}
		switch {
		case named && (!principal.Session.isNone() || principal.User.ID != credentials.list[i].token):
			return Decision{Verdict: Unavailable, Reason: InternalError, Err: errors.New("gate: resolver answered another than the user that was named")}, used
		case principal.User.ID == "":
			refused = first(refused, UserDeleted)
		case !named && !principal.Session.ExpiresAt.After(now):
			if r.Trace != nil {
				r.trace("session", "ended ", ago(principal.Session.ExpiresAt, now))
			}
			refused = first(refused, SessionExpired)
		case principal.User.banned(now):
			return Decision{Verdict: Deny, Reason: UserBanned, Method: credentials.Method, Principal: principal}, used
		default:
			return Decision{Verdict: Allow, Reason: SignedIn, Method: credentials.Method, Principal: principal}, credentials.list[i]
		}
	}
	switch credentials.Method {
	case ByCookie:
		return anonymous(rule, refused), used
	case ByInternal:
		return Decision{Reason: UserUnknown}, used
	}
	return Decision{Verdict: SignIn, Reason: refused}, used
}

// search is the lookups of one request. They share one deadline, which begins with the first that memory cannot answer.
type search struct {
	gate   *Gate
	ctx    context.Context
	within *deadline // nil: none has begun
}

func (s *search) find(c Credential) (*Principal, error) {
	if s.gate.memory != nil {
		if p := s.gate.memory.Recall(c); p != nil {
			return p, nil
		}
	}
	if s.within == nil {
		s.within = within(s.ctx, s.gate.config.Timeout)
	}
	return s.gate.config.Resolver.Resolve(s.within, c)
}

func (s *search) over() bool { return s.within != nil && s.within.Err() != nil }

func (s *search) end() {
	if s.within != nil {
		s.within.end()
	}
}
