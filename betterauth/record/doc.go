// Package record holds Better Auth's rows as values: what the companion's rooms hand to each other and what the store
// reads and writes. It also knows how the library writes each of them as JSON, key by key in its order, and makes its
// kind of random identifiers. It knows no database and no HTTP.
package record
