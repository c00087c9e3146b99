// Package wire is how an identity provider is spoken to: parameters in the order and encoding of URLSearchParams, one
// bounded call, JSON read strictly and written as JSON.stringify writes it, and a provider's own words made fit for a
// log. It knows nothing of OAuth. The standard library's url.Values sorts and its encoder escapes differently, so
// neither can produce the bytes Better Auth sends.
package wire
