// Package flow holds the pure rules of signing in: so far, where somebody may be led back to afterwards. It knows no
// HTTP, no provider and no database.
package flow
