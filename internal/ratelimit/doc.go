// Package ratelimit counts requests as Better Auth 1.7.25 does: in the process like its memory store, whose window moves
// with every request that is admitted, or in a Redis like its secondary storage, whose window begins with the first and
// stays. There the keys are the library's own, so that both sides may count together.
//
// It must not know what is counted.
package ratelimit
