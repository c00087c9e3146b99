package forwardauth

// caddy is Caddy's forward_auth. It appends the client's query to the path of the check, and sends the client's Upgrade
// and Connection along. Of aliases it drops those with _ and . (2.11), and passes the rest.
func caddy() dialect {
	return dialect{edge: "caddy", family: "x-forwarded-", read: forwarded}
}
