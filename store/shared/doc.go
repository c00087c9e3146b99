// Package shared is a memory that several replicas share: Usher's own Redis, between the memory of each (store/cached)
// and the store. What one replica looked up, the others need not.
//
// It owns one promise: an answer from here is never staler than one of the store's would be in the memory above. Nothing
// in Redis is ever deleted to keep it. Instead each entry says when its lookup began, and each replica knows when it
// heard which notice (store.Notices), and refuses by itself what is older than that. So it does not matter which replica
// is slow, which write is late or which reply was lost. marks.go has the argument in full.
//
// Whoever can read that Redis learns no token and nothing about anybody: names are keyed hashes and values are sealed.
// Whoever can write to it can neither make an identity nor bring back an old one, for the time of the lookup is sealed
// in with the answer.
//
// Without notices nobody can tell what is stale: then, and while Redis does not answer, this package is not there, and
// every question goes to the store.
//
// It must not know how the store keeps sessions, nor whose cache is above.
package shared
