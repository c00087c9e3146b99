// Package betterauth speaks Better Auth's formats as pure functions: the names of its cookies, the signature of its
// session cookie, its bearer tokens, and the names and DDL of its tables.
//
// Reader finds and proves the session token of a request, without I/O: what it hands on was signed with the
// application's secret, or is a raw bearer token where the deployment admits those. It must not know any store or
// protocol. The facts come from Better Auth 1.7.25, recorded in testdata.
package betterauth
