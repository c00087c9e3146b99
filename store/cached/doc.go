// Package cached is memory in front of any gate.Resolver: a check that is answered from it costs less than a microsecond,
// and the store sees a small fraction of the traffic.
//
// It owns how long an answer may be believed. Whoever watches a storage tells what changes there through a channel
// (Cache.Channel, a store.Notices), and what depends on it is asked again. While every channel keeps saying that it told
// everything, an answer counts for Config.TTL; while one does not, for Config.TTLUnnotified. An answer never outlives
// the session, and never counts when a notice about anything it was made of came after its lookup began: such a lookup
// is answered to who asked before the notice, and not kept.
//
// Entries are keyed by store.KeyOf, a hash: tokens are never kept in memory in clear. The gate judges expiry, bans,
// organization and rules on every request, so one entry serves all organizations and all rules. Nobody's tokens, ended
// sessions and sessions whose user is gone are remembered for a second, apart from the others, so that a flood of them
// evicts nothing. Errors are never remembered.
//
// Records have no pointers and lie in an arena, so that however many there are, the garbage collector has nothing to do
// with them; an answer is a copy.
//
// It must not know any store, database or protocol.
package cached
