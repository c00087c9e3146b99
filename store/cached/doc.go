// Package cached is memory in front of any store: most requests are answered from it, and a session that is revoked is
// forgotten at once where the store tells of changes.
//
// A Cache is a gate.Resolver that asks another one, once for all who wait, and remembers what it says for a bounded time.
// What it remembers is the person with all memberships, not a decision: the gate judges expiry, bans, organization and
// rules on every request. Each store.Watcher gets a Channel of the cache, over which it tells what changed and proves
// that it still hears everything. Without such proof entries count for Config.TTLUnnotified only.
//
// How an entry is forgotten without an index of who depends on what: every notice gets the next number of one sequence,
// and leaves it as a mark in a table, at the places of the tags it names (store.Tag). An entry knows the number at which
// its lookup began and the places of its own tags; it counts as long as none of these marks is newer. So a lookup that
// overlaps a notice about what it read is out of date when it arrives, whatever the order in which the two came. Two tags
// that share a place cost a lookup too many, never a wrong answer.
//
// Tokens are not kept: the key of an entry is a tag, which is a hash.
package cached
