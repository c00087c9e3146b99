// Package postgres resolves sessions in Better Auth's own PostgreSQL database, one round trip each.
//
// It owns everything that is PostgreSQL's: the connection pool, the look at the schema, the SELECTs that are built from
// what the look found, the triggers that tell what changes, and what to do when connections break, servers restart or a
// migration changes the tables under a prepared statement. It must not judge a session: expiry, bans and memberships are
// the gate's.
//
// The role needs SELECT on the tables "user", session and, with the organization plugin, organization, member, team and
// teamMember. Connections are opened read-only where the server lets them. A Refresher, which not everybody uses, has
// connections of its own, and needs UPDATE on "expiresAt" and "updatedAt" of session besides.
//
// Watch tells a cache what changes, where InstallRevocation has put its triggers: revocation.go writes them, installed.go
// compares them with what is there, listener.go hears them, probe.go finds out whether it can.
//
// A pooler that hands out connections per transaction (PgBouncer before 1.21, or with max_prepared_statements = 0) loses
// prepared statements: add default_query_exec_mode=exec to the URL.
package postgres
