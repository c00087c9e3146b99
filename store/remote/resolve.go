package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Resolve implements gate.Resolver. It takes the configured time at most, and as long as ctx lets it.
func (s *Store) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	if c.Method() == gate.ByInternal {
		return store.Named(ctx, nil, c) // Better Auth's API knows nobody without a session
	}
	token := c.Token()
	if !store.Askable(token) {
		return nil, gate.ErrNoSession
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	p, err := s.resolve(ctx, token)
	if err == nil || errors.Is(err, gate.ErrNoSession) {
		return p, err
	}
	return nil, s.failed(ctx, "resolve session", token, err)
}

// failed says what was tried, and nothing that nobody may read.
func (s *Store) failed(ctx context.Context, what, token string, err error) error {
	err = s.hide(token, err)
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("remote: %s: %w (%w)", what, ctx.Err(), err)
	}
	return fmt.Errorf("remote: %s: %w", what, err)
}

func (s *Store) resolve(ctx context.Context, token string) (*gate.Principal, error) {
	known := s.api.Load()
	cookie := s.sign(token)
	cookies := cookie + "; " + known.dontRemember + "=" + betterauth.Sign(s.secret, "true")
	p, err := s.session(ctx, token, cookies)
	if err != nil || !known.organizations {
		return p, err
	}
	p.Memberships, err = s.memberships(ctx, known, p, cookies)
	switch {
	case is(err, http.StatusUnauthorized, ""):
		// The session ended meanwhile, or Better Auth could not look it up: these endpoints say the same to both.
		if _, gone := s.session(ctx, token, cookies); gone != nil {
			return nil, gone
		}
		return nil, err
	case is(err, http.StatusNotFound, ""):
		s.looked.Store(0) // the plugin may have been taken out: the next Ping looks
		return nil, err
	case err != nil:
		return nil, err
	}
	return p, nil
}

// session asks get-session.
func (s *Store) session(ctx context.Context, token, cookies string) (*gate.Principal, error) {
	a, err := s.get(ctx, "/get-session", unextended(), cookies)
	if err != nil {
		return nil, err
	}
	return s.readAnswer(a, token)
}

// readAnswer reads what get-session answers.
func (s *Store) readAnswer(a *answer, token string) (*gate.Principal, error) {
	body, err := a.json()
	switch {
	case err != nil:
		return nil, err
	case isNull(body) && a.cleared(s.cookie):
		return nil, gate.ErrNoSession
	case isNull(body):
		return nil, fmt.Errorf("%s: %w", a.call, errDisbelieved)
	}
	p, err := readSession(body, token)
	if err != nil && !errors.Is(err, gate.ErrNoSession) {
		return nil, fmt.Errorf("%s: %w", a.call, err)
	}
	return p, err
}
