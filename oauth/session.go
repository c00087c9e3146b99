package oauth

import (
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
)

// open makes a session. It is always a new one, whatever the browser brought: a session that somebody else planted there
// never becomes this user's (GHSA-f24x-5g9q-753f).
func (s *Server) open(c *endpoint.Call, u *record.User) (*record.Session, error) {
	address, agent := c.Address(), c.UserAgent()
	session := &record.Session{
		Token: record.Token(), UserID: u.ID, ExpiresAt: c.Now.Add(s.config.Sessions.ExpiresIn), CreatedAt: c.Now, UpdatedAt: c.Now,
		IPAddress: &address, UserAgent: &agent,
	}
	return session, s.config.Store.CreateSession(c.R.Context(), session, u)
}
