// Package store holds what every database store of sessions shares: which tokens are worth asking about, how a missing
// table or column is reported, what a schema check says, what a change is called, how a principal is packed for a cache.
// A store itself is a gate.Resolver and lives in a package named after its database (postgres, sqlite); storetest is the
// contract they all pass.
//
// It must not know any SQL or any driver.
package store
