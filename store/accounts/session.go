package accounts

import (
	"context"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store"
)

// CreateSession makes a session of this user. It sets the session's id. The user is what the secondary storage keeps
// beside the session.
func (s *Store) CreateSession(ctx context.Context, sess *record.Session, u *record.User) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if s.config.sessionRows() {
		err := s.do(ctx, "create session", func(sc *schema) error {
			return sc.insert(ctx, s.writer, "session", &sess.ID, sessionCells(sess))
		})
		if err != nil {
			return err
		}
	}
	if s.cache == nil {
		return nil
	}
	return s.cache.create(ctx, sess, u)
}

// FindSession finds a session and its user by the token; nil: there is none. Sessions that have expired are answered like
// any other.
func (s *Store) FindSession(ctx context.Context, token string) (*record.Session, *record.User, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if !store.Askable(token) {
		return nil, nil, nil
	}
	if s.cache != nil {
		sess, u, absent, err := s.cache.find(ctx, token)
		if err != nil || !absent || !s.config.sessionRows() || s.config.preserved() {
			return sess, u, err
		}
	}
	var sess *record.Session
	var u *record.User
	err := s.do(ctx, "find session", func(sc *schema) (err error) {
		sess, u, err = sc.session(ctx, s.reader, token)
		return err
	})
	return sess, u, err
}

// session reads both in one statement. A session whose user is gone is none.
func (sc *schema) session(ctx context.Context, db querier, token string) (*record.Session, *record.User, error) {
	conditions := []condition{{"token", token}}
	if !sc.possible("session", conditions) {
		return nil, nil, nil
	}
	sess, u := new(record.Session), new(record.User)
	expressions, into := sc.columns("s", "session", sessionCells(sess))
	more, intoUser := sc.columns("u", "user", userCells(u))
	where, args := sc.where("s", "session", conditions, 1)
	rows, err := db.QueryContext(ctx, "select "+strings.Join(append(expressions, more...), ", ")+" from "+sc.table("session")+" s join "+
		sc.table("user")+" u on "+sc.same("u", "user", "id", "s", "session", "userId")+where+limit(1), args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, nil, rows.Err()
	}
	if err := rows.Scan(append(into, intoUser...)...); err != nil {
		return nil, nil, err
	}
	return sess, u, rows.Err()
}

// same compares two ids. Where one column is, say, uuid and the other text, only their text forms compare; SQLite sees to
// that itself.
func (sc *schema) same(alias, model, field, otherAlias, otherModel, otherField string) string {
	one, other := alias+"."+sc.column(model, field), otherAlias+"."+sc.column(otherModel, otherField)
	if sc.dialect == betterauth.Postgres && sc.kind(model, field) != sc.kind(otherModel, otherField) {
		return "cast(" + one + " as text) = cast(" + other + " as text)"
	}
	return one + " = " + other
}

// RefreshSession moves the end of a session, and sets sess accordingly. False: it is gone.
func (s *Store) RefreshSession(ctx context.Context, sess *record.Session, expiresAt, now time.Time) (bool, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	found, err := s.updateSession(ctx, "refresh session", sess,
		[]condition{{"expiresAt", expiresAt}, {"updatedAt", now}},
		[]change{{"expiresAt", quoted(record.Time(expiresAt))}, {"updatedAt", quoted(record.Time(now))}})
	if found {
		sess.ExpiresAt, sess.UpdatedAt = expiresAt, now
	}
	return found, err
}

// SetActiveOrganization changes which organization a session prefers, and sets sess accordingly; nil: none. As Better Auth,
// it leaves the active team as it is, and updatedAt where the session is only in the secondary storage.
func (s *Store) SetActiveOrganization(ctx context.Context, sess *record.Session, organizationID *string, now time.Time) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	value := "null"
	if organizationID != nil {
		value = quoted(*organizationID)
	}
	found, err := s.updateSession(ctx, "set active organization", sess,
		[]condition{{"activeOrganizationId", organizationID}, {"updatedAt", now}},
		[]change{{"activeOrganizationId", value}})
	if found {
		sess.ActiveOrganizationID = organizationID
		if s.config.sessionRows() {
			sess.UpdatedAt = now
		}
	}
	return err
}

// updateSession changes the value in the secondary storage and then the row, as Better Auth does, and like it takes the
// row's word for whether there was one.
func (s *Store) updateSession(ctx context.Context, what string, sess *record.Session, row []condition, value []change) (found bool, err error) {
	if s.cache != nil {
		if found, err = s.cache.update(ctx, sess.Token, value); err != nil {
			return false, err
		}
	}
	if !s.config.sessionRows() {
		return found, nil
	}
	if s.config.preserved() && !found {
		return false, nil // its row proves nothing
	}
	err = s.do(ctx, what, func(sc *schema) error {
		n, err := sc.update(ctx, s.writer, "session", row, []condition{{"token", sess.Token}})
		found = n > 0
		return err
	})
	return found, err
}

// DeleteSession ends a session. Where rows outlive their sessions, its row ends now.
func (s *Store) DeleteSession(ctx context.Context, token string) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if !store.Askable(token) {
		return nil
	}
	if s.cache != nil {
		if err := s.cache.remove(ctx, token); err != nil {
			return err
		}
	}
	if !s.config.sessionRows() {
		return nil
	}
	return s.do(ctx, "delete session", func(sc *schema) error {
		return s.end(ctx, sc, []condition{{"token", token}}, "")
	})
}

// DeleteSessionsOf ends all sessions of a user but the one that has exceptToken; empty: none is kept.
func (s *Store) DeleteSessionsOf(ctx context.Context, userID, exceptToken string) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if s.cache != nil {
		if err := s.deleteValuesOf(ctx, userID, exceptToken); err != nil {
			return err
		}
	}
	if !s.config.sessionRows() {
		return nil
	}
	return s.do(ctx, "delete sessions", func(sc *schema) error {
		return s.end(ctx, sc, []condition{{"userId", userID}}, exceptToken)
	})
}

// deleteValuesOf is the part of the secondary storage. Where some are kept, rows tell of sessions that the list has lost.
func (s *Store) deleteValuesOf(ctx context.Context, userID, exceptToken string) error {
	if exceptToken != "" && s.config.sessionRows() {
		const most = 10_000
		var rows []record.Session
		err := s.do(ctx, "delete sessions", func(sc *schema) (err error) {
			rows, err = find(ctx, sc, s.reader, "session", sessionCells, []condition{{"userId", userID}}, "", most, nil)
			return err
		})
		if err != nil {
			return err
		}
		for i := range rows {
			if rows[i].Token == exceptToken {
				continue
			}
			if err := s.cache.remove(ctx, rows[i].Token); err != nil {
				return err
			}
		}
	}
	return s.cache.removeOf(ctx, userID, exceptToken)
}

// end deletes rows, or ends those that live where rows outlive their sessions.
func (s *Store) end(ctx context.Context, sc *schema, conditions []condition, exceptToken string) error {
	if !sc.possible("session", conditions) {
		return nil
	}
	now := s.now()
	var statement string
	var args []any
	if s.config.preserved() {
		args = append(args, sc.value("session", "expiresAt", now))
		statement = "update " + sc.table("session") + " set " + sc.column("session", "expiresAt") + " = " + sc.parameter("session", "expiresAt", now, 1)
	} else {
		statement = "delete from " + sc.table("session")
	}
	where, more := sc.where("", "session", conditions, len(args)+1)
	statement, args = statement+where, append(args, more...)
	if s.config.preserved() {
		statement += " and " + sc.later("session", "expiresAt", 1)
	}
	if exceptToken != "" && sc.holds("session", "token", exceptToken) {
		args = append(args, exceptToken)
		statement += " and " + sc.column("session", "token") + " <> " + sc.parameter("session", "token", exceptToken, len(args))
	}
	_, err := s.writer.ExecContext(ctx, statement, args...)
	return err
}

// SessionsOf lists the sessions of a user that have not ended, at most 100, in the database's own order, as Better Auth
// does.
func (s *Store) SessionsOf(ctx context.Context, userID string) (all []record.Session, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if s.cache != nil && (!s.config.sessionRows() || s.config.preserved()) {
		return s.cache.sessions(ctx, userID)
	}
	now := s.now()
	err = s.do(ctx, "list sessions", func(sc *schema) (err error) {
		all, err = find(ctx, sc, s.reader, "session", sessionCells, []condition{{"userId", userID}}, "", many,
			func(sess *record.Session) bool { return sess.ExpiresAt.After(now) })
		return err
	})
	return all, err
}
