// Package redisconn says how a Redis is reached: one server, servers behind Sentinel, a Cluster, each with or without TLS,
// all from one URL. It also holds what keeps a dead Redis from costing anybody time, the Breaker, and what to do about an
// error, Remedy.
//
// It must not know what is kept in a Redis.
package redisconn
