package remote

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Refresh lets Better Auth extend the session, by its own rule: it asks as the session's browser would. What it answers
// is whether this call was the one that did; now and until are Better Auth's own. Sessions in which an admin impersonates
// somebody are left alone. Whether somebody did not want to be remembered the caller has to know: only a cookie tells.
//
// A Better Auth with session.deferSessionRefresh extends nothing by this.
func (s *Store) Refresh(ctx context.Context, c gate.Credential, session *gate.Session, _, _ time.Time) (renewed bool, err error) {
	token := c.Token()
	if !store.Askable(token) || session.ImpersonatedBy != "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	a, err := s.get(ctx, "/get-session", url.Values{"disableCookieCache": {"true"}}, s.sign(token))
	if err == nil && !a.goneMeanwhile() {
		_, err = s.readAnswer(a, token)
	}
	if err != nil && !errors.Is(err, gate.ErrNoSession) {
		return false, s.failed(ctx, "refresh session", token, err)
	}
	// Only a session that was extended gets its cookie anew.
	return err == nil && slices.Contains(a.given, s.cookie), nil
}

// goneMeanwhile reports whether Better Auth found the session, and not any more when it wrote: the code since 1.5, null
// before.
func (a *answer) goneMeanwhile() bool {
	return a.status == http.StatusUnauthorized && a.kind == "application/json" &&
		(isNull(a.body) || a.code() == "FAILED_TO_GET_SESSION")
}
