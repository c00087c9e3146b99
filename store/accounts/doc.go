// Package accounts reads and writes what signing in needs, in the tables and keys of Better Auth 1.7.25 and byte for byte
// as it does: users, accounts, sessions, verifications, and for reading organizations. PostgreSQL and SQLite are spoken to
// in one SQL; sessions and verifications may live in Better Auth's secondary storage, a Redis, instead of or beside their
// tables.
//
// What signing in reads and writes of one person happens in one transaction, one at a time for each identity (Identify):
// Better Auth itself makes two accounts of one identity, or none, when two callbacks meet.
//
// An additional field of an application is left as it is. A table that has one which must not be null and has no default
// is refused: neither Better Auth's own code nor this can make rows there.
package accounts
