// Package roomtest is what the tests of the rooms beside oauth share: their routes behind the real router and a real
// store, requests as the bytes they are, and answers as text that can be compared with the real library's. It is for tests.
package roomtest
