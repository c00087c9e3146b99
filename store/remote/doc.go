// Package remote resolves sessions by asking Better Auth itself over HTTP, for deployments whose database Usher does not
// speak (MongoDB, MySQL, D1).
//
// It owns how Better Auth is asked and how its answers are read: which endpoints, with which cookies, within which time,
// concurrency and size. It must not judge a session: expiry, bans and memberships are the gate's. One lookup is one call
// of get-session and, for members of organizations, organization/list, one organization/list-members for each of them
// and one organization/list-user-teams: there is no endpoint that says all at once. It is far dearer than a query of a
// database, so a cache belongs in front of it. Nothing tells what changes, so there is no store.Watcher: the cache lives
// by cache.ttl_unnotified.
//
// # Whose cookie is sent
//
// A gate.Credential holds no more than the session's token. It is sent as the session cookie, signed here with the
// current secret, which is what the caller sent where that was a cookie signed with this secret. It works with and
// without the bearer plugin. It also means that who may pass is decided by the Reader: a token that came in a cookie
// signed with an older secret, or plain as a bearer token, is one that the deployment admits (better_auth.secrets,
// better_auth.bearer), and Better Auth is then asked as if it had come signed with the current secret, although it would
// not have taken the cookie itself, or the bearer token without its plugin.
//
// No session_data cookie is sent, so that Better Auth looks into its own storage, where revocations are seen at once. A
// Better Auth that keeps no sessions at all (stateless, without database) knows nobody by this.
//
// # What is proof
//
// Better Auth answers 200 and null both to a session that does not exist and to a cookie it does not believe. Only with
// the former it clears the cookie it was sent, and only then nobody holds the session; null alone means that secret or
// cookie name differ, or that something between takes Set-Cookie away, and is an error. So is everything else that is no
// session: a redirect, a page, any status but 200 (the organization endpoints answer 401 also when the database is
// down). Errors become 503 and never a sign-out.
//
// # What asking writes
//
// Asking extends no session: get-session has disableRefresh for that, and for the organization endpoints, of which some
// drop that parameter, the dont_remember cookie goes along. Without it they would extend every session that is due, also
// those that must not be: don't-remember ones, and those in which an admin impersonates somebody. What remains is that
// Better Auth deletes an expired session when it is asked about it. The endpoints that clear a stale active organization
// (get-full-organization, get-organization, set-active) are not used. Refresh is for extending, when somebody wants it.
//
// # Better Auth's rate limit
//
// In production Better Auth lets one address have 100 calls of an endpoint in 10 seconds, and a gate is one address. It
// has to be told not to count these:
//
//	rateLimit: { customRules: {
//		"/ok": false, "/get-session": false,
//		"/organization/list": false, "/organization/list-members": false, "/organization/list-user-teams": false,
//	} }
//
// These endpoints then have no limit for anybody: where Better Auth can be reached from outside, let the proxy before it
// limit them. While it refuses (429), nobody knows whether there is a session.
//
// Plain http:// carries every session's token in clear text: use it on loopback or in a network that you trust.
package remote
