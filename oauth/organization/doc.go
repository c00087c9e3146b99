// Package organization is what the client of Better Auth's organization plugin asks when it reads: which organizations
// somebody belongs to, which one is active, who else is in it, and what role they have there; and the one thing it
// changes that is the session's own, which of them is active. Whatever makes, invites or removes stays Better Auth's.
package organization
