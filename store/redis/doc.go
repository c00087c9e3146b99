// Package redis resolves sessions that Better Auth keeps in Redis, its secondary storage.
//
// It owns what is written there: which keys there are, what shape a session has, what a user-wide revocation leaves
// behind, when the database is asked instead, and how Redis tells that a key has changed. It must not judge a session:
// expiry, bans and memberships are the gate's. How a Redis is reached (one server, Sentinel, Cluster, TLS) is known to
// package redisconn, what is in the database to whoever implements People.
//
// Nothing is ever written, so a user of few rights will do:
//
//	ACL SETUSER usher on >password ~better-auth:* -@all +getrange +ping +client|setname +client|tracking +client|trackinginfo
//
// Another database than 0 needs +select as well, a Cluster +cluster|slots and +cluster|myid.
package redis
