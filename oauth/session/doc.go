// Package session answers for sessions: whose this is, how it ends, which others there are. Its routes are Better Auth's
// own, and GET /session, which is get-session under the name system B knows.
//
// How a session is found, renewed and cleared is endpoint's business.
package session
