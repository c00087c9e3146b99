// Package provisioned makes the rows that a backend keeps of users, organizations and memberships in tables of its own, when
// the gate first sees one, and finds their keys: the backend need not know Better Auth.
//
// It owns the mapping from Better Auth's rows to those tables, and what may go wrong with it. It stands behind the memory
// (store/cached), so that a key is remembered with the session. It must not decide: without a row it says that there is none,
// and the gate refuses.
//
// A row is made by one statement (INSERT … ON CONFLICT DO NOTHING), so that however many see somebody first, there is one.
// The key of the mapping is one column with Better Auth's id; nothing else in the tables knows of Better Auth.
package provisioned
