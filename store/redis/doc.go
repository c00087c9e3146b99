// Package redis resolves sessions that Better Auth keeps in Redis, its secondary storage.
//
// It owns what is written there: which keys there are, what shape a session has, what a user-wide revocation leaves
// behind, when the database is asked instead, and how Redis tells that a key has changed. It must not judge a session:
// expiry, bans and memberships are the gate's. How a Redis is reached (one server, Sentinel, Cluster, TLS) is known to
// package redisconn, what is in the database to whoever implements People.
//
// The user of the URL needs GETRANGE, on the keys that begin with the prefix. To hear of changes it also needs HELLO,
// PING, CLIENT TRACKING and CLIENT TRACKINGINFO, and in a cluster CLUSTER SLOTS and CLUSTER MYID. Nothing is ever written.
package redis
