// Package companion tests the sign-in server as people meet it: the real binary, the real Better Auth beside it on one
// database, an OpenID provider that nobody here wrote, and clients that know neither apart.
package companion
