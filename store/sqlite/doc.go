// Package sqlite resolves sessions in Better Auth's own SQLite database, one query each, through a driver without cgo.
//
// It owns everything that is SQLite's: the file and what may happen to it (locked by a writer, replaced, removed), the
// forms in which toolchains store times, and the one SELECT that is built from what a look at the schema found. It must
// not judge a session: expiry, bans and memberships are the gate's.
//
// Lookups use read-only connections; a Refresher, which not everybody uses, has one of its own that writes, and a Watch
// one that only looks whether others have written. A database in WAL mode is read while others write to it; its folder must then be
// writable for Usher, too, because readers of a WAL share the -shm file.
package sqlite
