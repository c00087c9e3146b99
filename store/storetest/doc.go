// Package storetest is the contract of a session store as a test suite: whatever database it reads, it finds the same
// principals in the same rows. The schemas and most rows are recorded from Better Auth itself (testdata).
//
// A store's own tests call Run; what only one database can do (a server that is killed, a file that is replaced) they
// test beside it.
package storetest
