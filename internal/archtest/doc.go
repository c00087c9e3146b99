// Package archtest holds the architecture as tests: who may import whom, where each third party lives, and that every
// package says what it is for. ARCHITECTURE.md shows the same table to people.
package archtest
