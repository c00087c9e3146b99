package forwardauth

// haproxy is HAProxy with the Lua action of the printed configuration, which deletes the client's X-Forwarded-* and sets
// its own. It asks up to four times when an answer is late, so a check must not use anything up.
func haproxy() dialect {
	return dialect{edge: "haproxy", family: "x-forwarded-", read: forwarded}
}
