// Package boot is the only package that knows all others: it turns the configuration into running parts, in functions
// that can be read from top to bottom. Nothing is registered, looked up or injected elsewhere.
package boot
