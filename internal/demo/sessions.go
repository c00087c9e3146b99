package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// cookieName is Better Auth's where the base URL is http.
const cookieName = "better-auth.session_token"

// lifetime is Better Auth's session.expiresIn.
const lifetime = 7 * 24 * time.Hour

// sessions makes and ends sessions as Better Auth does: a row, and a signed cookie with its token.
type sessions struct {
	db     *database
	secret string
	reader *betterauth.Reader
}

func newSessions(db *database, secret string) (*sessions, error) {
	reader, err := betterauth.NewReader(betterauth.Config{Secret: secret, CookieName: cookieName})
	if err != nil {
		return nil, err
	}
	return &sessions{db, secret, reader}, nil
}

// ticket is what somebody shows to be let in.
type ticket struct {
	person *person
	cookie string // name=value
	bearer string // the same session's token
}

// issue makes a session.
func (s *sessions) issue(ctx context.Context, p *person, agent string) (ticket, error) {
	token, now := randomID(), time.Now()
	_, err := s.db.ExecContext(ctx, `insert into "session" ("id", "token", "userId", "expiresAt", "createdAt", "updatedAt", "ipAddress", "userAgent")
		values (?, ?, ?, ?, ?, ?, '127.0.0.1', ?)`, randomID(), token, p.ID, instant(now.Add(lifetime)), instant(now), instant(now), agent)
	if err != nil {
		return ticket{}, fmt.Errorf("a session for %s: %w", p.Name, err)
	}
	return ticket{p, cookieName + "=" + betterauth.Sign(s.secret, token), token}, nil
}

// issueAll makes a session for each of them, for the terminal.
func (s *sessions) issueAll(ctx context.Context, people []person) ([]ticket, error) {
	var tickets []ticket
	for i := range people {
		t, err := s.issue(ctx, &people[i], "usher demo")
		if err != nil {
			return nil, err
		}
		tickets = append(tickets, t)
	}
	return tickets, nil
}

// revoke ends the sessions whose genuine cookies these lines hold. A cookie that we did not sign is nobody's.
func (s *sessions) revoke(ctx context.Context, cookies []string) error {
	credentials, err := s.reader.Read(&gate.Request{Cookies: cookies})
	if err != nil {
		return nil //nolint:nilerr // who is not signed in is signed out already
	}
	for i := range credentials.Len() {
		if _, err := s.db.ExecContext(ctx, `delete from "session" where "token" = ?`, credentials.At(i).Token()); err != nil {
			return err
		}
	}
	return nil
}

// randomID makes ids and tokens as Better Auth does: 32 of these 62 characters, each as likely as any other.
func randomID() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	const fair = 256 - 256%len(alphabet)
	id, random := make([]byte, 0, 32), make([]byte, 64)
	for len(id) < cap(id) {
		rand.Read(random) //nolint:errcheck // it never fails: crypto/rand ends the program instead
		for _, b := range random {
			if int(b) < fair && len(id) < cap(id) {
				id = append(id, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(id)
}
