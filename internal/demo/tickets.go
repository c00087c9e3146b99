package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
)

// cookieName is Better Auth's where the base URL is http.
const cookieName = "better-auth.session_token"

// lifetime is Better Auth's session.expiresIn.
const lifetime = 7 * 24 * time.Hour

// ticket is a session for whoever has no browser at hand: what somebody shows to be let in.
type ticket struct {
	person *person
	cookie string // name=value
	bearer string // the same session's token
}

// issue makes a session for each of them: a row and the signed cookie, as signing in does.
func (d *database) issue(ctx context.Context, people []person, secret string) ([]ticket, error) {
	var tickets []ticket
	for i := range people {
		p, token, now := &people[i], record.Token(), time.Now()
		_, err := d.ExecContext(ctx, `insert into "session" ("id", "token", "userId", "expiresAt", "createdAt", "updatedAt", "ipAddress", "userAgent")
			values (?, ?, ?, ?, ?, ?, '127.0.0.1', 'usher demo')`,
			record.ID(), token, p.ID, instant(now.Add(lifetime)), instant(now), instant(now))
		if err != nil {
			return nil, fmt.Errorf("a session for %s: %w", p.Name, err)
		}
		tickets = append(tickets, ticket{p, cookieName + "=" + betterauth.Sign(secret, token), token})
	}
	return tickets, nil
}
