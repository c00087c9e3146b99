// Package provisioned knows the business rows of people and organizations: the rows of an application's own tables, with keys
// of its own, that stand for Better Auth's. It makes them on first sight, once however many ask at the same time, and fills
// their keys into a gate.Principal. A Resolver does so in front of any store.
//
// It must not know configuration, telemetry or any edge. Whoever is remembered with a key is so by what stands before it.
package provisioned
